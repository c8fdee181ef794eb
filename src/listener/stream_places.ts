// How many connections the stream listeners of a daemon may have (spec 05 section 10.2), in all, of
// one user and of one process, so that nobody takes the places of others.
import { assert } from "../base/assert.ts";
import {
  STREAM_CONNECTIONS_MAX,
  STREAM_CONNECTIONS_PER_PID_MAX,
  STREAM_CONNECTIONS_PER_UID_MAX,
} from "../base/limits.ts";
import { CLOSE_LIMIT, CLOSE_LIMIT_PID, CLOSE_LIMIT_UID } from "./stream_close.ts";

export class StreamPlaces {
  #count = 0;
  readonly #ofUid = new Map<number, number>();
  readonly #ofPid = new Map<number, number>();

  get count(): number {
    return this.#count;
  }

  /**
   * Takes a place; -1, or the reason why there is none. The narrowest bound is named, since that is
   * what the one who meets it can do something about.
   */
  take(uid: number, pid: number): number {
    const ofUid = this.#ofUid.get(uid) ?? 0;
    const ofPid = this.#ofPid.get(pid) ?? 0;
    // Pid 0 is everybody whom the daemon cannot see.
    if (pid !== 0 && ofPid >= STREAM_CONNECTIONS_PER_PID_MAX) return CLOSE_LIMIT_PID;
    if (ofUid >= STREAM_CONNECTIONS_PER_UID_MAX) return CLOSE_LIMIT_UID;
    if (this.#count >= STREAM_CONNECTIONS_MAX) return CLOSE_LIMIT;
    this.#count += 1;
    this.#ofUid.set(uid, ofUid + 1);
    this.#ofPid.set(pid, ofPid + 1);
    return -1;
  }

  give(uid: number, pid: number): void {
    assert(this.#count > 0, "only a place that was taken is given back");
    this.#count -= 1;
    lower(this.#ofUid, uid);
    lower(this.#ofPid, pid);
  }
}

function lower(counts: Map<number, number>, key: number): void {
  const count = counts.get(key)!;
  if (count === 1) counts.delete(key);
  else counts.set(key, count - 1);
}
