// A real process that says hello, beats and says bye to a daemon when it is told to.
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { encode } from "../../src/wire/encode.ts";
import { until } from "./until.ts";

/** Sends each line of its input as a datagram, in hex; "exit 3" and the like end it. */
const PROGRAM = `import os, socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for line in sys.stdin:
    if line.startswith("exit"):
        os._exit(int(line[5:]))
    out.sendto(bytes.fromhex(line), sys.argv[1])
`;

export const HAS_PYTHON: boolean = Bun.which("python3") !== null;

export class GreetingProgram implements AsyncDisposable {
  readonly #child;
  #nonce = 0n;

  constructor(socket: string) {
    const options = { stdin: "pipe", stdout: "ignore", stderr: "inherit" } as const;
    this.#child = Bun.spawn(["python3", "-u", "-c", PROGRAM, socket], options);
  }

  get pid(): number {
    return this.#child.pid;
  }

  hello(name: string, intervalMs = 0): Promise<void> {
    return this.#send(encodeControl({ kind: "hello", ...this.#next(), intervalMs, name }));
  }

  bye(): Promise<void> {
    return this.#send(encodeControl({ kind: "bye", ...this.#next() }));
  }

  beat(): Promise<void> {
    const timestamp = BigInt(Math.round(performance.now() * 1e6));
    return this.#send(encode({ status: "ok", payload: 0, timestamp, ...this.#next() }));
  }

  /** Ends, and is waited for. */
  async exit(status: number): Promise<void> {
    await this.#write(`exit ${status}\n`);
    await until("its end", () => this.#child.exitCode !== null);
  }

  #next(): { readonly pid: number; readonly nonce: bigint } {
    this.#nonce += 1n;
    return { pid: this.pid, nonce: this.#nonce };
  }

  #send(bytes: Uint8Array): Promise<void> {
    return this.#write(`${bytes.toHex()}\n`);
  }

  async #write(line: string): Promise<void> {
    this.#child.stdin.write(line);
    await this.#child.stdin.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
