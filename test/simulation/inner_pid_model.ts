// What is to be believed of a sender that states the pid that it has in a container (spec 05
// section 5.4), without the bounds of the daemon, which no run reaches.
import type { ReferenceSlot } from "../reference/tracker.ts";
import type { Identity } from "./observer_model.ts";
import type { CountingReader } from "./process_table.ts";

const SECOND_NS = 1_000_000_000;

/** Of which process it is known, by its start time, that it has the number it states. */
export interface InnerClaim {
  readonly innerPid: number;
  readonly generation: number | undefined;
}

interface Answer extends InnerClaim {
  readonly readNs: number;
}

export class InnerPidModel {
  readonly #processes: CountingReader;
  readonly #answers = new Map<number, Answer>();
  readonly #innerPidOf = new Map<ReferenceSlot, number>();

  constructor(processes: CountingReader) {
    this.#processes = processes;
  }

  /** The member of the slot was let in by the number that it has in a container. */
  isContained(slot: ReferenceSlot): boolean {
    return this.#innerPidOf.has(slot);
  }

  /** A beat of the slot was accepted; `isFirst`: of this process. */
  accepted(slot: ReferenceSlot, claim: InnerClaim | undefined, isFirst: boolean): void {
    if (isFirst) this.#innerPidOf.delete(slot);
    if (claim !== undefined) this.#innerPidOf.set(slot, claim.innerPid);
  }

  /** Undefined = the sender of `pid` has another number than the one that it states. */
  claim(
    innerPid: number,
    pid: number,
    slot: ReferenceSlot | undefined,
    nowNs: number,
  ): InnerClaim | undefined {
    if (slot !== undefined && this.#innerPidOf.get(slot) === innerPid)
      return { innerPid, generation: slot.generation };
    const answer = this.#answer(pid, nowNs);
    return answer.innerPid === innerPid ? answer : undefined;
  }

  confirms(claim: InnerClaim, { generation }: Identity, pid: number, nowNs: number): boolean {
    if (generation === undefined || generation === claim.generation) return true;
    this.#answers.delete(pid);
    const answer = this.#answer(pid, nowNs);
    return answer.innerPid === claim.innerPid && answer.generation === generation;
  }

  #answer(pid: number, nowNs: number): Answer {
    const kept = this.#answers.get(pid);
    if (kept !== undefined && nowNs - kept.readNs < SECOND_NS) return kept;
    const startTime = this.#processes.startTime(pid);
    const answer = {
      innerPid: this.#processes.innermostPid(pid),
      generation: Number.isNaN(startTime) ? undefined : startTime,
      readNs: nowNs,
    };
    this.#answers.set(pid, answer);
    return answer;
  }
}
