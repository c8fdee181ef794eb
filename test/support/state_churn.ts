// A real daemon that is killed again and again while agents come, go, freeze and thaw, and what is
// known of each of them: from outside, and from the state file that every kill leaves. At the end
// what the daemons said and did is judged by that (spec 18).
import { existsSync, readFileSync } from "node:fs";
import { plainState } from "../../src/snapshot/decoder.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import type { State } from "../../src/snapshot/records.ts";
import { Xorshift32 } from "../reference/xorshift.ts";
import { Crew } from "./crew.ts";
import { DaemonProcess } from "./daemon_process.ts";
import { pidOf } from "./log_lines.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { until } from "./until.ts";

export const CHURN_THRESHOLD_MS = 1_000;
const INTERVAL_MS = 100;
const AGENTS_MIN = 30;
const AGENTS_MAX = 45;
const FROZEN_MAX = 6;
/** A life is at most so long: some end before the first state is written, some in the third. */
const LIFE_MS_MAX = 3_000;
const AWAY_MS_MAX = 200;
const ACT_MS = 60;
/** A beat reaches the daemon, and a line its reader. */
const SLACK_MS = 400;
const TOLD_MS_MAX = 20_000;

/** By which lines of its log an operator learns of a silence or an end. */
export const SAID = ["agent stalled", "member ended", "member replaced", "member gone"] as const;

export interface Told {
  readonly pid: number;
  readonly atMs: number;
  readonly what: (typeof SAID)[number];
  /** Number of the daemon's life. */
  readonly life: number;
}

export interface Agent {
  readonly pid: number;
  readonly bornMs: number;
  diedMs: number;
  /** When it was frozen and thawed again. */
  readonly frozen: [fromMs: number, toMs: number][];
}

/** One life of the daemon. */
export interface Life {
  startedMs: number;
  killedMs: number;
  /** What it began with, as it said. */
  readonly stateAgeMs: number;
  /** What it left. */
  left: State | undefined;
}

/** All that happened. */
export interface Churned {
  readonly agents: readonly Agent[];
  readonly lives: readonly Life[];
  readonly told: readonly Told[];
  /** Pid and time of each recovery that ran, as it wrote them itself. */
  readonly recovered: readonly { readonly pid: number; readonly atMs: number }[];
}

