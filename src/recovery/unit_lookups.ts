// Asks the service manager about units, a few at a time. The answer takes a process of its own and
// 15 ms or more, so nothing waits for it: it is handed out in a later turn. An answer that does not
// come is an answer after a while.
import { constants } from "node:os";
import { CHILD_PATH_DEFAULT } from "../base/child_path.ts";
import { type Failure, lastingFailure } from "../processes/failure.ts";
import type { ChildOutput } from "./children/child_output.ts";
import type { ChildRunner, ChildSetting } from "./children/child_runner.ts";
import { factsArgv, parseFacts, type UnitFacts } from "./unit_facts.ts";
import { NS_PER_S } from "../base/time.ts";

/**
 * Questions to the service manager at a time: each is a process of 15 ms, and a hundred agents may
 * stall at once.
 */
const UNIT_LOOKUPS_MAX = 4;
/**
 * A service manager that is busy answers late; one that hangs keeps the next step from being done
 * no longer than this.
 */
const UNIT_LOOKUP_NS_MAX = 5 * NS_PER_S;

const { SIGKILL } = constants.signals;

/** The answer is a handful of lines. */
const SETTING: ChildSetting = {
  cwd: "/",
  umask: undefined,
  capture: { keptBytesMax: 4_096, isAudited: true },
};
const ENVIRONMENT = { PATH: CHILD_PATH_DEFAULT, LC_ALL: "C" };

const NONE: readonly UnitLookup[] = [];

/** One question. */
export class UnitLookup {
  readonly unit: string;
  /** Undefined = not answered yet. */
  facts: UnitFacts | undefined = undefined;
  /** Why there is no answer, and will be none. */
  failure: Failure | undefined = undefined;
  /** When it is given up; NaN while it waits for its turn. */
  deadlineNs = Number.NaN;
  childPid = 0;
  output: ChildOutput | undefined = undefined;
  hasExited = false;

  constructor(unit: string) {
    this.unit = unit;
  }

  get isAnswered(): boolean {
    return this.facts !== undefined || this.failure !== undefined;
  }
}

export class UnitLookups {
  readonly #runner: ChildRunner;
  /** By unit: those that are asked, and those that wait, in order. */
  readonly #asked = new Map<string, UnitLookup>();
  readonly #waiting = new Map<string, UnitLookup>();

  constructor(runner: ChildRunner) {
    this.#runner = runner;
  }

  /**
   * Asks about `unit`; a second question while the first is on its way gets the same answer.
   */
  ask(unit: string, nowNs: number): UnitLookup {
    const underway = this.#asked.get(unit) ?? this.#waiting.get(unit);
    if (underway !== undefined) return underway;
    const lookup = new UnitLookup(unit);
    if (this.#asked.size < UNIT_LOOKUPS_MAX) this.#start(lookup, nowNs);
    else this.#waiting.set(unit, lookup);
    return lookup;
  }

  /** Takes the answers that have come, gives up what is overdue, and asks what waits. */
  advance(nowNs: number): readonly UnitLookup[] {
    if (this.#asked.size + this.#waiting.size === 0) return NONE;
    const answered: UnitLookup[] = [];
    for (const lookup of this.#asked.values()) {
      if (lookup.hasExited) this.#end(lookup, answerOf(lookup));
      else if (lookup.deadlineNs <= nowNs) {
        this.#runner.signalGroup(lookup.childPid, SIGKILL);
        this.#end(lookup, lastingFailure(`systemd did not answer about ${lookup.unit}`));
      } else continue;
      answered.push(lookup);
    }
    for (const [unit, lookup] of this.#waiting) {
      if (this.#asked.size >= UNIT_LOOKUPS_MAX) break;
      this.#waiting.delete(unit);
      this.#start(lookup, nowNs);
      if (lookup.isAnswered) answered.push(lookup);
    }
    return answered;
  }

  /** Observer time of the next work: 0 = now, Infinity = nothing is asked. */
  nextDeadlineNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (const { hasExited, deadlineNs } of this.#asked.values())
      nextNs = Math.min(nextNs, hasExited ? 0 : deadlineNs);
    return nextNs;
  }

  /** No answer is wanted any more. */
  stop(): void {
    for (const { childPid, output, hasExited } of this.#asked.values()) {
      if (!hasExited) this.#runner.signalGroup(childPid, SIGKILL);
      output?.close();
    }
    this.#asked.clear();
    this.#waiting.clear();
  }

  #start(lookup: UnitLookup, nowNs: number): void {
    const exited = (): void => {
      lookup.hasExited = true;
    };
    const result = this.#runner.spawn(factsArgv(lookup.unit), ENVIRONMENT, exited, SETTING);
    if (result.failure !== undefined) {
      const text = `systemd cannot be asked about ${lookup.unit}: ${result.failure.text}`;
      lookup.failure = { ...result.failure, text };
      return;
    }
    lookup.childPid = result.childPid;
    lookup.output = result.output;
    lookup.deadlineNs = nowNs + UNIT_LOOKUP_NS_MAX;
    this.#asked.set(lookup.unit, lookup);
  }

  #end(lookup: UnitLookup, answer: UnitFacts | Failure): void {
    this.#asked.delete(lookup.unit);
    lookup.output?.close();
    if ("isTransient" in answer) lookup.failure = answer;
    else lookup.facts = answer;
  }
}

function answerOf({ unit, output }: UnitLookup): UnitFacts | Failure {
  output?.pump();
  const text = Buffer.from(output?.captured().stdoutTail ?? []).toString("utf8");
  return parseFacts(text) ?? lastingFailure(`systemd does not say whose ${unit} is`);
}
