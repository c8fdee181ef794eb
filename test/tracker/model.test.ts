// The tracker against its slow twin (test/reference/tracker.ts) over random operations: outcomes,
// counters, stalls, slots, lanes and deadlines are compared after every step, and the invariants
// are recounted.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { u64Hi, u64Lo } from "../../src/base/u64.ts";
import { VOUCHED_BY_KERNEL, VOUCHED_BY_KEY, VOUCHED_NOT } from "../../src/events/datagram.ts";
import { SLOT_BEAT_ONCE, SLOT_HAS_REFUSALS } from "../../src/tracker/slots.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
  FRESH_UNVERIFIABLE_GENERATION,
  FRESH_WARRANTED,
} from "../../src/tracker/tracker.ts";
import { wasMoved } from "../../src/tracker/extensions.ts";
import { ReferenceTracker } from "../reference/tracker.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { Harness, MAX, W } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(60, 500);

const FRESHNESS = new Map([
  [FRESH_WARRANTED, "Warranted"],
  [FRESH_AGENT_RESUMED, "AgentResumed"],
  [FRESH_PID_RECYCLED, "PidRecycled"],
  [FRESH_UNVERIFIABLE_GENERATION, "UnverifiableGeneration"],
  [FRESH_BEATS_REFUSED, "BeatsRefused"],
]);

const VOUCHED = { nobody: VOUCHED_NOT, kernel: VOUCHED_BY_KERNEL, key: VOUCHED_BY_KEY };

type Operation =
  | {
      readonly kind: "beat";
      readonly pid: number;
      readonly nonce: bigint;
      readonly timestamp: bigint;
      readonly status: number;
      readonly origin: number;
      readonly namespaceInode: number | undefined;
      readonly generation: number | undefined;
      readonly uid: number | undefined;
      readonly vouched: "kernel" | "key" | "nobody";
      readonly threshold: number;
      readonly later: number;
    }
  | {
      readonly kind: "drain";
      readonly threshold: number | undefined;
      readonly max: number;
      readonly later: number;
    }
  | {
      readonly kind: "change";
      readonly pid: number;
      readonly threshold: number;
      readonly late: number;
      readonly grace: number;
    }
  | {
      readonly kind: "change all";
      /** One for each pid in turn. */
      readonly thresholds: readonly number[];
      readonly late: number;
      readonly graces: readonly [number, number];
      readonly later: number;
    }
  | {
      readonly kind: "greet";
      readonly what: "hello" | "bye";
      readonly pid: number;
      readonly nonce: bigint;
      readonly origin: number;
      readonly namespaceInode: number | undefined;
      readonly generation: number | undefined;
      readonly uid: number | undefined;
      readonly vouched: "kernel" | "key" | "nobody";
      readonly threshold: number;
    }
  | { readonly kind: "pause"; readonly ns: number }
  | { readonly kind: "goodbye"; readonly pid: number; readonly lasts: number }
  | { readonly kind: "stays"; readonly pid: number }
  | { readonly kind: "extend"; readonly pid: number; readonly more: number }
  | { readonly kind: "judge now"; readonly pid: number }
  | { readonly kind: "start time"; readonly pid: number; readonly generation: number | undefined }
  | { readonly kind: "end"; readonly pid: number; readonly hasEnded: boolean }
  | { readonly kind: "take removed" }
  | {
      readonly kind: "capacity";
      /** Above the members that there are, but not above the room. */
      readonly more: number;
      readonly policy: "strict" | "balanced";
      readonly window: number;
    }
  | {
      readonly kind: "ask";
      readonly pid: number;
      readonly generation: number | undefined;
      readonly timestamp: bigint;
    };

interface World {
  readonly pids: number;
  readonly thresholds: readonly number[];
  readonly lates: readonly number[];
  readonly graces: readonly number[];
}

