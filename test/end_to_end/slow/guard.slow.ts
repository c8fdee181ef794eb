// The guard over a restart (spec 12 section 10): members that come back with the state and are
// silent together are held first, and a mass death while no daemon ran is told at once.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";
import { sampleAt } from "../../metrics/page.ts";

setDefaultTimeout(60_000);
afterAll(endLeftovers);

const AGENTS = 12;
const THRESHOLD_MS = 2_000;
const CONFIG = `[[agent]]
match = { uid = ${process.getuid?.()} }
name = "worker"
threshold = "${THRESHOLD_MS}ms"
`;

/** Twelve agents; while the daemon restarts, `happens` to all of them. */
async function restarted(how: "frozen" | "killed") {
  const directory = new TemporaryDirectory();
  const start = () => DaemonProcess.start({ config: CONFIG, directory: directory.path });
  const before = await start();
  const crew = new Crew(before.socket);
  const pids = await crew.agents({ count: AGENTS, intervalMs: 50 });
  await until("all to be tracked", async () => (await before.state()).agents === AGENTS);
  await before.untilSays("member came", AGENTS);
  await before.stop();
  for (const pid of pids)
    if (how === "killed") await crew.kill(pid);
    else await crew.signal(pid, "SIGSTOP");
  return { daemon: await start(), crew, directory };
}

describe.skipIf(crewProgram === undefined)(`members of before a restart${NEEDS_CREW}`, () => {
  test("that are silent together are held for one more threshold, and then told", async () => {
    const { daemon, crew, directory } = await restarted("frozen");
    await daemon.untilSays("guard active");
    expect(daemon.saying("agent stalled").length).toBeLessThanOrEqual(AGENTS / 2);
    await daemon.untilSays("guard over");
    expect(Object.fromEntries(daemon.saying("guard over")[0]!.fields)).toMatchObject({
      end: "judged",
      cause: "restarted",
    });
    await until("all to be told", () => daemon.saying("agent stalled").length === AGENTS);
    await crew[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  test("that are held when the daemon is killed are held by the next one, which says so once", async () => {
    const { daemon: before, crew, directory } = await restarted("frozen");
    await before.untilSays("guard active");
    const written = async () => sampleAt(await before.page(), "varta_state_behind_seconds") === 0;
    await until("the state to be written", written);
    const told = before.saying("agent stalled").length;
    before.signal("SIGKILL");
    await before.exited();
    const daemon = await DaemonProcess.start({ config: CONFIG, directory: directory.path });
    expect(sampleAt(await daemon.page(), "varta_guard_active")).toBe(1);
    await daemon.untilSays("guard over");
    const [restored, first] = ["state restored", "agent stalled"].map((msg) =>
      Date.parse(daemon.saying(msg)[0]!.fields.get("time")!),
    );
    expect(first! - restored!).toBeGreaterThan(1.2 * THRESHOLD_MS);
    expect(daemon.saying("guard active")).toEqual([]);
    await until("all to be told", () => daemon.saying("agent stalled").length === AGENTS - told);
    await crew[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  test("that all died meanwhile are told at once, and no guard holds them", async () => {
    const { daemon, crew, directory } = await restarted("killed");
    const told = () =>
      daemon.saying("member ended").length +
      daemon.saying("agent stalled").length +
      daemon.saying("member gone").length;
    await until("all to be told", () => told() >= AGENTS);
    expect(told()).toBe(AGENTS);
    expect(daemon.saying("guard active")).toEqual([]);
    await crew[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
});
