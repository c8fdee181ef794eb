// Two thousand stream connections of five hundred forks that are killed, frozen and replaced for a
// minute, by a fixed seed (spec 05 section 10): every death and every silence is told once, nobody
// else ever is, also where a child goes on beating for its dead parent by the parent's own
// connections, and in the end no descriptor is left.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readdirSync } from "node:fs";
import { type Page, sampleAt, sumOf } from "../../metrics/page.ts";
import { Xorshift32 } from "../../reference/xorshift.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { type LogLine, pidOf } from "../../support/log_lines.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

const SEED = 0x57ea;
const AGENTS = 500;
const CONNECTIONS = 4;
/** One user may have half of them at most. */
const USERS = 4;
const HEIR_EVERY = 5;
const INTERVAL_MS = 200;
const THRESHOLD_MS = 2_000;
/** An agent that stands still for less beats again in time. */
const PAUSE_MS_MAX = THRESHOLD_MS - 2 * INTERVAL_MS;
const CHURN_MS = Number(process.env["VARTA_TEST_CHURN_MS"] ?? 60_000);
const ROUND_MS = 100;
/** One agent in so many rounds is frozen until it is told; one dies in every round. */
const ROUNDS_PER_FREEZE = 10;
/** Of a connection, and of its pidfd. */
const DESCRIPTORS_PER_CONNECTION = 2;
/** Connections that an heir alone keeps open, beside those of the living. */
const INHERITED_MAX = (AGENTS / HEIR_EVERY) * CONNECTIONS;
/** Log, metrics, commands: what comes and goes beside the fleet. */
const OTHERS_MAX = 32;

const whyNot = process.geteuid?.() === 0 ? "" : " (skipped: only root may be other users)";

setDefaultTimeout(280_000);
afterAll(endLeftovers);

const CONFIG = (path: string) => `
[observer]
threshold = "${THRESHOLD_MS}ms"

[[listener]]
kind = "unix-stream"
name = "stream"
path = "${path}"
mode = "0666"
`;

describe.skipIf(crewProgram === undefined || whyNot !== "")(
  `2,000 stream connections of 500 forks${NEEDS_CREW}${whyNot}`,
  () => {
    test("no false stall, none missed, descriptors flat", () =>
      unlessMachinePauses(PAUSE_MS_MAX, async () => {
        using directory = new TemporaryDirectory();
        chmodSync(directory.path, 0o755);
        const socket = directory.at("stream.sock");
        await using daemon = await DaemonProcess.start({
          directory: directory.path,
          config: CONFIG(socket),
          ownListeners: true,
        });
        const before = descriptorsOf(daemon);
        await using crew = new Crew(socket);
        await crew.streams({ connections: CONNECTIONS, uids: USERS, heirEvery: HEIR_EVERY });
        const { killed, frozen, living } = await churn(daemon, crew);

        const page = await daemon.page();
        expect(connectionsOf(page)).toBeWithin(AGENTS * CONNECTIONS - AGENTS, mostConnections());
        // Who died and was not replaced is a stall, too, and its verdict says so.
        const [dead, silent] = stallsByVerdict(daemon);
        expect(silent.toSorted()).toEqual(frozen.toSorted());
        expect(dead.filter((pid) => !killed.includes(pid))).toEqual([]);
        expect(new Set(dead).size).toBe(dead.length);
        const ended = () => daemon.saying("member ended").map(pidOf).toSorted();
        await until("every death to be told", () => ended().length >= killed.length);
        expect(ended()).toEqual(killed.toSorted());
        // What heirs sent came from another than it named; and a beat that opened a connection may
        // be read after the next one, by another, if the daemon waited for a core meanwhile.
        const [byHeirs, outOfOrder] = [refusedFor(page, "pid"), refusedFor(page, "out_of_order")];
        expect(byHeirs).toBeGreaterThan(0);
        expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(byHeirs + outOfOrder);
        expect(closedBy(page, "process_ended")).toBeGreaterThan(0);
        for (const reason of ["limit", "limit_uid", "limit_pid", "descriptors", "error"])
          expect(closedBy(page, reason)).toBe(0);

        for (const pid of living) await crew.kill(pid);
        const isEmpty = async () => connectionsOf(await daemon.page()) === 0;
        await until("every connection to be closed", isEmpty);
        await until("the table to be empty of pidfds", () => descriptorsOf(daemon) <= before);
      }));
  },
);

interface Churned {
  readonly killed: number[];
  readonly frozen: number[];
  readonly living: readonly number[];
}

async function churn(daemon: DaemonProcess, crew: Crew): Promise<Churned> {
  const random = new Xorshift32(SEED);
  const living = await crew.agents({ count: AGENTS, intervalMs: INTERVAL_MS });
  await until("every agent to be tracked", async () => (await daemon.state()).agents === AGENTS);
  const killed: number[] = [];
  const frozen: number[] = [];
  let asleep = 0;
  let toldBefore = 0;
  const endMs = performance.now() + CHURN_MS;
  for (let round = 0; performance.now() < endMs; round++) {
    const nextMs = performance.now() + ROUND_MS;
    const place = random.below(living.length);
    const pid = living[place]!;
    if (pid !== asleep) {
      await crew.kill(pid);
      killed.push(pid);
      living[place] = await crew.agent({ intervalMs: INTERVAL_MS });
    }
    if (asleep === 0 && round % ROUNDS_PER_FREEZE === 0) {
      asleep = living[random.below(living.length)]!;
      toldBefore = daemon.stallsOf(asleep).length;
      process.kill(asleep, "SIGSTOP");
      frozen.push(asleep);
    } else if (asleep !== 0 && daemon.stallsOf(asleep).length > toldBefore) {
      process.kill(asleep, "SIGCONT");
      asleep = 0;
    }
    expect(descriptorsOf(daemon)).toBeLessThan(mostDescriptors());
    await Bun.sleep(Math.max(0, nextMs - performance.now()));
  }
  if (asleep !== 0) {
    await daemon.untilStalls(asleep, toldBefore + 1);
    process.kill(asleep, "SIGCONT");
  }
  return { killed, frozen, living };
}

/** Pids of those that had ended, and of all others. */
function stallsByVerdict(daemon: DaemonProcess): [dead: number[], silent: number[]] {
  const stalls = daemon.saying("agent stalled");
  const hasEnded = ({ fields }: LogLine) => fields.get("verdict") === "exited";
  return [stalls.filter(hasEnded).map(pidOf), stalls.filter((one) => !hasEnded(one)).map(pidOf)];
}

function descriptorsOf({ pid }: DaemonProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function mostConnections(): number {
  return AGENTS * CONNECTIONS + INHERITED_MAX;
}

function mostDescriptors(): number {
  return mostConnections() * DESCRIPTORS_PER_CONNECTION + AGENTS + OTHERS_MAX;
}

function connectionsOf(page: Page): number {
  return sampleAt(page, 'varta_stream_connections{listener="stream"}');
}

function refusedFor(page: Page, reason: string): number {
  return sampleAt(page, `varta_datagrams_rejected_total{listener="stream",reason="${reason}"}`);
}

function closedBy(page: Page, reason: string): number {
  return sampleAt(page, `varta_stream_closed_total{listener="stream",reason="${reason}"}`);
}
