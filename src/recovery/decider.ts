// Decides for each stall whether a recovery begins, once per silence run (spec 10 section 3). The
// order of the checks is the contract: whatever fails first ends the decision, and everything that
// is not known to be right is refused. The answer is a value; what it asks for is done elsewhere.
import { RECOVERY_HOLD_LOOK_NS } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { msFromNs } from "../base/time.ts";
import { durationText, durationTextFromNs } from "../base/duration_text.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import { FRESH_BEATS_REFUSED } from "../tracker/tracker.ts";
import { type AgentHost, HOLDER_HIDDEN, HOLDER_NONE } from "./agent_host.ts";
import { type Freshness, isUnidentified, stalenessReason, unattestedText } from "./checks.ts";
import type { Outstanding } from "./children/outstanding.ts";
import { RECOVERY, type RecoveryCounters } from "./counters.ts";
import type { Decision, ParkDecision, RefuseDecision } from "./decision.ts";
import {
  type History,
  PACE_BACKING_OFF,
  PACE_FULL,
  PACE_GAVE_UP,
  WINDOW_OPEN,
  WINDOW_RECYCLED,
} from "./history.ts";
import type { Policies } from "./policies.ts";
import { Sequence } from "./sequence.ts";
import type { StormLimit } from "./storm_limit.ts";

interface DeciderOptions {
  readonly counters: RecoveryCounters;
  readonly policies: Policies;
  readonly history: History;
  readonly storm: StormLimit;
  readonly outstanding: Outstanding;
  readonly host: AgentHost;
  readonly freshness: Freshness;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerNamespaceInode: number;
}

/** A stall that checks 0 to 2 have let pass. */
interface OpenCase {
  readonly stall: Stall;
  readonly nowNs: number;
  readonly isPidGone: boolean;
  readonly putOff: Sequence | undefined;
}

export class Decider {
  readonly #options: DeciderOptions;

  constructor(options: DeciderOptions) {
    this.#options = options;
  }

