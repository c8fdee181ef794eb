// The gates of a recovery by hand (spec 16 section 9), each with what it found. Those that protect
// others hold for everybody; those of pace are there because nobody looks, and whoever asks looks:
// they are passed, and each that was not open is named. Nothing is done here, so a dry run may ask.
import { durationTextFromNs } from "../base/duration_text.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_OPERATOR_ATTESTED } from "../base/origin.ts";
import { shortDuration } from "../base/short_duration.ts";
import { saturatingSub } from "../base/saturating.ts";
import { msFromNs } from "../base/time.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { StallVerdictWord } from "../events/stall_verdict.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
} from "../tracker/tracker.ts";
import { type Freshness, unattestedText } from "./checks.ts";
import type { Outstanding } from "./children/outstanding.ts";
import type { HeldStalls } from "./held_stalls.ts";
import { type History, PACE_BACKING_OFF, PACE_CLEAR, WINDOW_OPEN } from "./history.ts";
import type { PaceKey } from "./pace.ts";
import type { Plan } from "./plan.ts";
import type { GuardGate } from "./recovery_options.ts";
import type { Policies } from "./policies.ts";
import type { Sequences } from "./sequences.ts";
import type { StormLimit } from "./storm_limit.ts";

export type GateWord = DecisionReason | "not_stalled" | "no_plan" | "in_flight" | "guard";

export interface Gate {
  /** Why it refuses, where it does. */
  readonly gate: GateWord;
  readonly isOpen: boolean;
  /** It is passed by hand. */
  readonly isPace: boolean;
  /** What was found: "it is stalled: hung, silent for 38s of 5s". */
  readonly fact: string;
  /** When it opens by itself; undefined = that is not known, or it is open. */
  readonly untilNs?: number;
  /** Of what is counted in a window. */
  readonly figures?: GateFigures;
}

interface GateFigures {
  readonly used: number;
  readonly limit: number;
  readonly windowNs: number;
}

/** What came of a recovery by hand. */
export interface ByHand {
  readonly gates: readonly Gate[];
  /** Undefined = it has begun. */
  readonly refused: GateWord | undefined;
  /** 0 = it has none yet. */
  readonly recoveryId: number;
}

interface HandGatesOptions {
  readonly policies: Policies;
  readonly history: History;
  readonly storm: StormLimit;
  readonly outstanding: Outstanding;
  readonly sequences: Sequences;
  readonly held: HeldStalls;
  readonly guard: GuardGate | undefined;
  readonly freshness: Freshness;
  readonly observerNamespaceInode: number;
}

/** What a signal or a restart would break for whoever holds the process so. */
const HELD_BY_SOMEBODY: readonly StallVerdictWord[] = ["traced", "frozen"];

export class HandGates {
  readonly #options: HandGatesOptions;

  constructor(options: HandGatesOptions) {
    this.#options = options;
  }

  /** In the order in which they are asked. */
  gatesOf(stall: Stall, paceKey: PaceKey, nowNs: number): Gate[] {
    const plan = this.#options.policies.planOf(stall);
    return [
      this.#stalled(stall, nowNs),
      ...this.#trusted(stall),
      this.#muted(stall, nowNs),
      ...this.#guarded(),
      this.#verdict(stall, plan),
      protects(
        "no_plan",
        !plan.isEmpty,
        plan.isEmpty ? "it has no plan" : `its plan is ${named(plan)}`,
      ),
      ...doubtOf(plan),
      ...this.#pace(stall, plan, paceKey, nowNs),
      this.#storm(nowNs),
      this.#inFlight(stall),
    ];
  }

  #stalled(stall: Stall, nowNs: number): Gate {
    const { key, generation, lastNs, thresholdNs, verdict, isTriggered } = stall;
    const fresh = this.#options.freshness(key, generation);
    const silence = `silent for ${spent(saturatingSub(nowNs, lastNs))} of ${text(thresholdNs)}`;
    if (fresh === FRESH_PID_RECYCLED)
      return protects("skipped_pid_recycled", false, "its pid belongs to another process now");
    if (this.#options.guard?.isHeld(key) === true)
      return protects("not_stalled", false, `it is late, held by the guard: ${silence}`);
    if (fresh === FRESH_AGENT_RESUMED)
      return protects("not_stalled", false, `it is not stalled: ${silence}`);
    if (fresh === FRESH_BEATS_REFUSED)
      return protects("beats_refused", false, "its beats come, and are refused");
    const word = verdict === undefined ? "" : `${verdict.verdict}, `;
    const why = isTriggered === true ? "at its own word: WATCHDOG=trigger" : silence;
    return protects("not_stalled", true, `it is stalled: ${word}${why}`);
  }

