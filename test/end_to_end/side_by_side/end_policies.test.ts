// What the rule of an agent says about ends, and on which verdicts its plan acts (spec 14 sections
// 3 and 4, spec 15 sections 3 and 4), with real agents.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { compiled } from "../../support/compiled.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const held = IS_LINUX ? compiled(join(import.meta.dir, "../../support/held.c")) : undefined;
const CANNOT_HOLD = held === undefined ? " (skipped: there is no C compiler)" : "";

const RULE = `[[agent]]\nmatch = { uid = ${process.getuid!()} }\nname = "worker"\n`;

describe.concurrent.if(IS_LINUX)("the rule of an agent", () => {
  test("says which statuses are clean, and makes another end a stall at once", async () => {
    await using daemon = await DaemonProcess.start({
      config: `[observer]\nthreshold = "60s"\n${RULE}on_exit = "report"\nclean_exit = [143]\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const [jvm, crashing] = [await agents.start(), await agents.start()];
    await jvm.exit(143);
    await daemon.untilSays("member gone");
    await crashing.exit(3);
    await daemon.untilStalls(crashing.pid);
    const [gone] = daemon.saying("member gone");
    expect(Object.fromEntries(gone!.fields)).toMatchObject({
      agent: "worker",
      pid: `${jvm.pid}`,
      how: "exit",
      exit_status: "143",
    });
    const [stall] = daemon.stallsOf(crashing.pid);
    expect(Object.fromEntries(stall!.fields)).toMatchObject({
      agent: "worker",
      verdict: "exited",
      exit_status: "3",
    });
    expect(daemon.saying("member ended")[0]!.fields.get("agent")).toBe("worker");
    expect(daemon.stallsOf(jvm.pid)).toEqual([]);
  });

  test("calls every end gone where it ignores them", async () => {
    await using daemon = await DaemonProcess.start({ config: `${RULE}on_exit = "ignore"\n` });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await untilWatched(daemon);
    agent.kill("SIGKILL");
    await daemon.untilSays("member gone");
    const [gone] = daemon.saying("member gone", agent.pid);
    expect(Object.fromEntries(gone!.fields)).toMatchObject({
      reason: "ignored",
      signal: "SIGKILL",
    });
    expect(daemon.saying("member ended")).toEqual([]);
  });

  test("lets silence alone count where it says so", async () => {
    await using daemon = await DaemonProcess.start({
      config: `[observer]\nthreshold = "600ms"\n${RULE}on_exit = "silence"\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await agent.exit(0);
    await daemon.untilStalls(agent.pid);
    expect(daemon.saying("member gone")).toEqual([]);
  });
});

const RECOVERY = '[observer]\nthreshold = "600ms"\n[recovery]\ncommand = ["true", "{agent}"]\n';

describe.concurrent.skipIf(held === undefined)(`a recovery${CANNOT_HOLD}`, () => {
  test.each([
    ["leaves one alone that a debugger holds, and says why", "", "verdict_not_acted_on"],
    ["acts on it where its plan says so", 'when = ["traced"]\n', undefined],
  ])("%s", async (_name, when, refusal) => {
    await using daemon = await DaemonProcess.start({ config: RECOVERY + when });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await using debuggers = new AsyncDisposableStack();
    const debugging = Bun.spawn([held!, "stop", `${agent.pid}`], { stdin: "pipe", stdout: "pipe" });
    debuggers.defer(async () => {
      debugging.kill("SIGKILL");
      await debugging.exited;
    });
    await daemon.untilStalls(agent.pid);
    const [stall] = daemon.stallsOf(agent.pid);
    expect(Object.fromEntries(stall!.fields)).toMatchObject({
      verdict: "traced",
      tracer_pid: `${debugging.pid}`,
    });
    await daemon.untilSays(refusal === undefined ? "recovery began" : "recovery refused");
    const [refused] = daemon.saying("recovery refused", agent.pid);
    expect(refused?.fields.get("reason")).toBe(refusal);
  });
});

/** Its process has a descriptor: of one that is killed before, it is not known how it ended. */
async function untilWatched(daemon: DaemonProcess): Promise<void> {
  const watched = async () => sampleAt(await daemon.page(), "varta_member_pidfds") === 1;
  await until("the descriptor of its process", watched);
}
