// The fast way of plain beats against the check order: two observers get the same datagrams at the
// same times, one by pump(), which takes runs of plain beats together, the other by poll(), which
// takes them one by one. They must not differ.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { type Event, eventFromRow } from "../../src/events/event.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { ReceivedBatch, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import type { ObserverOptions } from "../../src/observer/observer_options.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { referenceEncode } from "../reference/frame.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const OWN_INODE = 4_026_531_836;
const FOREIGN_INODE = 4_026_532_000;
const THRESHOLD_NS = 1_500 * NS_PER_MS;

interface Datagram {
  readonly pid: number;
  readonly nonce: bigint;
  readonly status: number;
  /** Pid that the kernel attests. */
  readonly peerPid: number;
  readonly broken: boolean;
}

/**
 * What happens at one point in time: the processes of some pids are replaced, then a batch arrives.
 */
interface Step {
  readonly advanceMs: number;
  readonly replaced: readonly number[];
  readonly datagrams: readonly Datagram[];
}

describe("pump() takes runs of plain beats together and", () => {
  test("makes the same events, slots, stalls and counters as judging them one by one", () => {
    fc.assert(
      fc.property(
        fc.array(step(), { minLength: 4, maxLength: 24 }),
        settings(),
        (steps, options) => {
          const pumped = new Subject(options);
          const polled = new Subject(options);
          for (const one of steps) {
            expect(pumped.pump(one)).toEqual(polled.poll(one));
            expect(pumped.state()).toEqual(polled.state());
            pumped.observer.tracker.checkInvariants();
          }
        },
      ),
      { numRuns: atLength(25, 300) },
    );
  });

  test("stops at the last token of the global bucket", () => {
    const subject = new Subject({ admission: { perPidRate: 0, globalRate: 1, globalBurst: 100 } });
    const batch = (nonce: bigint) => ({
      advanceMs: 1,
      replaced: [],
      datagrams: Array.from({ length: 64 }, (_, i) => beat(100 + i, nonce)),
    });
    expect(subject.pump(batch(1n)).events).toHaveLength(64);
    expect(subject.pump(batch(2n)).events).toHaveLength(36);
    expect(subject.observer.drainGlobalRateLimited()).toBe(28);
  });

  test("limits an agent that beats too often, at the same beat in one batch or in many", () => {
    const subject = new Subject({ admission: { perPidRate: 10, globalRate: 0, globalBurst: 0 } });
    subject.pump({ advanceMs: 1, replaced: [], datagrams: [beat(100, 1n)] });
    const burst = Array.from({ length: 12 }, (_, i) => beat(100, BigInt(2 + i)));
    const { events } = subject.pump({ advanceMs: 1, replaced: [], datagrams: burst });
    expect(events).toHaveLength(9);
    expect(subject.observer.drainPerPidRateLimited()).toBe(3);
    const next = [beat(100, 20n)];
    expect(subject.pump({ advanceMs: 98, replaced: [], datagrams: next }).events).toHaveLength(0);
    expect(subject.pump({ advanceMs: 1, replaced: [], datagrams: next }).events).toHaveLength(1);
  });

  test("leaves every datagram of a listener with an allow list to the check order", () => {
    const options = { allowList: new AllowList([1000], []) };
    const subject = new Subject(options);
    const { events } = subject.pump({ advanceMs: 1, replaced: [], datagrams: [beat(100, 1n)] });
    expect(events.map(({ kind }) => kind)).toEqual(["auth-failure"]);
  });
});

function beat(pid: number, nonce: bigint): Datagram {
  return { pid, nonce, status: 0, peerPid: pid, broken: false };
}

