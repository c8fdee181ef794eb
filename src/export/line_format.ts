// What the two export formats share: the interface that writes a line into a byte buffer (spec 09),
// and the events that are objects. Of a row numbers and words are written without strings; only the
// rare error text is one.
import type { TextBuffer } from "../base/text_buffer.ts";
import type { Act, MuteEvent } from "../events/act.ts";
import type { DaemonBoot, DaemonReload, DaemonShutdown } from "../events/daemon_life.ts";
import type { EventBatch } from "../events/event_batch.ts";
import type { KindName } from "../events/event_kinds.ts";
import type { AgentComplete, AgentMissing } from "../events/expected_members.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { MemberResumed } from "../events/member_resumed.ts";
import type { Stall } from "../events/stall.ts";
import type { RecoveryRow } from "./recovery_row.ts";

export interface LineFormat {
  row(text: TextBuffer, batch: EventBatch, row: number): void;
  object<K extends ObjectKind>(text: TextBuffer, kind: K, event: ExportedObjects[K]): void;
}

/** The kinds that are in no batch. */
export interface ExportedObjects {
  readonly stall: Stall;
  readonly eviction: Evicted;
  readonly exit: MemberExit;
  readonly gone: MemberGone;
  readonly resume: MemberResumed;
  readonly recovery: RecoveryRow;
  readonly late: MemberLate;
  readonly missing: AgentMissing;
  readonly complete: AgentComplete;
  readonly mute: MuteEvent;
  readonly act: Act;
  readonly reload: DaemonReload;
  readonly boot: DaemonBoot;
  readonly shutdown: ShutdownRow;
}

export type ObjectKind = KindName & keyof ExportedObjects;

/** A pid that the tracker has removed. */
interface Evicted {
  readonly pid: number;
  /** "" unless another source has the pid. */
  readonly source: string;
  readonly observerNs: number;
}

/** Stalls and recoveries that began are counted where they are exported. */
interface ShutdownRow extends DaemonShutdown {
  readonly stalls: number;
  readonly recoveries: number;
}