  #trusted(stall: Stall): Gate[] {
    const { policies, observerNamespaceInode } = this.#options;
    const { listenerNames } = policies.settings;
    const reason = policies.distrustOf(stall, observerNamespaceInode);
    if (reason === "cross_namespace_agent")
      return [
        protects("unproven_sender", true, "the sender is attested by the kernel"),
        protects(reason, false, "it lives in another pid namespace, or in one that is not known"),
      ];
    if (reason !== undefined) {
      const isAttested = stall.origin === ORIGIN_KERNEL_ATTESTED;
      const why = isAttested
        ? "the process may be another than the one that beat"
        : unattestedText(stall, listenerNames);
      return [protects(reason, false, `the sender is not proven: ${why}`)];
    }
    if (stall.origin === ORIGIN_OPERATOR_ATTESTED) {
      const listener = listenerNames[stall.listener] ?? "";
      return [protects("unauthenticated_transport", true, `listener ${listener} accepts recovery`)];
    }
    return [
      protects(
        "unproven_sender",
        true,
        "the sender is proven: attested by the kernel, start time unchanged",
      ),
      protects("cross_namespace_agent", true, "the pid namespace is the observer's"),
    ];
  }

  #muted(stall: Stall, nowNs: number): Gate {
    const isMuted = this.#options.held.isMuted(stall, nowNs);
    return pace("muted", !isMuted, isMuted ? "it is muted" : "not muted");
  }

  /** A recovery that begins by itself waits for its end. */
  #guarded(): Gate[] {
    const { guard } = this.#options;
    if (guard === undefined) return [];
    if (guard.view === undefined) return [pace("guard", true, "the guard is not active")];
    const { silent, members, windowNs } = guard.view;
    const fact = `the guard is active: ${silent} of ${members} fell silent within ${text(windowNs)}`;
    return [pace("guard", false, fact)];
  }

  /** A plan may say that it acts on those that somebody holds. */
  #verdict({ verdict }: Stall, plan: Plan): Gate {
    const word = verdict?.verdict;
    const what = `one that plan ${named(plan)} acts on`;
    if (word === undefined)
      return pace("verdict_not_acted_on", true, "its process was not looked at");
    const isOpen = plan.settings.when.includes(word);
    const isPace = !HELD_BY_SOMEBODY.includes(word);
    const fact = `verdict ${word} is ${isOpen ? "" : "not "}${what}`;
    return { gate: "verdict_not_acted_on", isOpen, isPace, fact };
  }

  #pace(stall: Stall, plan: Plan, paceKey: PaceKey, nowNs: number): Gate[] {
    const { history } = this.#options;
    const { settings } = plan;
    const { debounceNs, budget, budgetWindowNs } = settings;
    const window = history.lookAtWindow(stall.key, stall.generation, nowNs, debounceNs);
    const isDebounced = window === WINDOW_OPEN;
    const code = history.lookAtPace(paceKey, stall.generation, stall.lastNs, nowNs, settings);
    const isBackingOff = code === PACE_BACKING_OFF;
    const gates = [
      pace(
        "debounced",
        !isDebounced,
        `${isDebounced ? "" : "not "}recovered within the debounce of ${text(debounceNs)}`,
      ),
    ];
    if (isBackingOff) {
      const left = spent(saturatingSub(history.nextNs(paceKey), nowNs));
      const fact = `the pause since the last one has ${left} left`;
      gates.push({ ...pace("backing_off", false, fact), untilNs: history.nextNs(paceKey) });
    }
    if (budget === undefined) return gates;
    const used = history.usedOf(paceKey, nowNs, budgetWindowNs);
    const fact = `budget: ${used} of ${budget} in ${text(budgetWindowNs)}`;
    const isOpen = code === PACE_CLEAR || isBackingOff;
    const figures = { used, limit: budget, windowNs: budgetWindowNs };
    const gate = { ...pace("gave_up", isOpen, fact), figures };
    gates.push(gate.isOpen ? gate : { ...gate, untilNs: history.nextNs(paceKey) });
    return gates;
  }

  #storm(nowNs: number): Gate {
    const { storm } = this.#options;
    if (storm.limit === Number.POSITIVE_INFINITY)
      return pace("storm_limit", true, "there is no storm limit");
    const within = `${storm.limit} recoveries in ${text(storm.windowNs)}`;
    const isOpen = storm.isOpen(nowNs);
    if (isOpen) return pace("storm_limit", true, `below the storm limit of ${within}`);
    const { limit, windowNs } = storm;
    const figures = { used: limit, limit, windowNs };
    return { ...pace("storm_limit", false, within), figures, untilNs: storm.nextOpenNs() };
  }

  #inFlight(stall: Stall): Gate {
    const { sequences, outstanding } = this.#options;
    const running = sequences.running(stall.key);
    if (running !== undefined) {
      const { recoveryId, stepNumber, plan } = running;
      const place = `${recoveryId}, step ${Math.max(1, stepNumber)} of ${plan.steps.length}`;
      return protects("in_flight", false, `a recovery of it runs: ${place}`);
    }
    const isRunning = outstanding.isRunning(stall);
    return protects(
      "in_flight",
      !isRunning,
      isRunning ? "a command for it runs" : "none of it runs",
    );
  }
}

/** Those that refuse; `isForced`: of one that is not stalled, too. */
export function closedGate(gates: readonly Gate[], isForced: boolean): Gate | undefined {
  return gates.find(
    ({ gate, isOpen, isPace }) => !isOpen && !isPace && !(isForced && gate === "not_stalled"),
  );
}

function protects(gate: GateWord, isOpen: boolean, fact: string): Gate {
  return { gate, isOpen, isPace: false, fact };
}

function pace(gate: GateWord, isOpen: boolean, fact: string): Gate {
  return { gate, isOpen, isPace: true, fact };
}

/** Who asks may have read both plans. */
function doubtOf(plan: Plan): Gate[] {
  if (!plan.isInDoubt) return [];
  return [pace("plan_in_doubt", false, "the configuration file has another plan, and problems")];
}

function named({ name }: Plan): string {
  return name === "" ? "of [recovery]" : name;
}

/** What was measured. */
function spent(ns: number): string {
  return shortDuration(msFromNs(ns));
}

function text(ns: number): string {
  return durationTextFromNs(Math.floor(ns / 1e6) * 1e6);
}
