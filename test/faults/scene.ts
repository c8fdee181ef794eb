// One row of the fault table while it runs: a real daemon, a crew of real agents, and what the
// harness did to them. The files of the daemon outlive its restarts, as on a host; at the end they
// are compared with the truth.
import { mkdirSync } from "node:fs";
import { type Page, sumOf } from "../metrics/page.ts";
import { Crew } from "../support/crew.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import type { ShiftedClocks } from "../support/shifted_clocks.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import {
  type Alive,
  judgeDescriptors,
  judgeRecoveries,
  judgeRows,
  judgeStalls,
  type Judged,
  judgeSends,
  toldStalls,
  type Testimony,
} from "./counting.ts";
import { withQueue } from "./row.ts";
import type { Bounds, Outcome } from "./table.ts";
import { SLACK_MS, Truth } from "./truth.ts";
import {
  auditedPids,
  chainFaults,
  descriptorKinds,
  ExportTail,
  loggedStalls,
  notedRecoveries,
  type ToldRow,
} from "./witness.ts";

export const THRESHOLD_MS = 1_000;
/** Whole again after a full queue: agents find a place within a few intervals. */
const SETTLED_MS = 1.5 * THRESHOLD_MS;
/** Of processes that are ended and files that are reopened: a leak stays. */
const CLOSED_MS_MAX = 3_000;
const QUEUE_OF_MACHINE = "the queue is that of this machine, whatever it holds";
/** More than the longest queue needs to be taken. */
const DRAINED_MS = 300;
const LOOK_MS = 20;
/** Where agents beat, by the kind of listener. */
const SOCKETS = {
  unix: "varta.sock",
  "unix-stream": "stream.sock",
  notify: "notify.sock",
} as const;
/** Of a daemon whose clocks are hours ahead. */
const LIFE_S_MAX = 86_400;

export interface SceneOptions {
  readonly agents: number;
  readonly intervalMs: number;
  /** Length of the datagram queue, in a network namespace of its own; default: as it is here. */
  readonly queue?: number;
  /** The listener at which agents beat; default: unix, by frames in datagrams. */
  readonly door?: keyof typeof SOCKETS;
  /** More lines of the configuration. */
  readonly config?: string;
  /** More lines of its section [observer]. */
  readonly observer?: string;
  /** A program that becomes the daemon by execve(2). */
  readonly as?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Other clocks for the daemon. */
  readonly clocks?: ShiftedClocks;
  /** Instead of the varta-watch under test. */
  readonly program?: string;
  /** Serve metrics; not in a network namespace of its own, and not behind `as`. */
  readonly metrics?: boolean;
  /** Where export, audit log and state are; default: the directory of the daemon. */
  readonly filesIn?: string;
}

/** A process that the harness silenced. */
export interface Silenced {
  readonly pid: number;
  readonly atMs: number;
}

/** One that was killed, and one that was frozen and stays so. */
export interface Lost {
  readonly dead: Silenced;
  readonly frozen: Silenced;
}

export class Scene implements AsyncDisposable {
  readonly truth = new Truth();
  readonly crew: Crew;
  readonly directory = new TemporaryDirectory();
  /** Of agents that live. */
  readonly pids: number[] = [];
  readonly #lives: DaemonProcess[] = [];
  readonly #options: SceneOptions;
  readonly #sent = new Map<number, number>();
  readonly #frozen: number[] = [];
  readonly #notes: string[] = [];
  readonly #begunMs = performance.now();
  readonly #tail: ExportTail;
  /** With other clocks the times that a daemon writes are not those of the harness. */
  #looking: Timer | undefined;
  #descriptors: ReadonlyMap<string, number> = new Map();
  #lastPage: Page | undefined;
  #endLoad: () => Promise<void> = () => Promise.resolve();

