// The daemon with one probe: it measures how long each beat took from the moment its agent meant to
// send it until its row reached the sinks. The load generator writes that moment into the payload,
// in microseconds of the monotonic clock. SIGUSR2 writes the delays since the last one to the file
// named by VARTA_BENCH_DELAYS. Nothing else is changed.
import { renameSync, writeFileSync } from "node:fs";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import { EVENT_BEAT } from "../../src/events/event_batch.ts";
import { Metrics } from "../../src/metrics/metrics.ts";

/** Delays by microsecond; the last bucket holds all that are longer. */
const counts = new Uint32Array(200_001);
const path = process.env["VARTA_BENCH_DELAYS"]!;
const { onBatch } = Metrics.prototype;

Metrics.prototype.onBatch = function (batch, count): void {
  onBatch.call(this, batch, count);
  const nowUs = Math.floor(clockNs(CLOCK_MONOTONIC) / 1_000) >>> 0;
  for (let i = 0; i < count; i++) {
    if (batch.kind[i]! !== EVENT_BEAT) continue;
    counts[Math.min((nowUs - batch.payload[i]!) >>> 0, counts.length - 1)]! += 1;
  }
};

process.on("SIGUSR2", () => {
  // A plain loop: beats wait while this runs, and would be counted as delayed.
  const delays: [us: number, count: number][] = [];
  for (let us = 0; us < counts.length; us++) {
    if (counts[us]! > 0) delays.push([us, counts[us]!]);
  }
  counts.fill(0);
  // Renamed when it is complete, so that a reader never sees half of it.
  writeFileSync(`${path}.new`, JSON.stringify(delays));
  renameSync(`${path}.new`, path);
});

await import("../../src/main.ts");
