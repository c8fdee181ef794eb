// What is promised of recoveries as runs with a number: each begins once, all that it does stands
// between its begin and its result, and it has one result.
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { same } from "./failure.ts";

export class RunPromises {
  /** Pids of the recoveries that have begun and have no result yet. */
  readonly #open = new Map<number, number>();
  #lastId = 0;

  onOutcome(outcome: RecoveryOutcome): void {
    if (outcome.kind === "storm") return;
    const { kind, recoveryId, pid } = outcome;
    if (kind === "began") {
      same("promise: recoveries are numbered one by one", this.#lastId + 1, recoveryId);
      this.#lastId = recoveryId;
      this.#open.set(recoveryId, pid);
      return;
    }
    // A child may outlive its recovery: a beat came while it ran.
    if (kind === "complete" || kind === "timeout") {
      const isKnown = recoveryId >= 1 && recoveryId <= this.#lastId;
      same("promise: the recovery of a child has begun", true, isKnown);
      return;
    }
    if (kind === "result") {
      same(`promise: one result of recovery ${recoveryId}`, pid, this.#open.get(recoveryId));
      this.#open.delete(recoveryId);
      return;
    }
    if (kind === "spawn" || kind === "step")
      same("promise: a step is one of a recovery in progress", pid, this.#open.get(recoveryId));
    else if (recoveryId !== 0 && kind !== "verdict" && kind !== "end")
      same("promise: it is about a recovery in progress", pid, this.#open.get(recoveryId));
  }

  endLife(): void {
    same("promise: every recovery has a result", "", [...this.#open.keys()].join(" "));
  }
}
