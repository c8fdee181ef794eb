// CPU time per beat of the whole receiver, kernel included: the daemon as a user runs it, with
// per-pid metrics, and the C receiver, in turn under the same load.
import type { Native } from "../support/native.ts";
import { type LoadOptions, runLoad } from "../support/load.ts";
import { processCpuNs } from "../support/process_cost.ts";
import {
  type DaemonUnderTest,
  FROM_SOURCE,
  metric,
  type Receiver,
  startDaemon,
  startNativeReceiver,
} from "../support/receivers.ts";
import { median, ns, type Report, times } from "../support/report.ts";

const AGENTS = 64;
const RATIO_MAX = 1.3;
const PAIRS = 5;
/** Time for the last beats to be taken after the load has ended. */
const SETTLE_MS = 50;
/** The agents of each run are new: those of the last one must not be reported silent in between. */
const THRESHOLD = ["--threshold-ms", "600000"];
const WARM_UP: LoadOptions = { agents: AGENTS, rate: 100_000, seconds: 3, burst: 32 };

const LOADS: readonly (LoadOptions & { readonly title: string })[] = [
  { title: "100,000 beats/s", agents: AGENTS, rate: 100_000, seconds: 2, burst: 32 },
  { title: "10,000 beats/s, one at a time", agents: AGENTS, rate: 10_000, seconds: 2, burst: 1 },
  { title: "as fast as they are taken", agents: AGENTS, rate: 0, seconds: 2, burst: 32 },
];

export async function measureReceiverCpu(report: Report, native: Native): Promise<void> {
  await using daemon = await startDaemon(FROM_SOURCE, THRESHOLD);
  await using receiver = await startNativeReceiver(native.receiver, "take");
  await using kernel = await startNativeReceiver(native.receiver, "drop");
  await runLoad(native.flood, daemon.socket, WARM_UP);
  await runLoad(native.flood, daemon.socket, { ...WARM_UP, rate: 0 });
  for (const { title, ...load } of LOADS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const floors: number[] = [];
    const rates: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const one = await costOfDaemon(native, daemon, load);
      ours.push(one.perBeatNs);
      rates.push(one.beats / load.seconds);
      theirs.push((await costOf(native, receiver, load)).perBeatNs);
      floors.push((await costOf(native, kernel, load)).perBeatNs);
    }
    const pairs = `${ns(median(ours))} / ${ns(median(theirs))}`;
    report.add({ what: `${title}: daemon / C receiver`, value: pairs });
    const ratio = median(ours) / median(theirs);
    const required = `at most ${RATIO_MAX} x the C receiver`;
    report.add({ what: "  ratio", value: times(ratio), required, holds: ratio <= RATIO_MAX });
    report.add({ what: "  of which receiving alone, in C", value: ns(median(floors)) });
    report.add({ what: "  beats/s that the daemon took", value: median(rates).toFixed(0) });
  }
}

interface Cost {
  readonly perBeatNs: number;
  readonly beats: number;
}

async function costOf(native: Native, receiver: Receiver, load: LoadOptions): Promise<Cost> {
  const startNs = processCpuNs(receiver.pid);
  const { sent } = await runLoad(native.flood, receiver.socket, load);
  await Bun.sleep(SETTLE_MS);
  return { perBeatNs: (processCpuNs(receiver.pid) - startNs) / sent, beats: sent };
}

/** The same, with the beats counted by the daemon itself. */
async function costOfDaemon(
  native: Native,
  daemon: DaemonUnderTest,
  load: LoadOptions,
): Promise<Cost> {
  const before = metric(await daemon.scrape(), "varta_datagrams_accepted_total");
  const cost = await costOf(native, daemon, load);
  const beats = metric(await daemon.scrape(), "varta_datagrams_accepted_total") - before;
  if (beats !== cost.beats) throw new Error(`The daemon took ${beats} of ${cost.beats} beats`);
  return cost;
}