export class StateChurn implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #crew = new Crew(this.#directory.at("varta.sock"));
  readonly #random: Xorshift32;
  readonly #agents: Agent[] = [];
  readonly #lives: Life[] = [];
  readonly #told: Told[] = [];

  constructor(seed: number) {
    this.#random = new Xorshift32(seed);
  }

  /** So many kills, and a last life in which all is told. */
  async run(kills: number): Promise<Churned> {
    for (let kill = 0; kill < kills; kill++) {
      await using daemon = await this.#start();
      if (kill === 0) await this.#hire(AGENTS_MIN);
      await this.#churn(this.#random.below(LIFE_MS_MAX));
      daemon.signal("SIGKILL");
      await this.#isOver(daemon);
      await this.#churn(this.#random.below(AWAY_MS_MAX), false);
    }
    await using last = await this.#start();
    await this.#untilTold(last);
    await last.stop();
    await this.#isOver(last);
    const recovered = linesOf(this.#directory.at("recovered")).map((line) => {
      const [pid, atMs] = line.split(" ").map(Number);
      return { pid: pid!, atMs: atMs! };
    });
    return { agents: this.#agents, lives: this.#lives, told: this.#told, recovered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crew[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  async #start(): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start({
      directory: this.#directory.path,
      config: this.#config(),
      metrics: false,
    });
    const [restored] = daemon.saying("state restored");
    const stateAgeMs = Number(restored?.fields.get("age_ms"));
    this.#lives.push({ startedMs: Date.now(), killedMs: Infinity, stateAgeMs, left: undefined });
    return daemon;
  }

  async #isOver(daemon: DaemonProcess): Promise<void> {
    const life = this.#lives.at(-1)!;
    life.killedMs = Date.now();
    await daemon.exited();
    const found = findState(this.#directory.at("state"), process.geteuid!());
    if (found.kind === "unreadable" || found.kind === "refused")
      throw new Error(`the state cannot be read after a kill: ${Bun.inspect(found)}`);
    life.left = found.kind === "state" ? plainState(found.state) : undefined;
    this.#told.push(...this.#toldBy(daemon));
  }

  #toldBy(daemon: DaemonProcess): Told[] {
    return SAID.flatMap((what) =>
      daemon.saying(what).map((line) => ({
        pid: pidOf(line),
        atMs: Date.parse(line.fields.get("time")!),
        what,
        life: this.#lives.length - 1,
      })),
    );
  }

  async #churn(ms: number, mayHire = true): Promise<void> {
    for (const endMs = Date.now() + ms; Date.now() < endMs; ) {
      await this.#act(mayHire);
      await Bun.sleep(Math.max(0, Math.min(ACT_MS, endMs - Date.now())));
    }
  }

  async #act(mayHire: boolean): Promise<void> {
    const living = this.#agents.filter(({ diedMs }) => diedMs === Infinity);
    const frozen = living.filter((agent) => isFrozen(agent));
    const agent = living[this.#random.below(living.length)];
    if (mayHire && living.length < AGENTS_MAX && this.#random.below(2) === 0) await this.#hire(1);
    else if (agent === undefined || living.length < AGENTS_MIN) return;
    else if (isFrozen(agent)) await this.#thaw(agent);
    else if (frozen.length < FROZEN_MAX && this.#random.below(3) === 0) await this.#freeze(agent);
    else await this.#kill(agent);
  }

  async #hire(count: number): Promise<void> {
    const bornMs = Date.now();
    const pids = await this.#crew.agents({ count, intervalMs: INTERVAL_MS });
    for (const pid of pids) this.#agents.push({ pid, bornMs, diedMs: Infinity, frozen: [] });
  }

  async #kill(agent: Agent): Promise<void> {
    await this.#crew.kill(agent.pid);
    agent.diedMs = Date.now();
  }

  async #freeze(agent: Agent): Promise<void> {
    agent.frozen.push([Date.now(), Infinity]);
    await this.#crew.signal(agent.pid, "SIGSTOP");
  }

  async #thaw(agent: Agent): Promise<void> {
    await this.#crew.signal(agent.pid, "SIGCONT");
    agent.frozen.at(-1)![1] = Date.now();
  }

  /** In the last life everybody is told of who is silent or gone by now. */
  async #untilTold(last: DaemonProcess): Promise<void> {
    const isDone = (): boolean => {
      const told = new Set([...this.#told, ...this.#toldBy(last)].map(({ pid }) => pid));
      return this.#agents.every(
        (agent) => (agent.diedMs === Infinity && !isFrozen(agent)) || told.has(agent.pid),
      );
    };
    await until("all to be told", isDone, TOLD_MS_MAX).catch(() => undefined);
    // For as long as a false alarm, or a second one, would take.
    await Bun.sleep(3 * CHURN_THRESHOLD_MS);
  }

  #config(): string {
    const { path } = this.#directory;
    return `
[observer]
threshold = "${CHURN_THRESHOLD_MS}ms"

[state]
file = "${path}/state"

[recovery]
command = ["/bin/sh", "-c", "echo $VARTA_PID $(date +%s%3N) >> ${path}/recovered"]
debounce = "1h"
`;
  }
}

export function isFrozen({ frozen }: Agent): boolean {
  return frozen.at(-1)?.[1] === Infinity;
}

/** What was said of it at `atMs` was true: it was gone, or silent for a threshold. */
export function isTrue({ diedMs, frozen }: Agent, { atMs, what }: Pick<Told, "atMs" | "what">) {
  // It is known to be dead a moment after it is.
  if (diedMs <= atMs + SLACK_MS) return true;
  if (what !== "agent stalled") return false;
  // Its last beat may have been on its way for a while: what is looked for are healthy ones.
  return frozen.some(
    ([fromMs, toMs]) => fromMs + CHURN_THRESHOLD_MS / 2 <= atMs && atMs <= toMs + SLACK_MS,
  );
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}
