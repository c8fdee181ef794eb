// What the rule of an agent says of short silences and of new members (spec 03 sections 7.2 and
// 7.3), with real agents.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const RULE = `[[agent]]\nmatch = { uid = ${process.getuid?.()} }\nname = "worker"\n`;
const GRACE_MS = 6_000;

describe.concurrent.if(IS_LINUX)("the rule of an agent", () => {
  test("has each silence told once that is late, and shown until the next beat", async () => {
    await using daemon = await DaemonProcess.start({
      config: `[export]\nformat = "jsonl"\n${RULE}threshold = "60s"\nlate = "2s"\n`,
      args: ["--export-file", "events"],
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    // A state that no member has has no row.
    const late = async () => (await daemon.page()).samples.get(LATE_MEMBERS) ?? 0;
    const lates = async () => sampleAt(await daemon.page(), "varta_member_lates_total");
    agent.kill("SIGSTOP");
    await daemon.untilSays("agent late");
    await until("the page to show it", async () => (await late()) === 1);
    agent.kill("SIGCONT");
    await until("the page to show no longer", async () => (await late()) === 0);
    agent.kill("SIGSTOP");
    await daemon.untilSays("agent late", 2);
    const told = daemon.saying("agent late", agent.pid);
    expect(told).toHaveLength(2);
    const fields = Object.fromEntries(told[0]!.fields);
    expect(fields).toMatchObject({ agent: "worker", late_ms: "2000", threshold_ms: "60000" });
    expect(Number(fields["silence_ms"])).toBeWithin(2_000, 60_000);
    await until("the page to count them", async () => (await lates()) === 2);
    expect(daemon.saying("agent stalled")).toEqual([]);
    const lines = () => readFileSync(daemon.path("events"), "utf8").match(/"kind":"late".*/g) ?? [];
    await until("the export to have them", () => lines().length === 2);
    expect(lines()[0]).toContain(`"agent":"worker","pid":${agent.pid},`);
  });

  test("gives a new member its grace: a crash in it is told at once, and judged after it", async () => {
    await using daemon = await DaemonProcess.start({
      config: `${RULE}threshold = "150ms"\nlate = "100ms"\ngrace = "${GRACE_MS}ms"\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const [silent, crashing] = [await agents.start(), await agents.start()];
    silent.kill("SIGSTOP");
    await crashing.exit(3);
    await daemon.untilSays("member ended");
    expect(daemon.saying("agent stalled")).toEqual([]);
    await daemon.untilStalls(silent.pid);
    await daemon.untilStalls(crashing.pid);
    for (const [{ pid }, verdict] of [
      [silent, "stopped"],
      [crashing, "exited"],
    ] as const) {
      const [stall] = daemon.stallsOf(pid);
      expect(stall!.fields.get("verdict")).toBe(verdict);
      // The test may have been slow to stop it.
      expect(Number(stall!.fields.get("silence_ms"))).toBeGreaterThan(GRACE_MS / 3);
    }
    expect(daemon.saying("agent late")).toEqual([]);
    silent.kill("SIGCONT");
    await daemon.untilSays("agent is back");
    silent.kill("SIGSTOP");
    await daemon.untilSays("agent late");
  });
});

const LATE_MEMBERS = 'varta_agents{agent="worker",state="late"}';
