// A tracker under test with the words of spec 03 section 13: beats by pid, nonce and time, drains
// that list their stalls, counters by name, and process start times that a test sets.
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
} from "../../src/base/origin.ts";
import { u64FromPair, u64Hi, u64Lo } from "../../src/base/u64.ts";
import { Datagram, VOUCHED_BY_KERNEL, VOUCHED_NOT } from "../../src/events/datagram.ts";
import { byLastBeat } from "../../src/tracker/beat_order.ts";
import { TRACKER } from "../../src/tracker/counters.ts";
import { extend, judgedNs, judgeNow, wasMoved } from "../../src/tracker/extensions.ts";
import { sayGoodbye, takeGoodbyeBack } from "../../src/tracker/goodbyes.ts";
import type { Terms } from "../../src/tracker/terms.ts";
import type { EvictionPolicy } from "../../src/tracker/eviction.ts";
import { Tracker } from "../../src/tracker/tracker.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { NONCE_TERMINAL, STATUS_CRITICAL, STATUS_OK } from "../../src/wire/frame.ts";
import { OUTCOMES, type Outcome, type ReferenceCounters } from "../reference/tracker.ts";

export const MAX = NONCE_TERMINAL;
export const W = 2n ** 20n;
export const K = ORIGIN_KERNEL_ATTESTED;
export const OPERATOR = ORIGIN_OPERATOR_ATTESTED;
export const NET = ORIGIN_NETWORK_UNVERIFIED;
export const THRESHOLD = 100;

export interface BeatOptions {
  readonly ts?: bigint;
  readonly status?: number;
  readonly payload?: number;
  readonly origin?: number;
  readonly namespaceInode?: number | undefined;
  readonly generation?: number | undefined;
  readonly uid?: number | undefined;
  /** A VOUCHED code; by default what the origin says. */
  readonly vouched?: number;
  readonly threshold?: number;
}

export interface StallSeen {
  readonly pid: number;
  readonly nonce: bigint;
  readonly lastNs: number;
  readonly origin: number;
}

const REFUSAL_COLUMNS = ["refused", "aliveNs", "runCount", "runNonce", "flags"];

type Counter = keyof ReferenceCounters;

export class Harness {
  readonly tracker: Tracker;
  /** Live start times; a pid that is missing is unreadable. */
  readonly startTimes = new Map<number, number>();
  startTimeReads = 0;
  /** Pids whose processes have ended. */
  readonly ended = new Set<number>();
  endedReads = 0;
  /** Pids that drains found late since this was emptied. */
  readonly lates: number[] = [];
  /** The one that was recorded last. */
  readonly datagram = new Datagram();
  #taken: ReferenceCounters;

  constructor(
    options: { capacity?: number; room?: number; policy?: EvictionPolicy; window?: number } = {},
  ) {
    this.tracker = new Tracker({
      thresholdNs: THRESHOLD,
      ...(options.capacity !== undefined && { capacity: options.capacity }),
      ...(options.room !== undefined && { room: options.room }),
      ...(options.policy !== undefined && { evictionPolicy: options.policy }),
      ...(options.window !== undefined && { evictionScanWindow: options.window }),
      processes: {
        startTime: (pid) => {
          this.startTimeReads += 1;
          return this.startTimes.get(pid) ?? Number.NaN;
        },
        hasEnded: (pid) => {
          this.endedReads += 1;
          return this.ended.has(pid);
        },
        realUid: () => Number.NaN,
        innermostPid: () => Number.NaN,
        namespaceInode: () => Number.NaN,
      },
    });
    this.#taken = this.#totals();
  }

  beat(pid: number, nonce: bigint | number, now: number, options: BeatOptions = {}): Outcome {
    const wide = BigInt(nonce);
    const timestamp = options.ts ?? 0n;
    const status = options.status ?? (wide === MAX ? STATUS_CRITICAL : STATUS_OK);
    encodeFrame(
      this.datagram.words,
      0,
      status,
      pid,
      u64Hi(timestamp),
      u64Lo(timestamp),
      u64Hi(wide),
      u64Lo(wide),
      options.payload ?? 0,
    );
    const { datagram } = this;
    datagram.control = 0;
    datagram.readFrame();
    this.#send(pid, now, options);
    return OUTCOMES[this.tracker.record(datagram)]!;
  }

  /** A hello or a bye of `pid`. */
  greet(kind: "hello" | "bye", pid: number, nonce: bigint, now: number, options: BeatOptions = {}) {
    const { datagram } = this;
    const bytes = encodeControl({ kind, pid, nonce, intervalMs: 0, name: "" });
    datagram.words = new Uint32Array(bytes.buffer);
    datagram.readControl();
    this.#send(pid, now, options);
    return OUTCOMES[this.tracker.recordControl(datagram)]!;
  }

