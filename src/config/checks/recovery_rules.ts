// The rules between the keys of [recovery] and of its plans (spec 07 section 2.11): one way to say
// what is run, steps that can do what they say, and pacing that cannot contradict itself. A plan is
// judged by what it has in effect, and blamed for what it says itself.
import type { CheckedDocument, CheckedRow } from "./check_document.ts";
import type { CheckedValues } from "../keys/key.ts";
import { durationTextFromNs } from "../../base/duration_text.ts";
import type { PLAN_KEYS, PLANNED_KEYS } from "../keys/plan_keys.ts";
import { quoted } from "../problems/found.ts";
import type { Conflict, KeyRef } from "./key_ref.ts";
import { plannedValues, saysWhatIsRun, WHAT_IS_RUN } from "./planned_values.ts";

type Report = (conflict: Conflict) => void;

/** [recovery], or one of its plans. */
interface RecoveryScope {
  /** What is in effect. */
  readonly values: CheckedValues<typeof PLANNED_KEYS>;
  readonly wrong: ReadonlySet<string>;
  /** The row of a plan; undefined = [recovery] itself. */
  readonly row: CheckedRow<typeof PLAN_KEYS> | undefined;
}

/** [recovery] first, then each plan. */
export function recoveryScopes(document: CheckedDocument): RecoveryScope[] {
  const { values, wrong } = document.tables.recovery;
  const plans = document.plans.map((row) => ({
    values: plannedValues(document, row),
    wrong: new Set([...wrong, ...row.wrong]),
    row,
  }));
  return [{ values, wrong, row: undefined }, ...plans];
}

/** A key of [recovery], or of a plan. */
export function refIn({ row }: RecoveryScope, key: string): KeyRef {
  return row === undefined ? { table: "recovery", key } : { row, key };
}

/** True if it says one of the keys itself: what a plan has from [recovery] was judged there. */
export function saysOneOf({ row }: RecoveryScope, keys: readonly string[]): boolean {
  return row === undefined || keys.some((key) => row.given.has(key) || row.given.has(`${key}_ms`));
}

export function checkRecovery(document: CheckedDocument, platform: string, report: Report): void {
  for (const scope of recoveryScopes(document)) {
    if (saysOneOf(scope, [...WHAT_IS_RUN, "capture"])) checkCommand(document, scope, report);
    if (saysOneOf(scope, ["step"])) checkSteps(scope, platform, report);
    if (saysOneOf(scope, ["debounce", "backoff_max"])) checkBackoff(scope, report);
    if (saysOneOf(scope, ["retry", "verify_within", "budget"])) checkRetry(scope, report);
    if (scope.row !== undefined) checkPlanRuns(scope, scope.row, report);
  }
}

/** True if something is run for a stall, by [recovery] or by a plan. */
export function hasRecovery(document: CheckedDocument): boolean {
  return recoveryScopes(document).some(({ values }) => runsSomething(values));
}

function runsSomething({ command, command_file, step }: RecoveryScope["values"]): boolean {
  return command !== undefined || command_file !== undefined || step !== undefined;
}

function checkPlanRuns(
  scope: RecoveryScope,
  row: CheckedRow<typeof PLAN_KEYS>,
  report: Report,
): void {
  if (runsSomething(scope.values) || WHAT_IS_RUN.some((key) => scope.wrong.has(key))) return;
  report({
    at: { row, key: "step" },
    anchor: "header",
    found: "a plan without a step, and [recovery] has no command either",
    want: "[[recovery.plan.step]] tables, command or command_file",
  });
}

function checkCommand(document: CheckedDocument, scope: RecoveryScope, report: Report): void {
  const { wrong, row } = scope;
  const { command, command_file, step, capture } =
    row === undefined || !saysWhatIsRun(row.given)
      ? scope.values
      : { ...row.values, capture: scope.values.capture };
  const ref = (key: string): KeyRef => refIn(scope, key);
  if (command !== undefined && command_file !== undefined) {
    report({
      at: ref("command_file"),
      anchor: "key",
      found: "both command and command_file",
      want: "one of the two",
      foundOption: "a second recovery command",
      involved: [ref("command")],
    });
  }
  if (step !== undefined && (command !== undefined || command_file !== undefined)) {
    const other = command !== undefined ? "command" : "command_file";
    report({
      at: ref("step"),
      anchor: "key",
      found: `both step and ${other}`,
      want: "one of the two; a command may be a step: exec = [...]",
      involved: [ref(other)],
    });
  }
  const isWrong = WHAT_IS_RUN.some((key) => wrong.has(key));
  if (row !== undefined || capture !== true || hasRecovery(document) || isWrong) return;
  report({
    at: ref("capture"),
    anchor: "value",
    found: "true without a command",
    want: "command or command_file beside it",
    wantOption: "--recovery-exec or --recovery-exec-file beside it",
    involved: [ref("command"), ref("command_file")],
  });
}

function checkSteps(scope: RecoveryScope, platform: string, report: Report): void {
  const steps = scope.values.step ?? [];
  const at = refIn(scope, "step");
  if (steps.at(-1)?.wait !== undefined) {
    report({
      at,
      anchor: "key",
      found: "a wait as the last step",
      want: "a step after it; verify_within waits for a beat at the end",
    });
  }
  const linuxOnly = steps.find(
    ({ signal, restart_unit }) => signal !== undefined || restart_unit !== undefined,
  );
  if (platform === "linux" || linuxOnly === undefined) return;
  const name = linuxOnly.signal !== undefined ? "signal" : "restart_unit";
  report({
    at,
    anchor: "key",
    found: `a ${name} step on ${platform}`,
    want: "exec steps only: process descriptors and units are of Linux",
  });
}

function checkBackoff(scope: RecoveryScope, report: Report): void {
  const { debounce, backoff_max } = scope.values;
  if (debounce === undefined || backoff_max === undefined) return;
  const involved = [refIn(scope, "debounce")];
  const at = refIn(scope, "backoff_max");
  if (debounce === 0) {
    const found = 'a back-off beside debounce = "0s"';
    const want = "a debounce above 0, which is what doubles";
    report({ at, anchor: "value", found, want, involved });
  } else if (backoff_max < debounce) {
    const found = quoted(durationTextFromNs(backoff_max));
    const want = `at least the debounce, which is ${quoted(durationTextFromNs(debounce))}`;
    report({ at, anchor: "value", found, want, involved });
  }
}

function checkRetry(scope: RecoveryScope, report: Report): void {
  const { values, wrong } = scope;
  if (values.retry !== true) return;
  const missing = (["verify_within", "budget"] as const).filter(
    (key) => values[key] === undefined && !wrong.has(key),
  );
  if (missing.length === 0) return;
  report({
    at: refIn(scope, "retry"),
    anchor: "value",
    found: `true without ${missing.join(" and ")}`,
    want: "verify_within, which says whether to try again, and budget, which ends it",
  });
}
