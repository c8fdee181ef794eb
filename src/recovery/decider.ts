// Decides for each stall whether a recovery begins, once per silence run (spec 10 section 3). The order of the checks is the
// contract: whatever fails first ends the decision, and everything that is not known to be right is refused. Here is also
// what those checks remember of recoveries that began: debounce windows, the pace of each agent, the limit over all agents.
import { errnoText } from "../../ffi/errno.ts";
import {
  LEDGER_PRUNE_DEBOUNCES,
  LEDGER_PRUNE_PER_DECISION_MAX,
  RECOVERY_HOLD_LOOK_NS,
} from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { saturatingAdd } from "../base/saturating.ts";
import { msFromNs, nsFromMs } from "../base/time.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { DecisionReason, OutcomeLabel } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import { FRESH_BEATS_REFUSED } from "../tracker/tracker.ts";
import { type AgentHost, HOLDER_HIDDEN, HOLDER_NONE } from "./agent_host.ts";
import {
  distrustReason,
  type Freshness,
  isUnidentified,
  sameLineage,
  stalenessReason,
} from "./decision.ts";
import type { FiredJournal } from "./fired_journal.ts";
import { LEDGER_DEBOUNCED, LEDGER_RECYCLED, Ledger } from "./ledger.ts";
import type { Outstanding } from "./children/outstanding.ts";
import { PACE_BACKING_OFF, PACE_FULL, PACE_GAVE_UP, type PaceKey, Pacing } from "./pacing.ts";
import { Plan } from "./plan.ts";
import { Sequence } from "./sequence.ts";
import type { Sequences } from "./sequences.ts";
import type { RecoverySettings, StepActions } from "./step_actions.ts";
import { StormLimit } from "./storm_limit.ts";

export type RecoveryJournal = Pick<FiredJournal, "found" | "began" | "forget">;

export interface DeciderOptions {
  readonly outstanding: Outstanding;
  readonly actions: StepActions;
  readonly sequences: Sequences;
  readonly host: AgentHost;
  readonly freshness: Freshness;
  readonly outcomes: (outcome: RecoveryOutcome) => void;
  /** At most one debounce window, and one pace, for each agent. */
  readonly capacity: number;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerNamespaceInode: number;
  readonly unixMsAtStart: () => number;
}

/** How a recovery begins. */
interface Begun {
  readonly isPidGone: boolean;
  /** One that could not begin before, and goes on at its next step. */
  readonly tried: Sequence | undefined;
}

export class Decider {
  readonly #options: DeciderOptions;
  readonly #ledger: Ledger;
  readonly #pacing: Pacing;
  readonly #storm = new StormLimit();
  #settings: RecoverySettings;
  /** Undefined where nothing outlives the daemon. */
  #journal: RecoveryJournal | undefined = undefined;
  /** Undefined while nothing is configured. */
  #plan: Plan | undefined = undefined;
  #debounceRecycleResets = 0;

  /** Not enabled before `configure()`. */
  constructor(options: DeciderOptions, settings: RecoverySettings) {
    this.#options = options;
    this.#ledger = new Ledger(options.capacity);
    this.#pacing = new Pacing(options.capacity);
    this.#settings = settings;
  }

  configure(settings: RecoverySettings): void {
    const { config } = settings;
    this.#settings = settings;
    this.#plan = Plan.of(config);
    this.#pacing.configure(config);
    this.#storm.configure(config);
  }

  /** True if something is configured and no shutdown has begun: stalls may be decided. */
  get isEnabled(): boolean {
    return this.#plan !== undefined && !this.#options.outstanding.isShutdown;
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

  /** Decides one stall, and begins its recovery if nothing speaks against it. */
  decide(stall: Stall, nowNs: number): OutcomeLabel {
    return this.#decide(stall, nowNs);
  }

  /** Checks 0 to 4, which only look. */
  #decide(stall: Stall, nowNs: number, tried?: Sequence): OutcomeLabel {
    const { freshness, observerNamespaceInode } = this.#options;
    const { config, allowCrossNamespace } = this.#settings;

    const stale = stalenessReason(freshness(stall.key, stall.generation));
    const isHeld = stale === "beats_refused";
    if (stale !== undefined && !isHeld) return this.#refuse(stall, nowNs, stale);

    const distrust = distrustReason(stall, observerNamespaceInode, allowCrossNamespace);
    const isPidGone = distrust !== undefined && isUnidentified(stall, distrust);
    if (distrust !== undefined) {
      const reason = isPidGone ? this.#reasonUnlessGone(stall, distrust) : distrust;
      if (reason !== undefined) return this.#refuse(stall, nowNs, reason);
    }
    const begun: Begun = { isPidGone, tried };
    if (isHeld) return this.#hold(stall, nowNs, begun);

    const pruneAgeNs = LEDGER_PRUNE_DEBOUNCES * config.debounceNs;
    this.#ledger.prune(nowNs, pruneAgeNs, LEDGER_PRUNE_PER_DECISION_MAX);
    const window = this.#ledger.check(stall.key, stall.generation, nowNs, config.debounceNs);
    if (window === LEDGER_DEBOUNCED) {
      this.#parkFirst(this.#sequenceOf(stall, nowNs, isPidGone), nowNs + config.debounceNs);
      return this.#refuse(stall, nowNs, "debounced");
    }
    if (window === LEDGER_RECYCLED) {
      this.#debounceRecycleResets = saturatingAdd(this.#debounceRecycleResets, 1);
    }

    return this.#decideBesideChild(stall, nowNs, begun);
  }

