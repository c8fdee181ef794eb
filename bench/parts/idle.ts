// A quiet daemon: 50 agents that beat once a second, each at a moment of its own, so that every
// beat is a wake-up, or all at the same moment. Measured right after the start, when the engine
// still interprets and compiles, and after it has seen as many turns as ten minutes bring. The C
// receiver shows what the wake-ups cost on this machine at the least.
import { type Load, prepareLoad, runLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { processCpuNs } from "../support/process_cost.ts";
import {
  type DaemonUnderTest,
  FROM_SOURCE,
  metric,
  type Receiver,
  startDaemon,
  startNativeReceiver,
} from "../support/receivers.ts";
import { percent, type Report } from "../support/report.ts";

const AGENTS = 50;
const SECONDS = 35;
const SECONDS_WARM = 20;
const SECONDS_FIRST = 3;
/** The page is rendered outside of the time that is measured. */
const SETTLE_MS = 200;
const CPU_MAX = 0.001;
const WAKE_UPS_BESIDE_BEATS_MAX = 4;
const SPREAD = { agents: AGENTS, rate: AGENTS, burst: 1 };
const IN_STEP = { agents: AGENTS, rate: AGENTS, burst: AGENTS };
/** Below a beat per millisecond the loop does not let them gather. */
const WARM_UP = { agents: AGENTS, rate: 900, burst: 1, seconds: 30 };
/** The agents of the warm-up fall silent: that is not to be reported meanwhile. */
const OPTIONS = ["--threshold-ms", "600000"];

type Pattern = typeof SPREAD;

export async function measureIdle(report: Report, native: Native): Promise<void> {
  await using daemon = await startDaemon(FROM_SOURCE, OPTIONS);
  await using receiver = await startNativeReceiver(native.receiver, "take");
  await measure(report, native, daemon, { title: "from the start", pattern: SPREAD });
  await runLoad(native.flood, daemon.socket, WARM_UP);
  await measure(report, native, daemon, { title: "warm", pattern: SPREAD });
  await measureTwin(report, native, receiver, SPREAD);
  await measure(report, native, daemon, { title: "warm, all at once", pattern: IN_STEP });
  await measureTwin(report, native, receiver, IN_STEP);
}

async function measure(
  report: Report,
  native: Native,
  daemon: DaemonUnderTest,
  { title, pattern }: { title: string; pattern: Pattern },
): Promise<void> {
  const seconds = title === "from the start" ? SECONDS : SECONDS_WARM;
  await using _load = await beating(native, daemon, pattern, seconds);
  const before = await daemon.scrape();
  await Bun.sleep(SETTLE_MS);
  const startedNs = Bun.nanoseconds();
  const cpu = await cpuOver(daemon.pid, seconds);
  const seen = (Bun.nanoseconds() - startedNs) / 1e9;
  const after = await daemon.scrape();
  const since = (name: string) => (metric(after, name) - metric(before, name)) / seen;

  const required = `below ${percent(CPU_MAX)} of a core`;
  report.add({
    what: `${title}: CPU of the daemon`,
    value: percent(cpu),
    required,
    holds: cpu < CPU_MAX,
  });
  const beats = since("varta_datagrams_accepted_total");
  const turns = since("varta_observer_iteration_seconds_count");
  report.add({
    what: "  wake-ups/s of the loop, beats/s",
    value: `${turns.toFixed(1)}, ${beats.toFixed(1)}`,
    required: `at most the beats + ${WAKE_UPS_BESIDE_BEATS_MAX} per second`,
    holds: turns <= beats + WAKE_UPS_BESIDE_BEATS_MAX,
  });
}

async function measureTwin(
  report: Report,
  native: Native,
  receiver: Receiver,
  pattern: Pattern,
): Promise<void> {
  await using _load = await beating(native, receiver, pattern, SECONDS_WARM);
  report.add({
    what: "  C receiver under the same load",
    value: percent(await cpuOver(receiver.pid, SECONDS_WARM)),
  });
}

async function beating(
  native: Native,
  receiver: Receiver,
  pattern: Pattern,
  seconds: number,
): Promise<Load> {
  const options = { ...pattern, seconds: SECONDS_FIRST + seconds + 2 };
  const load = await prepareLoad(native.flood, receiver.socket, options);
  void load.run();
  await Bun.sleep(SECONDS_FIRST * 1_000);
  return load;
}

/** Share of a core that process `pid` uses in the next `seconds`. */
async function cpuOver(pid: number, seconds: number): Promise<number> {
  const startNs = processCpuNs(pid);
  const startedNs = Bun.nanoseconds();
  await Bun.sleep(seconds * 1_000);
  return (processCpuNs(pid) - startNs) / (Bun.nanoseconds() - startedNs);
}
