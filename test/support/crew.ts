// A crew of real agent processes (crew.c), compiled when it is first needed. Where there is no C
// compiler, tests that need it are skipped and say so.
import { constants } from "node:os";
import { join } from "node:path";
import { compiled } from "./compiled.ts";
import { eachLine } from "./log_lines.ts";
import { until } from "./until.ts";

const STATUS_CODES = { ok: 0, degraded: 1, critical: 2, stall: 3 } as const;
/** Long enough for a hundred thousand datagrams. */
const ANSWER_MS_MAX = 30_000;

/** The compiled crew, or undefined where it cannot be compiled. */
export const crewProgram: string | undefined = compiled(join(import.meta.dir, "crew.c"));

/** In the name of a test that needs the crew. */
export const NEEDS_CREW = crewProgram === undefined ? " (skipped: there is no C compiler)" : "";

export interface Agents {
  readonly count: number;
  readonly intervalMs: number;
  /** Beats of each; without it they beat until "quiet". */
  readonly beats?: number;
  readonly status?: keyof typeof STATUS_CODES;
  /** The payload is the low half of the monotonic clock in microseconds, instead of 0. */
  readonly stamped?: boolean;
}

export interface Streams {
  readonly connections: number;
  /** Users that they are, in turn; needs root. Without it they are who the crew is. */
  readonly uids?: number;
  /** So many-th of them each has a child that beats for it by its connections when it is dead. */
  readonly heirEvery?: number;
}

export interface Datagrams {
  readonly count: number;
  readonly size?: number;
  /** Attached to each. */
  readonly descriptors?: number;
  readonly content: "zeros" | "random" | "beat";
  /** Claimed by a beat; the crew's own pid if left out. */
  readonly pid?: number;
}

export interface Refused {
  /** The queue had no place. */
  readonly full: number;
  /** Nobody receives at the socket, or there is none. */
  readonly other: number;
}

export class Crew implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: string[] = [];

  /** `through` starts it as its child, in the namespace of a daemon. */
  constructor(socket: string, through: readonly string[] = []) {
    const argv = [...through, crewProgram!, socket];
    this.#child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe" });
    void eachLine(this.#child.stdout, (line) => this.#answers.push(line));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Forks agents and returns their pids. */
  async agents(agents: Agents): Promise<number[]> {
    const { count, intervalMs, beats = 0, status = "ok", stamped = false } = agents;
    const [, ...pids] = await this.#ask(
      `agents ${count} ${intervalMs} ${beats} ${STATUS_CODES[status]} ${stamped ? 1 : 0}`,
    );
    return pids.map(Number);
  }

  /**
   * Agents of later calls leave out a beat that the kernel refuses, as the client library does;
   * without it they send it again a little later.
   */
  async impatient(): Promise<void> {
    await this.#ask("impatient");
  }

  /** Agents of later calls say WATCHDOG=1, as by sd_notify(3), instead of sending frames. */
  async notify(): Promise<void> {
    await this.#ask("notify");
  }

  /** Agents of later calls write to a stream socket, by so many connections each in turn. */
  async streams({ connections, uids = 0, heirEvery = 0 }: Streams): Promise<void> {
    await this.#ask(`streams ${connections} ${uids} ${heirEvery}`);
  }

  /** Forks one agent. */
  async agent(agent: Omit<Agents, "count">): Promise<number> {
    const [pid] = await this.agents({ ...agent, count: 1 });
    return pid!;
  }

  /**
   * Forks processes that beat twice and end with 0, so many in a second; how many ended. Not beside
   * other agents of the crew.
   */
  async short(count: number, perSecond: number): Promise<number> {
    const msMax = ANSWER_MS_MAX + (2_000 * count) / perSecond;
    const [, ended] = await this.#ask(`short ${count} ${perSecond}`, msMax);
    return Number(ended);
  }

  /** Every agent falls silent; what each of them has sent, by pid. */
  async quiet(): Promise<Map<number, number>> {
    const [, ...sent] = await this.#ask("quiet");
    return new Map(sent.map(readSent));
  }

  /** Sends of all agents that the kernel refused up to now. */
  async refused(): Promise<Refused> {
    const [, full, other] = await this.#ask("refused");
    return { full: Number(full), other: Number(other) };
  }

  /** Kills an agent; how many beats it had counted. */
  async kill(pid: number): Promise<number> {
    const [, sent] = await this.#ask(`kill ${pid}`);
    return readSent(sent!)[1];
  }

  /** Signals an agent by the pid that the crew knows it by. */
  async signal(pid: number, signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    await this.#ask(`signal ${pid} ${constants.signals[signal]}`);
  }

  /**
   * Forks a process with this very pid, which is free now; an interval of 0 = it never beats.
   */
  async reuse(pid: number, intervalMs: number): Promise<void> {
    const [, got] = await this.#ask(`reuse ${pid} ${intervalMs}`);
    if (Number(got) !== pid) throw new Error(`the kernel did not give pid ${pid} away again`);
  }

  /** Sends datagrams from one process that is not an agent. */
  async send({ count, size = 32, descriptors = 0, content, pid }: Datagrams): Promise<void> {
    await this.#ask(`send ${count} ${size} ${descriptors} ${content} ${pid ?? this.pid}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.end();
    try {
      await until("the crew to end", () => this.#isOver);
    } finally {
      this.#child.kill("SIGKILL");
    }
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #ask(command: string, msMax = ANSWER_MS_MAX): Promise<string[]> {
    const { stdin } = this.#child;
    stdin.write(`${command}\n`);
    await stdin.flush();
    await until(
      `the crew to answer "${command}"`,
      () => this.#answers.length > 0 || this.#isOver,
      msMax,
    );
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error(`the crew ended at "${command}"`);
    return answer.split(" ");
  }
}

function readSent(text: string): [number, number] {
  const [pid, beats] = text.split(":");
  return [Number(pid), Number(beats)];
}
