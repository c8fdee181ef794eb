// The set of prefixes that were in use before: what it holds, what it gives up, and that the
// all-zero prefix is no sender's.
import { describe, expect, test } from "bun:test";
import { RETIRED_PREFIXES_MAX } from "../../src/base/limits.ts";
import { RetiredPrefixes } from "../../src/listener/retired_prefixes.ts";

describe("RetiredPrefixes", () => {
  test("knows what was added, by all 64 bits", () => {
    const set = new RetiredPrefixes();
    set.add(1, 2);
    expect([set.has(1, 2), set.has(2, 1), set.has(1, 3), set.has(1, 0)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("never holds the all-zero prefix, which is an empty place", () => {
    const set = new RetiredPrefixes();
    expect(set.has(0, 0)).toBe(false);
    set.add(0, 0);
    expect(set.has(0, 0)).toBe(false);
  });

  test("holds a quarter of its size without losing more than a few, in a fixed place", () => {
    const set = new RetiredPrefixes();
    const count = RETIRED_PREFIXES_MAX / 4;
    const prefixes = new Uint32Array(2 * count);
    crypto.getRandomValues(prefixes.subarray(0, count));
    crypto.getRandomValues(prefixes.subarray(count));
    for (let i = 0; i < count; i++) set.add(prefixes[i]!, prefixes[count + i]!);
    let held = 0;
    for (let i = 0; i < count; i++) if (set.has(prefixes[i]!, prefixes[count + i]!)) held++;
    expect(held / count).toBeGreaterThan(0.99);
  });

  test("gives up the oldest of a full place", () => {
    const set = new RetiredPrefixes();
    // Far more than fit: the last ones are there, the first ones are gone.
    const count = 4 * RETIRED_PREFIXES_MAX;
    for (let i = 1; i <= count; i++) set.add(i, Math.imul(i, 0x9e3779b1) >>> 0);
    expect(set.has(count, Math.imul(count, 0x9e3779b1) >>> 0)).toBe(true);
    expect(set.has(1, 0x9e3779b1)).toBe(false);
  });
});
