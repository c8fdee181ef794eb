// Streams: the CPU time per beat of the whole daemon with 1,000 connections at 10 Hz, beside a
// receiver in C with epoll and recvmsg under the same load, and how long beats wait while one or
// more other connections flood.
import { NS_PER_S } from "../../src/base/time.ts";
import { delaysOf } from "../support/delays.ts";
import { type Load, type LoadOptions, prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { processCpuNs, waitedForCoreNs } from "../support/process_cost.ts";
import {
  type DaemonUnderTest,
  FROM_SOURCE,
  metric,
  type Receiver,
  startNativeReceiver,
  startStreamDaemon,
  WITH_PROBE,
} from "../support/receivers.ts";
import { median, ns, percent, type Report, times } from "../support/report.ts";

const AGENTS = 1_000;
const RATE = 10 * AGENTS;
const RATIO_MAX = 1.3;
const PAIRS = 5;
/** Time for the last beats to be taken after the load has ended. */
const SETTLE_MS = 50;
/** In which the runtime compiles what a beat takes. */
const WARM_UP = { agents: 1, rate: 10, seconds: 4, burst: 1, floods: 2 };
const LOADS: readonly (LoadOptions & { readonly title: string })[] = [
  { title: "10 Hz, one at a time", agents: AGENTS, rate: RATE, seconds: 3, burst: 1 },
  { title: "100 Hz, 32 at a time", agents: AGENTS, rate: 10 * RATE, seconds: 2, burst: 32 },
];

const FLOOD_S = 5;
const FLOODED_US_MAX = 20_000;
/** The delays of the flood itself, whose frames do not say when they were sent, are the longest. */
const HONEST_US_MAX = 199_999;
const HONEST_PART_MIN = 0.999;
/** The part of a flood in which the daemon was ready and had no core. */
const CORELESS_MAX = 0.01;

export async function measureStreams(report: Report, native: Native): Promise<void> {
  await measureCpu(report, native);
  await measureFlood(report, native);
}

async function measureCpu(report: Report, native: Native): Promise<void> {
  for (const { title, ...load } of LOADS) {
    await using daemon = await startStreamDaemon(FROM_SOURCE);
    await using receiver = await startNativeReceiver(native.streamReceiver, "take");
    await using kernel = await startNativeReceiver(native.streamReceiver, "drop");
    // Before the others connect: who sends no first frame is closed.
    await warmUp(native, daemon);
    // The same agents all the time: who is new costs more than its beats.
    await using ours = await Measured.begin(native, daemon, load);
    await using theirs = await Measured.begin(native, receiver, load);
    await using floor = await Measured.begin(native, kernel, load);
    await ours.run();
    const before = await acceptedBy(daemon);
    for (let pair = 0; pair < PAIRS; pair++)
      for (const one of [ours, theirs, floor]) one.costs.push(await one.run());
    const taken = (await acceptedBy(daemon)) - before;
    const wanted = PAIRS * (load.rate * load.seconds - load.burst);
    if (taken < wanted) throw new Error(`The daemon took ${taken} of ${wanted} beats`);
    const [our, their] = [median(ours.costs), median(theirs.costs)];
    const what = `${AGENTS} connections at ${title}: daemon / C`;
    report.add({ what, value: `${ns(our)} / ${ns(their)}` });
    const required = `at most ${RATIO_MAX} x the C receiver`;
    const holds = our / their <= RATIO_MAX;
    report.add({ what: "  ratio", value: times(our / their), required, holds });
    report.add({ what: "  of which receiving alone, in C", value: ns(median(floor.costs)) });
  }
}

async function warmUp(native: Native, daemon: DaemonUnderTest): Promise<void> {
  await using load = await prepareLoad(native.streamLoad, daemon.socket, WARM_UP);
  await load.run();
}

/** A receiver with a load whose agents are connected. */
class Measured implements AsyncDisposable {
  readonly costs: number[] = [];
  readonly #receiver: Receiver;
  readonly #load: Load;

  static async begin(native: Native, receiver: Receiver, options: LoadOptions): Promise<Measured> {
    return new Measured(receiver, await prepareLoad(native.streamLoad, receiver.socket, options));
  }

  constructor(receiver: Receiver, load: Load) {
    this.#receiver = receiver;
    this.#load = load;
  }

  /** Nanoseconds of CPU time per beat. */
  async run(): Promise<number> {
    const startNs = processCpuNs(this.#receiver.pid);
    const { sent } = await this.#load.run();
    await Bun.sleep(SETTLE_MS);
    return (processCpuNs(this.#receiver.pid) - startNs) / sent;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#load[Symbol.asyncDispose]();
  }
}

async function acceptedBy(daemon: DaemonUnderTest): Promise<number> {
  return metric(await daemon.scrape(), "varta_datagrams_accepted_total");
}

async function measureFlood(report: Report, native: Native): Promise<void> {
  for (const floods of [1, 4]) {
    await using daemon = await startStreamDaemon(WITH_PROBE);
    const options = { agents: AGENTS, rate: RATE, seconds: FLOOD_S, burst: 1, floods };
    await using load = await prepareLoad(native.streamLoad, daemon.socket, options);
    await delaysOf(daemon);
    const waitedNs = waitedForCoreNs(daemon.pid);
    const { sent } = await load.run();
    const coreless = (waitedForCoreNs(daemon.pid) - waitedNs) / NS_PER_S / FLOOD_S;
    const honest = (await delaysOf(daemon)).upTo(HONEST_US_MAX);
    const p99Us = honest.atPart(0.99);
    const who = floods === 1 ? "one connection floods" : `${floods} connections flood`;
    report.add({
      what: `${who}: delay of the beats of others, p99`,
      value: `${(p99Us / 1000).toFixed(3)} ms`,
      required: `at most ${FLOODED_US_MAX / 1000} ms`,
      ...judged(p99Us <= FLOODED_US_MAX && honest.total >= sent * HONEST_PART_MIN, coreless),
    });
    report.add({ what: "  ready and without a core", value: percent(coreless) });
    const more = [0.5, 0.999, 1].map((part) => (honest.atPart(part) / 1000).toFixed(3));
    report.add({ what: "  p50, p99.9, longest", value: `${more.join(", ")} ms` });
    const flooded = (await acceptedBy(daemon)) - honest.total;
    report.add({ what: "  beats/s of the flood", value: (flooded / FLOOD_S).toFixed(0) });
  }
}

/** A daemon that waits for a core for longer than one beat in a hundred may has no say in that. */
function judged(holds: boolean, coreless: number): { holds?: boolean } {
  return holds || coreless <= CORELESS_MAX ? { holds } : {};
}
