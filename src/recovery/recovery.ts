// The recovery sink: takes stalls, has decided what begins for them (decider.ts), and watches over what began, one turn after
// the other, each within its budget (spec 10). It never waits, never logs and never throws for what the system or a
// command does: each decision, each step and each child's end is told as one outcome.
import { assert } from "../base/assert.ts";
import {
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
  RECOVERY_STEP_SPAWNS_PER_TURN_MAX,
} from "../base/limits.ts";
import { saturatingAdd } from "../base/saturating.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { OutcomeLabel } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import { type AgentHost, BlindAgentHost } from "./agent_host.ts";
import type { ChildRunner } from "./children/child_runner.ts";
import { Decider, type RecoveryJournal } from "./decider.ts";
import type { Freshness } from "./decision.ts";
import { Outstanding } from "./children/outstanding.ts";
import { Sequences } from "./sequences.ts";
import { type RecoverySettings, StepActions } from "./step_actions.ts";
import { UnitLookups } from "./unit_lookups.ts";

export interface RecoveryOptions extends RecoverySettings {
  readonly runner: ChildRunner;
  /** Undefined = no signals and no units: an observer of beats alone. */
  readonly host?: AgentHost;
  readonly freshness: Freshness;
  /** Receives every outcome, in order, during the calls below; must not call back. */
  readonly outcomes: (outcome: RecoveryOutcome) => void;
  /** Capacity of the tracker: at most one child and one debounce window for each agent. */
  readonly capacity: number;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerNamespaceInode: number;
  /** Unix time in milliseconds of observer time 0; asked for at each spawn, since the wall clock may be set. */
  readonly unixMsAtStart: () => number;
  /** The daemon's environment, for `inherit_env`. */
  readonly daemonEnv: Readonly<Record<string, string | undefined>>;
  /** For the time that spawns take; undefined = it is not measured, and only their number is limited. */
  readonly monotonicNs?: () => number;
}

export class Recovery {
  readonly #outstanding: Outstanding;
  readonly #lookups: UnitLookups;
  readonly #actions: StepActions;
  readonly #sequences: Sequences;
  readonly #decider: Decider;

  #evaluationsThisTurn = 0;
  #spawnsThisTurn = 0;
  #isDeferralCounted = false;
  #spawnBudgetExceeded = 0;

  constructor(options: RecoveryOptions) {
    const { capacity, runner, outcomes, freshness, daemonEnv, unixMsAtStart } = options;
    const { observerNamespaceInode, host = new BlindAgentHost(), monotonicNs = () => 0 } = options;
    const outstanding = new Outstanding(capacity, runner, outcomes, (child, succeeded, nowNs) =>
      this.#sequences.childEnded(child, succeeded, nowNs),
    );
    const lookups = new UnitLookups(runner, (lookup) => this.#sequences.answered(lookup));
    const actions = new StepActions(
      { outstanding, lookups, host, outcomes, unixMsAtStart, daemonEnv, monotonicNs },
      options,
    );
    const shared = { actions, host, freshness, outcomes, capacity };
    const sequences = new Sequences({
      ...shared,
      recovered: ({ paceKey, stall }, nowNs) =>
        this.#decider.resumed(paceKey, stall.generation, nowNs),
      retry: (sequence, nowNs) => this.#decider.retry(sequence, nowNs),
      retryNs: (sequence, nowNs) => this.#decider.retryNs(sequence, nowNs),
    });
    this.#outstanding = outstanding;
    this.#lookups = lookups;
    this.#actions = actions;
    this.#sequences = sequences;
    this.#decider = new Decider(
      { ...shared, outstanding, sequences, observerNamespaceInode, unixMsAtStart },
      options,
    );
    this.configure(options);
  }

  /**
   * Takes new settings over. Recoveries in progress go on with the plan they began with, unless recovery is switched off;
   * children have new deadlines.
   */
  configure(settings: RecoverySettings): void {
    const { config } = settings;
    this.#decider.configure(settings);
    this.#actions.configure(settings);
    this.#sequences.configure(config.verifyWithinNs);
    this.#outstanding.configure(config);
  }

  /** True if something is configured and no shutdown has begun: stalls may be decided. */
  get isEnabled(): boolean {
    return this.#decider.isEnabled;
  }

  /** Notes recoveries in `journal` from now on, and holds the debounce of those that the daemon before this one began. */
  useJournal(journal: RecoveryJournal, nowNs: number): void {
    this.#decider.useJournal(journal, nowNs);
  }

  /** A new turn has its full budget. */
  beginTurn(): void {
    this.#evaluationsThisTurn = 0;
    this.#spawnsThisTurn = 0;
    this.#actions.spawnNs = 0;
    this.#isDeferralCounted = false;
  }

