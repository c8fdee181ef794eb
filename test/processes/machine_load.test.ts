import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { machineLoad } from "../../src/processes/machine_load.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("machineLoad() has the share of memory, and the worst pressure of ten seconds", () => {
  using proc = new TemporaryDirectory();
  writeFileSync(proc.at("meminfo"), "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   250 kB\n");
  mkdirSync(proc.at("pressure"));
  const line = (avg10: string) => `some avg10=${avg10} avg60=1.00 avg300=0.00 total=1\n`;
  writeFileSync(proc.at("pressure/cpu"), line("2.50"));
  writeFileSync(proc.at("pressure/memory"), line("91.00"));
  const { load, memoryUsed, stallMs } = machineLoad(proc.path);
  expect([memoryUsed, stallMs]).toEqual([0.75, 9_100]);
  expect(load).toBeGreaterThanOrEqual(0);
});

test("machineLoad() says that what is not there is not known", () => {
  using proc = new TemporaryDirectory();
  expect(machineLoad(proc.path)).toMatchObject({ memoryUsed: Number.NaN, stallMs: Number.NaN });
});
