// The recovery sink: decides for each stall whether a recovery begins, once per silence run, and watches over what it
// began (spec 10). The order of the checks is the contract: whatever fails first ends the decision, and everything that is
// not known to be right is refused. It never waits, never logs and never throws for what the system or a command does:
// each decision, each step and each child's end is told as one outcome.
import { errnoText } from "../../ffi/errno.ts";
import { assert } from "../base/assert.ts";
import {
  LEDGER_PRUNE_DEBOUNCES,
  LEDGER_PRUNE_PER_DECISION_MAX,
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
  RECOVERY_STEP_SPAWNS_PER_TURN_MAX,
} from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { saturatingAdd } from "../base/saturating.ts";
import { msFromNs, nsFromMs } from "../base/time.ts";
import type { Stall } from "../events/stall.ts";
import { type AgentHost, BlindAgentHost } from "./agent_host.ts";
import type { ChildRunner } from "./child_runner.ts";
import { distrustReason, type Freshness, sameLineage, stalenessReason } from "./decision.ts";
import type { FiredJournal } from "./fired_journal.ts";
import { LEDGER_DEBOUNCED, LEDGER_RECYCLED, Ledger } from "./ledger.ts";
import type { DecisionReason, OutcomeCode, RecoveryOutcome } from "./outcome.ts";
import { Outstanding } from "./outstanding.ts";
import { PACE_BACKING_OFF, PACE_FULL, PACE_GAVE_UP, Pacing } from "./pacing.ts";
import { Plan } from "./plan.ts";
import { Sequence } from "./sequence.ts";
import { Sequences } from "./sequences.ts";
import { type RecoverySettings, StepActions } from "./step_actions.ts";
import { StormLimit } from "./storm_limit.ts";

