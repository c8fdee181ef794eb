// poll() and pump() are two ways through the same steps (spec 04 section 3): the same script of
// receives, processes and clock readings makes the same calls, events, stalls, slots, lanes and
// counters (I4). The same hostile scripts show that every consumed datagram ends in exactly one
// outcome, after every step (I5).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { EIO, ENOBUFS } from "../../ffi/constants.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import * as reason from "../../src/base/reject_reason.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Event } from "../../src/events/event.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { NONCE_TERMINAL } from "../../src/wire/frame.ts";
import { atLength } from "../support/at_length.ts";
import {
  beatOf,
  type Datagram,
  damaged,
  type Receive,
  ScriptedListener,
} from "../support/scripted_listener.ts";
import { OWN_INODE } from "../support/scripted_processes.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(30, 300);
const FOREIGN = 77;

/** What one listener receives in one phase; between two phases the stalls are read. */
type Phase = readonly (readonly Receive[])[];

interface Script {
  readonly listenerCount: number;
  readonly phases: readonly Phase[];
  /** Time added before the n-th clock reading, again from the start at the end. */
  readonly clockSteps: readonly number[];
  /** The n-th look-up of a process finds it replaced if the n-th bit is set. */
  readonly replaced: readonly boolean[];
  readonly options: ObserverHarnessOptions;
}

const datagram: fc.Arbitrary<Datagram> = fc
  .record({
    pid: fc.integer({ min: 2, max: 12 }),
    nonce: fc.oneof(
      { weight: 12, arbitrary: fc.bigInt(1n, 300n) },
      { weight: 1, arbitrary: fc.constant(NONCE_TERMINAL) },
      { weight: 1, arbitrary: fc.constant(NONCE_TERMINAL - 1n) },
    ),
    timestamp: fc.integer({ min: 0, max: 50 }),
    peer: fc.oneof({ weight: 10, arbitrary: fc.constant(-1) }, fc.constantFrom(0, 3)),
    peerUid: fc.oneof({ weight: 10, arbitrary: fc.constant(1000) }, fc.constant(7)),
    verdict: fc.oneof(
      { weight: 12, arbitrary: fc.constant(VERDICT_PASS) },
      fc.integer({ min: reason.REJECT_WRONG_SIZE, max: reason.REJECT_REPLAY }),
    ),
    isDamaged: fc.oneof({ weight: 10, arbitrary: fc.constant(false) }, fc.constant(true)),
  })
  .map(({ pid, peer, isDamaged, ...fields }) => {
    const made = beatOf(pid, { ...fields, peerPid: peer < 0 ? pid : peer });
    return isDamaged ? damaged(made) : made;
  });

// Batches of every size up to a full one, which hides whether the socket is empty.
const batch: fc.Arbitrary<readonly Datagram[]> = fc.oneof(
  { weight: 4, arbitrary: fc.array(datagram, { maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc.array(datagram, { minLength: BATCH_SIZE - 1, maxLength: BATCH_SIZE }),
  },
);

const receive: fc.Arbitrary<Receive> = fc.oneof(
  { weight: 8, arbitrary: batch },
  { weight: 1, arbitrary: fc.constantFrom(-EIO, -ENOBUFS) },
  { weight: 1, arbitrary: fc.constant([]) },
);

const script: fc.Arbitrary<Script> = fc.integer({ min: 1, max: 3 }).chain((listenerCount) =>
  fc.record({
    listenerCount: fc.constant(listenerCount),
    phases: fc.array(
      fc.array(fc.array(receive, { maxLength: 4 }), {
        minLength: listenerCount,
        maxLength: listenerCount,
      }),
      { minLength: 1, maxLength: 4 },
    ),
    clockSteps: fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 30_000_000 }) },
        { weight: 1, arbitrary: fc.constantFrom(-5_000_000, 150_000_000, 2 * NS_PER_S) },
        { weight: 1, arbitrary: fc.constant(6 * NS_PER_S) },
      ),
      { minLength: 1, maxLength: 20 },
    ),
    replaced: fc.array(fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, fc.constant(true)), {
      minLength: 1,
      maxLength: 40,
    }),
    options: fc.record({
      admission: fc.constantFrom(
        { perPidRate: 0, globalRate: 0, globalBurst: 0 },
        { perPidRate: 2, globalRate: 0, globalBurst: 0 },
        { perPidRate: 9, globalRate: 500, globalBurst: 20 },
        { perPidRate: 0, globalRate: 2, globalBurst: 3 },
      ),
      trackerCapacity: fc.constantFrom(1, 4, 64),
      evictionPolicy: fc.constantFrom("strict" as const, "balanced" as const),
      allowCrossNamespace: fc.boolean(),
      judgeLimit: fc.constantFrom(1, 2, 64),
      readPidMax: fc.constantFrom(
        () => 2 ** 32 - 1,
        () => 10,
      ),
    }),
  }),
);

