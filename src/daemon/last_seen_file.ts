// Writes how the agents are beside the control socket, every few seconds and at the end, so that
// `status` can say since when a daemon is down (spec 16 section 13). It is written beside its name
// and renamed over it; a failure costs nothing but the file, and is said once.
import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import type { AgentStatus, StatusWalk } from "../view/agent_status.ts";
import { LAST_SEEN_FILE, lastSeenOf } from "../view/last_seen.ts";
import type { Deadline } from "./deadline.ts";

const EVERY_NS = 5 * NS_PER_S;
/** Between two steps of a walk, which passes 128 members in one. */
const STEP_EVERY_NS = 2 * NS_PER_MS;
/** What it says is no secret to who may see the directory. */
const MODE = 0o644;

interface LastSeenOptions {
  /** Undefined = there is no control socket, and no file. */
  readonly controlPath: () => string | undefined;
  readonly walk: () => StatusWalk;
  readonly wallMs: () => number;
  /** Called once. */
  readonly failed: (error: unknown) => void;
}

export class LastSeenFile implements Deadline {
  readonly #options: LastSeenOptions;
  /** Where it was written last. */
  #path: string | undefined;
  #dueNs = 0;
  #walk: StatusWalk | undefined;
  #isWriting = false;
  #hasFailed = false;

  constructor(options: LastSeenOptions) {
    this.#options = options;
  }

  nextDeadlineNs(): number {
    return this.#isWriting ? Number.POSITIVE_INFINITY : this.#dueNs;
  }

  maintain(nowNs: number): void {
    if (this.#isWriting || nowNs < this.#dueNs) return;
    this.#walk ??= this.#options.walk();
    if (!this.#walk.step()) {
      this.#dueNs = nowNs + STEP_EVERY_NS;
      return;
    }
    const agents = this.#walk.agents();
    this.#walk = undefined;
    this.#dueNs = nowNs + EVERY_NS;
    this.#isWriting = true;
    void this.#write(agents, false).finally(() => {
      this.#isWriting = false;
    });
  }

  /** The last time: no turn comes after it. */
  async close(): Promise<void> {
    const walk = this.#options.walk();
    while (!walk.step());
    await this.#write(walk.agents(), true);
  }

  async #write(agents: readonly AgentStatus[], final: boolean): Promise<void> {
    const path = this.#place();
    if (path === undefined) return;
    const time = new Date(this.#options.wallMs()).toISOString();
    // One name: what a killed daemon left is written over by the next one.
    const temporary = `${path}.tmp`;
    try {
      // The first file operation begins at once: behind a promise it would wait until the loop
      // yields to the runtime, which an idle one does every few seconds.
      await unlink(temporary).catch(() => {});
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SAFE_OPEN_FLAGS;
      const file = await open(temporary, flags, MODE);
      try {
        // Whatever the umask is: who may ask reads it.
        await file.chmod(MODE);
        await file.writeFile(`${JSON.stringify(lastSeenOf(agents, { time, final }))}\n`);
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      if (!this.#hasFailed) this.#options.failed(error);
      this.#hasFailed = true;
    }
  }

  /** Where it belongs now: a reload may move it, and then the one of before says nothing true. */
  #place(): string | undefined {
    const controlPath = this.#options.controlPath();
    const path = controlPath && join(dirname(controlPath), LAST_SEEN_FILE);
    if (this.#path !== undefined && this.#path !== path) void unlink(this.#path).catch(() => {});
    this.#path = path;
    return path;
  }
}
