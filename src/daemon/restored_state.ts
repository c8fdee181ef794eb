// Gives what a state says back to the parts of a daemon that has just started (spec 18 sections 5
// and 6), before its first turn. What it does not do itself is in its answer: who died while nobody
// watched is to be reported, and each member to be named by the rules of now.
import { muteOfRecord } from "../agents/mute_records.ts";
import type { Mutes } from "../agents/mutes.ts";
import { EXTEND_NS_MAX } from "../base/limits.ts";
import { restorePrefix, restoreSender } from "../listener/sender_records.ts";
import type { SenderTable } from "../listener/sender_table.ts";
import type { History } from "../recovery/history.ts";
import type { StormLimit } from "../recovery/storm_limit.ts";
import { continuationOf, type Here, type OtherBoot } from "../snapshot/continuation.ts";
import type { ReadState } from "../snapshot/decoder.ts";
import type {
  AuditHeadRecord,
  DoneRecord,
  GraceRecord,
  GuardRecord,
  HistoryRecord,
  MissingRecord,
  NoteRecord,
} from "../snapshot/records.ts";
import { type RestoredMembers, restoreMembers } from "../snapshot/restored_members.ts";
import { restoreRest } from "../snapshot/restored_rest.ts";
import { restoreSaid } from "../tracker/said_records.ts";
import { restoreSlots } from "../tracker/restored_slots.ts";
import type { SlotTable } from "../tracker/slot_table.ts";

interface RestoredParts {
  readonly table: SlotTable;
  readonly mutes: Pick<Mutes, "begin" | "hasRoomFor">;
  readonly history: Pick<History, "restore">;
  readonly storm: Pick<StormLimit, "restore">;
  readonly senders: ReadonlyMap<string, SenderTable>;
  /** The number that a listener has now; undefined = there is none of that name. */
  readonly listenerNumber: (name: string) => number | undefined;
  readonly hasEnded: (pid: number, startTime: number) => boolean;
}

interface RestoreMoment {
  readonly here: Here;
  /** The observer's clock goes on while the machine sleeps. */
  readonly isBoottime: boolean;
  /** Now by the clock of the listeners. */
  readonly instantNs: number;
}

export interface RestoredState {
  readonly otherBoot: OtherBoot | "";
  readonly elapsedNs: number;
  /** When the state was taken: unix time, and as a time of this observer. */
  readonly moment: { readonly unixMs: number; readonly observerNs: number };
  /** The first has slot 0 until another one leaves, and so on. */
  readonly members: RestoredMembers;
  /** Members without room or listener now. */
  readonly leftOut: number;
  readonly missing: readonly MissingRecord[];
  readonly auditHead: AuditHeadRecord | undefined;
  readonly graces: readonly GraceRecord[];
  readonly guard: GuardRecord | undefined;
  /** What people were told, in the order of the file. */
  readonly told: {
    readonly histories: readonly HistoryRecord[];
    readonly notes: readonly NoteRecord[];
    readonly done: readonly DoneRecord[];
  };
}

export function restoreState(
  state: ReadState,
  parts: RestoredParts,
  { here, isBoottime, instantNs }: RestoreMoment,
): RestoredState {
  const nowNs = here.observerNs;
  const continuation = continuationOf(state.moment, here, isBoottime);
  const { hasEnded, table } = parts;
  const options = { capacity: table.capacity, hasEnded };
  const found = restoreMembers(state.member, continuation, options);
  const { listenerNumber } = parts;
  const members = restoreSlots(table, found.members, (name) => listenerNumber(name) ?? -1);
  // Nobody listened until now: each has one full threshold from here on.
  table.lanes.pauses.startAt(nowNs);
  for (const said of continuation.otherBoot === "" ? state.said : [])
    restoreSaid(table, said, continuation.end(said.movedNs, EXTEND_NS_MAX));
  const rest = restoreRest(state, continuation, nowNs);
  parts.history.restore(rest.window, rest.pace, nowNs);
  for (const storm of rest.storm) parts.storm.restore(storm);
  for (const mute of rest.mute.map(muteOfRecord))
    if (parts.mutes.hasRoomFor(mute.target)) parts.mutes.begin(mute);
  for (const sender of rest.sender) {
    const senders = parts.senders.get(sender.listener);
    if (senders !== undefined) restoreSender(senders, sender, instantNs);
  }
  for (const prefix of rest.prefix) {
    const senders = parts.senders.get(prefix.listener);
    if (senders !== undefined) restorePrefix(senders, prefix);
  }
  return {
    otherBoot: continuation.otherBoot,
    elapsedNs: continuation.elapsedNs,
    moment: {
      unixMs: state.moment.unixMs,
      observerNs: continuation.past(state.moment.observerNs),
    },
    members,
    leftOut: found.leftOut + found.members.length - members.length,
    missing: rest.missing,
    auditHead: rest.auditHead[0],
    graces: rest.grace,
    guard: rest.guard[0],
    told: { histories: rest.history, notes: rest.note, done: rest.done },
  };
}
