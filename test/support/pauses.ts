// How long the machine itself kept processes waiting while a test ran (pauses.c). What a test
// requires of the daemon's punctuality is required on top of that: on a machine that stands still
// for 100 ms, no process is on time.
import { join } from "node:path";
import { compiled } from "./compiled.ts";

const program = compiled(join(import.meta.dir, "pauses.c"));
const ATTEMPTS_MAX = 3;

/**
 * Runs a test that holds only where no process stands still for `pauseMsMax`, such as one in which
 * an agent that beats must never be called silent. If it fails and the machine did stand still, it
 * has said nothing, and is run again.
 */
export async function unlessMachinePauses(
  pauseMsMax: number,
  run: () => Promise<void>,
): Promise<void> {
  for (let left = ATTEMPTS_MAX - 1; ; left--) {
    await using pauses = program === undefined ? undefined : new Pauses();
    try {
      return await run();
    } catch (error) {
      const pauseMs = (await pauses?.longestMs()) ?? 0;
      if (left === 0 || pauseMs <= pauseMsMax) throw error;
      console.warn(`The machine stood still for ${pauseMs} ms: the test is run again`);
    }
  }
}

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
