// The heartbeat file in the daemon: written where the configuration in force wants it, which a
// reload changes (spec 17 section 3).
import { effectiveUid } from "../../ffi/process.ts";
import { Counters } from "../base/counters.ts";
import type { Config } from "../config/config.ts";
import { FILES } from "../files/counters.ts";
import type { Deadline } from "./deadline.ts";
import { DoorFault, NO_DOORS, type PreparedDoors } from "./door_change.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Parts } from "./parts.ts";
import { errorText, StartError } from "./start_error.ts";
import { requireHeartbeatPlace } from "./writers.ts";

type Wanted = Pick<Config, "liveness">;

interface HeartbeatFileOptions extends Pick<Parts, "metrics" | "log"> {
  readonly turns: () => number;
}

export class HeartbeatFile implements Deadline {
  readonly #options: HeartbeatFileOptions;
  readonly #counters = new Counters(FILES, this);
  #isShown = false;
  /** Undefined = no file is configured, or none yet. */
  #heartbeat: Heartbeat | undefined;

  constructor(options: HeartbeatFileOptions) {
    this.#options = options;
  }

  /** Throws `StartError` if something else is at the place. */
  async open({ liveness }: Wanted): Promise<void> {
    await requireHeartbeatPlace(liveness.heartbeatFile);
    this.#write(liveness.heartbeatFile);
  }

  /** Looks whether the file that `next` wants may be written; throws `DoorFault`. */
  async prepare(before: Wanted, next: Wanted): Promise<PreparedDoors> {
    const path = next.liveness.heartbeatFile;
    if (path === before.liveness.heartbeatFile) return NO_DOORS;
    try {
      await requireHeartbeatPlace(path);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw new DoorFault(["liveness", "heartbeat_file"], `${error.message}; ${error.hint}`);
    }
    return { commit: () => this.#write(path), drop: () => {} };
  }

  nextDeadlineNs(): number {
    return this.#heartbeat?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY;
  }

  maintain(nowNs: number): void {
    this.#heartbeat?.maintain(nowNs);
  }

  /** What is being written gets to its end. */
  async close(): Promise<void> {
    await this.#heartbeat?.close();
  }

  /** A file that was written before stays as it is: its last line is the last sign of life. */
  #write(path: string | undefined): void {
    this.#heartbeat = path === undefined ? undefined : this.#at(path);
    if (path === undefined || this.#isShown) return;
    this.#isShown = true;
    this.#options.metrics.show(this.#counters);
  }

  #at(path: string): Heartbeat {
    const { log, turns } = this.#options;
    return new Heartbeat({
      path,
      ownerUid: effectiveUid(),
      turns,
      reopened: () => {
        this.#counters.add(FILES.reopened.heartbeat);
        log.limited("heartbeat_io", "warn", "heartbeat file recreated", { file: path });
      },
      failed: (error) =>
        log.limited("heartbeat_io", "error", "heartbeat write failed", { error: errorText(error) }),
    });
  }
}
