// Clock readings in two exact parts.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  EINVAL,
  IS_LINUX,
} from "../../ffi/constants.ts";
import { clockNanoseconds, clockNs, clockSeconds, readClock } from "../../ffi/clock.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

describe("readClock()", () => {
  test("reads the real time to the second of the runtime's own clock", () => {
    const beforeS = Math.floor(Date.now() / 1_000);
    expect(readClock(CLOCK_REALTIME)).toBe(0);
    expect(clockSeconds()).toBeGreaterThanOrEqual(beforeS);
    expect(clockSeconds()).toBeLessThanOrEqual(Math.floor(Date.now() / 1_000));
    expect(clockNanoseconds()).toBeGreaterThanOrEqual(0);
    expect(clockNanoseconds()).toBeLessThan(1_000_000_000);
  });

  test("never goes back on the monotonic clocks", () => {
    const ids = IS_LINUX
      ? [CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME]
      : [CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW];
    for (const id of ids) {
      let backwards = 0;
      let lastNs = clockNs(id);
      for (let i = 0; i < 10_000; i++) {
        const nowNs = clockNs(id);
        if (nowNs < lastNs) backwards++;
        lastNs = nowNs;
      }
      expect(backwards).toBe(0);
    }
  });

  test("gives -EINVAL for a clock that does not exist", () => {
    expect(readClock(999)).toBe(-EINVAL);
    expect(() => clockNs(999)).toThrow("a clock that was checked at start-up can be read");
  });
});
