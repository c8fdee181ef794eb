// Agents of which members are expected (spec 15 section 7), with real processes and the real grace
// of half a minute: 7 of 8 come, and of another one nobody ever does.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { runCommand } from "../../support/command.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { sampleAt } from "../../metrics/page.ts";
import { PROGRAM } from "../../support/program.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

const GRACE_MS = 30_000;

const CONFIG = `
[[agent]]
match = { uid = ${process.getuid?.()} }
name = "worker"
threshold = "60s"
expect = 8

[[agent]]
match = { unit = "varta-test-nobody.service" }
name = "nobody"
expect = 1
`;

describe.concurrent.if(IS_LINUX)("an agent of which 8 members are expected", () => {
  test("is missing with 7 after the grace, and complete with the 8th", async () => {
    await using daemon = await DaemonProcess.start({
      config: CONFIG,
      args: ["--export-file", "events"],
    });
    await using agents = new MortalAgents(daemon.socket);
    for (let member = 0; member < 7; member++) await agents.start();
    expect(await missingOn(daemon)).toBe(0);
    await until(
      "both to miss",
      () => daemon.saying("agent missing").length === 2,
      GRACE_MS + 10_000,
    );
    const told = daemon.saying("agent missing").map(({ fields }) => Object.fromEntries(fields));
    expect(told).toMatchObject([
      { agent: "worker", members: "7", expected: "8", grace_ms: "30000" },
      { agent: "nobody", members: "0", expected: "1", grace_ms: "30000" },
    ]);
    await until("the page to say so", async () => (await missingOn(daemon)) === 2);
    await agents.start();
    await daemon.untilSays("agent complete");
    const [complete] = daemon.saying("agent complete");
    expect(Object.fromEntries(complete!.fields)).toMatchObject({ agent: "worker", members: "8" });
    await until("the page to say so", async () => (await missingOn(daemon)) === 1);
    expect(sampleAt(await daemon.page(), "varta_watch_agent_missing_total")).toBe(2);
    const nobody = 'varta_agents{agent="nobody",state="missing"}';
    expect(sampleAt(await daemon.page(), nobody)).toBe(1);
    expect(daemon.saying("agent stalled")).toEqual([]);
    const events = ["events", "--json", "--control", daemon.path("control.sock")];
    const { stdout } = await runCommand([...PROGRAM, ...events, "--kind", "missing,complete"]);
    expect(stdout.match(/"kind":"(missing|complete)"/g)).toHaveLength(3);
    await until("the export to have them", () => kinds(daemon).includes("complete"));
    expect(kinds(daemon)).toEqual(["boot", "missing", "missing", "complete"]);
  });
});

async function missingOn(daemon: DaemonProcess): Promise<number> {
  return sampleAt(await daemon.page(), "varta_watch_agents_missing");
}

function kinds(daemon: DaemonProcess): string[] {
  return daemon.exported("events").map(([, kind]) => kind!);
}
