// The rules between the keys of [recovery] (spec 07 section 2.11): one way to say what is run,
// steps that can do what they say, and pacing that cannot contradict itself.
import type { CheckedDocument } from "./check_document.ts";
import { durationTextFromNs } from "../keys/duration.ts";
import { quoted } from "../problems/found.ts";
import type { Conflict, KeyRef } from "./key_ref.ts";

type Report = (conflict: Conflict) => void;

const COMMAND: KeyRef = { table: "recovery", key: "command" };
const COMMAND_FILE: KeyRef = { table: "recovery", key: "command_file" };
const STEP: KeyRef = { table: "recovery", key: "step" };

export function checkRecovery(document: CheckedDocument, platform: string, report: Report): void {
  checkCommand(document, report);
  checkSteps(document, platform, report);
  checkBackoff(document, report);
  checkRetry(document, report);
}

/** True if something is run for a stall. */
export function hasRecovery({ tables }: CheckedDocument): boolean {
  const { command, command_file, step } = tables.recovery.values;
  return command !== undefined || command_file !== undefined || step !== undefined;
}

function checkCommand(document: CheckedDocument, report: Report): void {
  const { command, command_file, step, capture } = document.tables.recovery.values;
  const { wrong } = document.tables.recovery;
  if (command !== undefined && command_file !== undefined) {
    report({
      at: COMMAND_FILE,
      anchor: "key",
      found: "both command and command_file",
      want: "one of the two",
      foundOption: "a second recovery command",
      involved: [COMMAND],
    });
  }
  if (step !== undefined && (command !== undefined || command_file !== undefined)) {
    const other = command !== undefined ? COMMAND : COMMAND_FILE;
    report({
      at: STEP,
      anchor: "key",
      found: `both step and ${other.key}`,
      want: "one of the two; a command may be a step: exec = [...]",
      involved: [other],
    });
  }
  const isWrong = ["command", "command_file", "step"].some((key) => wrong.has(key));
  if (capture !== true || hasRecovery(document) || isWrong) return;
  report({
    at: { table: "recovery", key: "capture" },
    anchor: "value",
    found: "true without a command",
    want: "command or command_file beside it",
    wantOption: "--recovery-exec or --recovery-exec-file beside it",
    involved: [COMMAND, COMMAND_FILE],
  });
}

function checkSteps(document: CheckedDocument, platform: string, report: Report): void {
  const steps = document.tables.recovery.values.step ?? [];
  if (steps.at(-1)?.wait !== undefined) {
    report({
      at: STEP,
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
    at: STEP,
    anchor: "key",
    found: `a ${name} step on ${platform}`,
    want: "exec steps only: process descriptors and units are of Linux",
  });
}

function checkBackoff(document: CheckedDocument, report: Report): void {
  const { debounce, backoff_max } = document.tables.recovery.values;
  if (debounce === undefined || backoff_max === undefined) return;
  const involved: KeyRef[] = [{ table: "recovery", key: "debounce" }];
  const at: KeyRef = { table: "recovery", key: "backoff_max" };
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

function checkRetry(document: CheckedDocument, report: Report): void {
  const { values, wrong } = document.tables.recovery;
  if (values.retry !== true) return;
  const missing = (["verify_within", "budget"] as const).filter(
    (key) => values[key] === undefined && !wrong.has(key),
  );
  if (missing.length === 0) return;
  report({
    at: { table: "recovery", key: "retry" },
    anchor: "value",
    found: `true without ${missing.join(" and ")}`,
    want: "verify_within, which says whether to try again, and budget, which ends it",
  });
}
