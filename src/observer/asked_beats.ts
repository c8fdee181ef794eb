// Beats and byes that a process asks for in the name of another one, over the control socket (spec
// 16 section 15). Each goes the way of a datagram of the Unix listener that its asker may beat at:
// the same checks, limits, events and counts. They are taken between two batches, before any member
// is judged. That the asker may ask is decided before.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { REJECT_REASON_COUNT } from "../base/reject_reason.ts";
import { U32_MAX, u64FromPair } from "../base/u64.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import type { Listener } from "../listener/listener.ts";
import { ReceivedBatch, VERDICT_CONTROL, VERDICT_PASS } from "../listener/received_batch.ts";
import type { SlotTable } from "../tracker/slot_table.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { CONTROL_BYTES, encodeControl } from "../wire/control_datagram.ts";
import { encodeFrame } from "../wire/encode.ts";
import type { Intake } from "./intake.ts";

export interface AskedBeat {
  /** Whose beat it is; uid and gid as the kernel attests them of the asker. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** A STATUS code of the wire, or ASKED_BYE. */
  readonly status: number;
  /** Of the listener whose datagram it would have been. */
  readonly listenerNumber: number;
  /** The clock of start times when the asker was looked at: `pid` was that process then. */
  readonly askedGeneration: number;
  /** What became of it: ACCEPTED, or its reject reason. Must not throw. */
  readonly done: (result: number) => void;
}

export const ACCEPTED = -1;
/** In place of a status: no beat, but a goodbye. */
export const ASKED_BYE = -1;

export class AskedBeats {
  readonly #listener = new AskedListener();
  readonly #tracker: Tracker;
  readonly #intake: Intake;
  readonly #accounting: DatagramAccounting;
  #waiting: AskedBeat[] = [];

  constructor(tracker: Tracker, intake: Intake, accounting: DatagramAccounting) {
    this.#tracker = tracker;
    this.#intake = intake;
    this.#accounting = accounting;
  }

  get count(): number {
    return this.#waiting.length;
  }

  add(beat: AskedBeat): void {
    this.#waiting.push(beat);
  }

  /** Takes the one that waits longest. Its row is the next one of the intake. */
  takeOne(nowNs: number): void {
    const beat = this.#waiting.shift();
    if (beat === undefined) return;
    const { listenerNumber } = beat;
    this.#write(beat);
    const { accepted, rejected } = this.#accounting;
    const acceptedBefore = accepted[listenerNumber]!;
    const from = listenerNumber * REJECT_REASON_COUNT;
    const before = rejected.slice(from, from + REJECT_REASON_COUNT);
    this.#intake.prepare(listenerNumber, this.#listener, 1, nowNs);
    this.#intake.take(this.#listener, 0);
    if (accepted[listenerNumber]! > acceptedBefore) {
      if (beat.status !== ASKED_BYE) endTrigger(this.#tracker.table, beat.pid);
      beat.done(ACCEPTED);
    } else beat.done(before.findIndex((count, reason) => rejected[from + reason]! > count));
  }

  #write({ pid, uid, gid, status, askedGeneration }: AskedBeat): void {
    const { batch } = this.#listener;
    const { slots } = this.#tracker;
    const slot = this.#tracker.slotOf(pid);
    // The next number of its member, at the member's own time: a client of the same process that
    // counts for itself is told from an old beat by its clock, which has gone on.
    const isKnown = slot >= 0;
    const lastLo = isKnown ? slots.lastNonceLo[slot]! : 0;
    const lastHi = isKnown ? slots.lastNonceHi[slot]! : 0;
    let nonceLo = (lastLo + 1) >>> 0;
    let nonceHi = lastLo === U32_MAX ? (lastHi + 1) >>> 0 : lastHi;
    // The last number of all is that of a crash beat.
    if (nonceLo === U32_MAX && nonceHi === U32_MAX) nonceLo = nonceHi = 0;
    const timestampHi = isKnown ? slots.timestampHi[slot]! : 0;
    const timestampLo = isKnown ? slots.timestampLo[slot]! : 0;
    if (status === ASKED_BYE) {
      const nonce = u64FromPair(nonceHi, nonceLo);
      batch.bytes.set(encodeControl({ kind: "bye", pid, nonce }));
      batch.verdict[0] = VERDICT_CONTROL;
    } else {
      encodeFrame(batch.words, 0, status, pid, timestampHi, timestampLo, nonceHi, nonceLo, 0);
      batch.verdict[0] = VERDICT_PASS;
    }
    batch.frameWord[0] = 0;
    batch.origin[0] = ORIGIN_KERNEL_ATTESTED;
    batch.peerPid[0] = pid;
    batch.peerUid[0] = uid;
    batch.peerGid[0] = gid;
    batch.sentAfterGeneration = askedGeneration;
    batch.receivedGeneration = askedGeneration;
  }
}

/** WATCHDOG=trigger of a member is over with its next beat, wherever that comes in. */
function endTrigger(table: SlotTable, pid: number): void {
  const words = table.said[table.slotOf(pid)];
  if (words !== undefined) words.hasTriggered = false;
}

/** One row, which is written here and never received. */
class AskedListener implements Listener {
  readonly kind = "unix";
  readonly name = "control";
  readonly fd = -1;
  readonly allowList = undefined;
  readonly batch = new ReceivedBatch(new Uint32Array(CONTROL_BYTES / 4));

  receive(): number {
    return 0;
  }

  close(): void {}
}