function operations(world: World): fc.Arbitrary<Operation> {
  const pid = fc.integer({ min: 2, max: 1 + world.pids });
  const threshold = fc.constantFrom(...world.thresholds);
  const maybe = (...values: number[]) => fc.constantFrom<number | undefined>(undefined, ...values);
  const later = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 2, arbitrary: fc.constantFrom(50, 99, 100, 101) },
    { weight: 1, arbitrary: fc.constantFrom(999, 1_000, 1_001, 2_500) },
    // No time runs backwards past the end of a pause.
    { weight: world.graces.length > 0 ? 0 : 1, arbitrary: fc.integer({ min: -150, max: -1 }) },
  );
  const nonce = fc.oneof(
    { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 12n }) },
    { weight: 2, arbitrary: fc.constant(MAX) },
    { weight: 1, arbitrary: fc.constantFrom(MAX - 1n, MAX - W, MAX - W - 1n, W, W - 1n) },
  );
  const timestamp = fc.constantFrom(0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, MAX - 1n);
  return fc.oneof(
    {
      weight: 14,
      arbitrary: fc.record({
        kind: fc.constant("beat" as const),
        pid,
        nonce,
        timestamp,
        status: fc.constantFrom(0, 0, 1, 2),
        origin: fc.constantFrom(0, 0, 0, 0, 3, 3, 1, 2),
        namespaceInode: maybe(0, 10, 10, 10),
        generation: maybe(5, 5, 5, 6),
        uid: maybe(0, 1_000, 1_000, 1_000, 1_001, 1_001),
        vouched: fc.constantFrom("kernel", "kernel", "key", "nobody"),
        threshold,
        later,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("greet" as const),
        what: fc.constantFrom("hello" as const, "hello" as const, "bye" as const),
        pid,
        nonce: nonce.map((one) => (one === MAX ? 1n : one)),
        origin: fc.constantFrom(0, 0, 0, 3),
        namespaceInode: maybe(0, 10, 10, 10),
        generation: maybe(5, 5, 5, 6),
        uid: maybe(0, 1_000, 1_001),
        vouched: fc.constantFrom("kernel", "kernel", "key", "nobody"),
        threshold,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("drain" as const),
        threshold: fc.option(threshold, { nil: undefined, freq: 2 }),
        max: fc.constantFrom(1, 2, 1_000),
        later,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("change" as const),
        pid,
        threshold,
        late: fc.constantFrom(Number.POSITIVE_INFINITY, ...world.lates),
        grace: fc.constantFrom(0, 0, ...world.graces),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("change all" as const),
        // As many as the world has, so that it may run out of lanes here, too.
        thresholds: fc.shuffledSubarray([...world.thresholds], {
          minLength: Math.ceil(world.thresholds.length / 2),
        }),
        late: fc.constantFrom(Number.POSITIVE_INFINITY, ...world.lates),
        graces: fc.tuple(
          fc.constantFrom(0, 0, ...world.graces),
          fc.constantFrom(0, 0, ...world.graces),
        ),
        later,
      }),
    },
    {
      weight: world.graces.length > 0 ? 1 : 0,
      arbitrary: fc.record({ kind: fc.constant("pause" as const), ns: fc.constantFrom(20, 120) }),
    },
    {
      weight: world.graces.length > 0 ? 2 : 0,
      arbitrary: fc.record({
        kind: fc.constant("goodbye" as const),
        pid,
        lasts: fc.constantFrom(30, 130, 500),
      }),
    },
    {
      weight: world.graces.length > 0 ? 1 : 0,
      arbitrary: fc.record({ kind: fc.constant("stays" as const), pid }),
    },
    {
      weight: world.graces.length > 0 ? 2 : 0,
      arbitrary: fc.record({
        kind: fc.constant("extend" as const),
        pid,
        more: fc.constantFrom(1, 70, 400),
      }),
    },
    {
      weight: world.graces.length > 0 ? 1 : 0,
      arbitrary: fc.record({ kind: fc.constant("judge now" as const), pid }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("start time" as const),
        pid,
        generation: maybe(5, 5, 6),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("end" as const), pid, hasEnded: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("take removed" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("capacity" as const),
        more: fc.constantFrom(0, 1, 3, 1_000),
        policy: fc.constantFrom("strict" as const, "balanced" as const),
        window: fc.constantFrom(1, 2, 3, 256),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        pid,
        generation: maybe(5, 6),
        timestamp,
      }),
    },
  );
}

/** Counters and outcomes that moved in any run: what was never reached was never compared. */
const reached = new Set<string>();

class Pair {
  readonly fast: Harness;
  readonly slow: ReferenceTracker;
  #now = 200;

  constructor(capacity: number, policy: "strict" | "balanced", window: number) {
    const room = capacity + 5;
    this.fast = new Harness({ capacity, room, policy, window });
    const startTime = (pid: number) => this.fast.startTimes.get(pid);
    const hasEnded = (pid: number) => this.fast.ended.has(pid);
    this.slow = new ReferenceTracker({ capacity, room, policy, window, startTime, hasEnded });
  }

