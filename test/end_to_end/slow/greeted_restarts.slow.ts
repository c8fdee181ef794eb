// What a daemon knows of members that said hello, announced a name or said goodbye outlives it,
// whether it is killed or stopped in order (spec 14 section 5, spec 15 sections 6 to 8, spec 18).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { plainState } from "../../../src/snapshot/decoder.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import type { State } from "../../../src/snapshot/records.ts";
import type { AgentStatusView } from "../../../src/view/status_view.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { GreetingProgram, HAS_PYTHON } from "../../support/greeting_program.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(240_000);
afterAll(endLeftovers);

/** The grace of what is expected is 30 s at least. */
const MISSING_MS_MAX = 120_000;

const CONFIG = `
guard = "off"
[observer]
threshold = "400ms"
[[agent]]
match = { uid = ${process.getuid?.() ?? 0} }
name = "worker"
announce = ["front-*", "job-*"]
threshold_max = "1h"
`;

const EXPECTING = CONFIG.replace('name = "worker"', 'name = "worker"\nexpect = 1');

function membersIn(daemon: DaemonProcess): State["member"] {
  const found = findState(daemon.path("varta.sock.state"), process.geteuid!());
  return found.kind === "state" ? plainState(found.state).member : [];
}

async function asked(daemon: DaemonProcess, ...words: string[]): Promise<string> {
  const control = ["--control", daemon.path("control.sock")];
  const { stdout, stderr } = await runCommand([...PROGRAM, ...words, ...control]);
  return (stdout + stderr).replaceAll(/\s+/g, " ");
}

async function agentsOf(daemon: DaemonProcess): Promise<Record<string, string>> {
  const { agents } = JSON.parse(await asked(daemon, "status", "--json")) as {
    readonly agents: readonly AgentStatusView[];
  };
  return Object.fromEntries(
    agents.map(({ agent, state, beating, members }) => [agent, `${state} ${beating}/${members}`]),
  );
}

async function kill(daemon: DaemonProcess): Promise<void> {
  daemon.signal("SIGKILL");
  await daemon.exited();
}

async function stop(daemon: DaemonProcess): Promise<void> {
  expect(await daemon.stop()).toBe(0);
}

const ENDS = [
  ["was killed", kill],
  ["was stopped in order", stop],
] as const;

describe.skipIf(!IS_LINUX || !HAS_PYTHON)("what was said to a daemon", () => {
  test.each(ENDS)("that %s is known to the next one", async (_, end) => {
    using directory = new TemporaryDirectory();
    const options = { config: CONFIG, directory: directory.path };
    await using before = await DaemonProcess.start(options);
    await using job = new GreetingProgram(before.socket);
    await using other = new GreetingProgram(before.socket);
    await using slow = new GreetingProgram(before.socket);
    await using leaving = new GreetingProgram(before.socket);
    await using left = new GreetingProgram(before.socket);
    await job.hello("job-1");
    await other.hello("job-2");
    await slow.hello("front-7", 600_000);
    for (const each of [slow, leaving, left]) await each.beat();
    for (const each of [leaving, left]) await each.bye();
    const known = (): string[] =>
      membersIn(before).map(({ announced, askedNs, isUnbeaten, goodbyeNs }) => {
        const said = Number.isNaN(goodbyeNs) ? "" : " goodbye";
        return `${announced} ${askedNs} ${isUnbeaten}${said}`;
      });
    const all = ["job-1 0 true", "job-2 0 true", "front-7 1800000000000 false"];
    await until("the state to have what they said", () => {
      const found = known();
      const goodbyes = found.filter((one) => one.endsWith(" goodbye"));
      return all.every((one) => found.includes(one)) && goodbyes.length === 2;
    });
    const shown = { "job-1": "new 0/1", "job-2": "new 0/1", "front-7": "ok 1/1" };
    expect(await agentsOf(before)).toMatchObject({ ...shown, worker: "ok 0/2" });
    await end(before);
    // Nobody watches these ends.
    await left.exit(1);
    await other.exit(3);

    await using after = await DaemonProcess.start(options);
    await using silent = new GreetingProgram(after.socket);
    await silent.beat();
    await after.untilSays("member gone");
    expect(Object.fromEntries(after.saying("member gone", left.pid)[0]!.fields)).toMatchObject({
      agent: "worker",
      reason: "goodbye",
    });
    await until("the end of who owed no beats", () => after.stallsOf(other.pid).length === 1);
    // A whole threshold is over.
    await after.untilStalls(silent.pid);
    for (const each of [job, slow, leaving, left]) expect(after.stallsOf(each.pid)).toEqual([]);
    expect(await agentsOf(after)).toMatchObject({ "job-1": "new 0/1", "front-7": "ok 1/1" });
    expect(await asked(after, "explain", `${job.pid}`)).toContain(
      "It said hello, and owes no beats",
    );
    expect(await asked(after, "explain", `${leaving.pid}`)).toContain("It said goodbye at ");

    // All of it goes on: one beats at last, one takes it back, and one ends on purpose.
    await job.beat();
    await after.untilStalls(job.pid);
    expect(after.stallsOf(job.pid)[0]!.fields.get("agent")).toBe("job-1");
    await leaving.exit(7);
    await until("its end", () => after.saying("member gone", leaving.pid).length === 1);
    expect(after.saying("member ended").map(({ fields }) => fields.get("pid"))).toEqual([
      `${other.pid}`,
    ]);
    expect(await after.stop()).toBe(0);
  });

  test("does not make a member of which beats are expected", async () => {
    using directory = new TemporaryDirectory();
    const options = { config: EXPECTING, directory: directory.path };
    await using before = await DaemonProcess.start(options);
    await using member = new GreetingProgram(before.socket);
    await member.hello("", 600_000);
    const isMissing = (daemon: DaemonProcess): boolean => daemon.saying("agent missing").length > 0;
    await until("the agent to be missing", () => isMissing(before), MISSING_MS_MAX);
    expect(before.saying("agent missing")[0]!.fields.get("members")).toBe("0");
    expect(await agentsOf(before)).toEqual({ worker: "missing 0/1" });
    await member.beat();
    await before.untilSays("agent complete");
    expect(await agentsOf(before)).toEqual({ worker: "ok 1/1" });
    await member.bye();
    await until("its goodbye", async () => (await agentsOf(before))["worker"] === "ok 0/1");
    await stop(before);

    await using after = await DaemonProcess.start(options);
    await until("it to be missing again", () => isMissing(after), MISSING_MS_MAX);
    expect(after.stallsOf(member.pid)).toEqual([]);
    await member.beat();
    await after.untilSays("agent complete");
    expect(await after.stop()).toBe(0);
  });
});
