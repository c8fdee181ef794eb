// All that the daemon puts into its state file (spec 18 section 3), row by row: the file is written
// in slices, and the tables may change between two rows.
import { recordOfMute } from "../agents/mute_records.ts";
import type { Mutes } from "../agents/mutes.ts";
import { prefixRecords, senderRecords } from "../listener/sender_records.ts";
import type { SenderTable } from "../listener/sender_table.ts";
import type { History } from "../recovery/history.ts";
import type { StormLimit } from "../recovery/storm_limit.ts";
import type {
  AuditHeadRecord,
  GraceRecord,
  GuardRecord,
  MissingRecord,
  Moment,
  StateRow,
} from "../snapshot/records.ts";
import { type MemberNames, memberRecords } from "../tracker/member_records.ts";
import { saidRecords } from "../tracker/said_records.ts";
import type { SlotTable } from "../tracker/slot_table.ts";

/** What of the daemon outlives it. */
export interface StateParts {
  readonly table: SlotTable;
  readonly names: MemberNames;
  readonly mutes: Pick<Mutes, "list">;
  readonly history: Pick<History, "windowRecords" | "paceRecords">;
  readonly storm: Pick<StormLimit, "record">;
  /** By the names of their secure listeners. */
  readonly senders: ReadonlyMap<string, SenderTable>;
  readonly missing: () => Iterable<MissingRecord>;
  /** Undefined = there is no audit log, or no row of it is on the disk. */
  readonly auditHead: () => AuditHeadRecord | undefined;
  readonly graces: () => Iterable<GraceRecord>;
  /** Undefined = nothing of it matters to the next daemon. */
  readonly guard: () => GuardRecord | undefined;
  /** What people were told. */
  readonly told: () => Iterable<StateRow>;
}

export function* stateRows(parts: StateParts, moment: Moment): Iterable<StateRow> {
  yield { kind: "moment", values: moment };
  // All members have one record, and so one row: of 100,000 nothing is left for the collector.
  let row: StateRow | undefined;
  for (const values of memberRecords(parts.table, parts.names)) {
    row ??= { kind: "member", values };
    yield row;
  }
  for (const values of saidRecords(parts.table)) yield { kind: "said", values };
  // First those: an agent that goes missing between two slices is in both, not in neither.
  for (const values of parts.graces()) yield { kind: "grace", values };
  for (const values of parts.missing()) yield { kind: "missing", values };
  for (const mute of parts.mutes.list()) yield { kind: "mute", values: recordOfMute(mute) };
  for (const values of parts.history.windowRecords()) yield { kind: "window", values };
  for (const values of parts.history.paceRecords()) yield { kind: "pace", values };
  yield { kind: "storm", values: parts.storm.record() };
  for (const [listener, table] of parts.senders) {
    for (const values of senderRecords(table, listener)) yield { kind: "sender", values };
    for (const values of prefixRecords(table, listener)) yield { kind: "prefix", values };
  }
  const head = parts.auditHead();
  if (head !== undefined) yield { kind: "auditHead", values: head };
  const guard = parts.guard();
  if (guard !== undefined) yield { kind: "guard", values: guard };
  yield* parts.told();
}