  /**
   * Decides one stall. `putOff` is its recovery if that could not begin before: it goes on at its
   * next step.
   */
  decide(stall: Stall, nowNs: number, putOff?: Sequence): Decision {
    const { policies, freshness, observerNamespaceInode } = this.#options;
    const stale = stalenessReason(freshness(stall.key, stall.generation));
    const isHeld = stale === "beats_refused";
    if (stale !== undefined && !isHeld) return refuse(stall, stale);

    const distrust = policies.distrustOf(stall, observerNamespaceInode);
    const isPidGone = distrust !== undefined && isUnidentified(stall, distrust);
    if (distrust !== undefined) {
      const reason = isPidGone ? this.#reasonUnlessGone(stall, distrust) : distrust;
      if (reason !== undefined) return refuse(stall, reason);
    }
    const open: OpenCase = { stall, nowNs, isPidGone, putOff };
    // Beats of the agent come and are refused: that is reported once, and decided when they end.
    if (isHeld)
      return refuse(stall, stale, park(this.#sequenceOf(open), nowNs + RECOVERY_HOLD_LOOK_NS));
    const word = stall.verdict?.verdict;
    const plan = policies.planOf(stall);
    if (word !== undefined && !plan.settings.when.includes(word))
      return refuse(stall, "verdict_not_acted_on");
    if (plan.isInDoubt)
      return refuse(
        stall,
        "plan_in_doubt",
        park(this.#sequenceOf(open), nowNs + RECOVERY_HOLD_LOOK_NS),
      );
    return this.#decideWindow(open);
  }

  /**
   * Decides again what was parked. A refusal was reported once; what may begin now says so itself.
   */
  decideAgain(sequence: Sequence, nowNs: number): Decision {
    const { freshness, history, policies, storm } = this.#options;
    const { stall } = sequence;
    const isRefused = freshness(stall.key, stall.generation) === FRESH_BEATS_REFUSED;
    if (isRefused || policies.planOf(stall).isInDoubt)
      return park(sequence, nowNs + RECOVERY_HOLD_LOOK_NS);
    const nextNs = Math.max(history.nextNs(sequence.paceKey), storm.nextOpenNs());
    if (nextNs > nowNs) return park(sequence, nextNs);
    return this.decide(stall, nowNs, sequence.isPutOff ? sequence : undefined);
  }

  /** The recovery of a stall, whatever speaks against it. */
  sequenceOf(stall: Stall, nowNs: number): Sequence {
    return this.#sequenceOf({ stall, nowNs, isPidGone: false, putOff: undefined });
  }

  /**
   * Why nothing is done about an agent of which it is not known which process it was; undefined if
   * no process has its pid any more and there is something to do without one.
   */
  #reasonUnlessGone(stall: Stall, distrust: DecisionReason): DecisionReason | undefined {
    const { host, policies } = this.#options;
    const holder = host.holderOf(stall.pid);
    if (holder === HOLDER_HIDDEN) return "process_unreadable";
    if (holder !== HOLDER_NONE) return distrust;
    return policies.planOf(stall).worksWithoutPid ? undefined : "pid_gone";
  }

  /** Checks 3 to 6: the debounce, and an earlier child of the agent. */
  #decideWindow(open: OpenCase): Decision {
    const { history, policies, outstanding, counters } = this.#options;
    const { stall, nowNs } = open;
    const { retry, debounceNs } = policies.planOf(stall).settings;
    history.prune(nowNs);
    const window = history.checkWindow(stall.key, stall.generation, nowNs, debounceNs);
    if (window === WINDOW_OPEN) {
      const again = retry ? park(this.#sequenceOf(open), nowNs + debounceNs) : undefined;
      return refuse(stall, "debounced", again);
    }
    if (window === WINDOW_RECYCLED) counters.add(RECOVERY.debounceRecycleResets);
    const inTheWay = outstanding.makeWay(stall, nowNs);
    if (inTheWay !== undefined) return { kind: "refuse", stall, park: undefined, ...inTheWay };
    return this.#decidePace(this.#sequenceOf(open), nowNs);
  }

  /** Between checks 6 and 7: back-off and budget of the agent, then the limit over all agents. */
  #decidePace(sequence: Sequence, nowNs: number): Decision {
    const { history, storm } = this.#options;
    const { stall, paceKey, plan } = sequence;
    const { retry } = plan.settings;
    const isRepeated = history.isGivenUp(paceKey);
    const pace = history.checkPace(paceKey, stall.generation, stall.lastNs, nowNs, plan.settings);
    if (pace === PACE_FULL) return refuse(stall, "debounce_capacity");
    const nextNs = history.nextNs(paceKey);
    const again = retry ? park(sequence, nextNs) : undefined;
    if (pace === PACE_GAVE_UP) {
      const { budget, budgetWindowNs: windowNs } = plan.settings;
      const used = { recoveries: budget!, windowNs, nextNs };
      const error = usedUp(budget!, windowNs);
      return { ...refuse(stall, "gave_up", again), isRepeated, error, used };
    }
    if (pace === PACE_BACKING_OFF)
      return { ...refuse(stall, "backing_off", again), error: notAgain(again, nextNs - nowNs) };
    if (!storm.isOpen(nowNs)) {
      const open = retry ? park(sequence, storm.nextOpenNs()) : undefined;
      const error = usedUp(storm.limit, storm.windowNs);
      return { ...refuse(stall, "storm_limit", open), error };
    }
    return { kind: "begin", sequence };
  }

  #sequenceOf({ stall, nowNs, isPidGone, putOff }: OpenCase): Sequence {
    if (putOff !== undefined) return putOff;
    const { host, policies } = this.#options;
    const plan = policies.planOf(stall);
    const { paceBy, verifyWithinNs, dryRun } = plan.settings;
    const asksUnit = plan.needsUnit || paceBy === "unit" || verifyWithinNs !== undefined;
    const isLocal = stall.origin === ORIGIN_KERNEL_ATTESTED;
    const seenUs = host.monotonicUs();
    const unit = asksUnit && isLocal ? host.unitOf(stall.pid, stall.generation) : "";
    const isKnown = typeof unit !== "string";
    return new Sequence({
      stall,
      plan,
      startNs: nowNs,
      unit: isKnown ? unit : undefined,
      unitFault: isKnown
        ? ""
        : isLocal
          ? unit
          : unattestedText(stall, policies.settings.listenerNames),
      isPidGone,
      paceKey: policies.paceKeyOf(stall, plan, isKnown ? unit.name : ""),
      startGeneration: isKnown ? host.nowGeneration() : NaN,
      unitSeenUs: isKnown ? seenUs : NaN,
      isDryRun: dryRun,
    });
  }
}

function park(sequence: Sequence, untilNs: number): ParkDecision {
  return { kind: "park", sequence, untilNs };
}

/** Why nothing comes of a pause; "" if it is decided again when that is over. */
function notAgain(again: ParkDecision | undefined, pauseNs: number): string {
  if (again !== undefined) return "";
  const ms = Math.ceil(msFromNs(pauseNs));
  return `the pause since the last one has ${durationText(ms)} left, and there is no retry after it`;
}

function usedUp(count: number, windowNs: number): string {
  return `${count} of ${count} recoveries in ${durationTextFromNs(windowNs)}`;
}

function refuse(stall: Stall, reason: DecisionReason, again?: ParkDecision): RefuseDecision {
  return { kind: "refuse", stall, reason, park: again };
}
