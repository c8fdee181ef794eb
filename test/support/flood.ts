// A sender at line rate (flood.c), compiled when it is first needed.
import { join } from "node:path";
import { compiled } from "./compiled.ts";

/** The compiled program, or undefined where it cannot be compiled. */
export const floodProgram: string | undefined = compiled(join(import.meta.dir, "flood.c"));

export interface FloodOptions {
  /** Noise that is no frame, or valid frames of any pid. */
  readonly content: "random" | "beats";
  readonly size: number;
  readonly to: { readonly socket: string } | { readonly address: string; readonly port: number };
}

export class Flood implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  /** Begins at once. */
  constructor({ content, size, to }: FloodOptions) {
    const where = "socket" in to ? ["unix", to.socket] : ["udp", to.address, `${to.port}`];
    this.#child = Bun.spawn([floodProgram!, content, `${size}`, ...where], { stdout: "pipe" });
  }

  /** Ends it; how many datagrams it sent. */
  async end(): Promise<number> {
    this.#child.kill("SIGTERM");
    return Number(await new Response(this.#child.stdout).text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
