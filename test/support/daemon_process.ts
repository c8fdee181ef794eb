// The real program as a child process with a directory of its own: started, watched through its
// log, its metrics page and its export, signalled, and ended whatever the test does. Every wait is
// for a condition and has a limit.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Page, parsePage } from "../metrics/page.ts";
import { eachLine, type LogLine, parseLogLine, pidOf } from "./log_lines.ts";
import { PROGRAM } from "./program.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { until } from "./until.ts";

/** Ends a daemon whose test process was killed before it could clean up. */
const LIFE_S_MAX = 300;

export interface DaemonOptions {
  /** Options besides --socket and --prom-addr. */
  readonly args?: readonly string[];
  /** Directory of an earlier daemon, to start again in its place. */
  readonly directory?: string;
  /**
   * Files of its directory, its working directory, by name: executable, and as private as a secret
   * has to be.
   */
  readonly files?: Readonly<Record<string, string>>;
  /** Text of its varta.toml; without it there is none. */
  readonly config?: string;
  /**
   * The configuration names the listeners, one of them a unix one; without it there is the one of
   * --socket.
   */
  readonly ownListeners?: boolean;
  /** Serve metrics at a free port; on by default. */
  readonly metrics?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A program that starts the daemon as its child, in a namespace of its own. */
  readonly through?: readonly string[];
  /** A program that becomes the daemon by execve(2). */
  readonly as?: readonly string[];
  /** Instead of the varta-watch under test, such as a copy that is replaced. */
  readonly program?: string;
}

/** What SIGUSR1 writes to the log. */
export interface DaemonState {
  readonly turns: number;
  readonly agents: number;
  readonly stalled: number;
  readonly children: number;
  readonly listeners: readonly {
    readonly name: string;
    readonly received: number;
    readonly accepted: number;
    readonly rejected: number;
  }[];
}

export type DaemonChild = Bun.Subprocess<"ignore", "pipe", "pipe">;

const alive = new Set<DaemonChild>();

/** For afterAll(): ends what a test left running that was itself given up at its time limit. */
export function endLeftovers(): void {
  for (const child of alive) child.kill("SIGKILL");
}

export class DaemonProcess implements AsyncDisposable {
  readonly directory: string;
  readonly socket: string;
  readonly lines: LogLine[] = [];
  stdout = "";
  /** Lines of the log that no reader of logfmt takes; the test fails by them. */
  readonly unreadable: string[] = [];
  /** All of stderr, lines that are not of the log included. */
  stderr = "";
  readonly #child: DaemonChild;
  readonly #ownDirectory: TemporaryDirectory | undefined;
  readonly #isWrapped: boolean;
  readonly #hasMetrics: boolean;
  readonly #read: Promise<unknown>;

