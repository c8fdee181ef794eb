// Which datagrams are worth a trial of the keys: budgets of failures, and that no stranger uses up
// what a known sender has.
import { describe, expect, test } from "bun:test";
import {
  FORGERIES_BURST_SENDER,
  FORGERIES_BURST_SOURCE,
  FORGERIES_BURST_STRANGERS,
  FORGERIES_PER_S_SOURCE,
  FORGERIES_PER_S_STRANGERS,
} from "../../src/base/limits.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { ForgeryGate } from "../../src/listener/forgery_gate.ts";
import { Arrival, beginWindow } from "../../src/listener/replay_window.ts";
import { SenderTable } from "../../src/listener/sender_table.ts";

const AF_INET = 2;

class GateHarness {
  readonly senders = new SenderTable(16);
  readonly gate = new ForgeryGate(this.senders);
  nowNs = NS_PER_S;
  readonly #words = new Uint32Array(8);

  /** Whether a datagram with that prefix from 10.0.0.`host`:`port` would be tried. */
  mayTry(prefix: number, host = 1, port = 1_000): boolean {
    this.#words.set([AF_INET | (port << 16), host]);
    return this.gate.mayTry(this.#words, 0, prefix, ~prefix >>> 0, this.nowNs);
  }

  /** Sends so many forgeries; how many were tried. */
  forge(
    count: number,
    prefix: (i: number) => number,
    source: (i: number) => [number, number],
  ): number {
    let tried = 0;
    for (let i = 0; i < count; i++) {
      if (!this.mayTry(prefix(i), ...source(i))) continue;
      tried++;
      this.gate.failed();
    }
    return tried;
  }

  /** A beat of an unknown sender. */
  admit(pid: number, prefix: number, host = 1, port = 1_000): void {
    if (!this.mayTry(prefix, host, port)) throw new Error("the first beat was refused");
    const arrival = new Arrival(new Uint32Array(8));
    arrival.ivLow = prefix;
    arrival.ivHigh = ~prefix >>> 0;
    const slot = this.senders.insert(pid);
    beginWindow(this.senders, slot, arrival);
    this.gate.passed(slot);
  }
}

const random = (i: number) => Math.imul(i + 1, 0x9e3779b1) >>> 0;
const FROM_ONE = (): [number, number] => [9, 9];
const FROM_EVERYWHERE = (i: number): [number, number] => [i, i & 0xffff];

describe("forgeries of strangers", () => {
  test("from one source are tried until its budget is used up, which fills again", () => {
    const harness = new GateHarness();
    expect(harness.forge(10_000, random, FROM_ONE)).toBe(FORGERIES_BURST_SOURCE);
    harness.nowNs += NS_PER_S;
    expect(harness.forge(10_000, random, FROM_ONE)).toBe(FORGERIES_PER_S_SOURCE);
  });

  test("from ever new sources meet the budget of all strangers", () => {
    const harness = new GateHarness();
    expect(harness.forge(50_000, random, FROM_EVERYWHERE)).toBe(FORGERIES_BURST_STRANGERS);
    harness.nowNs += NS_PER_S;
    expect(harness.forge(50_000, random, FROM_EVERYWHERE)).toBe(FORGERIES_PER_S_STRANGERS);
  });

  test("from some hundred sources leave something to one that sends little, as a new sender does", () => {
    const harness = new GateHarness();
    const some = (i: number): [number, number] => [9, i % 400];
    let tried = 0;
    let isHeard = 0;
    for (let tenth = 0; tenth < 40; tenth++) {
      harness.nowNs += NS_PER_S / 10;
      const more = harness.forge(20_000, random, some);
      if (tenth < 20) continue;
      tried += more;
      if (harness.mayTry(77, 5, 5)) isHeard++;
    }
    expect(isHeard).toBe(20);
    expect(tried).toBeLessThanOrEqual(2 * FORGERIES_PER_S_STRANGERS);
  });

  test("leave another source its own budget: a new sender at the same address gets in", () => {
    const harness = new GateHarness();
    harness.forge(10_000, random, FROM_ONE);
    expect(harness.mayTry(77, 9, 10)).toBe(true);
  });

  test("tell ports and addresses of a source apart", () => {
    const harness = new GateHarness();
    harness.forge(10_000, random, FROM_ONE);
    expect([harness.mayTry(77, 9, 9), harness.mayTry(77, 8, 9), harness.mayTry(77, 9, 8)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe("a known sender", () => {
  test.each([
    ["another source", FROM_ONE],
    ["its own source", (): [number, number] => [1, 1_000]],
    ["ever new sources", FROM_EVERYWHERE],
  ])("is tried beside a flood of strangers from %s", (_where, source) => {
    const harness = new GateHarness();
    harness.admit(7, 42);
    harness.forge(50_000, random, source);
    for (let i = 0; i < 1_000; i++) expect(harness.mayTry(42)).toBe(true);
  });

  test("is tried at its own address beside a flood under its prefix from elsewhere", () => {
    const harness = new GateHarness();
    harness.admit(7, 42);
    expect(harness.forge(50_000, () => 42, FROM_EVERYWHERE)).toBe(FORGERIES_BURST_SENDER);
    expect(harness.mayTry(42)).toBe(true);
    expect(harness.mayTry(42, 5, 5)).toBe(false);
  });

  test("may move to another address", () => {
    const harness = new GateHarness();
    harness.admit(7, 42);
    expect(harness.mayTry(42, 5, 5)).toBe(true);
    harness.gate.passed(harness.senders.slotOf(7));
    harness.forge(50_000, () => 42, FROM_ONE);
    expect(harness.mayTry(42, 5, 5)).toBe(true);
  });

  test("has a bounded budget also at its own address, whose sender any process can claim to be", () => {
    const harness = new GateHarness();
    harness.admit(7, 42);
    expect(
      harness.forge(
        50_000,
        () => 42,
        () => [1, 1_000],
      ),
    ).toBe(FORGERIES_BURST_SENDER);
    harness.nowNs += NS_PER_S;
    expect(harness.mayTry(42)).toBe(true);
  });

  test("is known by its previous prefix, too, and not by one of before", () => {
    const harness = new GateHarness();
    harness.admit(7, 42);
    const { senders } = harness;
    const slot = senders.slotOf(7);
    harness.forge(50_000, random, FROM_ONE);
    senders.previousIvLow[slot] = senders.ivLow[slot]!;
    senders.previousIvHigh[slot] = senders.ivHigh[slot]!;
    senders.ivLow[slot] = 43;
    senders.ivHigh[slot] = ~43 >>> 0;
    expect(harness.mayTry(42, 9, 9)).toBe(true);
    senders.previousIvLow[slot] = 1;
    expect(harness.mayTry(42, 9, 9)).toBe(false);
  });
});

test("nothing is refused as long as forgeries are few", () => {
  const harness = new GateHarness();
  for (let second = 0; second < 60; second++) {
    harness.nowNs += NS_PER_S;
    expect(harness.forge(20, random, FROM_ONE)).toBe(20);
  }
});