  /**
   * Why nothing is done about an agent of which nobody knows which process it was; undefined if no process has its pid any
   * more and there is something to do without one.
   */
  #reasonUnlessGone(stall: Stall, distrust: DecisionReason): DecisionReason | undefined {
    const holder = this.#options.host.holderOf(stall.pid);
    if (holder === HOLDER_HIDDEN) return "process_unreadable";
    if (holder !== HOLDER_NONE) return distrust;
    return this.#plan!.worksWithoutPid ? undefined : "pid_gone";
  }

  /** Decides again what was parked, and is in progress no more. Returns the spawn attempts, at most one. */
  retry(sequence: Sequence, nowNs: number): number {
    if (!this.isEnabled) return 0;
    const { actions, sequences, freshness } = this.#options;
    const { key, generation } = sequence.stall;
    if (freshness(key, generation) === FRESH_BEATS_REFUSED) {
      sequences.park(sequence, nowNs + RECOVERY_HOLD_LOOK_NS);
      return 0;
    }
    // Told once, when it was refused first: the next one that may begin is told by its spawn.
    const nextNs = Math.max(this.#pacing.nextNs(sequence.paceKey), this.#storm.nextOpenNs());
    if (nextNs > nowNs) {
      sequences.park(sequence, nextNs);
      return 0;
    }
    const attempts = actions.spawnAttempts;
    this.#decide(sequence.stall, nowNs, sequence.isPutOff ? sequence : undefined);
    return actions.spawnAttempts - attempts;
  }

  /** When a recovery that failed may be tried again; undefined = it may not. */
  retryNs({ stall, paceKey }: Sequence, nowNs: number): number | undefined {
    const { retry, verifyWithinNs = 0, debounceNs } = this.#settings.config;
    if (!retry || !this.isEnabled) return undefined;
    const window = this.#ledger.check(stall.key, stall.generation, nowNs, debounceNs);
    const debouncedNs = window === LEDGER_DEBOUNCED ? nowNs + debounceNs : nowNs;
    return Math.max(debouncedNs, this.#pacing.nextNs(paceKey), nowNs + verifyWithinNs);
  }

  /** An agent beats again: from now on it may prove healthy. */
  resumed(key: PaceKey, generation: number, nowNs: number): void {
    this.#pacing.resumed(key, generation, nowNs);
  }

  /** Ends what is over by itself: that an agent is given up, and a storm. */
  maintain(nowNs: number): void {
    this.#pacing.maintain(nowNs);
    const refusedCount = this.#storm.takeEnd(nowNs);
    if (refusedCount > 0) this.#tellStorm(false, refusedCount, nowNs);
  }

  /** When `maintain()` has something to look at; Infinity = nothing. */
  nextDeadlineNs(): number {
    return Math.min(this.#pacing.nextLookNs(), this.#storm.endNs);
  }

  /** Agents that are not recovered any more until their budget has room again. */
  get givenUpCount(): number {
    return this.#pacing.givenUpCount;
  }

  takeLastFiredEvictions(): number {
    return this.#ledger.takeEvictions();
  }

  takeDebounceRecycleResets(): number {
    const count = this.#debounceRecycleResets;
    this.#debounceRecycleResets = 0;
    return count;
  }

  /** Beats of the agent come and are refused: it is told once, and decided when they have ended. */
  #hold(stall: Stall, nowNs: number, { tried, isPidGone }: Begun): OutcomeLabel {
    const { sequences } = this.#options;
    if (!sequences.isFull && !sequences.has(stall.key)) {
      const sequence = tried ?? this.#sequenceOf(stall, nowNs, isPidGone);
      sequences.park(sequence, nowNs + RECOVERY_HOLD_LOOK_NS);
    }
    return this.#refuse(stall, nowNs, "beats_refused");
  }

  /** Checks 5 and 6: an earlier child for the same pid. */
  #decideBesideChild(stall: Stall, nowNs: number, begun: Begun): OutcomeLabel {
    const { outstanding } = this.#options;
    const earlier = outstanding.get(stall.key);
    if (earlier === undefined) return this.#decidePace(stall, nowNs, begun);
    if (earlier.hasExited) {
      // Its exit was reported and only waits for its place in a turn: it is not in the way any more.
      outstanding.finish(earlier, nowNs);
      return this.#decidePace(stall, nowNs, begun);
    }
    if (sameLineage(earlier.generation, stall.generation)) {
      return this.#refuse(stall, nowNs, "outstanding_in_flight");
    }
    const killed = outstanding.killStale(earlier, nowNs);
    if (killed !== 0) {
      return this.#refuse(stall, nowNs, "stale_child_kill_failed", errnoText(-killed));
    }
    if (!outstanding.makeOrphan(earlier)) {
      return this.#refuse(stall, nowNs, "orphan_reap_capacity");
    }
    return this.#decidePace(stall, nowNs, begun);
  }

  /** Between checks 6 and 7: back-off and budget of the agent, then the limit over all agents. */
  #decidePace(stall: Stall, nowNs: number, { tried, isPidGone }: Begun): OutcomeLabel {
    const sequence = tried ?? this.#sequenceOf(stall, nowNs, isPidGone);
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
  #begin(sequence: Sequence, nowNs: number): OutcomeLabel {
    const { stall, paceKey } = sequence;
    const { sequences, actions, unixMsAtStart } = this.#options;
    if (sequences.isFull && !sequences.has(stall.key)) {
      return this.#refuse(stall, nowNs, "outstanding_capacity");
    }
    if (!actions.reserve(sequence, nowNs)) {
      return this.#refuse(stall, nowNs, "outstanding_capacity");
    }
    const { debounceNs } = this.#settings.config;
    const ledgerSlot = this.#ledger.reserve(stall.key, nowNs, debounceNs);
    if (ledgerSlot < 0) {
      actions.release(sequence);
      return this.#refuse(stall, nowNs, "debounce_capacity");
    }
    const journal = this.#journal;
    const { pid, generation } = stall;
    const unixMs = unixMsAtStart() + msFromNs(nowNs);
    // A pid that another source holds says nothing to the daemon after this one.
    const isNoted = !sequence.isDryRun && stall.key === pid;
    const line = isNoted ? journal?.began({ pid, generation, unixMs }) : undefined;
    if (sequences.begin(sequence, nowNs)) {
      sequence.hasBegun = true;
      this.#ledger.commit(ledgerSlot, stall.generation, nowNs);
      this.#pacing.fired(paceKey, stall.generation, nowNs);
      this.#storm.started(nowNs);
    } else {
      this.#ledger.release(ledgerSlot);
      if (line !== undefined) journal?.forget(line);
    }
    return actions.lastLabel;
  }

  #sequenceOf(stall: Stall, nowNs: number, isPidGone: boolean): Sequence {
    const { config } = this.#settings;
    const plan = this.#plan!;
    const { host } = this.#options;
    const asksUnit =
      plan.needsUnit || config.paceBy === "unit" || config.verifyWithinNs !== undefined;
    const isLocal = stall.origin === ORIGIN_KERNEL_ATTESTED;
    const seenUs = host.monotonicUs();
    const unit = asksUnit && isLocal ? host.unitOf(stall.pid, stall.generation) : "";
    const isKnown = typeof unit !== "string";
    return new Sequence({
      stall,
      plan,
      startNs: nowNs,
      unit: isKnown ? unit : undefined,
      unitFault: isKnown ? "" : isLocal ? unit : "the kernel does not vouch for its pid",
      isPidGone,
      paceKey: isKnown && config.paceBy === "unit" ? unit.name : stall.key,
      startGeneration: isKnown ? host.nowGeneration() : NaN,
      unitSeenUs: isKnown ? seenUs : NaN,
      isDryRun: config.dryRun,
    });
  }

  /** With `retry`, a stall that may not be recovered yet is decided again at `deadlineNs`. */
  #parkFirst(sequence: Sequence, deadlineNs: number): void {
    const { sequences } = this.#options;
    if (!this.#settings.config.retry || sequences.isFull || sequences.has(sequence.key)) return;
    sequences.park(sequence, deadlineNs);
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
  ): OutcomeLabel {
    const { dryRun } = this.#settings.config;
    const place = { stall, plan: this.#plan!, stepNumber: 0, isDryRun: dryRun };
    return this.#options.actions.refuse(place, nowNs, reason, error, isRepeated);
  }
}