  /** Starts the daemon and waits until it takes beats. */
  static async start(options: DaemonOptions = {}): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(options);
    try {
      await daemon.ready();
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  /** Starts the daemon and does not wait. */
  constructor(options: DaemonOptions = {}) {
    this.#ownDirectory = options.directory === undefined ? new TemporaryDirectory() : undefined;
    this.directory = options.directory ?? this.#ownDirectory!.path;
    this.socket = join(this.directory, "varta.sock");
    for (const [name, text] of Object.entries(options.files ?? {}))
      writeFileSync(this.path(name), text, { mode: 0o700 });
    this.#isWrapped = options.through !== undefined;
    // Streams that go elsewhere say nothing.
    this.#hasMetrics = (options.metrics ?? true) && options.as === undefined;
    const program = options.program === undefined ? PROGRAM : [options.program];
    const argv = [...program, "run", ...this.#arguments(options)];
    this.#child = Bun.spawn([...(options.through ?? options.as ?? []), ...argv], {
      cwd: this.directory,
      env: { ...process.env, ...options.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    alive.add(this.#child);
    void this.#child.exited.then(() => alive.delete(this.#child));
    this.#read = Promise.all([
      eachLine(this.#child.stderr, (line, isWhole) => this.#heard(line, isWhole)),
      eachLine(this.#child.stdout, (line) => {
        this.stdout += `${line}\n`;
      }),
    ]);
  }

  /** As this process sees it, also if the daemon lives in another pid namespace. */
  get pid(): number {
    const { pid } = this.#child;
    if (!this.#isWrapped) return pid;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get signalCode(): NodeJS.Signals | number | null {
    return this.#child.signalCode;
  }

  /** Resolves with the exit code when the process has ended and all it said was read. */
  async exited(): Promise<number | null> {
    await until("the daemon to end", () => this.hasExited);
    await this.#read;
    return this.#child.exitCode;
  }

  async ready(): Promise<void> {
    await until("the daemon to be ready", () => this.#isReady() || this.hasExited);
    if (!this.hasExited) return;
    await this.#read;
    throw new Error(`the daemon ended instead of starting: ${this.stderr}`);
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.exited();
  }

  /** `ip:port` as printed on stdout. */
  get metricsAddress(): string {
    return this.stdout.trimEnd();
  }

  get metricsPort(): number {
    return Number(this.metricsAddress.split(":")[1]);
  }

  /** One request on a connection of its own. */
  fetch(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`http://${this.metricsAddress}${path}`, {
      headers: { ...headers, connection: "close" },
      keepalive: false,
    });
  }

  async body(): Promise<string> {
    const response = await this.fetch("/metrics");
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
    return response.text();
  }

  async page(): Promise<Page> {
    return parsePage(await this.body());
  }

  /** The state as of now; unlike the page it is never up to a second old. */
  async state(): Promise<DaemonState> {
    const before = this.saying("state").length;
    this.signal("SIGUSR1");
    await until("the state in the log", () => this.saying("state").length > before);
    return JSON.parse(this.saying("state").at(-1)!.fields.get("state")!) as DaemonState;
  }

  /**
   * Waits until the daemon took `count` datagrams from its first listener, or from the one of that
   * name.
   */
  async untilReceived(count: number, listener?: string): Promise<DaemonState> {
    let state = await this.state();
    await until(`${count} datagrams to be received`, async () => {
      const from = state.listeners.find(({ name }) => listener === undefined || name === listener);
      if (from!.received >= count) return true;
      state = await this.state();
      return false;
    });
    return state;
  }

  /** Lines with this message, of one agent if `pid` is given. */
  saying(msg: string, pid?: number): LogLine[] {
    return this.lines.filter(
      (line) => line.msg === msg && (pid === undefined || pidOf(line) === pid),
    );
  }

  stallsOf(pid: number): LogLine[] {
    return this.saying("agent stalled", pid);
  }

  untilStalls(pid: number, count = 1): Promise<void> {
    return until(`stall ${count} of ${pid}`, () => this.stallsOf(pid).length >= count);
  }

  untilSays(msg: string, count = 1): Promise<void> {
    return until(`"${msg}" in the log`, () => this.saying(msg).length >= count);
  }

  /** Paths in the daemon's directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Rows of the TSV export `name`, split into columns. */
  exported(name: string): string[][] {
    const text = readFileSync(this.path(name), "utf8");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split("\t"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasExited) this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#ownDirectory?.[Symbol.dispose]();
    if (this.unreadable.length > 0) throw new Error(`no logfmt: ${this.unreadable.join("; ")}`);
  }

  #arguments({ args = [], config, ownListeners, metrics = true }: DaemonOptions): string[] {
    const given = ownListeners === true ? [...args] : ["--socket", this.socket, ...args];
    if (config !== undefined) {
      writeFileSync(this.path("varta.toml"), config);
      given.push("--config", this.path("varta.toml"));
    }
    if (metrics) given.push("--prom-addr", "127.0.0.1:0", "--prom-rate-limit-burst", "0");
    // A test sends faster than the limit of 100 beats/s per process is made for.
    if (!args.includes("--max-beat-rate")) given.push("--max-beat-rate", "0");
    if (!args.includes("--shutdown-after-secs"))
      given.push("--shutdown-after-secs", String(LIFE_S_MAX));
    return given;
  }

  // Its stdout goes through another pipe than its log, so the address may come a moment later.
  #isReady(): boolean {
    const hasAddress = !this.#hasMetrics || this.stdout.includes("\n");
    return hasAddress && this.saying("ready").length > 0;
  }

  #heard(line: string, isWhole: boolean): void {
    this.stderr += `${line}\n`;
    try {
      const parsed = parseLogLine(line, performance.now());
      if (parsed !== undefined) this.lines.push(parsed);
    } catch (error) {
      // A daemon that is killed may leave a piece of its last line.
      if (isWhole) this.unreadable.push((error as Error).message);
    }
  }
}
