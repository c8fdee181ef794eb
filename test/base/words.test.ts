// Words that other programs read: label values, log fields, placeholders. A changed word breaks an
// alert somewhere.
import { describe, expect, test } from "bun:test";
import * as origin from "../../src/base/origin.ts";
import * as reason from "../../src/base/reject_reason.ts";

describe("REJECT_REASONS", () => {
  test("has the nineteen reasons of the accounting identity at their numbers", () => {
    const names = Object.entries(reason)
      .filter(([name]) => name.startsWith("REJECT_") && !name.startsWith("REJECT_REASON"))
      .map(([name, number]) => [name.slice("REJECT_".length).toLowerCase(), number]);
    expect(names).toHaveLength(19);
    for (const [name, number] of names)
      expect(reason.REJECT_REASONS[number as number]).toBe(
        name as (typeof reason.REJECT_REASONS)[0],
      );
    expect(reason.REJECT_REASON_COUNT).toBe(19);
  });
});

describe("originText()", () => {
  test("names the five trust classes, and anything else unknown", () => {
    expect([0, 1, 2, 3, 4, 5].map(origin.originText)).toEqual([
      "kernel_attested",
      "operator_attested",
      "socket_mode_only",
      "network_unverified",
      "key_attested",
      "unknown",
    ]);
    expect(origin.ORIGIN_TEXTS[origin.ORIGIN_NETWORK_UNVERIFIED]).toBe("network_unverified");
  });
});
