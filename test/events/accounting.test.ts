import { describe, expect, test } from "bun:test";
import { LISTENERS_MAX } from "../../src/base/limits.ts";
import { REJECT_DECODE, REJECT_REASON_COUNT, REJECT_REPLAY } from "../../src/base/reject_reason.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import { since } from "../support/since.ts";

describe("DatagramAccounting.rejectedTotal()", () => {
  test("sums the reasons of one listener and of no other", () => {
    const accounting = new DatagramAccounting();
    accounting.rejected.forEach((_zero, at) => {
      accounting.rejected[at] = 1 + Math.floor(at / REJECT_REASON_COUNT);
    });
    for (const listener of [0, 1, LISTENERS_MAX - 1])
      expect(accounting.rejectedTotal(listener)).toBe(REJECT_REASON_COUNT * (1 + listener));
  });
});

describe("DatagramAccounting.rejectedFor()", () => {
  test("reports what all listeners rejected for one reason since it was last asked, and leaves the table as it is", () => {
    const accounting = new DatagramAccounting();
    const last = (LISTENERS_MAX - 1) * REJECT_REASON_COUNT;
    accounting.rejected[REJECT_DECODE] = 2;
    accounting.rejected[last + REJECT_DECODE] = 3;
    accounting.rejected[last + REJECT_REPLAY] = 7;
    expect(since(accounting, REJECT_DECODE, accounting.rejectedFor(REJECT_DECODE))).toBe(5);
    expect(since(accounting, REJECT_DECODE, accounting.rejectedFor(REJECT_DECODE))).toBe(0);
    accounting.rejected[last + REJECT_DECODE]! += 1;
    expect(since(accounting, REJECT_DECODE, accounting.rejectedFor(REJECT_DECODE))).toBe(1);
    expect(since(accounting, REJECT_REPLAY, accounting.rejectedFor(REJECT_REPLAY))).toBe(7);
    expect(accounting.rejected[last + REJECT_DECODE]).toBe(4);
  });
});
