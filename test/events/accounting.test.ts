import { describe, expect, test } from "bun:test";
import { LISTENERS_MAX } from "../../src/base/limits.ts";
import { REJECT_REASON_COUNT } from "../../src/base/reject_reason.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";

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
