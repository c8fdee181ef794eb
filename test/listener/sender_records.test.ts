import { describe, expect, test } from "bun:test";
import {
  prefixRecords,
  restorePrefix,
  restoreSender,
  senderRecords,
} from "../../src/listener/sender_records.ts";
import { RetiredPrefixes } from "../../src/listener/retired_prefixes.ts";
import { SenderTable } from "../../src/listener/sender_table.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import { bytesOf, EMPTY } from "../snapshot/states.ts";

/** A table with what came out of the state file of `before`. */
function next(before: SenderTable, instantNs = 0, capacity = 8): SenderTable {
  const sender = [...senderRecords(before, "edge")];
  const prefix = [...prefixRecords(before, "edge")];
  const decoded = decodeState(bytesOf({ ...EMPTY, sender, prefix }));
  if (!decoded.ok) throw new Error(decoded.found);
  const after = new SenderTable(capacity);
  for (const record of decoded.state.sender) restoreSender(after, record, instantNs);
  for (const record of decoded.state.prefix) restorePrefix(after, record);
  return after;
}

describe("senderRecords() and restoreSender()", () => {
  test("bring every column of a sender back", () => {
    const before = new SenderTable(8);
    before.insert(10);
    const slot = before.insert(11);
    const columns = Object.entries(before).filter(
      ([, column]) => ArrayBuffer.isView(column) && !(column instanceof Float64Array),
    ) as [keyof SenderTable, Uint32Array][];
    expect(columns).toHaveLength(13);
    columns.forEach(([name, column], at) => {
      column[slot] = name === "terminalSeen" ? 1 : 100 + at;
    });
    before.lastSeenNs[slot] = 77e9;
    const after = next(before, 5e9);
    expect(after.size).toBe(2);
    const restored = after.slotOf(11);
    for (const [name, column] of columns)
      expect([name, (after[name] as Uint32Array)[restored]]).toEqual([name, column[slot]]);
    expect(after.lastSeenNs[restored]).toBe(77e9);
    expect(after.lastSeenInstantNs[restored]).toBe(5e9);
  });

  test("give a restored sender all its time before its state is dropped", () => {
    const before = new SenderTable(8);
    before.insert(10);
    const after = next(before, 5e9);
    after.sweep(5e9 + 599e9);
    expect(after.size).toBe(1);
    after.sweep(5e9 + 600e9);
    expect(after.size).toBe(0);
  });

  test("say so if there is no room, or if the sender is there already", () => {
    const before = new SenderTable(8);
    for (const pid of [10, 11, 12]) before.insert(pid);
    const [one] = [...senderRecords(before, "edge")];
    const after = next(before, 0, 2);
    expect(after.size).toBe(2);
    expect(restoreSender(after, one!, 0)).toBe(false);
    const roomy = next(before);
    expect(restoreSender(roomy, one!, 0)).toBe(false);
    expect(roomy.size).toBe(3);
  });

  test("keep the prefixes of sessions that are over, each kind for itself", () => {
    const before = new SenderTable(8);
    before.retired.add(1, 2);
    before.rotated.add(3, 4);
    const after = next(before);
    expect([after.retired.has(1, 2), after.retired.has(3, 4)]).toEqual([true, false]);
    expect([after.rotated.has(1, 2), after.rotated.has(3, 4)]).toEqual([false, true]);
  });
});

describe("RetiredPrefixes.all()", () => {
  test("gives them in an order that keeps the oldest of each set first", () => {
    const before = new RetiredPrefixes();
    for (let low = 1; low <= 60_000; low++) before.add(low, 7);
    const after = new RetiredPrefixes();
    for (const [low, high] of before.all()) after.add(low, high);
    const kept = [...before.all()].map(([low]) => low);
    expect(kept.length).toBeGreaterThan(20_000);
    // The same ones are given up for the same newcomers.
    for (let low = 60_001; low <= 70_000; low++) for (const one of [before, after]) one.add(low, 7);
    const differs = kept.filter((low) => before.has(low, 7) !== after.has(low, 7));
    expect(differs).toEqual([]);
  });
});