/** One observer under the script, with everything it does to its surroundings written down. */
class Subject {
  readonly harness: ObserverHarness;
  readonly calls: string[] = [];
  readonly events: Event[] = [];
  readonly #script: Script;

  constructor(given: Script) {
    this.#script = given;
    const listeners = Array.from(
      { length: given.listenerCount },
      (_, listenerNumber) =>
        new ScriptedListener({
          name: `l${listenerNumber}`,
          // The last listener is the one with a list of senders.
          allowList: listenerNumber === 2 ? new AllowList([1000], []) : undefined,
          onReceive: (name, nowNs) => this.calls.push(`${name} at ${nowNs}`),
        }),
    );
    this.harness = new ObserverHarness({ listeners, ...given.options });
    this.#scriptClock();
    this.#scriptProcesses();
  }

  #scriptClock(): void {
    const { clock } = this.harness;
    const { clockSteps } = this.#script;
    clock.readNs = () => {
      clock.ns += clockSteps[clock.reads++ % clockSteps.length]!;
      return Math.max(0, clock.ns);
    };
  }

  #scriptProcesses(): void {
    const { processes } = this.harness;
    const { replaced } = this.#script;
    for (let pid = 2; pid <= 12; pid++)
      processes.set(pid, pid, pid === 5 ? FOREIGN : pid === 6 ? Number.NaN : OWN_INODE);
    let looks = 0;
    processes.beforeRead = (pid) => {
      this.calls.push(`look at ${pid}`);
      const found = processes.table.get(pid);
      if (replaced[looks++ % replaced.length]! && found !== undefined) found.startTime += 100;
    };
  }

  load(phase: Phase): void {
    phase.forEach((receives, listenerNumber) => {
      this.harness.listeners[listenerNumber]!.queue(...receives);
    });
  }

  /** Polls until a poll neither took a datagram nor had an event. */
  poll(): void {
    const { observer } = this.harness;
    for (;;) {
      const event = observer.poll();
      if (event !== undefined) this.events.push(event);
      else if (!observer.lastPollConsumed) return;
      this.expectConserved();
    }
  }

  pump(budget = Number.POSITIVE_INFINITY): number {
    const { observer } = this.harness;
    this.events.push(...this.harness.pump(budget));
    this.expectConserved();
    return observer.lastPollConsumed ? 1 : 0;
  }

  /** received = accepted + rejected, for every listener. */
  expectConserved(): void {
    const { accounting } = this.harness.observer;
    for (let listenerNumber = 0; listenerNumber < this.harness.listeners.length; listenerNumber++)
      if (
        accounting.received[listenerNumber] !==
        accounting.accepted[listenerNumber]! + accounting.rejectedTotal(listenerNumber)
      )
        throw new Error(`listener ${listenerNumber} has lost or invented a datagram`);
  }

  takeStalls(): number[] {
    return this.harness.stalls();
  }

  state(): unknown {
    const { observer, clock } = this.harness;
    const { tracker, accounting } = observer;
    const { slots, table } = tracker;
    const { lanes } = table;
    tracker.checkInvariants();
    const columns = Object.entries(slots).flatMap(([name, column]) =>
      ArrayBuffer.isView(column)
        ? [[name, [...(column as Float64Array).subarray(0, table.len)]]]
        : [],
    );
    return {
      columns,
      lanes: [[...lanes.thresholdNs], [...lanes.head], [...lanes.tail], [...lanes.count]],
      nextDeadline: observer.nextDeadline(),
      pending: observer.silence.stalls.unread,
      clock: [clock.reads, clock.ns, observer.clock.lastNs],
      received: [...accounting.received],
      accepted: [...accounting.accepted],
      rejected: [...accounting.rejected],
    };
  }

  drained(): number[] {
    const { observer } = this.harness;
    return [
      observer.drainEvictions(),
      observer.drainCapacityExceeded(),
      observer.drainNonceWraps(),
      observer.drainEvictionScanTruncated(),
      observer.drainOriginConflicts(),
      observer.drainCrossNamespaceDrops(),
      observer.drainNamespaceConflicts(),
      observer.drainOutOfOrder(),
      observer.drainPidRecycles(),
      observer.drainPidAboveMaxDrops(),
      observer.drainInvariantViolations(),
      observer.drainRemovedPidDrops(),
      observer.drainPidIndexProbeExhausted(),
      observer.drainPerPidRateLimited(),
      observer.drainGlobalRateLimited(),
      observer.drainTruncated(),
      observer.drainIoErrors(),
      observer.drainClockRegressions(),
      observer.drainClockJumpsForward(),
      observer.drainEvictedPid(),
    ];
  }
}

