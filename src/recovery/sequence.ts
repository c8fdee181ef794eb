// One recovery on its way through the steps of its plan. It is in one phase at a time, and has at
// most one deadline.
import type { Stall } from "../events/stall.ts";
import type { AgentUnit } from "../processes/unit_of_process.ts";
import type { Child } from "./children/child.ts";
import type { PaceKey } from "./pace.ts";
import type { Plan, Step } from "./plan.ts";
import type { FiredNote } from "./fired_notes.ts";
import { StepNotes } from "./step_notes.ts";
import { StepTries } from "./step_tries.ts";
import type { UnitLookup } from "./unit_lookups.ts";

/** Its next step may be done. */
export const PHASE_READY = 0;
/** A child of it runs. */
export const PHASE_RUNNING = 1;
/**
 * It waits until its deadline: for a beat, or for a step to be tried again that could not be done.
 */
export const PHASE_WAITING = 2;
/** Its steps are over; a beat until its deadline makes it a success. */
export const PHASE_VERIFYING = 3;
/** It could not begin, or has failed, and is decided again at its deadline. */
export const PHASE_PARKED = 4;

type Phase = 0 | 1 | 2 | 3 | 4;

export class Sequence {
  readonly stall: Stall;
  readonly plan: Plan;
  readonly startNs: number;
  /** Undefined = not known, or not asked for. */
  readonly unit: AgentUnit | undefined;
  /** Why there is no unit, for a step that needs one. */
  readonly unitFault: string;
  readonly paceKey: PaceKey;
  /**
   * Which process it was is not known, and none has its pid: only steps that need no pid are done,
   * as long as that is so.
   */
  readonly isPidGone: boolean;
  /** Processes that started since the recovery began have at least this generation. */
  readonly startGeneration: number;
  /** When the agent was seen alive in its unit, on the clock of `AgentHost.monotonicUs()`. */
  readonly unitSeenUs: number;
  /** The question whether it may have its unit restarted; undefined = not asked yet. */
  unitLookup: UnitLookup | undefined = undefined;
  /** Nothing is done for it. It may become so, never the other way round. */
  readonly isDryRun: boolean;
  phase: Phase = PHASE_READY;
  /** From 1; 0 = it has not begun. */
  recoveryId = 0;
  /** What it came to was reported. */
  hasResult = false;
  readonly notes = new StepNotes();
  /** True once a step of it did something, or would have. */
  hasActed = false;
  /** Somebody asked for it. */
  isByHand = false;
  /** That, although its member is not stalled. */
  isForced = false;
  /** In the journal, for the daemon after this one; undefined = it is not noted. */
  fired: FiredNote | undefined = undefined;
  /** True once it counts for debounce, pace and storm. */
  hasBegun = false;
  /** Those of its next step that failed. */
  readonly tries = new StepTries();
  /** It could not begin yet: when it is decided again, it goes on at its next step. */
  isPutOff = false;
  /** When that is tried again; NaN unless it has to be. */
  nextTryNs = NaN;
  /** Has its place among the children, and is not started yet. */
  reserved: Child | undefined = undefined;
  /** The child of the step in progress. */
  child: Child | undefined = undefined;
  verifyEndNs = NaN;
  /** The member that takes its place once its process is gone; NaN = none has come. */
  successorPid = NaN;
  /** Steps after it; the number of the current one, from 1, while one is being done. */
  stepNumber = 0;
  /** Owned by the heap of deadlines. */
  deadlineNs = NaN;
  heapIndex = -1;
  heapOrder = 0;

  constructor(fields: SequenceFields) {
    this.stall = fields.stall;
    this.plan = fields.plan;
    this.startNs = fields.startNs;
    this.unit = fields.unit;
    this.unitFault = fields.unitFault;
    this.paceKey = fields.paceKey;
    this.isPidGone = fields.isPidGone;
    this.startGeneration = fields.startGeneration;
    this.unitSeenUs = fields.unitSeenUs;
    this.isDryRun = fields.isDryRun;
  }

  get pid(): number {
    return this.stall.pid;
  }

  /** The tracker's key of the agent: recoveries are kept by it. */
  get key(): number {
    return this.stall.key;
  }

  /** The step that is being done, or was done last. */
  get currentStep(): Step {
    return this.plan.steps[Math.max(0, this.stepNumber - 1)]!;
  }

  /** The step that comes next; undefined after the last. */
  get nextStep(): Step | undefined {
    return this.plan.steps[this.stepNumber];
  }
}

interface SequenceFields {
  readonly stall: Stall;
  readonly plan: Plan;
  readonly startNs: number;
  readonly unit: AgentUnit | undefined;
  readonly unitFault: string;
  readonly paceKey: PaceKey;
  readonly isPidGone: boolean;
  readonly startGeneration: number;
  readonly unitSeenUs: number;
  readonly isDryRun: boolean;
}
