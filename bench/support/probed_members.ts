// The daemon with probes of what members cost that come together or fall silent: how long beats
// took, as probed_daemon.ts has it, but first beats of members apart from all others; when all of
// them were named; and how long after its deadline each stall was reported. SIGUSR2 writes all of
// it to the file named by VARTA_BENCH_DELAYS. Nothing else is changed.
import { renameSync, writeFileSync } from "node:fs";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import { EVENT_BEAT } from "../../src/events/event_batch.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { Identification } from "../../src/observer/identification.ts";
import type { MembersProbed } from "./member_delays.ts";

const path = process.env["VARTA_BENCH_DELAYS"]!;
/** By microsecond; the last bucket holds all that are longer. */
const beats = new Uint32Array(5_000_001);
const firstBeats = new Uint32Array(beats.length);
const stalls: number[] = [];
/** When so many have come since the last signal and are named, beats are not counted any more. */
const newMembers = Number(process.env["VARTA_BENCH_MEMBERS"]);
let newcomers = 0;
let namedUs = 0;
/** Beats that were due before were held up by the last answer, which takes some 30 ms. */
let sinceUs = Math.floor(clockNs(CLOCK_MONOTONIC) / 1_000) >>> 0;
/**
 * Monotonic clock minus observer time: the smallest difference is the one without a delay in it.
 */
let offsetNs = Number.POSITIVE_INFINITY;

const { onBatch, onStall } = Metrics.prototype;

Metrics.prototype.onBatch = function (batch, count): void {
  onBatch.call(this, batch, count);
  if (namedUs > 0) return;
  const nowNs = clockNs(CLOCK_MONOTONIC);
  offsetNs = Math.min(offsetNs, nowNs - batch.observerNs[count - 1]!);
  const nowUs = Math.floor(nowNs / 1_000) >>> 0;
  for (let i = 0; i < count; i++) {
    if (batch.kind[i]! !== EVENT_BEAT) continue;
    if (((batch.payload[i]! - sinceUs) | 0) < 0) continue;
    const isFirst = batch.nonceLo[i]! === 1;
    if (isFirst) newcomers += 1;
    const counts = isFirst ? firstBeats : beats;
    counts[Math.min((nowUs - batch.payload[i]!) >>> 0, counts.length - 1)]! += 1;
  }
};

Metrics.prototype.onStall = function (stall): void {
  onStall.call(this, stall);
  const nowNs = clockNs(CLOCK_MONOTONIC) - offsetNs;
  stalls.push(Math.round((nowNs - stall.lastNs - stall.thresholdNs) / 1_000));
};

const { advance } = Identification.prototype;

Identification.prototype.advance = function (nowNs): void {
  advance.call(this, nowNs);
  if (namedUs === 0 && newcomers >= newMembers && this.waitingCount === 0)
    namedUs = clockNs(CLOCK_MONOTONIC) / 1_000;
};

process.on("SIGUSR2", () => {
  const probed: MembersProbed = {
    beats: taken(beats),
    firstBeats: taken(firstBeats),
    stalls: stalls.splice(0),
    namedUs,
  };
  newcomers = 0;
  namedUs = 0;
  // Renamed when it is complete, so that a reader never sees half of it.
  writeFileSync(`${path}.new`, JSON.stringify(probed));
  renameSync(`${path}.new`, path);
  sinceUs = Math.floor(clockNs(CLOCK_MONOTONIC) / 1_000) >>> 0;
});

function taken(counts: Uint32Array): [us: number, count: number][] {
  const delays: [us: number, count: number][] = [];
  for (let us = 0; us < counts.length; us++) if (counts[us]! > 0) delays.push([us, counts[us]!]);
  counts.fill(0);
  return delays;
}

await import("../../src/main.ts");
