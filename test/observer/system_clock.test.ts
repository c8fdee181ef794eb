import { describe, expect, test } from "bun:test";
import { clockNs } from "../../ffi/clock.ts";
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_RAW,
  IS_LINUX,
} from "../../ffi/constants.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { nowGeneration } from "../../src/processes/generation.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { SystemClock } from "../../src/observer/system_clock.ts";

describe.skipIf(!IS_LINUX)("nowGeneration() (Linux)", () => {
  test("counts as the start times in /proc do: a process starts between two readings", () => {
    const before = nowGeneration();
    const child = Bun.spawn(["sleep", "30"]);
    const after = nowGeneration();
    const startTime = new ProcReader().startTime(child.pid);
    child.kill("SIGKILL");
    expect(startTime).toBeGreaterThanOrEqual(before);
    expect(startTime).toBeLessThanOrEqual(after);
  });
});

describe("SystemClock", () => {
  test.each([
    ["monotonic", CLOCK_MONOTONIC],
    ["boottime", CLOCK_BOOTTIME],
    ["monotonic-raw", CLOCK_MONOTONIC_RAW],
  ] as const)(
    "%s counts whole nanoseconds from its own start with its kernel clock",
    (source, id) => {
      const beforeNs = clockNs(id);
      const clock = new SystemClock(source);
      const madeNs = clockNs(id);
      let previous = clock.readNs();
      expect(previous).toBeGreaterThanOrEqual(0);
      for (let i = 0; i < 1_000; i++) {
        const now = clock.readNs();
        expect(now).toBeGreaterThanOrEqual(previous);
        expect(Number.isInteger(now)).toBe(true);
        previous = now;
      }
      // clockNs() is rounded on a machine that has been up for more than 104 days.
      const nowNs = clockNs(id);
      expect(previous).toBeLessThanOrEqual(nowNs - beforeNs + 1_000);
      expect(clock.readNs()).toBeGreaterThanOrEqual(nowNs - madeNs - 1_000);
      expect(previous).toBeLessThan(60 * NS_PER_S);
    },
  );
});
