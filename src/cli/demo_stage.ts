// The real processes of the demonstration: the daemon in a private directory, and agents that are
// series of the beat command, each under a name that a rule of the daemon's configuration knows.
// Everything that it starts it also ends, stopped ones included.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfCommand } from "./self_command.ts";

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

/** A line of the daemon's log. */
export interface LogLine {
  readonly msg: string;
  readonly agent?: string;
  readonly pid?: number;
  readonly verdict?: string;
  readonly child_pid?: number;
  readonly silence_ms?: number;
  readonly threshold_ms?: number;
  readonly url?: string;
  readonly took_ms?: number;
}

interface StageOptions {
  readonly agentNames: readonly string[];
  readonly thresholdMs: number;
  readonly intervalMs: number;
  readonly onLog: (line: LogLine) => void;
}

const EXIT_MS_MAX = 3_000;

export class DemoStage {
  readonly directory = mkdtempSync(join(tmpdir(), "varta-demo-"));
  readonly socket = join(this.directory, "varta.sock");
  readonly #options: StageOptions;
  readonly #agents: Child[] = [];
  readonly #events = join(this.directory, "events.tsv");
  #daemon: Child | undefined;
  #eventsRead = 0;
  #partLine = "";

  constructor(options: StageOptions) {
    this.#options = options;
  }

  startDaemon(): void {
    const config = join(this.directory, "varta.toml");
    writeFileSync(config, this.#configText(), { mode: 0o600 });
    this.#daemon = start(selfCommand(["run", "--config", config]));
    void this.#readLog(this.#daemon.stderr);
    // Its stdout has one line, the metrics address, and what a recovery prints.
    void drain(this.#daemon.stdout);
  }

  /** True once the daemon can take beats. */
  get isListening(): boolean {
    return existsSync(this.socket);
  }

  /** The exit code of the daemon if it ended, else null. */
  get daemonExit(): number | null {
    return this.#daemon?.exitCode ?? null;
  }

  /**
   * Starts an agent that beats until it is ended; returns its pid. The kernel calls a process by
   * the file that it was started from, so each has a link to this program.
   */
  startAgent(name: string): number {
    const { intervalMs } = this.#options;
    const series = ["--count", "1000000", "--interval", `${intervalMs}ms`];
    const [program, ...args] = selfCommand(["beat", "--socket", this.socket, ...series]);
    const link = join(this.directory, name);
    symlinkSync(program!, link);
    const child = start([link, ...args]);
    void drain(child.stdout);
    void drain(child.stderr);
    this.#agents.push(child);
    return child.pid;
  }

  stop(pid: number): void {
    process.kill(pid, "SIGSTOP");
  }

  wake(pid: number): void {
    process.kill(pid, "SIGCONT");
  }

  /** Pids of the beats that the daemon accepted since the last call. */
  takeBeats(): number[] {
    if (!existsSync(this.#events)) return [];
    const text = readFileSync(this.#events, "utf8");
    const lines = (this.#partLine + text.slice(this.#eventsRead)).split("\n");
    this.#eventsRead = text.length;
    this.#partLine = lines.pop() ?? "";
    return lines.map((line) => Number(line.split("\t")[2]));
  }

  /** Ends every process and removes the directory. */
  async clear(): Promise<void> {
    for (const agent of this.#agents) agent.kill("SIGKILL");
    this.#daemon?.kill("SIGTERM");
    const ended = Promise.all([this.#daemon, ...this.#agents].map((child) => child?.exited));
    await Promise.race([ended, Bun.sleep(EXIT_MS_MAX)]);
    if (this.#daemon?.exitCode === null) this.#daemon.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  #configText(): string {
    const { thresholdMs, agentNames } = this.#options;
    const uid = process.getuid!();
    return [
      "[observer]",
      `threshold = "${thresholdMs}ms"`,
      "[[listener]]",
      'kind = "unix"',
      `path = ${JSON.stringify(this.socket)}`,
      "[recovery]",
      `command = ${JSON.stringify(wakeCommand())}`,
      "[export]",
      `file = ${JSON.stringify(this.#events)}`,
      'events = ["beat"]',
      "[metrics]",
      'listen = "127.0.0.1:0"',
      "[log]",
      'format = "json"',
      ...agentNames.flatMap((name) => [
        "[[agent]]",
        `match = { comm = "${name}", uid = "${uid}" }`,
        `name = "${name}"`,
      ]),
      "",
    ].join("\n");
  }

  async #readLog(stream: ReadableStream<Uint8Array>): Promise<void> {
    let part = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const lines = (part + decoder.decode(chunk, { stream: true })).split("\n");
      part = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("{")) this.#options.onLog(JSON.parse(line) as LogLine);
      }
    }
  }
}

function start(argv: string[]): Child {
  return Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _chunk of stream);
}

// The recovery of the demonstration wakes the stopped process. A system without kill(1) has it in
// its shell.
function wakeCommand(): string[] {
  const kill = Bun.which("kill");
  if (kill !== null) return [kill, "-CONT", "{pid}"];
  return ["/bin/sh", "-c", 'kill -CONT "$1"', "wake", "{pid}"];
}
