// The members that are stalled, with what a return wants to say of their silence: the last beat
// before it, and what their process was doing. One entry for each stalled member of the table.
import { TRACKER_CAPACITY_MAX } from "../base/limits.ts";
import type { Stall } from "./stall.ts";

/** What is kept of a stall. */
type KeptStall = Pick<Stall, "agent" | "lastNs" | "verdict">;

export class StalledMembers {
  /** By the key of the tracker. */
  readonly #stalls = new Map<number, KeptStall>();

  add({ key, agent, lastNs, verdict }: Stall): void {
    this.#stalls.delete(key);
    this.#stalls.set(key, { agent, lastNs, verdict });
    // The tracker counts, and does not repeat, what it cannot say of those that leave.
    if (this.#stalls.size <= TRACKER_CAPACITY_MAX) return;
    const [oldest] = this.#stalls.keys();
    this.#stalls.delete(oldest!);
  }

  /** The member of `key` beats again, or has left the table; undefined = nothing is kept of it. */
  take(key: number): KeptStall | undefined {
    const stall = this.#stalls.get(key);
    this.#stalls.delete(key);
    return stall;
  }
}
