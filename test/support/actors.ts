// Agents of actor.c, each under a command name of its own, by which a rule tells it from others.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "./compiled.ts";
import type { DaemonProcess } from "./daemon_process.ts";
import { until } from "./until.ts";

const program = compiled(join(import.meta.dir, "actor.c"));

/** In the name of a test that needs actors. */
export const NEEDS_ACTORS = program === undefined ? " (skipped: there is no C compiler)" : "";

type Actor = Bun.Subprocess<"ignore", "ignore", "inherit">;

export class Actors implements AsyncDisposable {
  readonly #daemon: DaemonProcess;
  readonly #children: Actor[] = [];

  constructor(daemon: DaemonProcess) {
    this.#daemon = daemon;
  }

  /**
   * Starts one that beats `beats` times, 0 = for ever, and then "wait", "spin" or "exit N";
   * `through` are the first words of its command line. Resolves when it is a member.
   */
  async start(
    name: string,
    beats = 0,
    then = "wait",
    through: readonly string[] = [],
  ): Promise<Actor> {
    const child = this.run(name, beats, then, through);
    await until(
      `${name} to be a member`,
      () => this.#daemon.saying("member came", child.pid).length > 0,
    );
    return child;
  }

  /** The same, and nothing is waited for. */
  run(name: string, beats = 0, then = "wait", through: readonly string[] = []): Actor {
    const path = this.#daemon.path(name);
    copyFileSync(program!, path);
    const argv = [...through, path, this.#daemon.socket, `${beats}`, ...then.split(" ")];
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore" });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map(({ exited }) => exited));
  }
}
