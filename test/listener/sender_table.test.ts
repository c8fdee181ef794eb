// The sender table: full, swept, and never at the cost of a live sender.
import { describe, expect, test } from "bun:test";
import { SenderTable } from "../../src/listener/sender_table.ts";
import { collidingKeys } from "../reference/bounded_index.ts";
import { ReplayHarness } from "./replay_harness.ts";

const GAP = 5e9;
const TTL = 600e9;

describe("insert()", () => {
  test("hands out slots from 0 upwards", () => {
    const table = new SenderTable(4);
    expect([10, 11, 12, 13].map((pid) => table.insert(pid))).toEqual([0, 1, 2, 3]);
    expect(table.size).toBe(4);
    expect(table.isFull).toBe(true);
  });

  test("refuses the one beyond the capacity and keeps the others", () => {
    const table = new SenderTable(2);
    table.insert(10);
    table.insert(11);
    expect(table.insert(12)).toBe(-1);
    expect([10, 11, 12].map((pid) => table.slotOf(pid))).toEqual([0, 1, -1]);
  });

  test("refuses a pid for which the index has no room, and gives the slot back", () => {
    const table = new SenderTable(1_024);
    const pids = collidingKeys(66, 0, 2_048);
    const slots = pids.map((pid) => table.insert(pid));
    expect(slots.slice(0, 64).every((slot) => slot >= 0)).toBe(true);
    expect(slots.slice(64)).toEqual([-1, -1]);
    expect(table.size).toBe(64);
    expect(table.insert(1)).toBe(64);
  });

  test("of capacity 0 refuses every sender", () => {
    const table = new SenderTable(0);
    expect(table.insert(10)).toBe(-1);
    expect(table.slotOf(10)).toBe(-1);
  });
});

describe("sweep()", () => {
  test("drops a sender at exactly its time of silence, not before", () => {
    const table = new SenderTable(4);
    table.lastSeenInstantNs[table.insert(10)] = 0;
    table.lastSeenInstantNs[table.insert(11)] = 1;
    table.sweep(TTL - 1);
    expect(table.size).toBe(2);
    table.sweep(TTL);
    expect([10, 11].map((pid) => table.slotOf(pid))).toEqual([-1, 1]);
  });

  test("gives a sender that was seen in the future no age", () => {
    const table = new SenderTable(4);
    table.lastSeenInstantNs[table.insert(10)] = 10 * TTL;
    table.sweep(TTL);
    expect(table.slotOf(10)).toBe(0);
  });

  test("frees slots for newcomers, the last freed first", () => {
    const table = new SenderTable(3);
    for (const pid of [10, 11, 12]) table.lastSeenInstantNs[table.insert(pid)] = 0;
    table.sweep(TTL);
    expect(table.size).toBe(0);
    expect([20, 21, 22].map((pid) => table.insert(pid))).toEqual([2, 1, 0]);
  });
});

test("churn over years of sweeps never wedges the table", () => {
  const table = new SenderTable(64);
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i < 64; i++) {
      const slot = table.insert(2 + round * 64 + i);
      expect(slot).toBeGreaterThanOrEqual(0);
      table.lastSeenInstantNs[slot] = round * TTL;
    }
    table.sweep((round + 1) * TTL);
    expect(table.size).toBe(0);
  }
});

test("a full table refuses the unknown, goes on with the known and keeps every state", () => {
  const harness = new ReplayHarness(3);
  const beat = (pid: number, counter: number) => ({
    pid,
    prefix: 5n,
    counter,
    nonce: BigInt(counter),
    timestamp: 0n,
  });
  for (const pid of [10, 11, 12]) expect(harness.arrive(beat(pid, 1), 0, 0, GAP)).toBe("pass");
  const before = [10, 11, 12].map((pid) => harness.state(pid));
  expect(harness.arrive(beat(13, 1), 1, 1, GAP)).toBe("sender_table_full");
  expect([10, 11, 12].map((pid) => harness.state(pid))).toEqual(before);
  expect(harness.arrive(beat(11, 2), 2, 2, GAP)).toBe("pass");
  expect(harness.arrive(beat(13, 1), TTL, 3, GAP)).toBe("pass");
  expect(harness.table.slotOf(11)).toBe(1);
});

test("the slot of a dropped sender starts clean for the next", () => {
  const harness = new ReplayHarness(1);
  const first = { pid: 10, prefix: 5n, counter: 9, nonce: 2n ** 64n - 1n, timestamp: 99n };
  harness.arrive(first, 0, 0, GAP);
  const next = { pid: 11, prefix: 6n, counter: 1, nonce: 4n, timestamp: 1n };
  expect(harness.arrive(next, TTL, 1, GAP)).toBe("pass");
  expect(harness.state(11)).toMatchObject({ terminalTimestamp: undefined, nonceMax: 4n });
});
