// Members as plain records for the state file (spec 18 section 3); restored_slots.ts is the way
// back. A walk over 100,000 members makes one record for all of them. It goes from the last slot
// down, so that a removal, which moves the last row into a hole, hides no member from it; one may
// be seen twice.
import { IP_WORDS } from "../base/ip_text.ts";
import type { HeldWord } from "../events/held_words.ts";
import type { MemberRecord } from "../snapshot/records.ts";
import { lastBeatNs } from "./extensions.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_BEAT_ONCE, SLOT_HAS_REGULAR_NONCE, SLOT_HAS_TERMINAL_TIMESTAMP } from "./slots.ts";

export type StallRecord = Pick<MemberRecord, "verdict" | "stalledNs" | "isRecovering">;

/** What the tracker does not have of a member. */
export interface MemberNames {
  readonly ruleName: (rule: number) => string;
  readonly listenerName: (listener: number) => string;
  /** Of its stall; NaN = it has none that was reported. */
  readonly stallOf: (slot: number) => StallRecord;
  /** Of the stall of a key. */
  readonly heldOf: (key: number) => HeldWord;
}

/** The record that it gives is one object, which is the next member's after the next step. */
export function* memberRecords(table: SlotTable, names: MemberNames): Iterable<MemberRecord> {
  const record = { ...NO_MEMBER };
  // Members may go between two steps: what is above `len` by then was moved below, or is gone.
  for (let slot = table.len - 1; slot >= 0; slot--) {
    if (slot >= table.len) continue;
    readMember(record, table, slot);
    readBeats(record, table, slot);
    readIdentity(record, table, slot);
    readNames(record, table, slot, names);
    yield record;
  }
}

type Writable<Values> = { -readonly [Name in keyof Values]: Values[Name] };

const NO_SOURCE: readonly number[] = [];

const NO_MEMBER: Writable<MemberRecord> = {
  ...{ pid: 0, key: 0, origin: 0, generation: Number.NaN, namespaceInode: Number.NaN, innerPid: 0 },
  ...{ uid: Number.NaN, gid: Number.NaN, isProven: false, isFirstBeat: false, isStalled: false },
  ...{ hasEnded: false, agent: "", rule: "", listener: "" },
  ...{ hasSource: false, hasAddress: false, source: NO_SOURCE },
  ...{
    firstNs: Number.NaN,
    lastNs: Number.NaN,
    status: 0,
    payload: 0,
    beats: Number.NaN,
    askedNs: 0,
    hasRegularNonce: false,
  },
  ...{ lastNonceHi: 0, lastNonceLo: 0, observedNonceHi: 0, observedNonceLo: 0 },
  ...{ hasTerminalTimestamp: false, terminalTimestampHi: 0, terminalTimestampLo: 0 },
  ...{ timestampHi: 0, timestampLo: 0 },
  ...{ user: "", comm: "", exe: "", script: "", program: 0, unit: "", unitUser: "" },
  ...{ announced: "", goodbyeNs: Number.NaN, goodbyeLastsNs: Number.NaN, isUnbeaten: false },
  ...{ container: "", verdict: "", stalledNs: Number.NaN, held: "", isRecovering: false },
};

function readMember(record: Writable<MemberRecord>, { slots }: SlotTable, slot: number): void {
  record.pid = slots.pid[slot]!;
  record.key = slots.key[slot]!;
  record.origin = slots.origin[slot]!;
  record.generation = slots.generation[slot]!;
  record.namespaceInode = slots.namespaceInode[slot]!;
  record.innerPid = slots.innerPid[slot]!;
  record.uid = slots.uid[slot]!;
  record.gid = slots.gid[slot]!;
  record.isProven = slots.isProven(slot);
  record.hasEnded = slots.hasEnded(slot);
  record.hasSource = slots.hasSource(slot);
  record.hasAddress = slots.hasAddress[slot] === 1;
  record.source = record.hasSource || record.hasAddress ? sourceWords(slots, slot) : NO_SOURCE;
}

/** The words of its address. */
function sourceWords({ source }: SlotTable["slots"], slot: number): number[] {
  return Array.from(source.subarray(slot * IP_WORDS, (slot + 1) * IP_WORDS));
}

function readBeats(record: Writable<MemberRecord>, table: SlotTable, slot: number): void {
  const { slots, lanes } = table;
  const flags = slots.flags[slot]!;
  record.isFirstBeat = (flags & SLOT_BEAT_ONCE) !== 0;
  // The lanes have it without the pauses.
  record.firstNs = slots.firstNs[slot]! + lanes.pauses.totalNs;
  record.lastNs = lastBeatNs(table, slot);
  record.status = slots.status[slot]!;
  record.payload = slots.payload[slot]!;
  record.beats = slots.beats[slot]! + slots.beatsTaken[slot]!;
  record.askedNs = slots.askedNs[slot]!;
  record.isUnbeaten = !slots.hasBeaten(slot);
  const isLeaving = slots.saidGoodbye(slot);
  const goodbyeNs = isLeaving ? slots.goodbyeNs[slot]! : Number.NaN;
  record.goodbyeNs = goodbyeNs;
  record.goodbyeLastsNs = slots.graceEndNs[slot]! + lanes.pauses.totalNs - goodbyeNs;
  record.hasRegularNonce = (flags & SLOT_HAS_REGULAR_NONCE) !== 0;
  record.lastNonceHi = slots.lastNonceHi[slot]!;
  record.lastNonceLo = slots.lastNonceLo[slot]!;
  record.observedNonceHi = slots.observedNonceHi[slot]!;
  record.observedNonceLo = slots.observedNonceLo[slot]!;
  record.hasTerminalTimestamp = (flags & SLOT_HAS_TERMINAL_TIMESTAMP) !== 0;
  record.terminalTimestampHi = slots.terminalTimestampHi[slot]!;
  record.terminalTimestampLo = slots.terminalTimestampLo[slot]!;
  record.timestampHi = slots.timestampHi[slot]!;
  record.timestampLo = slots.timestampLo[slot]!;
}

function readIdentity(record: Writable<MemberRecord>, table: SlotTable, slot: number): void {
  const facts = table.facts[slot];
  const identity = facts?.identity;
  record.user = facts?.user ?? "";
  record.comm = identity?.comm ?? "";
  record.exe = identity?.exe ?? "";
  record.script = identity?.script ?? "";
  record.program = table.slots.program[slot]!;
  record.unit = identity?.unit ?? "";
  record.unitUser = identity?.unitUser ?? "";
  record.container = identity?.container ?? "";
  record.announced = table.announced[slot] ?? "";
}

function readNames(
  record: Writable<MemberRecord>,
  { slots, agents }: SlotTable,
  slot: number,
  names: MemberNames,
): void {
  const { verdict, stalledNs, isRecovering } = names.stallOf(slot);
  record.agent = agents.nameOf(slots.agent[slot]!);
  record.rule = names.ruleName(slots.rule[slot]!);
  record.listener = names.listenerName(slots.listener[slot]!);
  record.isStalled = slots.isLatched(slot) && !Number.isNaN(stalledNs);
  record.verdict = verdict;
  record.stalledNs = stalledNs;
  record.isRecovering = isRecovering;
  record.held = names.heldOf(slots.key[slot]!);
}
