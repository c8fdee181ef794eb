// 10,000 members that come at once, with 40 names and 12 thresholds, while others beat: who they
// are is read between beats, and no beat may wait for it, also where the queue of the socket is as
// short as the kernel has it. Then some hundreds of them fall silent: how long after its deadline
// each stall is reported. A C receiver takes the same load without names.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import type { Delays } from "../support/delays.ts";
import { prepareLoad } from "../support/load.ts";
import { type MemberDelays, memberDelaysOf } from "../support/member_delays.ts";
import type { Native } from "../support/native.ts";
import {
  type DaemonUnderTest,
  LONG_QUEUE_LENGTH,
  SHORT_QUEUE_LENGTH,
  startDaemon,
  startNativeReceiver,
  WITH_MEMBER_PROBE,
} from "../support/receivers.ts";
import type { Report } from "../support/report.ts";

const MEMBERS = 10_000;
const NAMES = 40;
/** They beat on, one after another, each ten times per second. */
const STEADY = { agents: 100, rate: 1_000, seconds: 60, burst: 1, names: NAMES };
/** The first beats of all of them are due within 10 ms: they come as fast as they are taken. */
const AT_ONCE = { agents: MEMBERS, rate: 1e6, seconds: (MEMBERS + 0.5) / 1e6, burst: 1, names: NAMES };
const WARM_UP_MS = 4_000;
/** Asking costs the daemon some milliseconds: it is asked when all must be over. */
const NAMED_MS_MAX = 8_000;
const DELAY_US_MAX = 10_000;

const THRESHOLDS = 12;
const THRESHOLD_MS_MIN = 2_000;
const THRESHOLD_MS_STEP = 100;
/** None of the others falls silent for so long. */
const LONG_THRESHOLD_MS = 600_000;
const SILENT = 600;
const BEATING = MEMBERS - SILENT;
const BEATING_S = 24;
const SILENT_AFTER_S = 14;
const STALL_DELAY_US_MAX = 5_000;

export async function measureNewcomers(
  report: Report,
  native: Native,
  directory: string,
): Promise<void> {
  const rules = join(directory, "rules.toml");
  process.env["VARTA_BENCH_MEMBERS"] = String(MEMBERS);
  for (const queueLength of [SHORT_QUEUE_LENGTH, LONG_QUEUE_LENGTH]) {
    writeFileSync(rules, rulesText(LONG_THRESHOLD_MS));
    await using daemon = await startDaemon(WITH_MEMBER_PROBE, optionsFor(rules), queueLength);
    await come(report, native, daemon, queueLength);
    const value = await inC(native, queueLength);
    report.add({ what: "  beats of others, taken by the C receiver", value });
  }
  writeFileSync(rules, rulesText(THRESHOLD_MS_MIN));
  await using daemon = await startDaemon(WITH_MEMBER_PROBE, optionsFor(rules));
  await fallSilent(report, native, daemon);
}

function optionsFor(rules: string): string[] {
  return ["--tracker-capacity", String(4 * MEMBERS), "--config", rules];
}

/** Each name has a rule, and every twelfth the same threshold. */
function rulesText(thresholdMsMin: number): string {
  const rule = (name: number) => {
    const thresholdMs = thresholdMsMin + (name % THRESHOLDS) * THRESHOLD_MS_STEP;
    const match = `match = { comm = "agent-${name}" }`;
    return `[[agent]]\n${match}\nname = "name-${name}"\nthreshold = "${thresholdMs}ms"\n`;
  };
  return Array.from({ length: NAMES }, (_, name) => rule(name)).join("\n");
}

async function come(
  report: Report,
  native: Native,
  daemon: DaemonUnderTest,
  queueLength: number,
): Promise<void> {
  await using steady = await prepareLoad(native.flood, daemon.socket, STEADY);
  await using crowd = await prepareLoad(native.flood, daemon.socket, AT_ONCE);
  void steady.run();
  await Bun.sleep(WARM_UP_MS);
  await memberDelaysOf(daemon);
  const beganUs = clockNs(CLOCK_MONOTONIC) / 1_000;
  await crowd.run();
  const takenUs = clockNs(CLOCK_MONOTONIC) / 1_000;
  const { beats, firstBeats, namedUs } = await whenNamed(daemon);
  const p99Us = beats.atPart(0.99);
  report.add({
    what: `queue of ${queueLength}: delay of others' beats, p99`,
    value: `${(p99Us / 1_000).toFixed(2)} ms`,
    required: `at most ${DELAY_US_MAX / 1_000} ms`,
    holds: p99Us <= DELAY_US_MAX,
  });
  report.add({ what: "  p50, p99, longest", value: texts(beats) });
  report.add({ what: "  first beats of the new ones", value: texts(firstBeats) });
  const ends = [takenUs, namedUs].map((us) => `${((us - beganUs) / 1_000).toFixed(0)} ms`);
  report.add({ what: "  until all are taken, and named", value: ends.join(", ") });
}

async function whenNamed(daemon: DaemonUnderTest): Promise<MemberDelays> {
  await Bun.sleep(NAMED_MS_MAX);
  const delays = await memberDelaysOf(daemon);
  if (delays.namedUs === 0) throw new Error("The new members were not named in time");
  return delays;
}

async function inC(native: Native, queueLength: number): Promise<string> {
  await using receiver = await startNativeReceiver(native.receiver, "take", queueLength);
  await using steady = await prepareLoad(native.flood, receiver.socket, STEADY);
  await using crowd = await prepareLoad(native.flood, receiver.socket, AT_ONCE);
  void steady.run();
  await Bun.sleep(WARM_UP_MS);
  await crowd.run();
  const words = (await receiver.ended()).split(/\s+/);
  const ms = (name: string) => (Number(words[words.indexOf(name) + 1]) / 1_000).toFixed(2);
  return `${ms("p50")}, ${ms("p99")}, ${ms("longest")} ms`;
}

async function fallSilent(
  report: Report,
  native: Native,
  daemon: DaemonUnderTest,
): Promise<void> {
  const beating = { agents: BEATING, rate: BEATING, seconds: BEATING_S, burst: 1, names: NAMES };
  const silent = { ...beating, agents: SILENT, rate: SILENT, seconds: SILENT_AFTER_S };
  await using some = await prepareLoad(native.flood, daemon.socket, silent);
  await using others = await prepareLoad(native.flood, daemon.socket, beating);
  const done = others.run();
  await some.run();
  await done;
  const { stalls, stallCount } = await memberDelaysOf(daemon);
  const p99Us = stalls.atPart(0.99);
  report.add({
    what: `${stallCount} of ${MEMBERS} fall silent: deadline to report, p99`,
    value: `${(p99Us / 1_000).toFixed(2)} ms`,
    required: `at most ${STALL_DELAY_US_MAX / 1_000} ms`,
    holds: p99Us <= STALL_DELAY_US_MAX && stallCount === SILENT,
  });
  report.add({ what: "  p50, p99, longest", value: texts(stalls) });
}

function texts(delays: Delays): string {
  const parts = [0.5, 0.99, 1].map((part) => (delays.atPart(part) / 1_000).toFixed(2));
  return `${parts.join(", ")} ms`;
}
