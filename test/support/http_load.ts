// Clients that ask for more than their share, and a listener in C that does nothing but accept
// (http_load.c), compiled when they are first needed.
import { join } from "node:path";
import { compiled } from "./compiled.ts";

export const httpLoadProgram: string | undefined = compiled(join(import.meta.dir, "http_load.c"));

export type HttpLoadMode = "pipeline" | "loris" | "idle" | "scrape" | "tls";

/** Answers the first bytes and closes, or never answers. */
export type AcceptMode = "accept" | "hold";

export class HttpLoad implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  /** Begins at once. */
  constructor(mode: HttpLoadMode, port: number) {
    this.#child = Bun.spawn([httpLoadProgram!, mode, `${port}`], { stdout: "pipe" });
  }

  /** Ends it; how many connections it made. */
  async end(): Promise<number> {
    this.#child.kill("SIGTERM");
    return Number(await new Response(this.#child.stdout).text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

export class AcceptingListener implements AsyncDisposable {
  readonly port: number;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  static async start(mode: AcceptMode): Promise<AcceptingListener> {
    const child = Bun.spawn([httpLoadProgram!, mode], { stdout: "pipe" });
    for await (const chunk of child.stdout)
      return new AcceptingListener(child, Number(Buffer.from(chunk).toString()));
    throw new Error("the listener ended before it had begun");
  }

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "inherit">, port: number) {
    this.#child = child;
    this.port = port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
