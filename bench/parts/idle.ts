// A quiet daemon: 50 agents that beat once a second, evenly spread, so that each beat is a wake-up of its own. The C
// receiver runs beside it under the same load: it shows what a wake-up costs on this machine at the least.
import { prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { processCpuNs } from "../support/process_cost.ts";
import { FROM_SOURCE, metric, startDaemon, startNativeReceiver } from "../support/receivers.ts";
import { percent, type Report } from "../support/report.ts";

const AGENTS = 50;
const SECONDS = 35;
const SECONDS_FIRST = 3;
/** The page is rendered outside of the time that is measured. */
const SETTLE_MS = 200;
const CPU_MAX = 0.001;
const WAKE_UPS_BESIDE_BEATS_MAX = 4;
const LOAD = { agents: AGENTS, rate: AGENTS, burst: 1 };

export async function measureIdle(report: Report, native: Native): Promise<void> {
  await using daemon = await startDaemon(FROM_SOURCE);
  await using receiver = await startNativeReceiver(native.receiver, "judge");
  const seconds = SECONDS_FIRST + SECONDS + 2;
  await using load = await prepareLoad(native.flood, daemon.socket, { ...LOAD, seconds });
  await using twinLoad = await prepareLoad(native.flood, receiver.socket, { ...LOAD, seconds });
  void load.run();
  void twinLoad.run();
  await Bun.sleep(SECONDS_FIRST * 1_000);
  const pageBefore = await daemon.scrape();
  await Bun.sleep(SETTLE_MS);
  const before = costs(daemon.pid, receiver.pid);
  await Bun.sleep(SECONDS * 1_000);
  const after = costs(daemon.pid, receiver.pid);
  const pageAfter = await daemon.scrape();

  const seen = (after.atNs - before.atNs) / 1e9;
  const cpu = (after.cpuNs - before.cpuNs) / 1e9 / seen;
  const required = `below ${percent(CPU_MAX)} of a core`;
  report.add({ what: "daemon, 50 beats/s", value: percent(cpu), required, holds: cpu < CPU_MAX });
  const twin = (after.twinCpuNs - before.twinCpuNs) / 1e9 / seen;
  report.add({ what: "C receiver beside it", value: percent(twin) });
  const since = (name: string) => (metric(pageAfter, name) - metric(pageBefore, name)) / seen;
  const beats = since("varta_datagrams_accepted_total");
  const turns = since("varta_observer_iteration_seconds_count");
  report.add({ what: "beats/s", value: beats.toFixed(1) });
  report.add({
    what: "wake-ups/s of the loop",
    value: turns.toFixed(1),
    required: `at most the beats + ${WAKE_UPS_BESIDE_BEATS_MAX} per second`,
    holds: turns <= beats + WAKE_UPS_BESIDE_BEATS_MAX,
  });
}

function costs(daemon: number, twin: number) {
  return {
    atNs: Bun.nanoseconds(),
    cpuNs: processCpuNs(daemon),
    twinCpuNs: processCpuNs(twin),
  };
}
