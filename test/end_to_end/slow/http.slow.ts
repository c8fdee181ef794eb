// How much later a stall is reported while HTTP clients ask for more than their share, load by
// load: the difference to the same load on a listener in C that only accepts, which competes for
// the same two cores. Run it on a quiet machine.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NS_PER_MS } from "../../../src/base/time.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { quantile } from "../../support/flooded_fleet.ts";
import {
  type AcceptMode,
  AcceptingListener,
  HttpLoad,
  type HttpLoadMode,
} from "../../support/http_load.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { until } from "../../support/until.ts";

const THRESHOLD_MS = 400;
const LOAD_MS = 10_000;
const DIFFERENCE_MS_P99_MAX = 20;
const PAUSE_MS_MAX = 20;
/** Agents that fall silent, in each wave of them. */
const WAVE = 4;
const WAVES = 50;

const LOADS: readonly { mode: HttpLoadMode; name: string; beside: AcceptMode }[] = [
  { mode: "pipeline", name: "50 clients that pipeline 15,000 requests", beside: "accept" },
  { mode: "loris", name: "1,000 clients that send a header line a second", beside: "hold" },
  { mode: "idle", name: "2,000 clients that send nothing", beside: "hold" },
  { mode: "scrape", name: "64 clients that scrape at once", beside: "accept" },
  { mode: "tls", name: "16 clients that speak TLS", beside: "accept" },
];

setDefaultTimeout(300_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(`the verdict beside${NEEDS_CREW}`, () => {
  test.each(LOADS)("$name", ({ mode, name, beside }) =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", `${THRESHOLD_MS}`, "--export-file", "events.tsv"],
      });
      await using listener = await AcceptingListener.start(beside);
      await using crew = new Crew(daemon.socket);
      const [compared, loaded] = await verdicts(daemon, crew, mode, [
        listener.port,
        daemon.metricsPort,
      ]);
      const [p50, p99, base50, base99] = [
        quantile(loaded!, 0.5),
        quantile(loaded!, 0.99),
        quantile(compared!, 0.5),
        quantile(compared!, 0.99),
      ];
      console.log(
        `${name}: ${loaded!.length} verdicts, delay p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms, ` +
          `beside the listener in C p50 ${base50.toFixed(1)} p99 ${base99.toFixed(1)} ms`,
      );
      expect(loaded!.length).toBe(WAVE * WAVES);
      expect(p99 - base99).toBeLessThan(DIFFERENCE_MS_P99_MAX);
    }),
  );
});

/**
 * How late the verdicts were while each of `ports` had the load, relative to the earliest of them
 * all; sorted.
 */
async function verdicts(
  daemon: DaemonProcess,
  crew: Crew,
  mode: HttpLoadMode,
  ports: readonly number[],
): Promise<number[][]> {
  const groups: number[][] = [];
  for (const port of ports) {
    const pids: number[] = [];
    await using load = new HttpLoad(mode, port);
    for (let wave = 0; wave < WAVES; wave++) {
      pids.push(...(await crew.agents({ count: WAVE, intervalMs: 20, beats: 3, stamped: true })));
      await Bun.sleep(LOAD_MS / WAVES);
    }
    await until("all to be called silent", () =>
      pids.every((pid) => daemon.stallsOf(pid).length > 0),
    );
    await load.end();
    groups.push(pids);
  }
  await daemon.stop();
  const late = lateness(daemon.exported("events.tsv"));
  const earliest = Math.min(...late.values());
  return groups.map((pids) =>
    pids.map((pid) => late.get(pid)! - earliest).toSorted((a, b) => a - b),
  );
}

/**
 * From the send of each agent's last beat to its stall, in ms, with the offset between the clocks
 * of the two.
 */
function lateness(rows: readonly (readonly string[])[]): Map<number, number> {
  const late = new Map<number, number>();
  const sentUs = new Map<number, number>();
  for (const [observerNs, kind, pid, , , payload] of rows) {
    if (kind === "beat") sentUs.set(Number(pid), Number(payload));
    if (kind !== "stall") continue;
    const us = Number(observerNs) / (NS_PER_MS / 1_000) - sentUs.get(Number(pid))!;
    late.set(Number(pid), (((us % 2 ** 32) + 2 ** 32) % 2 ** 32) / 1_000);
  }
  return late;
}
