// What was decided about a stall, as a value: it is carried out by recovery.ts.
import type { Stall } from "../events/stall.ts";
import type { Refusal } from "./reporter.ts";
import type { Sequence } from "./sequence.ts";

export type Decision = BeginDecision | RefuseDecision | ParkDecision;

/** Nothing speaks against it. */
interface BeginDecision {
  readonly kind: "begin";
  readonly sequence: Sequence;
}

/** Nothing is done, which is reported; with `park` it is decided again later. */
export interface RefuseDecision extends Refusal {
  readonly kind: "refuse";
  readonly stall: Stall;
  readonly park: ParkDecision | undefined;
}

/** It is decided again at `untilNs`, and nothing is reported. */
export interface ParkDecision {
  readonly kind: "park";
  readonly sequence: Sequence;
  readonly untilNs: number;
}
