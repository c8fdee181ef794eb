// Two hundred real agent processes under true kernel credentials: every beat is counted, silence is
// found in time and exactly once, and a process that comes back is watched again (spec 03, spec 12
// section 1).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAt, sumOf } from "../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { pidOf } from "../support/log_lines.ts";
import { Pauses, unlessMachinePauses } from "../support/pauses.ts";
import { beganAnew, stallDelaysMs } from "../support/stall_delays.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AGENTS = 200;
const INTERVAL_MS = 100;
const THRESHOLD_MS = 800;
/** An agent that stands still for less beats again in time. */
const PAUSE_MS_MAX = THRESHOLD_MS - 2 * INTERVAL_MS;
/**
 * A stall is out this long after the threshold at the latest, not counting what the machine stood
 * still.
 */
const LATE_MS_MAX = 50;

describe.skipIf(crewProgram === undefined)(`200 agents at 10 Hz${NEEDS_CREW}`, () => {
  test("every beat is counted and only the silent are stalled, once per silence", () =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", `${THRESHOLD_MS}`, "--export-file", "events.tsv"],
      });
      await using crew = new Crew(daemon.socket);
      await using pauses = new Pauses();
      const pids = await crew.agents({ count: AGENTS, intervalMs: INTERVAL_MS });
      await until(
        "every agent to be tracked",
        async () => (await daemon.state()).agents === AGENTS,
      );
      const [frozen, killed] = [pids[17]!, pids[101]!];

      const arrivalsMs = [await freezeUntilStalled(daemon, frozen, 1)];
      process.kill(frozen, "SIGCONT");
      await until("its return", () => daemon.saying("agent is back", frozen).length >= 1);
      const killedSent = await crew.kill(killed);
      arrivalsMs.push(await freezeUntilStalled(daemon, frozen, 2));
      process.kill(frozen, "SIGCONT");
      await until("its return", () => daemon.saying("agent is back", frozen).length >= 2);
      await daemon.untilStalls(killed);

      // No other agent, and none twice; what comes after this is the silence that the test makes.
      const stalls = daemon.saying("agent stalled").map(pidOf);
      expect(stalls.toSorted()).toEqual([frozen, frozen, killed].toSorted());
      expect(daemon.saying("agent is back").map(pidOf)).toEqual([frozen, frozen]);

      const sent = await crew.quiet();
      const total = [...sent.values()].reduce((sum, beats) => sum + beats, killedSent);
      expect(sent.size).toBe(AGENTS - 1);
      expect(total).toBeGreaterThan(10 * AGENTS);
      await daemon.untilReceived(total);
      const page = await daemon.page();
      for (const [pid, beats] of sent)
        expect(sampleAt(page, `varta_beats_total{pid="${pid}"}`)).toBe(beats);
      // The killed one may have died between its last beat and counting it.
      const killedBeats = sampleAt(page, `varta_beats_total{pid="${killed}"}`);
      expect(killedBeats - killedSent).toBeOneOf([0, 1]);
      expect(sumOf(page, "varta_beats_total")).toBe(total + killedBeats - killedSent);
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(0);
      expect(sampleAt(page, `varta_stalls_total{pid="${frozen}"}`)).toBeGreaterThanOrEqual(2);

      await daemon.stop();
      const rows = daemon.exported("events.tsv");
      const delaysMs = [frozen, killed].flatMap((pid) => stallDelaysMs(rows, pid));
      const anewMs = beganAnew(page) ? THRESHOLD_MS : 0;
      // The machine may keep each of three waiting: the agent, the daemon, and who reads its log.
      const waitedMs = 3 * (await pauses.longestMs());
      const latestMs = THRESHOLD_MS + LATE_MS_MAX + anewMs + waitedMs;
      for (const delayMs of delaysMs) expect(delayMs).toBeWithin(THRESHOLD_MS, latestMs);
      for (const arrivalMs of arrivalsMs) expect(arrivalMs).toBeLessThan(latestMs);
    }));
});

// The last beat cannot be later than the freeze, so the log line must be out a threshold later, and
// a little.
async function freezeUntilStalled(
  daemon: DaemonProcess,
  pid: number,
  count: number,
): Promise<number> {
  const frozenMs = performance.now();
  process.kill(pid, "SIGSTOP");
  await daemon.untilStalls(pid, count);
  const { arrivedMs, fields } = daemon.stallsOf(pid).at(-1)!;
  expect(fields.get("threshold_ms")).toBe(`${THRESHOLD_MS}`);
  expect(Number(fields.get("silence_ms"))).toBeGreaterThanOrEqual(THRESHOLD_MS);
  return arrivedMs - frozenMs;
}
