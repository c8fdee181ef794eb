// test/clients/door.py as a child: a door that can be stopped, killed and opened again at its path,
// and tells each frame with the process that the kernel names.
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../../src/wire/decode.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { eachLine } from "../support/log_lines.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import type { DoorKind } from "./driver.ts";

const python = Bun.which("python3");

export const HAS_DOOR: boolean = python !== null;

export interface Heard {
  /** The sender, as the kernel says. */
  readonly by: number;
  readonly frame: Frame;
}

export class DoorProcess implements AsyncDisposable {
  readonly path: string;
  readonly heard: Heard[] = [];
  /** Bytes of half a frame that each ended connection left. */
  readonly ends: number[] = [];
  readonly faults: string[] = [];
  readonly #kind: DoorKind;
  readonly #directory = new TemporaryDirectory();
  #child: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;
  #isReady = false;

  constructor(kind: DoorKind) {
    this.#kind = kind;
    this.path = this.#directory.at("door.sock");
  }

  static async open(kind: DoorKind): Promise<DoorProcess> {
    const door = new DoorProcess(kind);
    await door.open();
    return door;
  }

  /** Opens it at its path, over whatever is there. */
  async open(): Promise<void> {
    const beside = this.#directory.at("new.sock");
    rmSync(beside, { force: true });
    this.#isReady = false;
    const argv = [python!, "-IS", join(import.meta.dir, "door.py"), this.#kind, beside];
    this.#child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    void eachLine(this.#child.stdout, (line) => this.#say(line));
    await until("the door to open", () => this.#isReady);
    renameSync(beside, this.path);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal);
  }

  /** As an observer that was killed: its path stays. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  async untilHeard(count: number): Promise<void> {
    await until(`${count} frames`, () => this.heard.length >= count);
  }

  noncesOf(pid: number): bigint[] {
    return this.heard.filter(({ by }) => by === pid).map(({ frame }) => frame.nonce);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#directory[Symbol.dispose]();
  }

  #say(line: string): void {
    const [what, first, hex] = line.split(" ");
    if (what === "ready") this.#isReady = true;
    else if (what === "end") this.ends.push(Number(first));
    else if (what === "frame") this.#hear(Number(first), hex!);
    else this.faults.push(line);
  }

  #hear(by: number, hex: string): void {
    const decoded = decode(Uint8Array.fromHex(hex));
    if (decoded.ok) this.heard.push({ by, frame: decoded.frame });
    else this.faults.push(`${decoded.error.message}: ${hex}`);
  }
}
