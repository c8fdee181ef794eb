// An outcome of each kind, as recovery reports it: a test changes what it is about.
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { stallOf } from "../recovery/harness.ts";

export type OutcomeKind = RecoveryOutcome["kind"];
export type OutcomeOf<Kind extends OutcomeKind> = Extract<RecoveryOutcome, { readonly kind: Kind }>;

const PLACE = { step: "exec", stepNumber: 1, stepCount: 1 } as const;
const TIME = {
  observerNs: 7_000_000_000,
  pid: 4242,
  agent: 9,
  recoveryId: 51,
  plan: "",
  verdict: "",
} as const;

const SAMPLES: { readonly [Kind in OutcomeKind]: OutcomeOf<Kind> } = {
  began: { kind: "began", ...TIME, stall: stallOf(), childPid: NaN, stepCount: 2, dryRun: false },
  spawn: {
    kind: "spawn",
    label: "spawned",
    ...TIME,
    ...PLACE,
    childPid: 5001,
    stall: stallOf(),
    program: "/bin/recover",
    source: "inline",
    templateSizeBytes: 31,
  },
  refused: {
    kind: "refused",
    label: "debounced",
    reason: "debounced",
    ...TIME,
    ...PLACE,
    stall: stallOf(),
    program: "/bin/recover",
    error: "",
    isRepeated: false,
    used: undefined,
    dryRun: false,
  },
  deferred: {
    kind: "deferred",
    label: "deferred",
    ...TIME,
    ...PLACE,
    program: "/bin/recover",
    error: "EMFILE (too many open files)",
    pauseNs: 100_000_000,
  },
  timeout: {
    kind: "timeout",
    ...TIME,
    ...PLACE,
    childPid: 5001,
    timeoutNs: 12_000_000,
    durationNs: 12_345_678,
  },
  complete: {
    kind: "complete",
    label: "reaped_zero",
    completion: "reaped",
    ...TIME,
    ...PLACE,
    childPid: 5001,
    exitCode: 0,
    signal: Number.NaN,
    durationNs: 12_345_678,
    error: "",
    captured: undefined,
  },
  step: { kind: "step", label: "started", ...TIME, ...PLACE, detail: "SIGTERM", dryRun: false },
  end: {
    kind: "end",
    end: "succeeded",
    ...TIME,
    stepNumber: 1,
    stepCount: 2,
    durationNs: 12_345_678,
    dryRun: false,
  },
  verdict: {
    kind: "verdict",
    result: "recovered",
    ...TIME,
    unit: "",
    durationNs: 12_345_678,
    dryRun: false,
  },
  result: {
    kind: "result",
    result: "helped",
    reason: "",
    ...TIME,
    steps: "SIGQUIT sent; restart app.service done",
    stepNumber: 2,
    stepCount: 2,
    exitCode: 0,
    signal: Number.NaN,
    captured: undefined,
    fault: undefined,
    byPid: Number.NaN,
    unit: "",
    durationNs: 12_345_678,
    dryRun: false,
  },
  storm: {
    kind: "storm",
    begins: true,
    observerNs: TIME.observerNs,
    limit: 10,
    windowNs: 60e9,
    refusedCount: 0,
    durationNs: 0,
  },
};

export function outcomeOf<Kind extends OutcomeKind>(
  kind: Kind,
  fields: Partial<Omit<OutcomeOf<Kind>, "kind">> = {},
): OutcomeOf<Kind> {
  return { ...SAMPLES[kind], ...fields } as OutcomeOf<Kind>;
}
