// How many hellos and byes of one pid are taken (spec 01 section 9.3).
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { ControlRate } from "../../src/listener/control_rate.ts";
import { Random } from "../simulation/random.ts";

describe("ControlRate", () => {
  test("takes four at once, and then one each quarter of a second", () => {
    const rate = new ControlRate();
    const at = (ms: number) => rate.tryTake(77, ms * NS_PER_MS);
    expect([0, 0, 0, 0, 0, 249, 250, 251, 500].map(at)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test("asks nothing more of who was refused", () => {
    const rate = new ControlRate();
    for (let i = 0; i < 1_000; i++) rate.tryTake(77, 0);
    expect(rate.tryTake(77, 250 * NS_PER_MS)).toBe(true);
  });

  test("has an allowance for each pid", () => {
    const rate = new ControlRate();
    for (let i = 0; i < 5; i++) rate.tryTake(77, 0);
    expect(rate.tryTake(78, 0)).toBe(true);
    expect(rate.tryTake(77, 0)).toBe(false);
  });

  test("refuses one for which there is no row, and never forgets one that has spent", () => {
    const rate = new ControlRate();
    let taken = 0;
    for (let pid = 2; pid < 20_000; pid++) if (rate.tryTake(pid, 0)) taken += 1;
    expect(taken).toBeGreaterThan(3_900);
    expect(taken).toBeLessThanOrEqual(4_096);
    // A quarter of a second later all of them have their whole allowance, and room is made.
    expect(rate.tryTake(19_999, NS_PER_S / 4)).toBe(true);
  });

  test("takes of no pid more than the page says, and no less while there is room", () => {
    const random = new Random(11);
    const rate = new ControlRate();
    const twin = new Map<number, { level: number; lastNs: number }>();
    let nowNs = 0;
    for (let i = 0; i < 20_000; i++) {
      nowNs += random.below(20 * NS_PER_MS);
      const pid = 2 + random.below(12);
      // The twin has a bucket that holds a second, of which each costs a quarter.
      const bucket = twin.get(pid) ?? { level: NS_PER_S, lastNs: nowNs };
      twin.set(pid, bucket);
      bucket.level = Math.min(NS_PER_S, bucket.level + nowNs - bucket.lastNs);
      bucket.lastNs = nowNs;
      const wanted = bucket.level >= NS_PER_S / 4;
      expect(rate.tryTake(pid, nowNs)).toBe(wanted);
      if (wanted) bucket.level -= NS_PER_S / 4;
    }
  });
});
