// What doctor is told of the state file (spec 19 section 3): whether it is kept, and why not.
import type { StateFileView } from "../view/doctor_view.ts";
import type { StateKeeping } from "./state_keeping.ts";

export class StateSeen {
  #file: string | undefined;
  #refusal: string | undefined;
  #keeping: Pick<StateKeeping, "problem"> | undefined;

  /** It is to be kept there. */
  wanted(file: string): void {
    this.#file = file;
  }

  refused(reason: string): void {
    this.#refusal = reason;
  }

  kept(keeping: Pick<StateKeeping, "problem">): void {
    this.#keeping = keeping;
  }

  /** Null = none is to be kept. */
  get view(): StateFileView | null {
    if (this.#file === undefined) return null;
    return { file: this.#file, problem: this.#refusal ?? this.#keeping?.problem ?? null };
  }
}
