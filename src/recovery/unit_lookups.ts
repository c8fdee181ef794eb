// Asks the service manager about units, a few at a time. The answer takes a process of its own and 15 ms or more, so nobody
// waits for it: who asked is told in a later turn. An answer that does not come is an answer after a while.
import { constants } from "node:os";
import { CHILD_PATH_DEFAULT } from "../base/child_path.ts";
import { UNIT_LOOKUP_NS_MAX, UNIT_LOOKUPS_MAX } from "../base/limits.ts";
import type { ChildOutput } from "./children/child_output.ts";
import type { ChildRunner, ChildSetting } from "./children/child_runner.ts";
import { lastingFailure, type StepFailure } from "./step_failure.ts";
import { factsArgv, parseFacts, type UnitFacts } from "./unit_facts.ts";

const { SIGKILL } = constants.signals;

/** The answer is a handful of lines. */
const SETTING: ChildSetting = { cwd: "/", umask: undefined, keptBytesMax: 4_096 };
const ENVIRONMENT = { PATH: CHILD_PATH_DEFAULT, LC_ALL: "C" };

/** One question. */
export class UnitLookup {
  readonly unit: string;
  /** Undefined = not answered yet. */
  facts: UnitFacts | undefined = undefined;
  /** Why there is no answer, and will be none. */
  failure: StepFailure | undefined = undefined;
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
  readonly #answered: (lookup: UnitLookup) => void;
  /** By unit: those that are asked, and those that wait, in order. */
  readonly #asked = new Map<string, UnitLookup>();
  readonly #waiting = new Map<string, UnitLookup>();

  /** `answered` is told each answer, during `advance()`. */
  constructor(runner: ChildRunner, answered: (lookup: UnitLookup) => void) {
    this.#runner = runner;
    this.#answered = answered;
  }

  /** Asks about `unit`; who asks while the same question is on its way has a share in its answer. */
  ask(unit: string, nowNs: number): UnitLookup {
    const underway = this.#asked.get(unit) ?? this.#waiting.get(unit);
    if (underway !== undefined) return underway;
    const lookup = new UnitLookup(unit);
    if (this.#asked.size < UNIT_LOOKUPS_MAX) this.#start(lookup, nowNs);
    else this.#waiting.set(unit, lookup);
    return lookup;
  }

  /** Takes the answers that have come, gives up what is overdue, and asks what waits. */
  advance(nowNs: number): void {
    for (const lookup of this.#asked.values()) {
      if (lookup.hasExited) this.#end(lookup, answerOf(lookup));
      else if (lookup.deadlineNs <= nowNs) {
        this.#runner.signalGroup(lookup.childPid, SIGKILL);
        this.#end(lookup, lastingFailure(`systemd did not answer about ${lookup.unit}`));
      }
    }
    for (const [unit, lookup] of this.#waiting) {
      if (this.#asked.size >= UNIT_LOOKUPS_MAX) return;
      this.#waiting.delete(unit);
      this.#start(lookup, nowNs);
      if (lookup.isAnswered) this.#answered(lookup);
    }
  }

  /** Observer time of the next work: 0 = now, Infinity = nothing is asked. */
  nextDeadlineNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (const { hasExited, deadlineNs } of this.#asked.values())
      nextNs = Math.min(nextNs, hasExited ? 0 : deadlineNs);
    return nextNs;
  }

  /** Nobody wants to know any more. */
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

  #end(lookup: UnitLookup, answer: UnitFacts | StepFailure): void {
    this.#asked.delete(lookup.unit);
    lookup.output?.close();
    if ("isTransient" in answer) lookup.failure = answer;
    else lookup.facts = answer;
    this.#answered(lookup);
  }
}

function answerOf({ unit, output }: UnitLookup): UnitFacts | StepFailure {
  output?.pump();
  const text = Buffer.from(output?.captured().stdoutTail ?? []).toString("utf8");
  return parseFacts(text) ?? lastingFailure(`systemd does not tell whose ${unit} is`);
}
