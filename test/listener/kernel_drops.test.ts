// The kernel's drops of a UDP socket, of which those of a filter are no loss.
import { expect, test } from "bun:test";
import { KernelDrops } from "../../src/listener/kernel_drops.ts";

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
  const bench = drops();
  bench.kernel.count = 7;
  expect([bench.drops.take(), bench.drops.take()]).toEqual([7, 0]);
});

test("what was dropped before the filter was put on is told", () => {
  const bench = drops();
  bench.kernel.count = 7;
  bench.drops.beforeAttach();
  bench.filter.isAttached = true;
  expect(bench.drops.take()).toBe(7);
});

test("what the filter dropped is not told, and the error of its estimate neither", () => {
  const bench = drops();
  bench.drops.beforeAttach();
  Object.assign(bench.filter, {
    isAttached: true,
    dropped: 63_000,
    droppedVariance: 1_000 * 64 ** 2,
  });
  bench.kernel.count = 63_000 + 4 * 64 * 31;
  expect(bench.drops.take()).toBe(0);
});

test("what exceeds the estimate by more than its error is told once", () => {
  const bench = drops();
  bench.drops.beforeAttach();
  Object.assign(bench.filter, {
    isAttached: true,
    dropped: 63_000,
    droppedVariance: 1_000 * 64 ** 2,
  });
  bench.kernel.count = 163_000;
  const lost = bench.drops.take();
  expect(lost).toBeGreaterThan(90_000);
  expect(lost).toBeLessThan(100_000);
  expect(bench.drops.take()).toBe(0);
});

test("behind the end of the filter every drop is a full buffer again", () => {
  const bench = drops();
  bench.drops.beforeAttach();
  Object.assign(bench.filter, { isAttached: true, dropped: 630, droppedVariance: 10 * 64 ** 2 });
  bench.kernel.count = 600;
  bench.filter.isAttached = false;
  expect(bench.drops.take()).toBe(0);
  bench.kernel.count = 5;
  expect(bench.drops.take()).toBe(5);
});
