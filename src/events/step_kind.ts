// What a step of a recovery can be, and where in a recovery something happened (spec 10 section 1).

/** Label values of `varta_recovery_steps_total{step}`. */
export const STEP_KINDS = ["signal", "wait", "exec", "restart_unit"] as const;
export type StepKind = (typeof STEP_KINDS)[number];

export interface StepPlace {
  readonly step: StepKind;
  /** From 1. */
  readonly stepNumber: number;
  readonly stepCount: number;
}
