// A client of clients/ as a program of its own: a line with a command in, a line with what became
// of it out. The same commands mean the same in every language: one table is run over all of them.
import { join } from "node:path";
import { BUILT } from "./built_package.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const DRIVERS = join(import.meta.dir, "drivers");
const HEADER = join(import.meta.dir, "../../clients/c");

export interface Language {
  readonly name: string;
  /** Undefined: this machine lacks the tool. */
  readonly argv: readonly string[] | undefined;
  readonly doors: readonly DoorKind[];
  /** It has fork(2). */
  readonly forks: boolean;
  /** Its threads share a client. */
  readonly threads: boolean;
  /** The end of a block may close its client. */
  readonly blocks: boolean;
  /** How its process ends after a crash beat. */
  readonly death: NodeJS.Signals | number;
}

/** A listener, and of a secure-udp listener the key. */
export type DoorKind = "unix" | "unix-stream" | "udp" | "key" | "master";

/** Shared by the files of one run. */
const built = new TemporaryDirectory();
process.once("exit", () => built[Symbol.dispose]());

const NETWORK: readonly DoorKind[] = ["udp", "key", "master"];
const HAS_CIPHER = Bun.spawnSync(["python3", "-c", "import cryptography"]).exitCode === 0;

export const PYTHON: Language = {
  name: "Python",
  argv: pythonDriver(),
  doors: ["unix", "unix-stream", ...(HAS_CIPHER ? NETWORK : (["udp"] as const))],
  forks: true,
  threads: true,
  blocks: true,
  death: 1,
};
export const C: Language = {
  name: "C",
  argv: cDriver(),
  doors: ["unix", "unix-stream"],
  forks: true,
  threads: true,
  blocks: false,
  death: "SIGSEGV",
};
export const NODE: Language = javascript("Node", [Bun.which("node")]);
export const BUN: Language = {
  ...javascript("Bun", [process.execPath]),
  doors: ["unix", "unix-stream", ...NETWORK],
};
export const LANGUAGES: readonly Language[] = [PYTHON, C, NODE, BUN];

/** The JavaScript client in a runtime, by the words that start it; null = it is not here. */
export function javascript(name: string, runtime: readonly (string | null)[]): Language {
  const isHere = runtime.every((word) => word !== null);
  const argv = isHere ? [...runtime, join(DRIVERS, "driver.cjs"), BUILT] : undefined;
  const doors = ["unix-stream", ...NETWORK] as const;
  return { name, argv, doors, forks: false, threads: false, blocks: true, death: 1 };
}

export class Driver implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #reader: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #heard = "";

  constructor({ argv }: Language, env: Readonly<Record<string, string>> = {}) {
    this.#child = Bun.spawn([...argv!], {
      env: { ...process.env, ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#reader = this.#child.stdout[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async do(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    this.#child.stdin.flush();
    while (!this.#heard.includes("\n")) {
      const { done, value } = await this.#reader.next();
      if (done === true)
        throw new Error(`the driver ended: ${await new Response(this.#child.stderr).text()}`);
      this.#heard += this.#decoder.decode(value, { stream: true });
    }
    const end = this.#heard.indexOf("\n");
    const answer = this.#heard.slice(0, end);
    this.#heard = this.#heard.slice(end + 1);
    return answer;
  }

  /** Tells it to do something that it does not survive. */
  async doAndDie(command: string): Promise<NodeJS.Signals | number | null> {
    this.#child.stdin.write(`${command}\n`);
    this.#child.stdin.flush();
    await this.#child.exited;
    return this.#child.signalCode ?? this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

function pythonDriver(): readonly string[] | undefined {
  const python = Bun.which("python3");
  return python === null ? undefined : [python, join(DRIVERS, "driver.py")];
}

/** As strict as a host's build may be. */
function cDriver(): readonly string[] | undefined {
  const compiler = Bun.which("gcc") ?? Bun.which("cc");
  if (compiler === null) return undefined;
  const program = join(built.path, "driver");
  const strict = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wpedantic",
    "-std=c99",
    "-O1",
    "-pthread",
    `-I${HEADER}`,
  ];
  const { exitCode, stderr } = Bun.spawnSync([
    ...[compiler, ...strict, join(DRIVERS, "driver.c"), "-o", program],
  ]);
  if (exitCode !== 0) throw new Error(`cannot compile driver.c: ${stderr.toString()}`);
  return [program];
}
