// A fleet that never rests: agents freeze, wake up, die and are replaced, by a fixed seed. In the
// end every silence was reported exactly once and in time, no other agent ever, and no beat is
// missing.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { Xorshift32 } from "../../reference/xorshift.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { Pauses, unlessMachinePauses } from "../../support/pauses.ts";
import { beganAnew, stallDelaysMs } from "../../support/stall_delays.ts";
import { until } from "../../support/until.ts";

const SEED = 0x5eed;
const AGENTS = 300;
const INTERVAL_MS = 100;
const THRESHOLD_MS = 1_000;
/** An agent that stands still for less beats again in time. */
const PAUSE_MS_MAX = THRESHOLD_MS - 2 * INTERVAL_MS;
/** Not counting what the machine stood still. */
const LATE_MS_MAX = 50;
const ROUNDS = 20;
const FREEZES_PER_ROUND = 6;
const DEATHS_PER_ROUND = 2;

setDefaultTimeout(180_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(`a fleet with churn${NEEDS_CREW}`, () => {
  test("has every silence reported once and in time, and every beat counted", () =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", `${THRESHOLD_MS}`, "--export-file", "events.tsv"],
      });
      await using crew = new Crew(daemon.socket);
      await using pauses = new Pauses();
      const { silences, killedSent } = await churn(daemon, crew);
      for (const pid of killedSent.keys()) await daemon.untilStalls(pid, silences.get(pid)!);
      expect(countsOf(daemon.saying("agent stalled").map(pidOf))).toEqual(byPid(silences));

      const sent = await crew.quiet();
      await daemon.untilReceived(sumOfValues(sent) + sumOfValues(killedSent));
      const page = await daemon.page();
      for (const [pid, beats] of sent)
        expect(sampleAt(page, `varta_beats_total{pid="${pid}"}`)).toBe(beats);
      // Each of the killed may have died between its last beat and counting it.
      for (const [pid, beats] of killedSent) {
        const counted = sampleAt(page, `varta_beats_total{pid="${pid}"}`);
        expect(counted - beats).toBeOneOf([0, 1]);
      }
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(0);
      await daemon.stop();
      const rows = daemon.exported("events.tsv");
      const anewMs = beganAnew(page) ? THRESHOLD_MS : 0;
      // The machine may keep the agent waiting and the daemon.
      const latestMs = THRESHOLD_MS + LATE_MS_MAX + anewMs + 2 * (await pauses.longestMs());
      for (const pid of silences.keys()) {
        for (const delayMs of stallDelaysMs(rows, pid))
          expect(delayMs).toBeWithin(THRESHOLD_MS, latestMs);
      }
    }));
});

interface Churned {
  /** How often each agent fell silent, by pid. */
  readonly silences: ReadonlyMap<number, number>;
  /** What each of the killed had sent, by pid. */
  readonly killedSent: ReadonlyMap<number, number>;
}

async function churn(daemon: DaemonProcess, crew: Crew): Promise<Churned> {
  const random = new Xorshift32(SEED);
  const living = await crew.agents({ count: AGENTS, intervalMs: INTERVAL_MS });
  const silences = new Map<number, number>();
  const killedSent = new Map<number, number>();
  const isTracked = async () => (await daemon.state()).agents === AGENTS;
  await until("every agent to be tracked", isTracked);

  for (let round = 0; round < ROUNDS; round++) {
    const frozen = new Set<number>();
    while (frozen.size < FREEZES_PER_ROUND) frozen.add(living[random.below(living.length)]!);
    for (const pid of frozen) {
      silences.set(pid, (silences.get(pid) ?? 0) + 1);
      process.kill(pid, "SIGSTOP");
    }
    for (let death = 0; death < DEATHS_PER_ROUND; death++) {
      const index = random.below(living.length);
      const pid = living[index]!;
      if (frozen.has(pid)) continue;
      killedSent.set(pid, await crew.kill(pid));
      silences.set(pid, (silences.get(pid) ?? 0) + 1);
      living[index] = await crew.agent({ intervalMs: INTERVAL_MS });
    }
    for (const pid of frozen) await daemon.untilStalls(pid, silences.get(pid)!);
    for (const pid of frozen) process.kill(pid, "SIGCONT");
    for (const pid of frozen) {
      const isBack = () => daemon.saying("agent is back", pid).length >= silences.get(pid)!;
      await until("its return", isBack);
    }
  }
  return { silences, killedSent };
}

function countsOf(pids: readonly number[]): [number, number][] {
  const counts = new Map<number, number>();
  for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return byPid(counts);
}

function byPid(counts: ReadonlyMap<number, number>): [number, number][] {
  return [...counts].toSorted(([a], [b]) => a - b);
}

function sumOfValues(map: ReadonlyMap<number, number>): number {
  return [...map.values()].reduce((sum, value) => sum + value, 0);
}
