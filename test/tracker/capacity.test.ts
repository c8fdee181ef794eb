// A large tracker, at length the largest of 2^20 slots: processes are inserted, stalled, drained in
// bounded pieces and resumed (spec 03 section 12). What the drain visits is counted through the
// start times it reads, one per slot that it takes.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ORIGIN_KERNEL_ATTESTED } from "../../src/base/origin.ts";
import { Datagram } from "../../src/events/datagram.ts";
import { TRACKER } from "../../src/tracker/counters.ts";
import { Tracker } from "../../src/tracker/tracker.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { AT_LENGTH } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const CAPACITY = AT_LENGTH ? 2 ** 20 : 2 ** 17;
const THRESHOLD = 1e9;
const PER_DRAIN = 65_536;

describe(`Tracker with ${CAPACITY} slots`, () => {
  test("is filled, stalled, drained and resumed without a refusal or an exhausted probe", () => {
    let reads = 0;
    // Every 1024th pid belongs to another process by the time its stall is decided.
    const startTime = (pid: number) => {
      reads += 1;
      return pid % 1_024 === 0 ? 8 : 7;
    };
    const processes = {
      startTime,
      hasEnded: () => false,
      realUid: () => Number.NaN,
      innermostPid: () => Number.NaN,
      namespaceInode: () => Number.NaN,
    };
    const tracker = new Tracker({ thresholdNs: THRESHOLD, capacity: CAPACITY, processes });
    const datagram = new Datagram();
    const { words } = datagram;
    datagram.origin = ORIGIN_KERNEL_ATTESTED;
    datagram.namespaceInode = 42;
    datagram.generation = 7;
    const beat = (i: number, nonce: number, now: number) => {
      // An odd multiplier visits every u32 once, so the pids are distinct and scattered.
      encodeFrame(words, 0, 0, Math.imul(i + 1, 0x9e37_79b1) >>> 0, 0, 0, 0, nonce, 0);
      datagram.nowNs = now;
      datagram.readFrame();
      datagram.key = datagram.pid;
      return tracker.record(datagram);
    };
    let inserted = 0;
    for (let i = 0; i < CAPACITY; i++) if (beat(i, 1, i) === 0) inserted += 1;
    expect(inserted).toBe(CAPACITY);
    expect([tracker.len, tracker.nextDeadline()]).toEqual([CAPACITY, THRESHOLD]);
    expect(beat(CAPACITY, 1, CAPACITY)).toBe(3);

    let stalls = 0;
    let lastNs = -1;
    const sink = {
      onStall(slot: number) {
        stalls += 1;
        if (tracker.slots.lastNs[slot]! <= lastNs) throw new Error("not the longest silence first");
        lastNs = tracker.slots.lastNs[slot]!;
      },
    };
    expect(tracker.drainDue(THRESHOLD - 1, PER_DRAIN, sink)).toBe(0);
    expect(reads).toBe(0);
    const end = CAPACITY + THRESHOLD;
    for (let taken = 0; taken < CAPACITY; taken += PER_DRAIN)
      expect(tracker.drainDue(end, PER_DRAIN, sink)).toBe(PER_DRAIN);
    expect(tracker.drainDue(end, PER_DRAIN, sink)).toBe(0);
    const retired = CAPACITY - stalls;
    expect([reads, tracker.len, tracker.stallEmittedCount]).toEqual([CAPACITY, stalls, stalls]);
    expect(retired).toBeGreaterThan(CAPACITY / 2_048);
    expect(tracker.counters.get(TRACKER.pidRecycle)).toBe(retired);
    tracker.checkInvariants();

    let resumed = 0;
    for (let i = 0; i < CAPACITY; i++) if (beat(i, 2, end + i) === 1) resumed += 1;
    expect([resumed, tracker.len, tracker.stallEmittedCount]).toEqual([stalls, CAPACITY, 0]);
    expect(tracker.table.index.probeExhausted).toBe(0);
    expect(tracker.counters.get(TRACKER.invariantViolations)).toBe(0);
    tracker.checkInvariants();
  });
});
