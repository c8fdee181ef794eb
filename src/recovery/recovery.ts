// The recovery sink: decides for each stall whether its command is started, once per silence run, and watches over the
// children it started (spec 10). The order of the checks is the contract: whatever fails first ends the decision, and
// everything that is not known to be right is refused. It never waits, never logs and never throws for what the system
// or a command does: each decision and each child's end is told as one outcome.
import { errnoText } from "../../ffi/errno.ts";
import { assert } from "../base/assert.ts";
import {
  LEDGER_PRUNE_DEBOUNCES,
  LEDGER_PRUNE_PER_DECISION_MAX,
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
} from "../base/limits.ts";
import { saturatingAdd } from "../base/saturating.ts";
import type { Config } from "../config/config.ts";
import type { Stall } from "../events/stall.ts";
import { ArgvTemplate, placeholderValues } from "./argv_template.ts";
import { Child } from "./child.ts";
import type { ChildRunner } from "./child_runner.ts";
import { distrustReason, type Freshness, sameLineage, stalenessReason } from "./decision.ts";
import { ChildEnvironment } from "./environment.ts";
import { LEDGER_DEBOUNCED, LEDGER_RECYCLED, Ledger } from "./ledger.ts";
import {
  type DecisionReason,
  isSpawnAttempt,
  OUTCOME_SPAWNED,
  type OutcomeCode,
  REASONS,
  type RecoveryOutcome,
} from "./outcome.ts";
import { Outstanding } from "./outstanding.ts";

/** What a reload of the configuration may change. */
export interface RecoverySettings {
  readonly config: Config["recovery"];
  readonly thresholdNs: number;
  readonly allowCrossNamespace: boolean;
  /** Indexed by listener number. */
  readonly listenerNames: readonly string[];
}

export interface RecoveryOptions extends RecoverySettings {
  readonly runner: ChildRunner;
  readonly freshness: Freshness;
  /** Receives every outcome, in order, during `decide()`, `reap()` and the shutdown calls; must not call back. */
  readonly outcomes: (outcome: RecoveryOutcome) => void;
  /** Capacity of the tracker: at most one child and one debounce window for each agent. */
  readonly capacity: number;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerNamespaceInode: number;
  /** Unix time in milliseconds of observer time 0; asked for at each spawn, since the wall clock may be set. */
  readonly unixMsAtStart: () => number;
  /** The daemon's environment, for `inherit_env`. */
  readonly daemonEnv: Readonly<Record<string, string | undefined>>;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #outstanding: Outstanding;
  readonly #ledger: Ledger;
  #settings: RecoverySettings;
  /** Undefined while no command is configured. */
  #template: ArgvTemplate | undefined = undefined;
  #environment: ChildEnvironment;

  #evaluationsThisTurn = 0;
  #spawnsThisTurn = 0;
  #isDeferralCounted = false;

