import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { StopSignals } from "../../src/daemon/stop_signals.ts";

/** What signals mean that come at these times in ms. */
function meanings(...signals: readonly (readonly [NodeJS.Signals, number])[]): string[] {
  const stop = new StopSignals();
  return signals.map(([signal, ms]) => stop.take(signal, ms * NS_PER_MS));
}

describe("StopSignals", () => {
  test("takes the same signal within 250 ms for one", () => {
    expect(meanings(["SIGTERM", 0], ["SIGTERM", 0], ["SIGTERM", 249])).toEqual([
      "first",
      "repeated",
      "repeated",
    ]);
    expect(meanings(["SIGTERM", 0], ["SIGTERM", 250])).toEqual(["first", "again"]);
  });

  test("counts from the first one: a signal that comes again is heard", () => {
    const every100Ms = [0, 100, 200, 300].map((ms) => ["SIGINT", ms] as const);
    expect(meanings(...every100Ms)).toEqual(["first", "repeated", "repeated", "again"]);
  });

  test("takes another signal for a second request at once", () => {
    expect(meanings(["SIGTERM", 0], ["SIGINT", 1])).toEqual(["first", "again"]);
  });
});
