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
  WITH_MEMBER_PROBE,
} from "../support/receivers.ts";
import type { Report } from "../support/report.ts";

const MEMBERS = 10_000;
const NAMES = 40;
/** They beat on, one after another, each ten times per second. */
const STEADY = { agents: 100, rate: 1_000, seconds: 60, burst: 1, names: NAMES };
/** How the first beats of all of them come: by the second, as when a host starts, or at once. */
const COMINGS = [
  { title: "within a second", rate: MEMBERS, isBound: true },
  { title: "as fast as taken", rate: 1e6, isBound: false },
];
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
  writeFileSync(rules, rulesText(LONG_THRESHOLD_MS));
  for (const queueLength of [SHORT_QUEUE_LENGTH, LONG_QUEUE_LENGTH]) {
    for (const coming of COMINGS) {
      await using daemon = await startDaemon(WITH_MEMBER_PROBE, optionsFor(rules), queueLength);
      report.add({ what: `${coming.title}, queue of ${queueLength}`, value: "" });
      await come(report, native, daemon, coming);
    }
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
  { rate, isBound }: (typeof COMINGS)[number],
): Promise<void> {
  await using steady = await prepareLoad(native.flood, daemon.socket, STEADY);
  const options = { agents: MEMBERS, rate, seconds: (MEMBERS + 0.5) / rate, burst: 1 };
  await using crowd = await prepareLoad(native.flood, daemon.socket, { ...options, names: NAMES });
  void steady.run();
  await Bun.sleep(WARM_UP_MS);
  const before = await memberDelaysOf(daemon);
  const beganUs = clockNs(CLOCK_MONOTONIC) / 1_000;
  await crowd.run();
  const takenUs = clockNs(CLOCK_MONOTONIC) / 1_000;
  const { beats, firstBeats, namedUs } = await whenNamed(daemon);
  const p99Us = beats.atPart(0.99);
  const bound = `at most ${DELAY_US_MAX / 1_000} ms`;
  report.add({
    what: "  delay of others' beats until all are named, p99",
    value: `${(p99Us / 1_000).toFixed(2)} ms`,
    ...(isBound && { required: bound, holds: p99Us <= DELAY_US_MAX }),
  });
  report.add({ what: "    p50, p99, longest", value: texts(beats) });
  report.add({ what: "    the same before they came", value: texts(before.beats) });
  report.add({ what: "    first beats of the new ones", value: texts(firstBeats) });
  const ends = [takenUs, namedUs].map((us) => `${((us - beganUs) / 1_000).toFixed(0)} ms`);
  report.add({ what: "    until all are taken, and named", value: ends.join(", ") });
}

async function whenNamed(daemon: DaemonUnderTest): Promise<MemberDelays> {
  await Bun.sleep(NAMED_MS_MAX);
  const delays = await memberDelaysOf(daemon);
  if (delays.namedUs === 0) throw new Error("The new members were not named in time");
  return delays;
}

async function fallSilent(report: Report, native: Native, daemon: DaemonUnderTest): Promise<void> {
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