function step(): fc.Arbitrary<Step> {
  // Few pids and slowly growing nonces: most beats are plain, as in life, and each rule is broken
  // now and then.
  const pid = fc.integer({ min: 100, max: 107 });
  const datagram = fc
    .record({
      pid,
      nonce: fc.oneof(
        { weight: 12, arbitrary: fc.constant(-1n) },
        { weight: 1, arbitrary: fc.bigInt(0n, 40n) },
        { weight: 1, arbitrary: fc.bigInt(2n ** 64n - 3n, 2n ** 64n - 1n) },
        { weight: 1, arbitrary: fc.bigInt(2n ** 32n - 2n, 2n ** 32n + 40n) },
      ),
      status: fc.nat(2),
      spoofed: fc.oneof(
        { weight: 20, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(0, 99) },
      ),
      broken: fc.oneof(
        { weight: 30, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    })
    .map(({ spoofed, nonce, status, ...rest }) => ({
      ...rest,
      nonce,
      status: nonce === 2n ** 64n - 1n ? 2 : status,
      peerPid: spoofed ?? rest.pid,
    }));
  return fc.record({
    advanceMs: fc.constantFrom(0, 1, 5, 20, 20, 300, 600, 900, 1_499, 1_500, 15_000),
    replaced: fc.oneof(
      { weight: 5, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(pid, { maxLength: 2 }) },
    ),
    datagrams: fc.array(datagram, { maxLength: BATCH_SIZE, size: "max" }),
  });
}

interface Settings extends Partial<ObserverOptions> {
  readonly allowList?: AllowList;
  /** Pids whose process lives in another pid namespace. */
  readonly foreign?: readonly number[];
  /** Pids of which /proc does not show the namespace, or the start time. */
  readonly nameless?: readonly number[];
  readonly ageless?: readonly number[];
}

function settings(): fc.Arbitrary<Settings> {
  return fc.record({
    foreign: fc.constantFrom([], [103]),
    nameless: fc.constantFrom([], [104, 105]),
    ageless: fc.constantFrom([], [105, 106]),
    allowCrossNamespace: fc.boolean(),
    trackerCapacity: fc.constantFrom(4, 64),
    evictionPolicy: fc.constantFrom("strict", "balanced"),
    admission: fc.constantFrom(
      { perPidRate: 0, globalRate: 0, globalBurst: 0 },
      { perPidRate: 3, globalRate: 0, globalBurst: 0 },
      { perPidRate: 0, globalRate: 300, globalBurst: 20 },
      { perPidRate: 11, globalRate: 500, globalBurst: 40 },
    ),
    observerInode: fc.constantFrom(OWN_INODE, OWN_INODE, Number.NaN),
    readPidMax: fc.constantFrom(undefined, () => 106),
  });
}

/** An observer with one scripted listener, and the processes it asks about. */
class Subject {
  readonly observer: LibraryObserver;
  readonly #settings: Settings;
  readonly #listener: ScriptedListener;
  readonly #generations = new Map<number, number>();
  readonly #nonces = new Map<number, bigint>();
  #timeNs = NS_PER_MS;

  constructor(options: Settings) {
    const { allowList, foreign: _, nameless: __, ageless: ___, ...observer } = options;
    this.#settings = options;
    this.observer = new LibraryObserver({
      thresholdNs: THRESHOLD_NS,
      observerInode: OWN_INODE,
      clock: new ObserverClock({ readNs: () => this.#timeNs }),
      processes: {
        startTime: (pid) => this.#startTime(pid),
        hasEnded: (pid, generation) => this.#startTime(pid) > generation,
        realUid: () => 0,
        innermostPid: () => Number.NaN,
        namespaceInode: (pid) => this.#inode(pid),
      },
      ...observer,
    });
    this.#listener = new ScriptedListener(allowList);
    this.observer.addListener(this.#listener);
  }

  pump(one: Step) {
    this.#begin(one);
    const events: Event[] = [];
    this.observer.pump((rows, count) => this.#keep(events, rows, count), 1e9);
    return { events, stalls: this.#stalls() };
  }

  poll(one: Step) {
    this.#begin(one);
    const events: Event[] = [];
    // A batch may make no event, so the first empty round is not the end.
    for (let emptyRounds = 0; emptyRounds < 2; ) {
      const event = this.observer.poll();
      if (event === undefined) emptyRounds += 1;
      else events.push(event);
    }
    return { events, stalls: this.#stalls() };
  }

  state() {
    const { tracker, accounting } = this.observer;
    const slots = Object.entries({ ...tracker.slots }).map(([name, column]) => [
      name,
      [...(column as Uint8Array).subarray(0, tracker.len)],
    ]);
    return {
      slots,
      accepted: accounting.accepted[0],
      rejected: [...accounting.rejected],
      received: accounting.received[0],
      wraps: this.observer.drainNonceWraps(),
      recycles: this.observer.drainPidRecycles(),
      evictions: this.observer.drainEvictions(),
      outOfOrder: this.observer.drainOutOfOrder(),
      nextDeadline: this.observer.nextDeadline(),
    };
  }

  #begin(one: Step): void {
    this.#timeNs += one.advanceMs * NS_PER_MS;
    for (const pid of one.replaced) this.#generations.set(pid, this.#generation(pid) + 1);
    this.#listener.offer(one.datagrams.map((datagram) => this.#numbered(datagram)));
  }

  /** Nonce -1 is the next one of the agent. */
  #numbered(datagram: Datagram): Datagram {
    if (datagram.nonce >= 0n) return datagram;
    const nonce = (this.#nonces.get(datagram.pid) ?? 0n) + 1n;
    this.#nonces.set(datagram.pid, nonce);
    return { ...datagram, nonce };
  }

  #keep(events: Event[], rows: EventBatch, count: number): void {
    for (let row = 0; row < count; row++)
      events.push(eventFromRow(rows, row, this.observer.observerInode));
  }

  #stalls() {
    const stalls = [];
    for (let one = this.observer.pollPending(); one; one = this.observer.pollPending())
      stalls.push(one);
    return stalls;
  }

  #generation(pid: number): number {
    return this.#generations.get(pid) ?? 7_000 + pid;
  }

  #startTime(pid: number): number {
    return this.#settings.ageless?.includes(pid) === true ? Number.NaN : this.#generation(pid);
  }

  #inode(pid: number): number {
    if (this.#settings.nameless?.includes(pid) === true) return Number.NaN;
    return this.#settings.foreign?.includes(pid) === true ? FOREIGN_INODE : OWN_INODE;
  }
}

class ScriptedListener implements Listener {
  readonly kind = "unix";
  readonly name = "scripted";
  readonly fd = -1;
  readonly allowList: AllowList | undefined;
  readonly batch = new ReceivedBatch(new Uint32Array(BATCH_SIZE * 8));
  #offered: readonly Datagram[] = [];

  constructor(allowList: AllowList | undefined) {
    this.allowList = allowList;
  }

  offer(datagrams: readonly Datagram[]): void {
    this.#offered = datagrams;
  }

  receive(_nowNs: number): number {
    const { batch } = this;
    const taken = this.#offered;
    this.#offered = [];
    const bytes = new Uint8Array(batch.words.buffer);
    // Now and then nothing is known about its socket, so that some senders stay unproven for a
    // while.
    batch.sentAfterGeneration = taken.length % 4 === 3 ? Number.NaN : Number.POSITIVE_INFINITY;
    for (const [i, { pid, nonce, status, peerPid, broken }] of taken.entries()) {
      const frame = referenceEncode({
        pid,
        nonce,
        status,
        timestamp: 1_000n + nonce / 2n,
        payload: i,
      });
      if (broken) frame[9]! ^= 4;
      bytes.set(frame, i * 32);
      batch.frameWord[i] = i * 8;
      batch.verdict[i] = VERDICT_PASS;
      batch.peerPid[i] = peerPid;
      batch.peerUid[i] = 0;
      batch.peerGid[i] = 0;
      batch.origin[i] = peerPid === 0 ? ORIGIN_SOCKET_MODE_ONLY : ORIGIN_KERNEL_ATTESTED;
    }
    return taken.length;
  }

  close(): void {}
}
