import { expect, test } from "bun:test";
import { OUTCOME_LABELS, REASONS, REFUSAL_LABELS } from "../../src/events/outcome_words.ts";

test("every reason is counted as the specification's table says", () => {
  const rows = Object.entries(REASONS).map(([reason, { label, refusal }]) => [
    reason,
    label,
    refusal ?? "-",
  ]);
  expect(rows).toEqual([
    ["cross_namespace_agent", "refused_cross_namespace", "cross_namespace_agent"],
    ["unauthenticated_transport", "refused_unauthenticated_transport", "unauthenticated_transport"],
    ["socket_mode_only", "refused_socket_mode_only", "socket_mode_only"],
    ["unproven_sender", "refused_unproven_sender", "unproven_sender"],
    ["verdict_not_acted_on", "refused_verdict", "verdict"],
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
    ["plan_in_doubt", "held", "-"],
    ["muted", "held", "-"],
    ["storm_limit", "refused_storm_limit", "storm_limit"],
  ]);
});

test("every label of a refusal or a skip is that of a reason", () => {
  const rows = Object.values(REASONS);
  const labels: string[] = OUTCOME_LABELS.filter((label) => /^(refused|skipped)_/.test(label));
  const given = new Set<string>(rows.map(({ label }) => label));
  expect(labels.filter((label) => !given.has(label))).toEqual([]);
  expect(new Set(rows.flatMap(({ refusal }) => refusal ?? []))).toEqual(new Set(REFUSAL_LABELS));
});

test("the steps that could not be begun are those of four reasons", () => {
  const reasons = Object.entries(REASONS).filter(([, { isStepFailure }]) => isStepFailure);
  expect(reasons.map(([reason]) => reason)).toEqual([
    "spawn_failed",
    "signal_failed",
    "unit_unknown",
    "unit_not_owned",
  ]);
});