  #debounceRecycleResets = 0;
  #spawnBudgetExceeded = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#outstanding = new Outstanding(options.capacity, options.runner, options.outcomes);
    this.#ledger = new Ledger(options.capacity);
    this.#settings = options;
    this.#environment = new ChildEnvironment({}, undefined);
    this.configure(options);
  }

  /** Takes new settings over; children that are running keep what they were started with, except their deadlines. */
  configure(settings: RecoverySettings): void {
    const config = settings.config;
    const inherited = config.inheritEnv ? this.#options.daemonEnv : undefined;
    this.#settings = settings;
    this.#template =
      config.command === undefined ? undefined : new ArgvTemplate(config.command, config.appendPid);
    this.#environment = new ChildEnvironment(config.env, inherited);
    this.#outstanding.configure(config);
  }

  /** True if a command is configured and no shutdown has begun: stalls may be decided. */
  get isEnabled(): boolean {
    return this.#template !== undefined && !this.#outstanding.isShutdown;
  }

  /** A new turn has its full budget. */
  beginTurn(): void {
    this.#evaluationsThisTurn = 0;
    this.#spawnsThisTurn = 0;
    this.#isDeferralCounted = false;
  }

  /** Whether this turn may decide one more stall. Ask only while one waits: a refusal is counted as a deferral. */
  mayDecide(): boolean {
    if (this.#spawnsThisTurn >= RECOVERY_SPAWNS_PER_TURN_MAX) {
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
    assert(this.isEnabled, "a stall is decided while a command is set and no shutdown has begun");
    const code = this.#decide(stall, nowNs);
    this.#evaluationsThisTurn += 1;
    if (isSpawnAttempt(code)) this.#spawnsThisTurn += 1;
    return code;
  }

  /** Handles child exits, timeouts and due kills, each within its budget of the turn. Returns the exits handled. */
  reap(nowNs: number): number {
    return this.#outstanding.reap(nowNs);
  }

  /** Observer time at which `reap()` has work: 0 = now, Infinity = nothing to wait for but exits. */
  nextDeadlineNs(): number {
    return this.#outstanding.nextDeadlineNs();
  }

  /** Children whose end was not told yet, orphans included. */
  get outstandingCount(): number {
    return this.#outstanding.count;
  }

  /** No stall is decided any more; every child gets SIGTERM. Go on with `reap()` until `shutdownDone()`. */
  beginShutdown(nowNs: number): void {
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
    if (window === LEDGER_DEBOUNCED) return this.#refuse(stall, nowNs, "debounced");
    if (window === LEDGER_RECYCLED) {
      this.#debounceRecycleResets = saturatingAdd(this.#debounceRecycleResets, 1);
    }

    return this.#decideBesideChild(stall, nowNs);
  }

  /** Checks 5 and 6: an earlier child for the same pid. */
  #decideBesideChild(stall: Stall, nowNs: number): OutcomeCode {
    const earlier = this.#outstanding.get(stall.pid);
    if (earlier === undefined) return this.#reserve(stall, nowNs);
    if (earlier.hasExited) {
      // Its exit was reported and only waits for its place in a turn: it is not in the way any more.
      this.#outstanding.finish(earlier, nowNs);
      return this.#reserve(stall, nowNs);
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
    return this.#reserve(stall, nowNs);
  }

  /** Checks 7 and 8: room for what the spawn will have to remember, before there is anything to remember. */
  #reserve(stall: Stall, nowNs: number): OutcomeCode {
    const child = new Child(stall.pid, stall.generation, nowNs);
    if (!this.#outstanding.reserve(child)) {
      return this.#refuse(stall, nowNs, "outstanding_capacity");
    }
    const { debounceNs } = this.#settings.config;
    const ledgerSlot = this.#ledger.reserve(stall.pid, nowNs, debounceNs);
    if (ledgerSlot < 0) {
      this.#outstanding.release(child);
      return this.#refuse(stall, nowNs, "debounce_capacity");
    }

    const error = this.#start(stall, child, nowNs);
    if (error !== "") {
      this.#outstanding.release(child);
      this.#ledger.release(ledgerSlot);
      return this.#refuse(stall, nowNs, "spawn_failed", error);
    }
    this.#ledger.commit(ledgerSlot, stall.generation, nowNs);
    return this.#tellSpawn(stall, child, nowNs);
  }

  /** Check 9. */
  #start(stall: Stall, child: Child, nowNs: number): string {
    const values = placeholderValues(stall, {
      nowNs,
      thresholdNs: this.#settings.thresholdNs,
      listenerNames: this.#settings.listenerNames,
      unixMsAtStart: this.#options.unixMsAtStart(),
    });
    const argv = this.#template!.expand(values);
    return this.#outstanding.start(child, argv, this.#environment.expand(values));
  }

  #tellSpawn(stall: Stall, child: Child, nowNs: number): OutcomeCode {
    this.#options.outcomes({
      kind: "spawn",
      code: OUTCOME_SPAWNED,
      observerNs: nowNs,
      pid: stall.pid,
      childPid: child.childPid,
      stall,
      program: this.#template!.program,
      source: this.#settings.config.commandSource,
      templateSizeBytes: this.#template!.sizeBytes,
    });
    return OUTCOME_SPAWNED;
  }

  #refuse(stall: Stall, nowNs: number, reason: DecisionReason, error = ""): OutcomeCode {
    const { code, refused } = REASONS[reason];
    this.#options.outcomes({
      kind: "refused",
      code,
      refused,
      reason,
      observerNs: nowNs,
      pid: stall.pid,
      stall,
      program: this.#template!.program,
      error,
    });
    return code;
  }
}
