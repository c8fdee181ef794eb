// Why the observer heard nobody for a while, where something says so (spec 12 section 8.1): the
// kernel tells a process that was stopped when it goes on, and what it counted tells of the rest. A
// machine that was suspended shows here alone where observer time stands still meanwhile.
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { OwnTimes } from "../processes/own_times.ts";
import type { PauseView } from "../view/view.ts";
import type { StageWord } from "./longest_stage.ts";
import { PAUSE_CAUSES, pauseCause, pauseClause, type PauseCauseWord } from "./pause_evidence.ts";

/** The handler of a signal runs in a turn after the one that notices the pause. */
const LATE_NS_MAX = NS_PER_S;
/** Between two readings: what the daemon did in that time counts towards a pause, too. */
const READ_EVERY_NS = NS_PER_S;
/** Shorter ones are everyday life on a busy machine, and are told to nobody. */
const TOLD_NS_MIN = 100 * NS_PER_MS;

export const TOLD_PAUSES = block({
  by: counter(
    "varta_observer_pauses_told_total",
    "Pauses of more than 100 ms, those of a suspended machine among them, by what caused them.",
    { label: "cause", values: [...PAUSE_CAUSES, "unknown"] },
  ),
});

interface PauseCauseOptions {
  readonly nowNs: () => number;
  readonly times: { read(): OwnTimes };
  /** Observer time goes on while the machine is suspended: that is silence then. */
  readonly goesOnAsleep: boolean;
}

interface Pause {
  readonly endNs: number;
  /** Without what the machine was suspended in it. */
  readonly ns: number;
}

export interface ToldPause extends Pause {
  /** It counts as silence: the machine was suspended, and observer time went on. */
  readonly isSilence: boolean;
  /** Undefined = it is not known. */
  readonly cause: PauseCauseWord | undefined;
  /** Of a long stage, which one. */
  readonly stage: StageWord | undefined;
}

export class PauseCause {
  readonly counters = new Counters(TOLD_PAUSES, this);
  readonly #options: PauseCauseOptions;
  #continuedNs = Number.NEGATIVE_INFINITY;
  #before: OwnTimes;
  #readNs: number;
  /** The last one, with what the machine was suspended in it. */
  #told: ToldPause | undefined;

  constructor(options: PauseCauseOptions) {
    this.#options = options;
    this.#before = options.times.read();
    this.#readNs = options.nowNs();
  }

  /** SIGCONT. */
  continued(): void {
    this.#continuedNs = this.#options.nowNs();
  }

  /** A pause has just ended: what is to be told of it, if it is worth that. */
  paused({ endNs, ns }: Pause, stage?: StageWord): ToldPause | undefined {
    if (ns <= TOLD_NS_MIN) return undefined;
    const before = this.#read(endNs);
    const suspendedNs = this.#suspendedNs(before);
    const wasContinued = this.#wasContinued({ endNs, ns });
    const cause = pauseCause({ ns, before, after: this.#before, wasContinued });
    const whichStage = cause === "long_stage" ? stage : undefined;
    const told = { endNs, ns: ns + suspendedNs, cause, stage: whichStage };
    return this.#tell({ ...told, isSilence: suspendedNs > 0 && this.#options.goesOnAsleep });
  }

  /** After the turns in which nothing paused; what is to be told: the machine was suspended. */
  maintain(nowNs: number): ToldPause | undefined {
    if (nowNs - this.#readNs < READ_EVERY_NS) return undefined;
    const ns = this.#suspendedNs(this.#read(nowNs));
    if (ns <= TOLD_NS_MIN) return undefined;
    const { goesOnAsleep: isSilence } = this.#options;
    return this.#tell({ endNs: nowNs, ns, cause: "suspended", stage: undefined, isSilence });
  }

  /** The last one, with its cause as a clause. `counted`: the last that moved deadlines. */
  last(counted: Pause | undefined): PauseView | undefined {
    const told = this.#told;
    if (told === undefined || (counted !== undefined && counted.endNs > told.endNs)) {
      const cause = counted && this.#clauseOf(counted, undefined, undefined);
      return counted && { ...counted, cause, isSilence: false };
    }
    const { endNs, ns, cause, stage, isSilence } = told;
    return { endNs, ns, cause: this.#clauseOf(told, cause, stage), isSilence };
  }

  #tell(told: ToldPause): ToldPause {
    this.#told = told;
    this.counters.add(TOLD_PAUSES.by[told.cause ?? "unknown"]);
    return told;
  }

  #clauseOf(
    pause: Pause,
    found: PauseCauseWord | undefined,
    stage: StageWord | undefined,
  ): string | undefined {
    const cause = found !== "suspended" && this.#wasContinued(pause) ? "stopped" : found;
    return cause && pauseClause(cause, cause === "long_stage" ? stage : undefined);
  }

  /** Reads anew, and returns the reading of before. */
  #read(nowNs: number): OwnTimes {
    const before = this.#before;
    this.#before = this.#options.times.read();
    this.#readNs = nowNs;
    return before;
  }

  /** Since the reading `before`; the two clocks are read one after the other. */
  #suspendedNs(before: OwnTimes): number {
    const ns = this.#before.suspendedNs - before.suspendedNs;
    return ns > TOLD_NS_MIN ? ns : 0;
  }

  #wasContinued({ endNs, ns }: Pause): boolean {
    return this.#continuedNs >= endNs - ns && this.#continuedNs <= endNs + LATE_NS_MAX;
  }
}
