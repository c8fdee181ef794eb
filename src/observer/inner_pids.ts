// The numbers that processes of containers have where they live (spec 05 section 5.4). The kernel
// names the sender of a beat by the number that the daemon knows, the beat has the one that the
// sender knows of itself. Which that is stands in /proc; it is read once, for the first beat of a
// process, and never changes while it lives: its slot keeps it. Of what has no slot, or says
// something else than its slot, the last answer is kept for a moment, and the look-ups per second
// are bounded, so that no flood of wrong pids makes the loop read /proc for each.
import { NS_PER_S } from "../base/time.ts";
import type { Datagram } from "../events/datagram.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { TokenBucket } from "../tables/token_bucket.ts";
import type { Tracker } from "../tracker/tracker.ts";

/**
 * Look-ups per second, and at once: one takes 30 us, so 6 % of a core at most, and the time of a
 * turn bounds how many fall into it. What starts beyond them is heard with its next beat.
 */
const LOOKUPS_PER_S_MAX = 2_000;
const LOOKUPS_BURST = 1_024;

/** Answers that are kept, a power of two; two pids may want one place. */
const ANSWERS = 1_024;
/** A process that got its pid later than that is looked up again. */
const ANSWER_NS_MAX = NS_PER_S;

/** It could not be read. */
const UNKNOWN = 0;

export class InnerPids {
  readonly #processes: ProcessReader;
  readonly #tracker: Tracker;
  readonly #lookups = new TokenBucket(LOOKUPS_PER_S_MAX, LOOKUPS_BURST);
  readonly #pid = new Uint32Array(ANSWERS);
  readonly #innerPid = new Uint32Array(ANSWERS);
  readonly #generation = new Float64Array(ANSWERS);
  readonly #readNs = new Float64Array(ANSWERS);

  constructor(processes: ProcessReader, tracker: Tracker) {
    this.#processes = processes;
    this.#tracker = tracker;
  }

  /**
   * Whether `framePid` is the number that the sender of the datagram, whom the kernel attests, has
   * in its innermost namespace. If so, the datagram has it from then on.
   */
  claim(datagram: Datagram, framePid: number): boolean {
    const { slots } = this.#tracker;
    const slot = this.#tracker.slotOf(datagram.peerPid);
    if (slot >= 0 && slots.innerPid[slot]! === framePid)
      return take(datagram, framePid, slots.generation[slot]!);
    const row = this.#answer(datagram);
    if (row < 0 || this.#innerPid[row]! !== framePid) return false;
    return take(datagram, framePid, this.#generation[row]!);
  }

  /**
   * Whether what `claim` has said is true of the process that has the pid by a reading made since.
   * Another one may have got the pid after its slot, or the answer, was made.
   */
  confirm(datagram: Datagram): boolean {
    const { innerPid, innerGeneration, generation } = datagram;
    // What has ended since is judged by what its slot knows.
    if (Number.isNaN(generation) || innerGeneration === generation) return true;
    this.#forget(datagram.peerPid);
    const row = this.#answer(datagram);
    return row >= 0 && this.#innerPid[row]! === innerPid && this.#generation[row]! === generation;
  }

  /** The row of the answer about the sender; -1 = the look-ups are used up. */
  #answer({ peerPid, nowNs }: Datagram): number {
    const row = peerPid & (ANSWERS - 1);
    const ageNs = nowNs - this.#readNs[row]!;
    if (this.#pid[row]! === peerPid && ageNs >= 0 && ageNs < ANSWER_NS_MAX) return row;
    if (!this.#lookups.tryTake(nowNs)) return -1;
    // If the pid passes on after this, the start time that is read later is another one.
    this.#generation[row] = this.#processes.startTime(peerPid);
    const innerPid = this.#processes.innermostPid(peerPid);
    this.#innerPid[row] = Number.isNaN(innerPid) ? UNKNOWN : innerPid;
    this.#pid[row] = peerPid;
    this.#readNs[row] = nowNs;
    return row;
  }

  #forget(pid: number): void {
    const row = pid & (ANSWERS - 1);
    if (this.#pid[row]! === pid) this.#pid[row] = 0;
  }
}

function take(datagram: Datagram, innerPid: number, generation: number): boolean {
  datagram.innerPid = innerPid;
  datagram.innerGeneration = generation;
  return true;
}
