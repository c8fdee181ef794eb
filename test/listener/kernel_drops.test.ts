// The kernel's drops of a UDP socket, of which those of a filter are no loss.
import { expect, test } from "bun:test";
import { KernelDrops } from "../../src/listener/kernel_drops.ts";
import { since } from "../support/since.ts";

function drops() {
  const filter = { isAttached: false, dropped: 0, droppedVariance: 0 };
  const kernel = { count: 0 };
  const drain = () => {
    const { count } = kernel;
    kernel.count = 0;
    return count;
  };
  return { filter, kernel, drops: new KernelDrops(drain, filter) };
}

test("without a filter every drop is a full buffer", () => {
  const harness = drops();
  harness.kernel.count = 7;
  expect([
    since(harness, "drops", harness.drops.total),
    since(harness, "drops", harness.drops.total),
  ]).toEqual([7, 0]);
});

test("what was dropped before the filter was put on is reported", () => {
  const harness = drops();
  harness.kernel.count = 7;
  harness.drops.beforeAttach();
  harness.filter.isAttached = true;
  expect(since(harness, "drops", harness.drops.total)).toBe(7);
});

test("what the filter dropped is not told, and the error of its estimate neither", () => {
  const harness = drops();
  harness.drops.beforeAttach();
  Object.assign(harness.filter, {
    isAttached: true,
    dropped: 63_000,
    droppedVariance: 1_000 * 64 ** 2,
  });
  harness.kernel.count = 63_000 + 4 * 64 * 31;
  expect(since(harness, "drops", harness.drops.total)).toBe(0);
});

test("what exceeds the estimate by more than its error is reported once", () => {
  const harness = drops();
  harness.drops.beforeAttach();
  Object.assign(harness.filter, {
    isAttached: true,
    dropped: 63_000,
    droppedVariance: 1_000 * 64 ** 2,
  });
  harness.kernel.count = 163_000;
  const lost = since(harness, "drops", harness.drops.total);
  expect(lost).toBeGreaterThan(90_000);
  expect(lost).toBeLessThan(100_000);
  expect(since(harness, "drops", harness.drops.total)).toBe(0);
});

test("after the end of the filter every drop is a full buffer again", () => {
  const harness = drops();
  harness.drops.beforeAttach();
  Object.assign(harness.filter, { isAttached: true, dropped: 630, droppedVariance: 10 * 64 ** 2 });
  harness.kernel.count = 600;
  harness.filter.isAttached = false;
  expect(since(harness, "drops", harness.drops.total)).toBe(0);
  harness.kernel.count = 5;
  expect(since(harness, "drops", harness.drops.total)).toBe(5);
});