  /** So many members of as many thresholds, which nothing is compared for meanwhile. */
  fill(thresholds: readonly number[], count: number): void {
    for (let i = 0; i < count; i++)
      this.#apply({
        ...{ kind: "beat", pid: 2 + i, nonce: 0n, timestamp: 0n, status: 0, origin: 0 },
        ...{ namespaceInode: 10, generation: 5, uid: 0, vouched: "kernel", later: 0 },
        threshold: thresholds[i % thresholds.length]!,
      });
  }

  /** Applies `operation` to both and compares what they say and what they have become. */
  step(operation: Operation): void {
    this.#apply(operation);
    const counters = this.fast.takeCounters();
    expect(counters).toEqual(this.slow.takeCounters());
    for (const [name, moved] of Object.entries(counters)) if (moved > 0) reached.add(name);
    this.#compareSlots();
    this.#compareLanes();
    this.fast.tracker.checkInvariants();
  }

  #apply(operation: Operation): void {
    const { fast, slow } = this;
    if (operation.kind === "beat") this.#beat(operation);
    else if (operation.kind === "greet") this.#greet(operation);
    else if (operation.kind === "drain") this.#drain(operation);
    else if (operation.kind === "change") {
      const { pid, threshold: thresholdNs, late, grace: graceNs } = operation;
      const lateNs = late < thresholdNs ? late : Number.POSITIVE_INFINITY;
      fast.change(pid, thresholdNs, { lateNs, graceNs });
      slow.change(pid, { thresholdNs, lateNs, graceNs });
    } else if (operation.kind === "change all") {
      this.#now = Math.max(0, this.#now + operation.later);
      const { thresholds, late, graces } = operation;
      const termsOf = (pid: number) => {
        const thresholdNs = thresholds[pid % thresholds.length]!;
        const lateNs = late < thresholdNs ? late : Number.POSITIVE_INFINITY;
        return { thresholdNs, lateNs, graceNs: graces[pid % 2]! };
      };
      fast.changeAll(this.#now, termsOf);
      slow.changeAll(this.#now, termsOf);
    } else if (operation.kind === "pause") {
      this.#now += operation.ns;
      fast.tracker.pauses.add(this.#now, operation.ns);
      slow.pauses.push({ endNs: this.#now, ns: operation.ns });
    } else if (operation.kind === "goodbye") {
      fast.sayGoodbye(operation.pid, this.#now, operation.lasts);
      slow.sayGoodbye(operation.pid, this.#now, operation.lasts);
    } else if (operation.kind === "stays") {
      fast.takeGoodbyeBack(operation.pid, this.#now);
      slow.takeGoodbyeBack(operation.pid, this.#now);
    } else if (operation.kind === "extend") {
      fast.extend(operation.pid, this.#now, operation.more);
      slow.extend(operation.pid, this.#now, operation.more);
    } else if (operation.kind === "judge now") {
      fast.judgeNow(operation.pid, this.#now);
      slow.judgeNow(operation.pid, this.#now);
    } else if (operation.kind === "start time") {
      if (operation.generation === undefined) fast.startTimes.delete(operation.pid);
      else fast.startTimes.set(operation.pid, operation.generation);
    } else if (operation.kind === "end") {
      if (operation.hasEnded) fast.ended.add(operation.pid);
      else fast.ended.delete(operation.pid);
    } else if (operation.kind === "take removed") {
      expect(fast.tracker.takeEvictedPid()).toBe(slow.removed.pop() ?? -1);
    } else if (operation.kind === "capacity") this.#resize(operation);
    else this.#ask(operation);
  }

  #beat(operation: Extract<Operation, { kind: "beat" }>): void {
    const { pid, nonce, timestamp, origin, namespaceInode, generation, uid, vouched, threshold } =
      operation;
    this.#now = Math.max(0, this.#now + operation.later);
    const status = nonce === MAX ? 2 : operation.status;
    const payload = this.#now;
    const found = this.fast.beat(pid, nonce, this.#now, {
      ts: timestamp,
      status,
      payload,
      origin,
      namespaceInode,
      generation,
      uid,
      vouched: VOUCHED[vouched],
      threshold,
    });
    const before = this.fast.datagram.slot;
    const wanted = this.slow.record({
      frame: { pid, status, timestamp, nonce, payload },
      nowNs: this.#now,
      thresholdNs: threshold,
      origin,
      namespaceInode: namespaceInode,
      generation,
      uid,
      vouched,
    });
    expect(found).toBe(wanted);
    reached.add(found);
    expect(before).toBe(this.slow.slots.findIndex((slot) => slot.pid === pid));
  }

  #greet(operation: Extract<Operation, { kind: "greet" }>): void {
    const { what, pid, nonce, vouched, threshold, ...sender } = operation;
    const { origin, namespaceInode, generation, uid } = sender;
    const known = { origin, namespaceInode, generation, uid };
    const options = { ...known, vouched: VOUCHED[vouched], threshold };
    const found = this.fast.greet(what, pid, nonce, this.#now, options);
    const frame = { pid, nonce, status: 0, timestamp: 0n, payload: 0 };
    const now = { nowNs: this.#now, thresholdNs: threshold };
    expect(found).toBe(this.slow.greet(what, { frame, ...now, ...known, vouched }));
    reached.add(`${what} ${found}`);
  }

  #resize({ more, policy, window }: Extract<Operation, { kind: "capacity" }>): void {
    const { fast, slow } = this;
    const before = slow.capacity;
    const capacity = Math.min(slow.room, slow.slots.length + more);
    fast.tracker.eviction.change({ evictionPolicy: policy, evictionScanWindow: window });
    fast.tracker.table.resize(capacity);
    Object.assign(slow, { capacity, policy, window });
    expect(fast.tracker.capacity).toBe(capacity);
    if (capacity < before) reached.add("smaller");
    if (capacity > before) reached.add("larger");
  }

  #drain({ threshold, max, later }: Extract<Operation, { kind: "drain" }>): void {
    this.#now = Math.max(0, this.#now + later);
    const slotsMax = threshold === undefined ? max : Number.POSITIVE_INFINITY;
    const wanted = this.slow.drain(this.#now, threshold, slotsMax);
    const stalls = wanted.filter((taken) => taken.kind === "stall").map((taken) => taken.pid);
    if (this.slow.lates.length > 0) reached.add("late");
    const latched = this.slow.slots.filter((slot) => slot.latched);
    if (latched.some(({ saidGoodbye }) => saidGoodbye)) reached.add("stalled since goodbye");
    if (latched.some(({ moved }) => moved)) reached.add("stalled after more time");
    if (this.slow.slots.some(({ parked }) => parked)) reached.add("parked");
    if (threshold === undefined) {
      const { seen, taken } = this.fast.drainDue(this.#now, max);
      expect(seen.map((stall) => stall.pid)).toEqual(stalls);
      expect(taken).toBe(wanted.length);
    } else expect(this.fast.stalled(this.#now, threshold)).toEqual(stalls);
    expect(this.fast.lates.splice(0)).toEqual(this.slow.lates);
  }

  #ask({ pid, generation, timestamp }: Extract<Operation, { kind: "ask" }>): void {
    const { tracker } = this.fast;
    const nowNs = this.#now;
    expect(FRESHNESS.get(tracker.stallFreshness(pid, generation ?? Number.NaN, nowNs))!).toBe(
      this.slow.freshness(pid, generation, nowNs),
    );
    expect(tracker.terminalTimestampWouldAdvance(pid, u64Hi(timestamp), u64Lo(timestamp))).toBe(
      this.slow.terminalTimestampWouldAdvance(pid, timestamp),
    );
    expect(tracker.isTracked(pid)).toBe(this.slow.find(pid) !== undefined);
  }

  #compareSlots(): void {
    const { slots, len } = this.fast.tracker.table;
    expect(len).toBe(this.slow.slots.length);
    const pair = (hi: Uint32Array, lo: Uint32Array, slot: number) =>
      (BigInt(hi[slot]!) << 32n) | BigInt(lo[slot]!);
    for (let slot = 0; slot < len; slot++) {
      const wanted = this.slow.slots[slot]!;
      const regular = (slots.flags[slot]! & 1) !== 0;
      const terminal = (slots.flags[slot]! & 2) !== 0;
      expect({
        pid: slots.pid[slot]!,
        lastNonce: regular ? pair(slots.lastNonceHi, slots.lastNonceLo, slot) : undefined,
        lastTimestamp: pair(slots.timestampHi, slots.timestampLo, slot),
        run: wanted.run,
        aliveNs: wanted.aliveNs,
        observedNonce: pair(slots.observedNonceHi, slots.observedNonceLo, slot),
        terminalTimestamp: terminal
          ? pair(slots.terminalTimestampHi, slots.terminalTimestampLo, slot)
          : undefined,
        lastNs: slots.lastNs[slot]!,
        status: slots.status[slot]!,
        payload: slots.payload[slot]!,
        origin: slots.origin[slot]!,
        namespaceInode: known(slots.namespaceInode[slot]!),
        generation: known(slots.generation[slot]!),
        uid: known(slots.uid[slot]!),
        beatOnce: (slots.flags[slot]! & SLOT_BEAT_ONCE) !== 0,
        enteredAt: wanted.enteredAt,
        latched: slots.isLatched(slot),
        late: this.fast.tracker.table.lanes.isLate(slot),
        held: false,
        firstNs: slots.firstNs[slot]!,
        graceEndNs: slots.graceEndNs[slot]!,
        graceNs: slots.graceNs[slot]!,
        unbeaten: !slots.hasBeaten(slot),
        saidGoodbye: slots.saidGoodbye(slot),
        moved: wasMoved(this.fast.tracker.table, slot),
        triggered: this.fast.tracker.slots.wasTriggered(slot),
        ownGraceEndNs: slots.isGraceLent(slot) ? slots.ownGraceEndNs[slot]! : undefined,
        parked: this.fast.tracker.table.lanes.graces.has(slot),
        lane: wanted.lane,
        acceptedAt: wanted.acceptedAt,
      }).toEqual(wanted);
      const hasRefusals = (slots.flags[slot]! & SLOT_HAS_REFUSALS) !== 0;
      expect(hasRefusals ? slots.runCount[slot]! : 0).toBe(wanted.run.length);
      expect(slots.isAliveSince(slot, Number.NEGATIVE_INFINITY)).toBe(wanted.aliveNs !== undefined);
    }
  }

  #compareLanes(): void {
    const { table, slots } = this.fast.tracker;
    expect(table.lanes.laneCount).toBe(this.slow.lanes.length);
    this.slow.lanes.forEach((lane, i) => {
      for (const row of [i, table.lanes.lateRowOf(i)]) {
        const pids: number[] = [];
        for (let slot = table.lanes.head[row]!; slot >= 0; slot = slots.next[slot]!)
          pids.push(slots.pid[slot]!);
        expect(table.lanes.thresholdNs[row]).toBe(lane.thresholdNs);
        expect(pids.join()).toBe(
          this.slow
            .rowSlots(lane, row !== i ? "late" : "other")
            .map((slot) => slot.pid)
            .join(),
        );
      }
      expect(table.lanes.lateNs[i]).toBe(lane.lateNs);
    });
    expect(this.fast.tracker.nextDeadline()).toBe(this.slow.nextDeadline());
  }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

function agree(world: World, capacities: readonly number[], runs: number, filled = 0): void {
  fc.assert(
    fc.property(
      fc.constantFrom(...capacities),
      fc.constantFrom("strict" as const, "balanced" as const),
      fc.constantFrom(1, 2, 3, 256),
      fc.array(operations(world), {
        minLength: 20,
        maxLength: 120,
        size: "max",
      }),
      (capacity, policy, window, script) => {
        const pair = new Pair(capacity, policy, window);
        pair.fill(world.thresholds, filled);
        for (const operation of script) pair.step(operation);
      },
    ),
    { numRuns: runs },
  );
}

const PLAIN = { lates: [], graces: [] };

describe("Tracker agrees with its slow twin", () => {
  test("when a few slots are fought over", () => {
    agree({ pids: 9, thresholds: [100], ...PLAIN }, [0, 1, 2, 4, 7], RUNS);
  });

  test("when several thresholds are in use", () => {
    agree({ pids: 12, thresholds: [0, 50, 100, 300], ...PLAIN }, [3, 6, 12], RUNS);
  });

  test("when more thresholds are in use than there are lanes", () => {
    const thresholds = Array.from({ length: 600 }, (_, i) => 3_000 + i * 50);
    agree({ pids: 900, thresholds, ...PLAIN }, [280, 400], Math.ceil(RUNS / 50), 280);
  });

  test("when members are late before they stall", () => {
    agree({ pids: 9, thresholds: [100, 300], lates: [40, 99], graces: [] }, [4, 9], RUNS);
  });

  test("when members have a grace, and the observer pauses", () => {
    const world = { pids: 9, thresholds: [50, 100], lates: [40], graces: [60, 150, 400] };
    agree(world, [4, 9], RUNS);
  });

  test("after having reached every outcome and every counter that can move here", () => {
    expect([...reached].sort()).toEqual([
      "CapacityExceeded",
      "Inserted",
      "NamespaceConflict",
      "OriginConflict",
      "OutOfOrder",
      "Refreshed",
      "bye NamespaceConflict",
      "bye OriginConflict",
      "bye OutOfOrder",
      "bye Refreshed",
      "capacityExceeded",
      "evictionScanTruncated",
      "evictions",
      "hello CapacityExceeded",
      "hello Inserted",
      "hello NamespaceConflict",
      "hello OriginConflict",
      "hello OutOfOrder",
      "hello Refreshed",
      "invariantViolations",
      "larger",
      "late",
      "namespaceConflicts",
      "nonceRestarts",
      "nonceWraps",
      "originConflicts",
      "outOfOrder",
      "parked",
      "pidRecycles",
      "removedPidDrops",
      "smaller",
      "stalled after more time",
      "stalled since goodbye",
      "uidShares",
    ]);
  });
});
