import { expect, test } from "bun:test";
import {
  RECOVERY_OUTCOMES,
  RECOVERY_REFUSALS,
  RECOVERY_STEPS,
  RECOVERY_VERDICTS,
} from "../../src/metrics/catalogue.ts";
import * as outcome from "../../src/recovery/outcome.ts";
import { STEP_KINDS } from "../../src/recovery/plan.ts";

const codes = outcome as unknown as Readonly<Record<string, number>>;

test("every outcome code indexes the text of its own name", () => {
  for (const [code, text] of outcome.OUTCOME_TEXTS.entries()) {
    expect(codes[`OUTCOME_${text.toUpperCase()}`]).toBe(code);
  }
  expect(outcome.OUTCOME_TEXTS).toHaveLength(26);
});

test("every refused code indexes the text of its own name", () => {
  for (const [code, text] of outcome.REFUSED_REASON_TEXTS.entries()) {
    expect(codes[`REFUSED_${text.toUpperCase()}`]).toBe(code);
  }
  expect(outcome.REFUSED_REASON_TEXTS).toHaveLength(12);
});

test("every reason is counted as the specification's table says", () => {
  const rows = Object.entries(outcome.REASONS).map(([reason, { code, refused }]) => [
    reason,
    outcome.OUTCOME_TEXTS[code],
    refused < 0 ? "-" : outcome.REFUSED_REASON_TEXTS[refused as 0],
  ]);
  expect(rows).toEqual([
    ["cross_namespace_agent", "refused_cross_namespace", "cross_namespace_agent"],
    ["unauthenticated_transport", "refused_unauthenticated_transport", "unauthenticated_transport"],
    ["socket_mode_only", "refused_socket_mode_only", "socket_mode_only"],
    ["unproven_sender", "refused_unproven_sender", "unproven_sender"],
    ["beats_refused", "refused_beats_refused", "beats_refused"],
    ["debounced", "debounced", "-"],
    ["outstanding_in_flight", "debounced", "-"],
    ["debounce_capacity", "refused_debounce_capacity", "debounce_capacity"],
    ["outstanding_capacity", "refused_outstanding_capacity", "outstanding_capacity"],
    ["orphan_reap_capacity", "refused_outstanding_capacity", "outstanding_capacity"],
    ["stale_child_kill_failed", "refused_stale_child_kill_failed", "stale_child_kill_failed"],
    ["spawn_failed", "spawn_failed", "-"],
    ["skipped_agent_resumed", "skipped_agent_resumed", "-"],
    ["skipped_pid_recycled", "skipped_pid_recycled", "-"],
    ["process_unreadable", "skipped_stall_unverifiable", "process_unreadable"],
    ["pid_gone", "refused_pid_gone", "pid_gone"],
    ["step_left_out", "step_failed", "-"],
    ["signal_failed", "step_failed", "-"],
    ["unit_unknown", "step_failed", "-"],
    ["unit_not_owned", "refused_unit_not_owned", "unit_not_owned"],
    ["unit_in_flight", "debounced", "-"],
    ["backing_off", "backed_off", "-"],
    ["gave_up", "gave_up", "-"],
    ["storm_limit", "refused_storm_limit", "storm_limit"],
  ]);
});

test("the words of outcomes, steps and verdicts are those of the metrics", () => {
  expect(outcome.OUTCOME_TEXTS).toEqual(RECOVERY_OUTCOMES);
  expect(outcome.REFUSED_REASON_TEXTS).toEqual(RECOVERY_REFUSALS);
  expect(outcome.VERDICTS).toEqual(RECOVERY_VERDICTS);
  expect(STEP_KINDS).toEqual(RECOVERY_STEPS);
});
