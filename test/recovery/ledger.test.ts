import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import {
  LEDGER_CLEAR,
  LEDGER_DEBOUNCED,
  LEDGER_RECYCLED,
  Ledger,
} from "../../src/recovery/ledger.ts";
import { LedgerTwin } from "../reference/ledger.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const DEBOUNCE = 100;

function fire(ledger: Ledger, pid: number, generation: number, nowNs: number): boolean {
  const slot = ledger.reserve(pid, nowNs, DEBOUNCE);
  if (slot < 0) return false;
  ledger.commit(slot, generation, nowNs);
  return true;
}

describe("Ledger.check()", () => {
  test("is clear for a pid that never fired", () => {
    expect(new Ledger(4).check(7, 1, 0, DEBOUNCE)).toBe(LEDGER_CLEAR);
  });

  test("debounces until the window has passed", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    const verdicts = [1_000, 1_099, 1_100, 1_101].map((now) => ledger.check(7, 1, now, DEBOUNCE));
    expect(verdicts).toEqual([LEDGER_DEBOUNCED, LEDGER_DEBOUNCED, LEDGER_CLEAR, LEDGER_CLEAR]);
  });

  test("never debounces with a debounce of 0", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    expect(ledger.check(7, 1, 1_000, 0)).toBe(LEDGER_CLEAR);
  });

  test("takes a window from the future as just opened", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    expect(ledger.check(7, 1, 1, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
  });

  test("ignores the open window of an earlier process once, and forgets it", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    expect(ledger.check(7, 2, 1_050, DEBOUNCE)).toBe(LEDGER_RECYCLED);
    expect(ledger.check(7, 2, 1_050, DEBOUNCE)).toBe(LEDGER_CLEAR);
    expect(ledger.size).toBe(0);
  });

  test("does not report a reused pid whose window had passed", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    expect(ledger.check(7, 2, 1_100, DEBOUNCE)).toBe(LEDGER_CLEAR);
  });

  test("takes an unknown generation on either side for the same process", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, NaN, 1_000);
    fire(ledger, 8, 5, 1_000);
    expect(ledger.check(7, 2, 1_050, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
    expect(ledger.check(8, NaN, 1_050, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
  });
});

describe("Ledger.reserve()", () => {
  test("opens no window until it is committed", () => {
    const ledger = new Ledger(4);
    const slot = ledger.reserve(7, 1_000, DEBOUNCE);
    ledger.release(slot);
    expect(ledger.check(7, 1, 1_000, DEBOUNCE)).toBe(LEDGER_CLEAR);
    expect(ledger.size).toBe(0);
  });

  test("leaves the earlier entry of the pid as it was when it is released", () => {
    const ledger = new Ledger(4);
    fire(ledger, 7, 1, 1_000);
    ledger.release(ledger.reserve(7, 1_100, DEBOUNCE));
    expect(ledger.check(7, 1, 1_099, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
  });

  test("refuses when every entry is within its window", () => {
    const ledger = new Ledger(2);
    fire(ledger, 1, 1, 0);
    fire(ledger, 2, 1, 50);
    expect(ledger.reserve(3, 99, DEBOUNCE)).toBe(-1);
    expect(ledger.takeEvictions()).toBe(0);
  });

  test("takes the place of the oldest entry whose window has passed, and counts it", () => {
    const ledger = new Ledger(2);
    fire(ledger, 1, 1, 0);
    fire(ledger, 2, 1, 50);
    fire(ledger, 1, 1, 120);
    expect(fire(ledger, 3, 1, 150)).toBe(true);
    expect(ledger.check(2, 1, 50, DEBOUNCE)).toBe(LEDGER_CLEAR);
    expect(ledger.check(1, 1, 150, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
    expect(ledger.takeEvictions()).toBe(1);
    expect(ledger.takeEvictions()).toBe(0);
  });

  test("refuses everything at capacity 0", () => {
    expect(new Ledger(0).reserve(1, 0, DEBOUNCE)).toBe(-1);
  });
});

describe("Ledger.prune()", () => {
  test("drops what is older than the age, oldest first, at most the count", () => {
    const ledger = new Ledger(8);
    for (let pid = 1; pid <= 5; pid++) fire(ledger, pid, 1, pid * 10);
    ledger.prune(1_050, 1_000, 2);
    expect(ledger.size).toBe(3);
    ledger.prune(1_050, 1_000, 9);
    expect(ledger.size).toBe(1);
    expect(ledger.check(5, 1, 50, DEBOUNCE)).toBe(LEDGER_DEBOUNCED);
  });
});

describe("Ledger", () => {
  const pid = fc.integer({ min: 1, max: 12 });
  const generation = fc.constantFrom(1, 2, NaN);
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("check" as const), pid, generation }),
    fc.record({ kind: fc.constant("fire" as const), pid, generation, commit: fc.boolean() }),
    fc.record({ kind: fc.constant("prune" as const), count: fc.integer({ min: 0, max: 4 }) }),
    // Mostly forward; sometimes back, which the order of age has to survive.
    fc.record({ kind: fc.constant("time" as const), step: fc.integer({ min: -60, max: 120 }) }),
  );

  test("agrees with a Map that is searched from end to end", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom(0, 30, 100),
        fc.array(operation, { maxLength: 120, size: "max" }),
        (capacity, debounceNs, operations) => {
          const ledger = new Ledger(capacity);
          const twin = new LedgerTwin(capacity);
          let nowNs = 1_000;
          for (const step of operations) {
            if (step.kind === "time") nowNs = Math.max(0, nowNs + step.step);
            if (step.kind === "prune") {
              ledger.prune(nowNs, 3 * debounceNs, step.count);
              twin.prune(nowNs, 3 * debounceNs, step.count);
            }
            if (step.kind === "check") {
              expect(ledger.check(step.pid, step.generation, nowNs, debounceNs)).toBe(
                twin.check(step.pid, step.generation, nowNs, debounceNs),
              );
            }
            if (step.kind === "fire") {
              const slot = ledger.reserve(step.pid, nowNs, debounceNs);
              expect(slot >= 0).toBe(twin.fire(step.pid, { ...step, nowNs, debounceNs }));
              if (slot >= 0 && step.commit) ledger.commit(slot, step.generation, nowNs);
              else if (slot >= 0) ledger.release(slot);
            }
            expect(ledger.size).toBe(twin.entries.size);
          }
          expect(ledger.takeEvictions()).toBe(twin.evictions);
          for (const [known, entry] of twin.entries) {
            expect(ledger.check(known, entry.generation, entry.firedNs, 1)).toBe(LEDGER_DEBOUNCED);
          }
        },
      ),
      { numRuns: Number(process.env["VARTA_PROPERTY_RUNS"] ?? 300) },
    );
  });
});
