// Sealed beats for the replay machine: what the secure listener would hand it, without sockets and
// keys, and its state as the literal twin (test/reference/replay.ts) keeps it.
import { u64FromPair, u64Hi, u64Lo } from "../../src/base/u64.ts";
import {
  Arrival,
  advanceControlWindow,
  advanceWindow,
  beginControlWindow,
  beginWindow,
} from "../../src/listener/replay_window.ts";
import { SenderTable } from "../../src/listener/sender_table.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { STATUS_CRITICAL, STATUS_OK } from "../../src/wire/frame.ts";
import {
  type ReplayVerdict,
  type SealedBeat,
  type SenderState,
  TERMINAL,
} from "../reference/replay.ts";

export class ReplayHarness {
  readonly table: SenderTable;
  readonly #words = new Uint32Array(8);
  readonly #arrival = new Arrival(this.#words);

  constructor(capacity: number) {
    this.table = new SenderTable(capacity);
  }

  arrive(beat: SealedBeat, instantNs: number, nowNs: number, gapNs: number): ReplayVerdict {
    const status = beat.nonce === TERMINAL ? STATUS_CRITICAL : STATUS_OK;
    const [timestamp, nonce] = [beat.timestamp, beat.nonce];
    encodeFrame(
      this.#words,
      0,
      status,
      beat.pid,
      u64Hi(timestamp),
      u64Lo(timestamp),
      u64Hi(nonce),
      u64Lo(nonce),
      0,
    );
    return this.#admit(beat, instantNs, nowNs, {
      advance: (known, arrival) => advanceWindow(this.table, known, arrival, gapNs),
      begin: (slot, arrival) => beginWindow(this.table, slot, arrival),
    });
  }

  /** A hello or a bye. */
  arriveControl(beat: SealedBeat, instantNs: number, nowNs: number): ReplayVerdict {
    // What a frame would have there is no nonce and no clock of it.
    this.#words.fill(0xffff_ffff);
    return this.#admit(beat, instantNs, nowNs, {
      advance: (known, arrival) => advanceControlWindow(this.table, known, arrival),
      begin: (slot, arrival) => beginControlWindow(this.table, slot, arrival),
    });
  }

  #admit(
    beat: SealedBeat,
    instantNs: number,
    nowNs: number,
    by: {
      readonly advance: (slot: number, arrival: Arrival) => boolean;
      readonly begin: (slot: number, arrival: Arrival) => void;
    },
  ): ReplayVerdict {
    const arrival = this.#arrival;
    arrival.ivLow = u64Lo(beat.prefix);
    arrival.ivHigh = u64Hi(beat.prefix);
    arrival.counter = beat.counter;
    arrival.instantNs = instantNs;
    arrival.nowNs = nowNs;
    const known = this.table.slotOf(beat.pid);
    if (known >= 0) return by.advance(known, arrival) ? "pass" : "replay";
    if (this.table.isFull) this.table.sweep(instantNs);
    const slot = this.table.insert(beat.pid);
    if (slot < 0) return "sender_table_full";
    by.begin(slot, arrival);
    return "pass";
  }

  /** The state of a sender; undefined if it is unknown. */
  state(pid: number): SenderState | undefined {
    const { table } = this;
    const slot = table.slotOf(pid);
    if (slot < 0) return undefined;
    const terminal = u64FromPair(
      table.terminalTimestampHi[slot]!,
      table.terminalTimestampLo[slot]!,
    );
    return {
      prefix: u64FromPair(table.ivHigh[slot]!, table.ivLow[slot]!),
      counter: table.lastCounter[slot]!,
      previousPrefix: u64FromPair(table.previousIvHigh[slot]!, table.previousIvLow[slot]!),
      previousCounter: table.previousLastCounter[slot]!,
      nonceMax: u64FromPair(table.nonceMaxHi[slot]!, table.nonceMaxLo[slot]!),
      timestampMax: u64FromPair(table.timestampMaxHi[slot]!, table.timestampMaxLo[slot]!),
      terminalTimestamp: table.terminalSeen[slot] === 1 ? terminal : undefined,
      seenInstantNs: table.lastSeenInstantNs[slot]!,
      seenNs: table.lastSeenNs[slot]!,
    };
  }
}
