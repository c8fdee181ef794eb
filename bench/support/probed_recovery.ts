// The probed daemon with one more probe: when each stall was due, on the monotonic clock, so that a
// command can be timed from there. SIGUSR2 writes them beside the delays, to the file named by
// VARTA_BENCH_STALLS. Nothing else is changed.
import { renameSync, writeFileSync } from "node:fs";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import { Recovery } from "../../src/recovery/recovery.ts";

const path = process.env["VARTA_BENCH_STALLS"]!;
const stalls: [pid: number, dueObserverNs: number][] = [];
/**
 * Monotonic clock minus observer time: the smallest difference is the one without a delay in it.
 */
let offsetNs = Number.POSITIVE_INFINITY;
const { decide, reap } = Recovery.prototype;

Recovery.prototype.decide = function (waiting, nowNs) {
  const probed = {
    get isEmpty() {
      return waiting.isEmpty;
    },
    take() {
      const stall = waiting.take();
      if (stall !== undefined) stalls.push([stall.pid, stall.lastNs + stall.thresholdNs]);
      return stall;
    },
  };
  decide.call(this, probed, nowNs);
};

Recovery.prototype.reap = function (nowNs) {
  offsetNs = Math.min(offsetNs, clockNs(CLOCK_MONOTONIC) - nowNs);
  return reap.call(this, nowNs);
};

process.on("SIGUSR2", () => {
  const due = stalls.splice(0).map(([pid, observerNs]) => [pid, observerNs + offsetNs]);
  writeFileSync(`${path}.new`, JSON.stringify(due));
  renameSync(`${path}.new`, path);
});

await import("./probed_daemon.ts");
