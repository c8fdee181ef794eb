// "varta-watch events -f" beside a test: what it has printed so far, and how it ended.
import type { EventView } from "../../src/view/event_view.ts";
import { eachLine } from "./log_lines.ts";
import { PROGRAM } from "./program.ts";
import { until } from "./until.ts";

type Followed = EventView & { readonly seq: number };

export class Follower implements AsyncDisposable {
  readonly events: Followed[] = [];
  stderr = "";
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;

  /** With `--json` among them. */
  constructor(args: readonly string[]) {
    this.#child = Bun.spawn([...PROGRAM, "events", ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#read = Promise.all([
      eachLine(this.#child.stdout, (line) => {
        const event = JSON.parse(line) as Followed;
        if ("kind" in event) this.events.push(event);
      }),
      eachLine(this.#child.stderr, (line) => {
        this.stderr += `${line}\n`;
      }),
    ]);
  }

  ofKind(kind: string): Followed[] {
    return this.events.filter((event) => event.kind === kind);
  }

  /** Its exit code, when all that it said was read. */
  async exited(): Promise<number> {
    await until("the follower to end", () => this.#child.exitCode !== null);
    await this.#read;
    return this.#child.exitCode!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
