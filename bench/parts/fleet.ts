// A fleet of 10,000 agents at one beat per second, evenly spread: no false stall, little CPU, and
// no beat that waits, also while the page of all of them is scraped once a second. The delay of a
// beat runs from the moment its agent means to send it until its row is in the sinks; a probe
// inside the daemon takes it (probed_daemon.ts).
import { type Delays, delaysOf } from "../support/delays.ts";
import { prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { processCpuNs } from "../support/process_cost.ts";
import { type DaemonUnderTest, metric, startDaemon, WITH_PROBE } from "../support/receivers.ts";
import { percent, type Report } from "../support/report.ts";

const AGENTS = 10_000;
/** In which all of them are new: who they are is read between their beats. */
const NEW_S = 5;
const QUIET_S = 60;
const SCRAPED_S = 60;
const CPU_MAX = 0.05;
const DELAY_US_MAX = 10_000;
const DELAY_PARTS = 0.99;
const OPTIONS = ["--tracker-capacity", String(AGENTS), "--threshold-ms", "5000"];

export async function measureFleet(report: Report, native: Native): Promise<void> {
  await using daemon = await startDaemon(WITH_PROBE, OPTIONS);
  const seconds = NEW_S + QUIET_S + SCRAPED_S + 5;
  const options = { agents: AGENTS, rate: AGENTS, seconds, burst: 1 };
  await using load = await prepareLoad(native.flood, daemon.socket, options);
  const done = load.run();

  reportWindow(report, `${NEW_S} s, all of them new`, await window(daemon, NEW_S, false));
  const quiet = await window(daemon, QUIET_S, false);
  reportWindow(report, "60 s", quiet);
  const cpu = quiet.cpu;
  const required = `below ${percent(CPU_MAX)} of a core`;
  report.add({
    what: "60 s: CPU of the daemon",
    value: percent(cpu),
    required,
    holds: cpu < CPU_MAX,
  });

  const scraped = await window(daemon, SCRAPED_S, true);
  reportWindow(report, "60 s with a scrape per second", scraped);
  report.add({ what: "60 s with a scrape per second: CPU", value: percent(scraped.cpu) });
  report.add({
    what: "  size of the page",
    value: `${(scraped.page.length / 1024).toFixed(0)} KiB`,
  });

  const tracked = metric(scraped.page, "varta_watch_pids_tracked");
  const stalls = metric(scraped.page, "varta_stalls_total");
  report.add({ what: "agents tracked", value: String(tracked), holds: tracked === AGENTS });
  report.add({
    what: "stalls of agents that beat all the time",
    value: String(stalls),
    required: "none",
    holds: stalls === 0,
  });
  report.add({ what: "times an agent found the queue full", value: String((await done).refused) });
}

interface Window {
  readonly cpu: number;
  readonly page: string;
  readonly delays: Delays;
}

async function window(
  daemon: DaemonUnderTest,
  seconds: number,
  scraping: boolean,
): Promise<Window> {
  const startNs = processCpuNs(daemon.pid);
  const startedNs = Bun.nanoseconds();
  for (let second = 1; second <= seconds; second++) {
    if (scraping) await daemon.scrape();
    await Bun.sleep(Math.max(0, second * 1_000 - (Bun.nanoseconds() - startedNs) / 1e6));
  }
  const cpu = (processCpuNs(daemon.pid) - startNs) / (Bun.nanoseconds() - startedNs);
  return { cpu, delays: await delaysOf(daemon), page: await daemon.scrape() };
}

function reportWindow(report: Report, title: string, { delays }: Window): void {
  const p99Us = delays.atPart(DELAY_PARTS);
  report.add({
    what: `${title}: delay of a beat, p99`,
    value: `${(p99Us / 1000).toFixed(3)} ms`,
    required: `at most ${DELAY_US_MAX / 1000} ms`,
    holds: p99Us <= DELAY_US_MAX,
  });
  const more = [0.5, 0.999, 1].map((part) => (delays.atPart(part) / 1000).toFixed(3));
  report.add({ what: "  p50, p99.9, longest", value: `${more.join(", ")} ms` });
}