export type RecoveryJournal = Pick<FiredJournal, "found" | "began" | "forget">;

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
  readonly #options: RecoveryOptions;
  readonly #host: AgentHost;
  readonly #outstanding: Outstanding;
  readonly #actions: StepActions;
  readonly #sequences: Sequences;
  readonly #ledger: Ledger;
  readonly #pacing: Pacing;
  readonly #storm = new StormLimit();
  #settings: RecoverySettings;
  /** Undefined where nothing outlives the daemon. */
  #journal: RecoveryJournal | undefined = undefined;
  /** Undefined while nothing is configured. */
  #plan: Plan | undefined = undefined;

  #evaluationsThisTurn = 0;
  #spawnsThisTurn = 0;
  #isDeferralCounted = false;

  #debounceRecycleResets = 0;
  #spawnBudgetExceeded = 0;

  constructor(options: RecoveryOptions) {
    const { capacity, runner, outcomes, freshness, daemonEnv, unixMsAtStart } = options;
    const monotonicNs = options.monotonicNs ?? (() => 0);
    const host = options.host ?? new BlindAgentHost();
    this.#options = options;
    this.#host = host;
    this.#outstanding = new Outstanding(capacity, runner, outcomes, (child, succeeded, nowNs) =>
      this.#sequences.childEnded(child, succeeded, nowNs),
    );
    const outstanding = this.#outstanding;
    this.#actions = new StepActions(
      { outstanding, host, outcomes, unixMsAtStart, daemonEnv, monotonicNs },
      options,
    );
    this.#sequences = new Sequences({
      actions: this.#actions,
      host,
      freshness,
      outcomes,
      capacity,
      recovered: ({ paceKey, stall }, nowNs) => {
        this.#pacing.resumed(paceKey, stall.generation, nowNs);
      },
      retry: (sequence, nowNs) => this.#retry(sequence, nowNs),
      retryNs: (sequence, nowNs) => this.#retryNs(sequence, nowNs),
    });
    this.#ledger = new Ledger(capacity);
    this.#pacing = new Pacing(capacity);
    this.#settings = options;
    this.configure(options);
  }

  /**
   * Takes new settings over. Recoveries in progress go on with the plan they began with, unless recovery is switched off;
   * children have new deadlines.
   */
  configure(settings: RecoverySettings): void {
    const { config } = settings;
    this.#settings = settings;
    this.#plan = Plan.of(config);
    this.#actions.configure(settings);
    this.#sequences.configure(config.verifyWithinNs);
    this.#pacing.configure(config);
    this.#storm.configure(config);
    this.#outstanding.configure(config);
  }

  /** True if something is configured and no shutdown has begun: stalls may be decided. */
  get isEnabled(): boolean {
    return this.#plan !== undefined && !this.#outstanding.isShutdown;
  }

  /** Notes recoveries in `journal` from now on, and holds the debounce of those that the daemon before this one began. */
  useJournal(journal: RecoveryJournal, nowNs: number): void {
    this.#journal = journal;
    const startUnixMs = this.#options.unixMsAtStart();
    for (const { pid, generation, unixMs } of journal.found) {
      // A wall clock that was set back must not hold a window for longer than the debounce.
      const firedNs = Math.min(nowNs, nsFromMs(unixMs - startUnixMs));
      const slot = this.#ledger.reserve(pid, nowNs, 0);
      if (slot >= 0) this.#ledger.commit(slot, generation, firedNs);
    }
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
  decide(stall: Stall, nowNs: number): OutcomeCode {
    assert(this.isEnabled, "a stall is decided while a plan is set and no shutdown has begun");
    const attempts = this.#actions.spawnAttempts;
    const code = this.#decide(stall, nowNs);
    this.#evaluationsThisTurn += 1;
    this.#spawnsThisTurn += this.#actions.spawnAttempts - attempts;
    return code;
  }

  /** The agent beats again: what is left of its recovery is dropped. `generation` is that of the beat, NaN = unknown. */
  onResumed(pid: number, generation: number, nowNs: number): void {
    this.#pacing.resumed(pid, generation, nowNs);
    this.#sequences.resumed(pid, generation, nowNs);
  }

  /**
   * Ends the turn: child exits, output, timeouts, due kills, and the next steps of recoveries in progress, each within
   * what the turn has left. Returns the exits handled.
   */
  reap(nowNs: number): number {
    const handled = this.#outstanding.reap(nowNs);
    if (this.isEnabled) {
      const spawnsMax = Math.max(0, RECOVERY_SPAWNS_PER_TURN_MAX - this.#spawnsThisTurn);
      this.#sequences.advance(nowNs, spawnsMax);
      this.#pacing.maintain(nowNs);
      this.#endStorm(nowNs);
    } else this.#sequences.stop(nowNs);
    this.beginTurn();
    return handled;
  }

  /** Observer time at which `reap()` has work: 0 = now, Infinity = nothing to wait for but exits. */
  nextDeadlineNs(): number {
    const childrenNs = this.#outstanding.nextDeadlineNs();
    if (!this.isEnabled) return childrenNs;
    const pacingNs = Math.min(this.#pacing.nextLookNs(), this.#storm.endNs);
    return Math.min(childrenNs, this.#sequences.nextDeadlineNs(), pacingNs);
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
    return this.#pacing.givenUpCount;
  }

  /** No stall is decided and no step is done any more; every child gets SIGTERM. Go on with `reap()` until `shutdownDone()`. */
  beginShutdown(nowNs: number): void {
    this.#sequences.stop(nowNs);
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
    return this.#ledger.takeEvictions();
  }

  takeDebounceRecycleResets(): number {
    const count = this.#debounceRecycleResets;
    this.#debounceRecycleResets = 0;
    return count;
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

  /** Checks 0 to 4 of spec 10 section 3, which only look. */
  #decide(stall: Stall, nowNs: number): OutcomeCode {
    const { freshness, observerNamespaceInode } = this.#options;
    const { config, allowCrossNamespace } = this.#settings;

    const stale = stalenessReason(freshness(stall.pid, stall.generation));
    if (stale !== undefined) return this.#refuse(stall, nowNs, stale);

    const distrust = distrustReason(stall, observerNamespaceInode, allowCrossNamespace);
    if (distrust !== undefined) return this.#refuse(stall, nowNs, distrust);

    const pruneAgeNs = LEDGER_PRUNE_DEBOUNCES * config.debounceNs;
    this.#ledger.prune(nowNs, pruneAgeNs, LEDGER_PRUNE_PER_DECISION_MAX);
    const window = this.#ledger.check(stall.pid, stall.generation, nowNs, config.debounceNs);
    if (window === LEDGER_DEBOUNCED) {
      this.#parkFirst(this.#sequenceOf(stall, nowNs), nowNs + config.debounceNs);
      return this.#refuse(stall, nowNs, "debounced");
    }
    if (window === LEDGER_RECYCLED) {
      this.#debounceRecycleResets = saturatingAdd(this.#debounceRecycleResets, 1);
    }

    return this.#decideBesideChild(stall, nowNs);
  }

  /** Checks 5 and 6: an earlier child for the same pid. */
  #decideBesideChild(stall: Stall, nowNs: number): OutcomeCode {
    const earlier = this.#outstanding.get(stall.pid);
    if (earlier === undefined) return this.#decidePace(stall, nowNs);
    if (earlier.hasExited) {
      // Its exit was reported and only waits for its place in a turn: it is not in the way any more.
      this.#outstanding.finish(earlier, nowNs);
      return this.#decidePace(stall, nowNs);
    }
    if (sameLineage(earlier.generation, stall.generation)) {
      return this.#refuse(stall, nowNs, "outstanding_in_flight");
    }
    const killed = this.#outstanding.killStale(earlier, nowNs);
    if (killed !== 0) {
      return this.#refuse(stall, nowNs, "stale_child_kill_failed", errnoText(-killed));
    }
    if (!this.#outstanding.makeOrphan(earlier)) {
      return this.#refuse(stall, nowNs, "orphan_reap_capacity");
    }
    return this.#decidePace(stall, nowNs);
  }

  /** Between checks 6 and 7: back-off and budget of the agent, then the limit over all agents. */
  #decidePace(stall: Stall, nowNs: number): OutcomeCode {
    const sequence = this.#sequenceOf(stall, nowNs);
    const { paceKey } = sequence;
    const wasGivenUp = this.#pacing.isGivenUp(paceKey);
    const pace = this.#pacing.check(paceKey, stall.generation, stall.lastNs, nowNs);
    if (pace === PACE_FULL) return this.#refuse(stall, nowNs, "debounce_capacity");
    if (pace === PACE_BACKING_OFF || pace === PACE_GAVE_UP) {
      this.#parkFirst(sequence, this.#pacing.nextNs(paceKey));
      const reason = pace === PACE_GAVE_UP ? "gave_up" : "backing_off";
      return this.#refuse(stall, nowNs, reason, "", wasGivenUp);
    }
    if (!this.#storm.isOpen(nowNs)) {
      this.#parkFirst(sequence, this.#storm.nextOpenNs());
      if (this.#storm.refused(nowNs)) this.#tellStorm(true, 0, nowNs);
      return this.#refuse(stall, nowNs, "storm_limit");
    }
    return this.#begin(sequence, nowNs);
  }

  /** Checks 7 to 10: room for what the recovery will have to remember, before there is anything to remember. */
  #begin(sequence: Sequence, nowNs: number): OutcomeCode {
    const { stall, paceKey } = sequence;
    if (this.#sequences.isFull && !this.#sequences.has(stall.pid)) {
      return this.#refuse(stall, nowNs, "outstanding_capacity");
    }
    if (!this.#actions.reserve(sequence, nowNs)) {
      return this.#refuse(stall, nowNs, "outstanding_capacity");
    }
    const { debounceNs } = this.#settings.config;
    const ledgerSlot = this.#ledger.reserve(stall.pid, nowNs, debounceNs);
    if (ledgerSlot < 0) {
      this.#actions.release(sequence);
      return this.#refuse(stall, nowNs, "debounce_capacity");
    }
    const journal = this.#journal;
    const { pid, generation } = stall;
    const unixMs = this.#options.unixMsAtStart() + msFromNs(nowNs);
    const line = sequence.isDryRun ? undefined : journal?.began({ pid, generation, unixMs });
    if (this.#sequences.begin(sequence, nowNs)) {
      this.#ledger.commit(ledgerSlot, stall.generation, nowNs);
      this.#pacing.fired(paceKey, stall.generation, nowNs);
      this.#storm.started(nowNs);
    } else {
      this.#ledger.release(ledgerSlot);
      if (line !== undefined) journal?.forget(line);
    }
    return this.#actions.lastCode;
  }

  #sequenceOf(stall: Stall, nowNs: number): Sequence {
    const { config } = this.#settings;
    const plan = this.#plan!;
    const asksUnit =
      plan.needsUnit || config.paceBy === "unit" || config.verifyWithinNs !== undefined;
    const isLocal = stall.origin === ORIGIN_KERNEL_ATTESTED;
    const unit = asksUnit && isLocal ? this.#host.unitOf(stall.pid, stall.generation) : "";
    const isKnown = typeof unit !== "string";
    return new Sequence({
      stall,
      plan,
      startNs: nowNs,
      unit: isKnown ? unit : undefined,
      unitFault: isKnown ? "" : isLocal ? unit : "the kernel does not vouch for its pid",
      paceKey: isKnown && config.paceBy === "unit" ? unit.name : stall.pid,
      startGeneration: isKnown ? this.#host.nowGeneration() : NaN,
      isDryRun: config.dryRun,
    });
  }

  /** With `retry`, a stall that may not be recovered yet is decided again at `deadlineNs`. */
  #parkFirst(sequence: Sequence, deadlineNs: number): void {
    const { isFull } = this.#sequences;
    if (!this.#settings.config.retry || isFull || this.#sequences.has(sequence.pid)) return;
    this.#sequences.park(sequence, deadlineNs);
  }

  /** When a recovery that failed may be tried again. */
  #retryNs({ stall, paceKey }: Sequence, nowNs: number): number | undefined {
    const { retry, verifyWithinNs = 0, debounceNs } = this.#settings.config;
    if (!retry || !this.isEnabled) return undefined;
    const window = this.#ledger.check(stall.pid, stall.generation, nowNs, debounceNs);
    const debouncedNs = window === LEDGER_DEBOUNCED ? nowNs + debounceNs : nowNs;
    return Math.max(debouncedNs, this.#pacing.nextNs(paceKey), nowNs + verifyWithinNs);
  }

  #retry(sequence: Sequence, nowNs: number): number {
    if (!this.isEnabled) return 0;
    // Told once, when it was refused first: the next one that may begin is told by its spawn.
    const nextNs = Math.max(this.#pacing.nextNs(sequence.paceKey), this.#storm.nextOpenNs());
    if (nextNs > nowNs) {
      this.#sequences.park(sequence, nextNs);
      return 0;
    }
    const attempts = this.#actions.spawnAttempts;
    this.#decide(sequence.stall, nowNs);
    return this.#actions.spawnAttempts - attempts;
  }

  #endStorm(nowNs: number): void {
    const refusedCount = this.#storm.takeEnd(nowNs);
    if (refusedCount > 0) this.#tellStorm(false, refusedCount, nowNs);
  }

  #tellStorm(begins: boolean, refusedCount: number, nowNs: number): void {
    this.#options.outcomes({ kind: "storm", begins, observerNs: nowNs, refusedCount });
  }

  #refuse(
    stall: Stall,
    nowNs: number,
    reason: DecisionReason,
    error = "",
    isRepeated = false,
  ): OutcomeCode {
    const { dryRun } = this.#settings.config;
    const place = { stall, plan: this.#plan!, stepNumber: 0, isDryRun: dryRun };
    return this.#actions.refuse(place, nowNs, reason, error, isRepeated);
  }
}
