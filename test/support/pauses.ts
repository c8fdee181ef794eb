// How long the machine itself kept processes waiting while a test ran (pauses.c). What a test requires of the daemon's
// punctuality is required on top of that: on a machine that stands still for 100 ms, nobody is on time.
import { join } from "node:path";
import { compiled } from "./compiled.ts";

const program = compiled(join(import.meta.dir, "pauses.c"));

export class Pauses implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #output: Promise<string>;

  /** Measures from now on; needs a C compiler, as the crew does. */
  constructor() {
    this.#child = Bun.spawn([program!], { stdin: "ignore", stdout: "pipe" });
    this.#output = new Response(this.#child.stdout).text();
  }

  /** Ends the measurement: the longest pause, in ms. */
  async longestMs(): Promise<number> {
    this.#child.kill("SIGTERM");
    const lines = (await this.#output).split("\n");
    if (lines[0] !== "started") throw new Error("the probe of pauses ended before it had begun");
    return Number(lines[1]) / 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
