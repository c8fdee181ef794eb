import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { PidOrder } from "../../src/metrics/pid_order.ts";
import { PidRows } from "../../src/metrics/pid_rows.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

test("PidOrder sorts any set of u32 pids like the engine's sort", () => {
  const pid = fc.oneof(
    fc.integer({ min: 2, max: 5_000 }),
    fc.integer({ min: 2, max: 4_194_304 }),
    fc.integer({ min: 2, max: 0xffff_ffff }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(pid, { maxLength: 300 }), (pids) => {
      const rows = new PidRows(300);
      for (const one of pids) rows.beat(one, 0, 0);
      expect(sorted(new PidOrder(rows))).toEqual(pids.toSorted((a, b) => a - b));
    }),
  );
});

test("PidOrder works in small steps over many pids", () => {
  const rows = new PidRows(20_000);
  for (let i = 0; i < 20_000; i++) rows.beat(2 + ((i * 7_919) % 100_003), 0, 0);
  const order = new PidOrder(rows);
  order.begin();
  let steps = 1;
  while (!order.step()) steps += 1;
  expect(steps).toBeGreaterThan(10);
  const pids = [...order.pids.subarray(0, order.count)];
  expect(pids).toHaveLength(20_000);
  expect(pids).toEqual(pids.toSorted((a, b) => a - b));
});

function sorted(order: PidOrder): number[] {
  order.begin();
  while (!order.step());
  return [...order.pids.subarray(0, order.count)];
}
