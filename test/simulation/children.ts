// Simulated recovery commands: some cannot be started, some end at once, some later, some never,
// some ignore SIGTERM, and some cannot be signalled. What was asked of the system in a turn, and
// what it answered, is kept for the model.
import { constants } from "node:os";
import type { CapturedOutput } from "../../src/events/captured_output.ts";
import type { ChildOutput } from "../../src/recovery/children/child_output.ts";
import type {
  ChildRunner,
  ExitCallback,
  SpawnResult,
} from "../../src/recovery/children/child_runner.ts";
import { failureOf } from "../../src/processes/failure.ts";
import type { Random } from "./random.ts";

const { SIGKILL, SIGTERM } = constants.signals;
const { EAGAIN, EMFILE, ENOENT, EPERM, ESRCH } = constants.errno;

export interface Exit {
  readonly exitCode: number;
  readonly signal: number;
}

export interface SpawnAsked {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** 0 = it could not be started. */
  readonly childPid: number;
  /** It could not for a reason that passes. */
  readonly isTransient: boolean;
  readonly exitedAtOnce: Exit | undefined;
  /** What it prints, if it is asked about a unit. */
  readonly printed: string;
}

export interface SignalAsked {
  readonly childPid: number;
  readonly signal: number;
  /** 0 or -errno. */
  readonly result: number;
}

export interface ChildExit extends Exit {
  readonly childPid: number;
  /** The agent that the command was started for; NaN = it was given none. */
  readonly agentPid: number;
  readonly printed: string;
}

/** The output of a program that printed everything at once. */
class PrintedOutput implements ChildOutput {
  readonly isDone = true;
  readonly mayLinger = false;
  readonly #text: Buffer;

  constructor(text: string) {
    this.#text = Buffer.from(text);
  }

  pump(): number {
    return 0;
  }

  close(): void {}

  captured(): CapturedOutput {
    const stdoutTail = this.#text;
    const rest = { stderrSizeBytes: 0, stderrTail: new Uint8Array(0), truncated: false };
    return { isAudited: true, stdoutSizeBytes: stdoutTail.length, stdoutTail, ...rest };
  }
}

interface LivingChild {
  readonly printed: string;
  readonly childPid: number;
  readonly agentPid: number;
  readonly exited: ExitCallback;
  readonly obeysTerm: boolean;
  readonly untouchable: boolean;
  /** True time of its end; Infinity = it hangs. */
  endNs: number;
  /** How long the runtime takes to report it. */
  readonly reportDelayNs: number;
  end: Exit;
}

export class SimulatedRunner implements ChildRunner {
  spawnsAsked: SpawnAsked[] = [];
  signalsAsked: SignalAsked[] = [];
  readonly #random: Random;
  readonly #trueNs: () => number;
  /** Typical run time of a command. */
  readonly #runNs: number;
  readonly #factsOf: (unit: string) => string;
  #living: LivingChild[] = [];
  #nextChildPid = 100_000;

  /** `factsOf` is what the service manager prints about a unit. */
  constructor(
    random: Random,
    trueNs: () => number,
    runNs: number,
    factsOf: (unit: string) => string,
  ) {
    this.#factsOf = factsOf;
    this.#random = random;
    this.#trueNs = trueNs;
    this.#runNs = runNs;
  }

  get livingCount(): number {
    return this.#living.length;
  }

  beginTurn(): void {
    this.spawnsAsked = [];
    this.signalsAsked = [];
  }

  spawn(argv: string[], env: Record<string, string>, exited: ExitCallback): SpawnResult {
    const random = this.#random;
    if (random.chance(0.15)) return this.#refuse(argv, env);
    const childPid = this.#nextChildPid++;
    const isQuestion = argv.includes("show");
    const printed = isQuestion && random.chance(0.95) ? this.#factsOf(argv.at(-1)!) : "";
    const output = isQuestion ? new PrintedOutput(printed) : undefined;
    const asked = { argv, env, childPid, isTransient: false, printed };
    if (random.chance(0.05)) {
      const exitedAtOnce = { exitCode: random.below(2), signal: Number.NaN };
      this.spawnsAsked.push({ ...asked, exitedAtOnce });
      exited(exitedAtOnce.exitCode, exitedAtOnce.signal);
      return { childPid, output };
    }
    this.spawnsAsked.push({ ...asked, exitedAtOnce: undefined });
    this.#living.push({
      childPid,
      printed,
      agentPid: Number(env["VARTA_PID"] || Number.NaN),
      exited,
      obeysTerm: random.chance(0.7),
      untouchable: random.chance(0.05),
      endNs: this.#drawEndNs(),
      reportDelayNs: random.chance(0.2) ? random.below(this.#runNs) : 0,
      end: this.#drawEnd(),
    });
    return { childPid, output };
  }

  signalGroup(childPid: number, signal: number): number {
    const result = this.#signal(childPid, signal);
    this.signalsAsked.push({ childPid, signal, result });
    return result;
  }

  /** Every command that still runs ends now: the machine was given what they all waited for. */
  endAll(): void {
    for (const child of this.#living) child.endNs = this.#trueNs();
  }

  /** Reports the exits that are due, as the runtime does between turns. */
  deliverExits(): ChildExit[] {
    const nowNs = this.#trueNs();
    const isDue = (child: LivingChild) => child.endNs + child.reportDelayNs <= nowNs;
    const due = this.#living.filter(isDue);
    this.#living = this.#living.filter((child) => !isDue(child));
    return due.map((child) => {
      child.exited(child.end.exitCode, child.end.signal);
      const { childPid, agentPid, printed } = child;
      return { childPid, agentPid, printed, ...child.end };
    });
  }

  #refuse(argv: string[], env: Record<string, string>): SpawnResult {
    const failure = failureOf(this.#random.pick([ENOENT, EMFILE, EAGAIN]));
    const { isTransient } = failure;
    const rest = { isTransient, exitedAtOnce: undefined, printed: "" };
    this.spawnsAsked.push({ argv, env, childPid: 0, ...rest });
    return { failure };
  }

  #signal(childPid: number, signal: number): number {
    const child = this.#living.find((one) => one.childPid === childPid);
    if (child === undefined || child.endNs <= this.#trueNs()) return -ESRCH;
    if (child.untouchable) return -EPERM;
    if (signal === SIGTERM && !child.obeysTerm) return 0;
    const soonNs = this.#trueNs() + this.#random.between(0, this.#runNs / 10);
    if (soonNs >= child.endNs) return 0;
    child.endNs = soonNs;
    child.end = { exitCode: Number.NaN, signal: signal === SIGTERM ? SIGTERM : SIGKILL };
    return 0;
  }

  #drawEndNs(): number {
    const random = this.#random;
    if (random.chance(0.25)) return Number.POSITIVE_INFINITY;
    return this.#trueNs() + random.between(0, 2 * this.#runNs);
  }

  #drawEnd(): Exit {
    const random = this.#random;
    if (random.chance(0.05)) return { exitCode: Number.NaN, signal: Number.NaN };
    if (random.chance(0.05)) return { exitCode: Number.NaN, signal: 11 };
    return { exitCode: random.chance(0.75) ? 0 : random.between(1, 127), signal: Number.NaN };
  }
}
