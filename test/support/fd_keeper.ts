// A service manager that keeps descriptors for the daemon, and hands them over at its next start.
import { join, resolve } from "node:path";
import { eachLine } from "./log_lines.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { until } from "./until.ts";

const SCRIPT = resolve(import.meta.dir, "fd_keeper.py");
export const HAS_PYTHON = Bun.which("python3") !== null;
/** For names of tests. */
export const NO_KEEPER = HAS_PYTHON && process.platform === "linux" ? "" : " (needs python3)";

/** A socket, or a file, that is handed over though nobody stored it. */
export interface Extra {
  readonly name: string;
  readonly kind: "dgram" | "stream" | "udp" | "file";
  readonly path?: string;
  readonly mode?: number;
}

interface Said {
  readonly text: string;
  /** Names of what was kept after it. */
  readonly kept: readonly string[];
}

export class FdKeeper implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly #said: Said[] = [];
  readonly #child;

  static async start(): Promise<FdKeeper> {
    const keeper = new FdKeeper();
    await until("the keeper to be there", () => keeper.#said.length > 0);
    return keeper;
  }

  private constructor() {
    const argv = ["python3", SCRIPT, "keep", this.#at("notify"), this.#at("handover")];
    this.#child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    void eachLine(this.#child.stdout, (line) => this.#said.push(JSON.parse(line) as Said));
  }

  /** The environment of the daemon. */
  get env(): Readonly<Record<string, string>> {
    return { NOTIFY_SOCKET: this.#at("notify") };
  }

  /** What becomes the daemon. */
  launcher(extras: readonly Extra[] = []): string[] {
    return ["python3", SCRIPT, "launch", this.#at("handover"), JSON.stringify(extras)];
  }

  /** Names of what is kept. */
  get kept(): readonly string[] {
    return this.#said.at(-1)!.kept;
  }

  get texts(): readonly string[] {
    return this.#said.map(({ text }) => text);
  }

  untilKept(count: number): Promise<void> {
    return until(`${count} descriptors to be kept`, () => this.kept.length === count);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    this.#directory[Symbol.dispose]();
  }

  #at(name: string): string {
    return join(this.#directory.path, name);
  }
}