  /** A daemon that knows its agents, none of which is silent. */
  static async begin(options: SceneOptions): Promise<Scene> {
    const scene = new Scene(options);
    try {
      mkdirSync(`${scene.files}/state`, { mode: 0o700 });
      await scene.start();
      await scene.crew.impatient();
      if (options.door === "unix-stream") await scene.crew.streams({ connections: 1 });
      if (options.door === "notify") await scene.crew.notify();
      await scene.hire(options.agents);
      await Bun.sleep(SETTLED_MS);
      scene.#descriptors = descriptorKinds(scene.daemon.pid);
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: SceneOptions) {
    this.#options = options;
    this.crew = new Crew(this.directory.at(SOCKETS[options.door ?? "unix"]));
    this.#tail = new ExportTail(`${this.files}/events.jsonl`);
    if (options.clocks) this.#looking = setInterval(() => this.#tail.look(), LOOK_MS);
  }

  /** The one that runs, or ran last. */
  get daemon(): DaemonProcess {
    return this.#lives.at(-1)!;
  }

  get files(): string {
    return this.#options.filesIn ?? this.directory.path;
  }

  /** A daemon in the place of the one that ended. */
  async start(as: readonly string[] = []): Promise<void> {
    const { metrics = false, env = {}, clocks, program, door = "unix" } = this.#options;
    const { queue } = this.#options;
    const namespace = queue === undefined ? [] : withQueue(queue);
    const through = [...namespace, ...(this.#options.as ?? []), ...as];
    const daemon = new DaemonProcess({
      directory: this.directory.path,
      config: this.configuration(),
      ownListeners: door !== "unix",
      metrics,
      ...(clocks && { args: ["--shutdown-after-secs", `${LIFE_S_MAX}`] }),
      env: { ...env, ...clocks?.env, STATE_DIRECTORY: `${this.files}/state` },
      ...(program !== undefined && { program }),
      ...(through.length > 0 && { as: through }),
    });
    this.#lives.push(daemon);
    // Its log may be what is stuck: it takes beats when somebody answers at its socket.
    const isThere = () =>
      daemon.hasExited || daemon.saying("ready").length > 0 || this.#hasBoot(daemon);
    await until("the daemon to take beats", isThere);
    if (daemon.hasExited) throw new Error(`the daemon did not start: ${daemon.stderr}`);
  }

  async hire(count: number): Promise<void> {
    const { intervalMs } = this.#options;
    const hired = await this.crew.agents({ count, intervalMs });
    this.pids.push(...hired);
    await until("every agent to be heard", () => {
      const { heard } = this.#tail.look();
      return hired.every((pid) => heard.has(pid));
    });
  }

  /**
   * Kills one agent and freezes another one. Nobody is missed yet: somebody has to be told until
   * when they are to be told.
   */
  async lose(): Promise<Lost> {
    const frozen = { pid: this.pids.pop()!, atMs: Date.now() };
    this.#frozen.push(frozen.pid);
    process.kill(frozen.pid, "SIGSTOP");
    return { dead: await this.kill(), frozen };
  }

  async kill(): Promise<Silenced> {
    const pid = this.pids.shift()!;
    const atMs = Date.now();
    this.#sent.set(pid, await this.crew.kill(pid));
    return { pid, atMs };
  }

  /** They have to be told, by a daemon that can hear since `heardFromMs`. */
  lost({ dead, frozen }: Lost, when: string, heardFromMs?: number): void {
    this.died(dead, `killed ${when}`, heardFromMs);
    this.died(frozen, `frozen ${when}`, heardFromMs);
  }

  died({ pid, atMs }: Silenced, how: string, heardFromMs = atMs): void {
    this.truth.silenced(pid, atMs, { how, heardFromMs, thresholdMs: THRESHOLD_MS });
  }

  /** The metrics as they were when the row was judged. */
  get lastPage(): Page {
    if (this.#lastPage === undefined) throw new Error("no metrics were served");
    return this.#lastPage;
  }

  /** Ends what holds descriptors, or the queue, before they are looked at. */
  beforeCounting(end: () => Promise<void>): void {
    this.#endLoad = end;
  }

  /**
   * Looks on until all is told that has to be, and for as long as a false alarm needs. `againMs`:
   * how long before its kill a daemon may forget what it has told, while one was `alive`.
   */
  async judge(faults: number, againMs = 0, alive?: Alive): Promise<Outcome> {
    await this.#lookOn();
    await this.#endLoad();
    const descriptors = await this.#judgeDescriptors();
    const page = this.#options.metrics ? await this.daemon.page() : undefined;
    this.#lastPage = page;
    const counted = page === undefined ? 0 : sumOf(page, "varta_export_dropped_total");
    const sends = judgeSends(await this.crew.refused());
    const quietMs = Date.now();
    // They cannot count their beats while they are frozen.
    for (const pid of this.#frozen) process.kill(pid, "SIGCONT");
    for (const [pid, sent] of await this.crew.quiet()) this.#sent.set(pid, sent);
    await Bun.sleep(DRAINED_MS);
    const exitCode = await this.daemon.stop();
    if (exitCode !== 0) throw new Error(`the daemon ended with ${exitCode}: ${this.daemon.stderr}`);
    const testimony = this.#testimony(quietMs);
    const { silences } = this.truth;
    const told = toldStalls(testimony);
    const { falseStalls, missedStalls, toldAgain } = judgeStalls(silences, told, againMs, alive);
    const falseRecoveries = judgeRecoveries(silences, testimony.recoveries);
    const rows = lessCounted(judgeRows(testimony, this.#sent), counted);
    const all = [falseStalls, missedStalls, toldAgain, falseRecoveries, rows, descriptors, sends];
    return {
      faults: faults + silences.length,
      counts: {
        falseStalls: falseStalls.count,
        missedStalls: missedStalls.count,
        falseRecoveries: falseRecoveries.count,
        lostRows: rows.count,
        leakedDescriptors: descriptors.count,
        failedBeats: sends.count,
      },
      findings: [...all.flatMap(({ findings }) => findings), ...this.#notes],
      ...(this.#options.queue === undefined && { bounds: this.refusable(QUEUE_OF_MACHINE) }),
    };
  }

  /** The bound of a row whose queue may be full at any time: no more than all beats. */
  refusable(because: string): Bounds {
    const { agents, intervalMs } = this.#options;
    const max = Math.ceil((agents * (performance.now() - this.#begunMs)) / intervalMs);
    return { failedBeats: { max, because } };
  }

  /** Beats that the daemons have written to the export. */
  get beatsTaken(): number {
    return this.#tail.look().beats.length;
  }

  /** A line below the row. */
  note(text: string): void {
    this.#notes.push(text);
  }

  configuration(more = this.#options.config ?? ""): string {
    const notes = this.directory.at("recovered");
    const at = (name: string) => this.directory.at(name);
    const { door = "unix" } = this.#options;
    // Whoever asks the daemon does so at its first listener.
    const kinds = door === "unix" ? [] : (["unix", door] as const);
    const listeners = kinds
      .map((kind) => `[[listener]]\nkind = "${kind}"\npath = "${at(SOCKETS[kind])}"\n`)
      .join("");
    return `
[observer]
threshold = "${THRESHOLD_MS}ms"
${this.#options.observer ?? ""}

[export]
file = "${this.files}/events.jsonl"
format = "jsonl"
events = ["beat", "stall", "resume", "exit", "gone", "recovery", "boot", "shutdown"]

[audit]
file = "${this.files}/audit.log"

[recovery]
command = ["/bin/sh", "-c", "echo $VARTA_PID $(date +%s%3N) >> ${notes}"]
${listeners}${more}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    // A daemon that was left stopped or frozen dies of SIGKILL all the same.
    for (const daemon of this.#lives) await daemon[Symbol.asyncDispose]();
    await this.crew[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }

  async #lookOn(): Promise<void> {
    const toldAfterMs = Date.now() + 2 * THRESHOLD_MS + SLACK_MS;
    const isTold = () => {
      const { stalls, ends } = this.#tail.look();
      const told = new Set([...stalls, ...ends].map(({ pid }) => pid));
      return this.truth.silences.every(({ pid }) => told.has(pid));
    };
    while (Date.now() < toldAfterMs) await Bun.sleep(50);
    while (Date.now() < this.truth.toldByMs && !isTold()) await Bun.sleep(50);
    // The recovery that follows the last stall.
    await Bun.sleep(DRAINED_MS);
  }

  async #judgeDescriptors(): Promise<Judged> {
    const endMs = Date.now() + CLOSED_MS_MAX;
    for (;;) {
      const found = judgeDescriptors(this.#descriptors, descriptorKinds(this.daemon.pid));
      if (found.count === 0 || Date.now() > endMs) return found;
      await Bun.sleep(50);
    }
  }

  /** What was said before the harness itself made every agent silent. */
  #testimony(quietMs: number): Testimony {
    const isEarlier = ({ atMs }: Silenced) => atMs < quietMs;
    const earlier = (rows: readonly ToldRow[]) =>
      rows
        .map(({ pid, atMs, seenMs }) => ({ pid, atMs: this.#options.clocks ? seenMs : atMs }))
        .filter(isEarlier);
    const { stalls, ends, beats } = this.#tail.look();
    const audit = `${this.files}/audit.log`;
    return {
      stalls: earlier(stalls),
      ends: earlier(ends),
      beats,
      recoveries: notedRecoveries(this.directory.at("recovered")).filter(isEarlier),
      loggedStalls: earlier(this.#lives.flatMap(({ lines }) => loggedStalls(lines))),
      auditedPids: auditedPids(audit),
      chainFaults: chainFaults(audit),
    };
  }

  #hasBoot(daemon: DaemonProcess): boolean {
    return this.#tail.look().boots.includes(daemon.pid);
  }
}

/** Rows that were dropped and counted are known to be lost: what is left is lost in silence. */
function lessCounted({ count, findings }: Judged, counted: number): Judged {
  if (counted === 0 || count === 0) return { count, findings };
  const told = `${counted} rows were dropped and counted by varta_export_dropped_total`;
  return { count: Math.max(0, count - counted), findings: [...findings, told] };
}
