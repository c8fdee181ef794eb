// The state file over many lives and many stops of the real program (spec 18): fifty daemons one
// after the other leave what the first one left, and one that is stopped again and again in the
// middle of a writing leaves a whole file.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { decodeState } from "../../../src/snapshot/decoder.ts";
import { Random } from "../../simulation/random.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(180_000);
afterAll(endLeftovers);

const LIVES = 50;
const MEMBERS = 30;
/** Three streams, six sockets, four of the runtime's, and two to spare. */
const DESCRIPTORS_MAX = 15;
/** What the runtime may take more or less of from one start to the next. */
const RSS_KIB_SPREAD_MAX = 12 * 1_024;

const SEED = 0x570b;
const STORM_MEMBERS = 2_000;
const GROUPS = 5;
const STOPS = 20 * GROUPS;
const STOP_MS_MAX = 30;

function configOf(state: string): string {
  return `guard = "off"\n[observer]\nthreshold = "120s"\n[state]\nfile = "${state}"\n`;
}

interface Life {
  readonly descriptors: number;
  readonly rssKib: number;
}

function lifeOf({ pid, directory }: DaemonProcess): Life {
  const [, rssKib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))!;
  // Those of processes and of files come and go.
  const lasting = descriptorsOf(pid).filter(
    (target) => !target.startsWith("anon_inode:[pidfd]") && !target.startsWith(directory),
  );
  return { descriptors: lasting.length, rssKib: Number(rssKib) };
}

function descriptorsOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(`${directory}/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** undefined = there is none, or it is not whole. */
function membersIn(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const decoded = decodeState(readFileSync(path));
  return decoded.ok ? decoded.state.member.length : undefined;
}

/** Or until there was one. */
async function untilWriting(path: string, members: number): Promise<void> {
  while (!existsSync(`${path}.tmp`) && membersIn(path) !== members) await Bun.sleep(1);
}

describe.skipIf(crewProgram === undefined)(`a state file${NEEDS_CREW}`, () => {
  test(`of ${LIVES} lives in a row takes no more than that of the first ones`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state");
    const start = () =>
      DaemonProcess.start({
        config: configOf(path),
        directory: directory.path,
        metrics: false,
      });
    let daemon = await start();
    await using crew = new Crew(daemon.socket);
    await crew.agents({ count: MEMBERS, intervalMs: 100 });
    await until("all members to be written", () => membersIn(path) === MEMBERS);
    const lives: Life[] = [];
    for (let life = 0; life < LIVES; life++) {
      const isKilled = life % 2 === 1;
      daemon.signal(isKilled ? "SIGKILL" : "SIGTERM");
      await daemon.exited();
      await daemon[Symbol.asyncDispose]();
      daemon = await start();
      await daemon.untilSays("state restored");
      const { fields } = daemon.saying("state restored")[0]!;
      expect([life, fields.get("members"), fields.get("died")]).toEqual([
        life,
        String(MEMBERS),
        undefined,
      ]);
      lives.push(lifeOf(daemon));
    }
    expect(await daemon.stop()).toBe(0);
    await daemon[Symbol.asyncDispose]();

    const half = LIVES / 2;
    const most = (some: readonly Life[], of: (life: Life) => number): number =>
      Math.max(...some.map(of));
    const descriptors = most(lives, (life) => life.descriptors);
    const rssKib = [lives.slice(0, half), lives.slice(half)].map((some) =>
      most(some, (life) => life.rssKib),
    ) as [number, number];
    const left = readdirSync(directory.path).toSorted();
    console.log(`${descriptors} descriptors, ${rssKib.join(" and ")} KiB, ${left.join(" ")}`);
    expect(descriptors).toBeLessThanOrEqual(DESCRIPTORS_MAX);
    expect(rssKib[1]).toBeLessThan(rssKib[0] + RSS_KIB_SPREAD_MAX);
    expect(left).toEqual(["last-seen", "state", "state.fired", "state.lock", "varta.toml"]);
  });

  test(`is whole at each of ${STOPS} stops of its daemon, and complete in the end`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state");
    await using daemon = await DaemonProcess.start({
      config: configOf(path),
      directory: directory.path,
      args: ["--tracker-capacity", String(2 * STORM_MEMBERS)],
    });
    await using crew = new Crew(daemon.socket);
    const random = new Random(SEED);
    let members = 0;
    let duringWritings = 0;
    for (let stop = 0; stop < STOPS; stop++) {
      if (stop % (STOPS / GROUPS) === 0) {
        const some = await crew.agents({ count: STORM_MEMBERS / GROUPS, intervalMs: 5_000 });
        members += some.length;
        // This stop is one in the writing that they cause.
        await untilWriting(path, members);
      }
      daemon.signal("SIGSTOP");
      if (existsSync(`${path}.tmp`)) duringWritings += 1;
      if (existsSync(path)) expect([stop, membersIn(path)]).toEqual([stop, expect.any(Number)]);
      await Bun.sleep(random.below(STOP_MS_MAX));
      daemon.signal("SIGCONT");
      await Bun.sleep(random.below(STOP_MS_MAX));
    }
    await until("all members to be written", () => membersIn(path) === members);
    expect(members).toBe(STORM_MEMBERS);
    console.log(`${duringWritings} of ${STOPS} stops in a writing`);
    expect(duringWritings).toBeGreaterThan(0);
    const { samples } = await daemon.page();
    expect(samples.get("varta_state_errors_total")).toBe(0);
    expect(daemon.saying("agent stalled")).toEqual([]);
    expect(await daemon.stop()).toBe(0);
    expect(readdirSync(directory.path)).not.toContain("state.tmp");
    expect(membersIn(path)).toBe(members);
  });
});