  #send(pid: number, now: number, options: BeatOptions): void {
    const { datagram } = this;
    const { origin = K, uid } = options;
    datagram.nowNs = now;
    this.tracker.table.thresholdNs = options.threshold ?? THRESHOLD;
    datagram.origin = origin;
    datagram.vouched = options.vouched ?? (origin === K ? VOUCHED_BY_KERNEL : VOUCHED_NOT);
    datagram.namespaceInode = options.namespaceInode ?? Number.NaN;
    datagram.generation = options.generation ?? Number.NaN;
    datagram.peerPid = uid === undefined ? 0 : pid;
    datagram.peerUid = uid ?? 0;
    datagram.key = pid;
  }

  /** `pid` has these terms from now on, if it is tracked; by default no late and no grace. */
  change(pid: number, thresholdNs: number, terms: Partial<Terms> = {}): void {
    const slot = this.tracker.slotOf(pid);
    const all = { thresholdNs, lateNs: Number.POSITIVE_INFINITY, graceNs: 0, ...terms };
    if (slot >= 0) this.tracker.table.lanes.change(slot, all);
  }

  /** `pid` says goodbye, if it is tracked. */
  sayGoodbye(pid: number, now: number, lastsNs: number): void {
    const slot = this.tracker.slotOf(pid);
    if (slot >= 0) sayGoodbye(this.tracker.table, slot, now, lastsNs);
  }

  /** `pid` takes its goodbye back without a beat, if it is tracked. */
  takeGoodbyeBack(pid: number, now: number): void {
    const slot = this.tracker.slotOf(pid);
    if (slot >= 0) takeGoodbyeBack(this.tracker.table, slot, now);
  }

  /** `pid` asks for so much time until it is judged, if it is tracked and has not asked before. */
  extend(pid: number, now: number, more: number): void {
    const { table } = this.tracker;
    const slot = this.tracker.slotOf(pid);
    if (slot < 0 || table.slots.isLatched(slot) || wasMoved(table, slot)) return;
    extend(table, slot, Math.max(judgedNs(table, slot), now + more));
  }

  /** `pid` is to be judged now, if it is tracked. */
  judgeNow(pid: number, now: number): void {
    const slot = this.tracker.slotOf(pid);
    if (slot >= 0) judgeNow(this.tracker.table, slot, now);
  }

  /** All members have these terms from `now` on. */
  changeAll(now: number, termsOf: (pid: number) => Terms): void {
    const { slots, table } = this.tracker;
    table.lanes.changeAll(byLastBeat(this.tracker), (slot) => termsOf(slots.pid[slot]!), now);
  }

  drain(now: number, threshold = THRESHOLD): StallSeen[] {
    const seen: StallSeen[] = [];
    this.tracker.drainStalledSlots(now, threshold, this.#sink(seen));
    return seen;
  }

  drainDue(now: number, slotsMax: number): { seen: StallSeen[]; taken: number } {
    const seen: StallSeen[] = [];
    const taken = this.tracker.drainDue(now, slotsMax, this.#sink(seen));
    return { seen, taken };
  }

  /** Pids that are due at `now` by their own terms: stalled, and late. */
  due(now: number): { stalled: number[]; late: number[] } {
    const stalled = this.drainDue(now, Number.POSITIVE_INFINITY).seen.map(({ pid }) => pid);
    return { stalled, late: this.lates.splice(0) };
  }

  /** Pids of the stalls of a drain. */
  stalled(now: number, threshold = THRESHOLD): number[] {
    return this.drain(now, threshold).map((stall) => stall.pid);
  }

  /** Every counter since the last call. */
  takeCounters(): ReferenceCounters {
    const now = this.#totals();
    const before = this.#taken;
    this.#taken = now;
    const since = Object.entries(now).map(([name, n]) => [name, n - before[name as Counter]]);
    return Object.fromEntries(since) as ReferenceCounters;
  }

  /** The counters that are not zero. */
  takeMoved(): Partial<ReferenceCounters> {
    return Object.fromEntries(Object.entries(this.takeCounters()).filter(([, n]) => n !== 0));
  }

  removedPids(): number[] {
    const pids: number[] = [];
    for (let pid = this.tracker.takeEvictedPid(); pid >= 0; pid = this.tracker.takeEvictedPid())
      pids.push(pid);
    return pids;
  }

  livePids(): number[] {
    return [...this.tracker.table.slots.pid.subarray(0, this.tracker.len)];
  }

  latched(pid: number): boolean {
    return this.tracker.slots.isLatched(this.tracker.slotOf(pid));
  }

  /**
   * Slots, lanes and links as text: equal before and after means untouched. What a slot remembers
   * of refused beats is left out.
   */
  snapshot(): string {
    const { slots, table } = this.tracker;
    const rows = Object.entries(slots)
      .filter(([name, column]) => ArrayBuffer.isView(column) && !REFUSAL_COLUMNS.includes(name))
      .map(([name, column]) => `${name}: ${(column as Uint8Array).subarray(0, table.len).join()}`);
    const { head, tail, count, thresholdNs } = table.lanes;
    return [...rows, head.join(), tail.join(), count.join(), thresholdNs.join()].join("\n");
  }

  #totals(): ReferenceCounters {
    const { counters } = this.tracker;
    counters.refresh(0);
    return {
      evictions: counters.get(TRACKER.evicted),
      uidShares: counters.get(TRACKER.uidShare),
      capacityExceeded: counters.get(TRACKER.capacityExceeded),
      nonceWraps: counters.get(TRACKER.nonceWrap),
      nonceRestarts: counters.get(TRACKER.nonceRestart),
      outOfOrder: counters.get(TRACKER.outOfOrder),
      evictionScanTruncated: counters.get(TRACKER.evictionScanTruncated),
      originConflicts: counters.get(TRACKER.originConflicts),
      namespaceConflicts: counters.get(TRACKER.namespaceConflicts),
      pidRecycles: counters.get(TRACKER.pidRecycle),
      invariantViolations: counters.get(TRACKER.invariantViolations),
      probeExhausted: counters.get(TRACKER.pidIndexProbeExhausted),
      removedPidDrops: counters.get(TRACKER.removedPidDrops),
    };
  }

  #sink(seen: StallSeen[]) {
    const { slots } = this.tracker;
    return {
      onStall: (slot: number) => {
        seen.push({
          pid: slots.pid[slot]!,
          nonce: u64FromPair(slots.observedNonceHi[slot]!, slots.observedNonceLo[slot]!),
          lastNs: slots.lastNs[slot]!,
          origin: slots.origin[slot]!,
        });
      },
      onLate: (slot: number) => void this.lates.push(slots.pid[slot]!),
    };
  }
}
