// Ends of members of units that systemd is asked about (spec 14 sections 2.1 and 4): how the main
// process of a unit ended where the kernel does not say, and whether the unit was being stopped.
// They wait for the answer for a second at most, and are decided on with what is known then.
import { NS_PER_S } from "../base/time.ts";
import { GENERATION_NS, type GenerationClock } from "../processes/generation.ts";
import type { Unwatched } from "../events/member_end.ts";
import type { ProcessEnd } from "../processes/end_watch.ts";
import type { UnitQuestions } from "../systemd/unit_questions.ts";
import {
  type EndInUnit,
  isTooSoon,
  type UnitState,
  waitStatusIn,
  wasStopped,
} from "../systemd/unit_state.ts";

const UNIT_ANSWER_NS_MAX = NS_PER_S;
/** systemd hears of an end as soon as the daemon does, and may be asked before it has looked. */
const UNIT_ASKS_MAX = 3;
const NS_PER_US = 1_000;

/** An end that is to be decided on. */
export interface SeenEnd extends ProcessEnd {
  /** It was over before it could be watched, within a moment of its start. */
  readonly isBrief: boolean;
  /** Its unit was being stopped. */
  readonly isAnnounced: boolean;
  /** systemd was asked, whatever it said. */
  readonly wasAsked: boolean;
  /** It has said how the process ended, where the kernel did not. */
  readonly isBySystemd: boolean;
  /** Nothing watched it: it is known that it came after its last beat, and no more. */
  readonly isFound: boolean;
  /** Undefined = this daemon had it to watch. */
  readonly unwatched: Unwatched | undefined;
}

/** As it is seen, and nothing more is known of it. */
export function seenEnd(end: ProcessEnd): SeenEnd {
  return {
    ...end,
    isBrief: false,
    isAnnounced: false,
    wasAsked: false,
    isBySystemd: false,
    isFound: false,
    unwatched: undefined,
  };
}

interface UnitEndsOptions {
  readonly questions: Pick<UnitQuestions, "ask" | "look" | "nextDeadlineNs">;
  readonly nowGeneration: GenerationClock;
  readonly monotonicNs: () => number;
}

interface WaitingEnd {
  readonly end: SeenEnd;
  readonly unit: string;
  readonly inUnit: EndInUnit;
  readonly dueNs: number;
  asks: number;
}

export class UnitEnds {
  /** Takes an end when there is an answer, or none will come. */
  decided: (end: SeenEnd) => void = () => {};
  readonly #options: UnitEndsOptions;
  readonly #waiting = new Map<number, WaitingEnd>();

  constructor(options: UnitEndsOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Asks about `unit`, in which a process has ended; false = it cannot be asked. */
  ask(end: SeenEnd, unit: string, nowNs: number): boolean {
    const { questions, nowGeneration, monotonicNs } = this.#options;
    const dueNs = nowNs + UNIT_ANSWER_NS_MAX;
    if (!questions.ask(unit, dueNs)) return false;
    const now = monotonicNs();
    // A start time has ticks, of which the last may just have begun.
    const ageNs = (nowGeneration() - end.generation + 1) * GENERATION_NS;
    const inUnit = {
      pid: end.pid,
      startedUs: (now - ageNs) / NS_PER_US,
      endedUs: (now - (nowNs - end.seenNs)) / NS_PER_US,
    };
    this.#waiting.set(end.pid, { end, unit, inUnit, dueNs, asks: 1 });
    return true;
  }

  /** The end of this process is decided on without an answer; undefined = it waits for none. */
  take(pid: number, generation: number): SeenEnd | undefined {
    const waiting = this.#waiting.get(pid);
    if (waiting?.end.generation !== generation) return undefined;
    this.#waiting.delete(pid);
    return waiting.end;
  }

  nextDeadlineNs(): number {
    return this.#options.questions.nextDeadlineNs();
  }

  look(nowNs: number): void {
    this.#options.questions.look(nowNs);
  }

  /** What systemd says of `unit`; undefined = nothing. */
  answered(unit: string, state: UnitState | undefined): void {
    for (const waiting of this.#waiting.values())
      if (waiting.unit === unit && !this.#asksAgain(waiting, state)) this.#decide(waiting, state);
  }

  #asksAgain(waiting: WaitingEnd, state: UnitState | undefined): boolean {
    if (state === undefined || !isTooSoon(state, waiting.inUnit)) return false;
    if (waiting.asks >= UNIT_ASKS_MAX) return false;
    waiting.asks += 1;
    return this.#options.questions.ask(waiting.unit, waiting.dueNs);
  }

  #decide({ end, inUnit }: WaitingEnd, state: UnitState | undefined): void {
    this.#waiting.delete(end.pid);
    if (state === undefined) {
      this.decided({ ...end, wasAsked: true });
      return;
    }
    const isKnown = !Number.isNaN(end.waitStatus);
    const waitStatus = isKnown ? end.waitStatus : waitStatusIn(state, inUnit);
    this.decided({
      ...end,
      waitStatus,
      isAnnounced: wasStopped(state, inUnit),
      wasAsked: true,
      isBySystemd: !isKnown && !Number.isNaN(waitStatus),
    });
  }
}
