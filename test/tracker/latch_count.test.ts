// Long seeded runs that check one promise each: the cached latch count never diverges from the
// slots, and no run of legal operations ever counts an invariant violation (spec 03 sections 3 and
// 11).
import { describe, expect, test } from "bun:test";
import { Xorshift32 } from "../reference/xorshift.ts";
import { Harness, MAX, NET } from "./harness.ts";

function run(h: Harness, random: Xorshift32, operations: number, check: () => void): void {
  let now = 0;
  for (let i = 0; i < operations; i++) {
    now += random.below(60);
    const pid = 2 + random.below(24);
    const choice = random.below(16);
    if (choice === 0) now += 1_001;
    if (choice < 3) h.drain(now);
    else if (choice === 3) h.startTimes.set(pid, random.below(3));
    else
      h.beat(pid, choice === 4 ? MAX : random.below(50), now, {
        ts: BigInt(now),
        origin: choice < 7 ? NET : 0,
        namespaceInode: choice === 8 ? 10 : undefined,
        generation: choice < 10 ? undefined : random.below(3),
      });
    check();
  }
}

describe("Tracker", () => {
  for (const policy of ["strict", "balanced"] as const)
    test(`keeps its latch count equal to the latched slots over 2000 operations (${policy})`, () => {
      const h = new Harness({ capacity: 16, policy, window: 4 });
      let latchedMax = 0;
      run(h, new Xorshift32(0xc0ffee), 2_000, () => {
        const { slots, len, stallEmittedCount } = h.tracker;
        let latched = 0;
        for (let slot = 0; slot < len; slot++) if (slots.isLatched(slot)) latched += 1;
        expect(stallEmittedCount).toBe(latched);
        latchedMax = Math.max(latchedMax, latched);
      });
      expect(latchedMax).toBeGreaterThan(8);
    });

  test("counts no violation and no exhausted probe over 4000 operations", () => {
    const h = new Harness({ capacity: 16, policy: "balanced", window: 4 });
    run(h, new Xorshift32(0xdeadbeef), 4_000, () => h.tracker.checkInvariants());
    const counters = h.takeCounters();
    expect([counters.invariantViolations, counters.probeExhausted]).toEqual([0, 0]);
    expect(counters.evictions).toBeGreaterThan(50);
    expect(counters.pidRecycles).toBeGreaterThan(50);
  });

  test("counts each outcome exactly once per frame", () => {
    const h = new Harness({ capacity: 16, policy: "balanced", window: 4 });
    const random = new Xorshift32(0x0ddba11);
    const tally = new Map<string, number>();
    for (let i = 0; i < 4_000; i++) {
      if (random.below(20) === 0) h.drain(i * 10);
      const origin = random.below(8) === 0 ? NET : 0;
      const namespaceInode = [undefined, 10, 10, 11][random.below(4)];
      const outcome = h.beat(2 + random.below(30), random.below(90), i * 10, {
        origin,
        namespaceInode,
      });
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
    }
    const counters = h.takeCounters();
    expect(counters).toMatchObject({
      outOfOrder: tally.get("OutOfOrder")!,
      capacityExceeded: tally.get("CapacityExceeded")!,
      originConflicts: tally.get("OriginConflict")!,
      namespaceConflicts: tally.get("NamespaceConflict")!,
      evictionScanTruncated: tally.get("CapacityExceeded")!,
    });
  });
});
