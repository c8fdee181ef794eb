// Reads the output of running commands when the loop has time: at once again while there is more
// than one turn may take, less and less often while there is nothing. A pipe holds 64 KiB, so a
// command waits for the daemon only if it floods.
import { CAPTURE_BYTES_PER_TURN_MAX } from "../../base/limits.ts";
import type { Child } from "./child.ts";
import { NS_PER_MS } from "../../base/time.ts";

/** Children whose output is read in one turn: two empty reads cost under a microsecond. */
const CAPTURED_CHILDREN_PER_TURN_MAX = 256;
/**
 * Between two reads of output, from busy to idle: a full pipe holds 64 KiB, so no child waits for
 * long.
 */
const CAPTURE_LOOK_NS_MIN = 10 * NS_PER_MS;
const CAPTURE_LOOK_NS_MAX = 250 * NS_PER_MS;

/** A stream that gave its share of a turn may have more. */
const SHARE_BYTES = CAPTURE_BYTES_PER_TURN_MAX / 2;

export class OutputWatch {
  /** Children whose output is not over, the one read longest ago first. */
  readonly #children = new Set<Child>();
  #nextNs = Infinity;
  #stepNs = CAPTURE_LOOK_NS_MIN;

  /** Watches a child that has output, from now on. */
  add(child: Child): void {
    const firstNs = child.spawnNs + CAPTURE_LOOK_NS_MIN;
    this.#nextNs = this.#children.size === 0 ? firstNs : Math.min(this.#nextNs, firstNs);
    this.#stepNs = CAPTURE_LOOK_NS_MIN;
    this.#children.add(child);
  }

  remove(child: Child): void {
    this.#children.delete(child);
  }

  /** When `look()` has something to do; Infinity = no output is awaited. */
  get nextNs(): number {
    return this.#children.size === 0 ? Infinity : this.#nextNs;
  }

  /**
   * Takes what is there, within the budget of a turn. `done` gets each child whose output is over.
   */
  look(nowNs: number, done: (child: Child) => void): void {
    if (nowNs < this.nextNs) return;
    let takenMax = 0;
    let isBehind = this.#children.size > CAPTURED_CHILDREN_PER_TURN_MAX;
    // Those that are put back come after the ones that are counted here.
    let looks = Math.min(this.#children.size, CAPTURED_CHILDREN_PER_TURN_MAX);
    for (const child of this.#children) {
      if (looks-- === 0) break;
      // At its exit a child gives its share of that turn.
      const taken = child.exitNs === nowNs ? 0 : child.output!.pump();
      takenMax = Math.max(takenMax, taken);
      isBehind ||= taken >= SHARE_BYTES;
      this.#children.delete(child);
      if (child.output!.isDone) done(child);
      else this.#children.add(child);
    }
    if (takenMax > 0) this.#stepNs = CAPTURE_LOOK_NS_MIN;
    else this.#stepNs = Math.min(2 * this.#stepNs, CAPTURE_LOOK_NS_MAX);
    this.#nextNs = isBehind ? nowNs : nowNs + this.#stepNs;
  }
}