  /** Whether this turn may decide one more stall. Ask only while one waits: a refusal is counted as a deferral. */
  mayDecide(): boolean {
    // Recoveries in progress that could not take their next step in the last turn have a share of this one.
    const kept = Math.min(this.#sequences.readyCount, RECOVERY_STEP_SPAWNS_PER_TURN_MAX);
    const hasSpentTurn = this.#spawnsThisTurn >= RECOVERY_SPAWNS_PER_TURN_MAX - kept;
    if (hasSpentTurn || this.#actions.hasSpentTurn) {
      if (!this.#isDeferralCounted) {
        this.#spawnBudgetExceeded = saturatingAdd(this.#spawnBudgetExceeded, 1);
      }
      this.#isDeferralCounted = true;
      return false;
    }
    return this.#evaluationsThisTurn < RECOVERY_EVALUATIONS_PER_TURN_MAX;
  }

  /** Decides one stall, the oldest first. Requires `isEnabled`. */
  decide(stall: Stall, nowNs: number): OutcomeLabel {
    assert(this.isEnabled, "a stall is decided while a plan is set and no shutdown has begun");
    const attempts = this.#actions.spawnAttempts;
    const label = this.#decider.decide(stall, nowNs);
    this.#evaluationsThisTurn += 1;
    this.#spawnsThisTurn += this.#actions.spawnAttempts - attempts;
    return label;
  }

  /** The agent beats again: what is left of its recovery is dropped. `generation` is that of the beat, NaN = unknown. */
  onResumed(key: number, generation: number, nowNs: number): void {
    this.#decider.resumed(key, generation, nowNs);
    this.#sequences.resumed(key, generation, nowNs);
  }

  /**
   * Ends the turn: child exits, output, timeouts, due kills, and the next steps of recoveries in progress, each within
   * what the turn has left. Returns the exits handled.
   */
  reap(nowNs: number): number {
    const handled = this.#outstanding.reap(nowNs);
    if (this.isEnabled) {
      this.#lookups.advance(nowNs);
      const spawnsMax = Math.max(0, RECOVERY_SPAWNS_PER_TURN_MAX - this.#spawnsThisTurn);
      this.#sequences.advance(nowNs, spawnsMax);
      this.#decider.maintain(nowNs);
    } else this.#sequences.stop(nowNs);
    this.beginTurn();
    return handled;
  }

  /** Observer time at which `reap()` has work: 0 = now, Infinity = nothing to wait for but exits. */
  nextDeadlineNs(): number {
    const childrenNs = this.#outstanding.nextDeadlineNs();
    if (!this.isEnabled) return childrenNs;
    return Math.min(
      childrenNs,
      this.#lookups.nextDeadlineNs(),
      this.#sequences.nextDeadlineNs(),
      this.#decider.nextDeadlineNs(),
    );
  }

  /** Children whose end was not told yet, orphans included. */
  get outstandingCount(): number {
    return this.#outstanding.count;
  }

  /** Recoveries whose last word was not told yet. */
  get sequenceCount(): number {
    return this.#sequences.size;
  }

  /** Agents that are not recovered any more until their budget has room again. */
  get givenUpCount(): number {
    return this.#decider.givenUpCount;
  }

  /** No stall is decided and no step is done any more; every child gets SIGTERM. Go on with `reap()` until `shutdownDone()`. */
  beginShutdown(nowNs: number): void {
    this.#sequences.stop(nowNs);
    this.#lookups.stop();
    this.#outstanding.beginShutdown(nowNs);
  }

  /** True once every child has its outcome; after `shutdown_grace` the survivors get theirs here. */
  shutdownDone(nowNs: number): boolean {
    return this.#outstanding.shutdownDone(nowNs);
  }

  /** SIGKILL to every child and no more waiting: the next `shutdownDone()` is true. */
  killAllNow(nowNs: number): void {
    this.#outstanding.killAll(nowNs);
  }

  takeLastFiredEvictions(): number {
    return this.#decider.takeLastFiredEvictions();
  }

  takeDebounceRecycleResets(): number {
    return this.#decider.takeDebounceRecycleResets();
  }

  takeOutstandingRecycleResets(): number {
    return this.#outstanding.takeRecycleResets();
  }

  takeSpawnBudgetExceeded(): number {
    const count = this.#spawnBudgetExceeded;
    this.#spawnBudgetExceeded = 0;
    return count;
  }

  takeInvariantViolations(): number {
    return this.#outstanding.takeInvariantViolations();
  }

  takeOutstandingProbeExhausted(): number {
    return this.#outstanding.takeProbeExhausted();
  }

  takeReapTruncated(): number {
    return this.#outstanding.takeReapTruncated();
  }
}
