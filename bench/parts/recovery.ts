// From the moment a stall is due until the command runs, with one and with a thousand agents that
// fall silent together, while others beat on: their beats must not wait. The command stamps the
// clock in its first instruction (stamp.c); a probe inside the daemon says when each stall was due
// (probed_recovery.ts), and how long each beat took.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Delays, delaysOf } from "../support/delays.ts";
import { prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { type DaemonUnderTest, startDaemon, WITH_RECOVERY_PROBE } from "../support/receivers.ts";
import type { Report } from "../support/report.ts";

const THRESHOLD_MS = 500;
/** Agents that beat on, all together once a millisecond or two. */
const STEADY = { agents: 100, rate: 1_000, seconds: 180, burst: 1 };
const SINGLE_ROUNDS = 20;
const CROWD = 1_000;
const QUIET_MS = 2_000;
const DELAY_US_MAX = 10_000;

export async function measureRecovery(
  report: Report,
  native: Native,
  directory: string,
): Promise<void> {
  const bench = new RecoveryBench(native, directory);
  const single: number[] = [];
  await using daemon = await bench.start();
  await using steady = await prepareLoad(native.flood, daemon.socket, STEADY);
  const done = steady.run();
  await Bun.sleep(2 * THRESHOLD_MS);
  for (let round = 0; round < SINGLE_ROUNDS; round++) {
    single.push(...(await bench.silence(daemon, 1)).latenciesNs);
  }
  reportLatency(report, "1 stall", single);
  await delaysOf(daemon);
  await Bun.sleep(QUIET_MS);
  reportDelays(report, "the same beats without any stall", await delaysOf(daemon));
  const { latenciesNs, delays } = await bench.silence(daemon, CROWD);
  reportLatency(report, `${CROWD} stalls at once`, latenciesNs);
  const p99Us = reportDelays(report, "beats of others meanwhile", delays);
  report.add({
    what: "  of these, p99",
    value: `${(p99Us / 1000).toFixed(2)} ms`,
    required: `at most ${DELAY_US_MAX / 1000} ms`,
    holds: p99Us <= DELAY_US_MAX,
  });
  void done;
}

class RecoveryBench {
  readonly #native: Native;
  readonly #stamps: string;
  readonly #stalls: string;

  constructor(native: Native, directory: string) {
    this.#native = native;
    this.#stamps = join(directory, "stamps");
    this.#stalls = join(directory, "stalls.json");
  }

  start(): Promise<DaemonUnderTest> {
    process.env["VARTA_BENCH_STALLS"] = this.#stalls;
    const command = `${this.#native.stamp} ${this.#stamps} {pid}`;
    const options = ["--threshold-ms", String(THRESHOLD_MS), "--recovery-exec", command];
    return startDaemon(WITH_RECOVERY_PROBE, options);
  }

  /** `count` agents beat and fall silent together, while others beat on. */
  async silence(daemon: DaemonUnderTest, count: number): Promise<Silence> {
    rmSync(this.#stamps, { force: true });
    // Twenty rounds of beats in a second: the last ones of all lie within 50 ms.
    const options = { agents: count, rate: 20 * count, seconds: 1, burst: Math.min(count, 64) };
    await using load = await prepareLoad(this.#native.flood, daemon.socket, options);
    await load.run();
    // From here on, only the others beat.
    await delaysOf(daemon);
    while (this.#stamped().size < count) await Bun.sleep(20);
    // One signal writes both files.
    rmSync(this.#stalls, { force: true });
    const delays = await delaysOf(daemon);
    while (!existsSync(this.#stalls)) await Bun.sleep(10);
    const due = new Map(JSON.parse(readFileSync(this.#stalls, "utf8")) as [number, number][]);
    const latenciesNs = [...this.#stamped()].map(([pid, ranNs]) => ranNs - due.get(pid)!);
    return { latenciesNs, delays };
  }

  #stamped(): Map<number, number> {
    if (!existsSync(this.#stamps)) return new Map();
    const lines = readFileSync(this.#stamps, "latin1").trim().split("\n");
    return new Map(lines.map((line) => line.split(" ").map(Number) as [number, number]));
  }
}

interface Silence {
  /** For each agent, from its stall to its running command. */
  readonly latenciesNs: readonly number[];
  /** Of the beats of the others, meanwhile. */
  readonly delays: Delays;
}

function reportDelays(report: Report, title: string, delays: Delays): number {
  const texts = [0.5, 0.99, 1].map((part) => `${(delays.atPart(part) / 1000).toFixed(2)} ms`);
  report.add({ what: `delay of ${title}, p50, p99, longest`, value: texts.join(", ") });
  return delays.atPart(0.99);
}

function reportLatency(report: Report, title: string, latenciesNs: readonly number[]): void {
  const sorted = latenciesNs.toSorted((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
  const texts = [0.5, 0.99].map((part) => `${(at(part) / 1e6).toFixed(2)} ms`);
  report.add({ what: `${title}: stall to running command, p50, p99`, value: texts.join(", ") });
}
