// Is an executable varta-watch, whole and sealed? It is run with every variable and in a directory
// with every file that would make an open one run other code. For an executable of another platform
// only its bytes are checked.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { entryProblems } from "./entry.ts";
import { unsealedNames } from "./seal.ts";

/** What a hijacked program prints. */
const EVIL = "EVIL";
const RUN_MS_MAX = 20_000;

/**
 * Problems of the executable; none = it may be shipped. `line` is what its `--version` must print.
 */
export async function checkBinary(path: string, line: string): Promise<string[]> {
  return [...checkBytes(path), ...(await new Trial(resolve(path), line).problems())];
}

/** The checks that need no processor of the target. */
export function checkBytes(path: string): string[] {
  const bytes = readFileSync(path);
  const names = unsealedNames(bytes).map((name) => `reads ${name} from its environment`);
  // The entry point that cleans the environment exists for Linux only.
  return isElf(bytes) ? [...names, ...entryProblems(bytes)] : names;
}

function isElf(bytes: Buffer): boolean {
  return bytes.readUInt32BE(0) === 0x7f454c46;
}

class Trial {
  readonly #path: string;
  readonly #line: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "varta-check-"));

  constructor(path: string, line: string) {
    this.#path = path;
    this.#line = line;
  }

  async problems(): Promise<string[]> {
    try {
      this.#layTraps();
      const said = this.#run({}, ["--version"]);
      if (said !== `${this.#line}\n`)
        return [`is not this program (stripped?): --version prints ${JSON.stringify(said)}`];
      return [
        ...this.#variables(),
        ...this.#writtenFiles(),
        ...this.#removedDirectory(),
        ...this.#interpreter(),
        ...this.#environmentFile(),
        ...(await this.#debugger()),
      ];
    } finally {
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  #at(name: string): string {
    return join(this.#directory, name);
  }

  // bunfig.toml, .env, package.json and tsconfig.json are read by the runtime itself where it is
  // started.
  #layTraps(): void {
    writeFileSync(this.#at("evil.ts"), `console.log("${EVIL}")`);
    writeFileSync(this.#at("bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(this.#at(".env"), `NOTIFY_SOCKET=/${EVIL}\n`);
    writeFileSync(this.#at("package.json"), '{"name":"evil","main":"./evil.ts"}');
    writeFileSync(this.#at("tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
  }

  #variables(): string[] {
    const evil = this.#at("evil.ts");
    const variables: Record<string, string>[] = [
      { BUN_BE_BUN: "1" },
      { BUN_OPTIONS: "--version" },
      { BUN_OPTIONS: `--preload=${evil}` },
      { BUN_OPTIONS: `--config=${this.#at("bunfig.toml")}` },
      { NODE_OPTIONS: `--require=${evil}` },
    ];
    return variables.flatMap((environment) => {
      const said = this.#run(environment, ["--version"]);
      const text = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      return said === `${this.#line}\n` ? [] : [`obeys ${text.join(" ")}: ${JSON.stringify(said)}`];
    });
  }

  // The just-in-time compiler, its bytecode cache and the collector have dumps of all kinds.
  #writtenFiles(): string[] {
    const target = this.#at("written");
    mkdirSync(target);
    const names = ["BUN_BYTECODE_ORDER_OUT", "BUN_BYTECODE_DIGEST_OUT"];
    const paths = [...names, "BUN_BYTECODE_ORDER_NAMES_OUT"].map((name) => [
      name,
      `${target}/${name}`,
    ]);
    const dump = { BUN_JSC_useJITDump: "1", BUN_JSC_jitDumpDirectory: target };
    const said = this.#run({ ...Object.fromEntries(paths), ...dump }, this.#daemon(0));
    // A directory has its names in any order.
    const written = readdirSync(target).sort();
    if (!said.includes("stopped")) return [`does not run: ${JSON.stringify(said)}`];
    return written.length === 0 ? [] : [`writes what its environment names: ${written.join(", ")}`];
  }

  #removedDirectory(): string[] {
    const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" --version';
    const { stdout, stderr } = Bun.spawnSync(["sh", "-c", script, this.#path], this.#options({}));
    const said = stdout.toString() + stderr.toString();
    return said === `${this.#line}\n`
      ? []
      : [`does not work in a removed directory: ${JSON.stringify(said)}`];
  }

  #interpreter(): string[] {
    const said = this.#run({ BUN_BE_BUN: "1" }, ["-e", `console.log("${EVIL}")`]);
    return said.includes("unknown option") ? [] : [`is an interpreter: ${JSON.stringify(said)}`];
  }

  #environmentFile(): string[] {
    const said = this.#run({}, this.#daemon(0));
    if (!said.includes("stopped")) return [`does not run: ${JSON.stringify(said)}`];
    return said.includes(EVIL) ? ["reads .env of its working directory"] : [];
  }

  async #debugger(): Promise<string[]> {
    const port = freePort();
    const child = Bun.spawn([this.#path, ...this.#daemon(RUN_MS_MAX / 1000)], {
      ...this.#options({ BUN_INSPECT: `127.0.0.1:${port}/varta` }),
      stdio: ["ignore", "ignore", "pipe"],
    });
    // The first line comes long after the runtime has read its environment.
    await child.stderr.getReader().read();
    const isOpen = await canConnect(port);
    child.kill("SIGKILL");
    await child.exited;
    return isOpen ? ["obeys BUN_INSPECT: opens a debugger port"] : [];
  }

  #daemon(seconds: number): string[] {
    return ["--socket", this.#at("socket"), "--shutdown-after-secs", String(seconds)];
  }

  #run(environment: Record<string, string>, words: string[]): string {
    const options = { ...this.#options(environment), timeout: RUN_MS_MAX };
    const { stdout, stderr } = Bun.spawnSync([this.#path, ...words], options);
    return stdout.toString() + stderr.toString();
  }

  #options(environment: Record<string, string>) {
    return {
      cwd: this.#directory,
      env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", ...environment },
    };
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop();
  return port;
}

async function canConnect(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
