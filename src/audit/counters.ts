// What the audit log counts (spec 08 section 3.5, spec 11).
import { block, type CountersOf, counter, gauge, histogram } from "../base/counters.ts";

export const AUDIT = block({
  dropped: counter(
    "varta_recovery_audit_dropped_total",
    "Audit records lost because the ring was full.",
  ),
  flushBudgetExceeded: counter(
    "varta_recovery_audit_flush_budget_exceeded_total",
    "Audit writer passes that spent more than 10 ms outside fdatasync.",
  ),
  fsync: histogram("varta_audit_fsync_seconds", "Wall time of each fdatasync of the audit log."),
  fsyncBudgetExceeded: counter(
    "varta_audit_fsync_budget_exceeded_total",
    "Audit fdatasync calls over audit.fsync_budget.",
  ),
  rotationBudgetExceeded: counter(
    "varta_audit_rotation_budget_exceeded_total",
    "Audit rotations over audit.rotation_budget.",
  ),
  ringWatermark: counter(
    "varta_audit_ring_watermark_total",
    "Rising edges of the audit ring's fill level.",
    { label: "level", values: ["warn", "critical"] },
  ),
  headSequence: gauge(
    "varta_audit_head_sequence",
    "Number of the last audit record on the disk; it never goes back, across restarts either.",
    { ask: (log: { readonly head: { readonly seq: number } }) => log.head.seq },
  ),
  tamperSuspected: counter(
    "varta_audit_tamper_suspected_total",
    "Times that the audit log was not what the daemon left or remembers.",
  ),
});

export type AuditCounters = CountersOf<typeof AUDIT>;