describe("poll() repeated and pump() without a budget", () => {
  test("do the same, over random scripts", () => {
    fc.assert(
      fc.property(script, (given) => {
        const polled = new Subject(given);
        const pumped = new Subject(given);
        for (const phase of given.phases) {
          polled.load(phase);
          pumped.load(phase);
          polled.poll();
          pumped.pump();
          expect(polled.calls).toEqual(pumped.calls);
          expect(polled.events).toEqual(pumped.events);
          expect(polled.state()).toEqual(pumped.state());
          expect(polled.takeStalls()).toEqual(pumped.takeStalls());
        }
        expect(polled.drained()).toEqual(pumped.drained());
      }),
      { numRuns: RUNS },
    );
  });
});

describe("poll() and pump() mixed on one observer", () => {
  test("consume every datagram once, in the order of each listener", () => {
    fc.assert(
      fc.property(script, fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), (given, turns) => {
        const mixed = new Subject(given);
        const sent = given.phases.flat(2).reduce((sum: number, one) => sum + sizeOf(one), 0);
        for (const phase of given.phases) mixed.load(phase);
        let idle = 0;
        for (let turn = 0; idle < 40; turn++) {
          const kind = turns[turn % turns.length]!;
          let consumed: boolean;
          if (kind < 4) {
            const event = mixed.harness.observer.poll();
            if (event !== undefined) mixed.events.push(event);
            consumed = event !== undefined || mixed.harness.observer.lastPollConsumed;
            mixed.expectConserved();
          } else consumed = mixed.pump(kind === 4 ? 1 : 200) > 0;
          idle = consumed ? 0 : idle + 1;
          mixed.harness.observer.tracker.checkInvariants();
        }
        const { received } = mixed.harness.observer.accounting;
        expect(received.reduce((sum, count) => sum + count, 0)).toBe(sent);
      }),
      { numRuns: RUNS },
    );
  });

  test("make the events of a pump, if one listener is read and the clock stands", () => {
    const single = script.map((given) => ({
      ...given,
      listenerCount: 1,
      phases: given.phases.map((phase) => [phase[0]!.filter((one) => typeof one !== "number")]),
      clockSteps: [0],
    }));
    fc.assert(
      fc.property(single, fc.array(fc.nat(5), { minLength: 1 }), (given, turns) => {
        const mixed = new Subject(given);
        const pumped = new Subject(given);
        for (const phase of given.phases) {
          mixed.load(phase);
          pumped.load(phase);
        }
        for (let turn = 0; turn < 1_500 && mixed.harness.listener.script.length > 0; turn++) {
          const kind = turns[turn % turns.length]!;
          if (kind === 5) mixed.pump(1);
          else {
            const event = mixed.harness.observer.poll();
            if (event !== undefined) mixed.events.push(event);
          }
        }
        for (const subject of [mixed, pumped])
          while (subject.pump() > 0 || subject.harness.listener.script.length > 0);
        expect(mixed.events).toEqual(pumped.events);
      }),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });
});

function sizeOf(one: Receive): number {
  return typeof one === "number" ? 0 : one.length;
}
