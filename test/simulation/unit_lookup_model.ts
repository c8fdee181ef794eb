// Questions to the service manager as spec 10 section 1 has them: four at a time, each once for
// all who ask it, and given up after five seconds.
import { constants } from "node:os";
import type { ChildExit, SpawnAsked } from "./children.ts";

const SECOND_NS = 1_000_000_000;
const AT_A_TIME = 4;
const { SIGKILL } = constants.signals;

export interface ModelLookup {
  readonly unit: string;
  childPid: number;
  deadlineNs: number;
  hasExited: boolean;
  /** What was printed, "" = nothing; undefined = not answered yet. */
  answer: string | undefined;
  /** It could not be asked, for a reason that passes. */
  isTransient: boolean;
}

/** What the daemon asked of the system in this turn, taken in order. */
export interface ModelRequests {
  takeSpawn(what: string): SpawnAsked | undefined;
  takeSignal(childPid: number, signal: number): boolean;
}

export class UnitLookupModel {
  #asked: ModelLookup[] = [];
  #waiting: ModelLookup[] = [];
  readonly #answers = new Map<number, string>();
  readonly #requests: ModelRequests;

  constructor(requests: ModelRequests) {
    this.#requests = requests;
  }

  ask(unit: string, nowNs: number): ModelLookup {
    const underway = [...this.#asked, ...this.#waiting].find((one) => one.unit === unit);
    if (underway !== undefined) return underway;
    const lookup: ModelLookup = {
      unit,
      childPid: 0,
      deadlineNs: Number.NaN,
      hasExited: false,
      answer: undefined,
      isTransient: false,
    };
    if (this.#asked.length < AT_A_TIME) this.#start(lookup, nowNs);
    else this.#waiting.push(lookup);
    return lookup;
  }

  noteExit({ childPid, printed }: ChildExit): void {
    const lookup = this.#asked.find((one) => one.childPid === childPid);
    if (lookup === undefined) return;
    lookup.hasExited = true;
    this.#answers.set(childPid, printed);
  }

  /** The lookups that are answered in this turn, in order. */
  advance(nowNs: number): ModelLookup[] {
    const answered: ModelLookup[] = [];
    for (const lookup of this.#asked) {
      if (lookup.hasExited) lookup.answer = this.#answers.get(lookup.childPid) ?? "";
      else if (lookup.deadlineNs <= nowNs) {
        this.#requests.takeSignal(lookup.childPid, SIGKILL);
        lookup.answer = "";
      } else continue;
      answered.push(lookup);
    }
    this.#asked = this.#asked.filter((one) => !answered.includes(one));
    while (this.#waiting.length > 0 && this.#asked.length < AT_A_TIME) {
      const lookup = this.#waiting.shift()!;
      this.#start(lookup, nowNs);
      if (lookup.answer !== undefined) answered.push(lookup);
    }
    return answered;
  }

  #start(lookup: ModelLookup, nowNs: number): void {
    const asked = this.#requests.takeSpawn(`show ${lookup.unit}`);
    if (asked === undefined) return;
    if (asked.childPid === 0) {
      lookup.answer = "";
      lookup.isTransient = asked.isTransient;
      return;
    }
    lookup.childPid = asked.childPid;
    lookup.deadlineNs = nowNs + 5 * SECOND_NS;
    this.#asked.push(lookup);
    if (asked.exitedAtOnce === undefined) return;
    lookup.hasExited = true;
    this.#answers.set(asked.childPid, asked.printed);
  }
}
