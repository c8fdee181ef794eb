// Many members that fall silent at once (spec 12 section 10), with real agents: the daemon suspects
// itself first, and judges them in the end.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAt } from "../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { unlessMachinePauses } from "../support/pauses.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AGENTS = 12;
const FROZEN = 8;
const THRESHOLD_MS = 600;
const CONFIG = `[[agent]]
match = { uid = ${process.getuid?.()} }
name = "worker"
threshold = "${THRESHOLD_MS}ms"
`;

describe.skipIf(crewProgram === undefined)(`members that freeze together${NEEDS_CREW}`, () => {
  test("are held by the guard, and stalled one more threshold later", () =>
    unlessMachinePauses(THRESHOLD_MS / 2, async () => {
      await using daemon = await DaemonProcess.start({ config: CONFIG });
      await using crew = new Crew(daemon.socket);
      const pids = await crew.agents({ count: AGENTS, intervalMs: 50 });
      await until("all to be tracked", async () => (await daemon.state()).agents === AGENTS);
      await daemon.untilSays("member came", AGENTS);

      const frozen = pids.slice(0, FROZEN);
      for (const pid of frozen) await crew.signal(pid, "SIGSTOP");
      await daemon.untilSays("guard active");
      const before = daemon.saying("agent stalled").length;
      // More than half of the members: six are reported before the seventh falls silent.
      expect(before).toBeLessThanOrEqual(AGENTS / 2);
      const shown = async () => sampleAt(await daemon.page(), "varta_guard_active");
      await until("the page to show it", async () => (await shown()) === 1);
      await daemon.untilSays("guard over");
      await until("all to be judged", () => daemon.saying("agent stalled").length === FROZEN);
      const [over] = daemon.saying("guard over");
      expect(Number(over!.fields.get("took_ms"))).toBeWithin(THRESHOLD_MS, 5 * THRESHOLD_MS + 1);
      expect(over!.fields.get("end")).toBe("judged");
      await until("the page to show it no longer", async () => (await shown()) === 0);

      // It rests: one that falls silent now is judged as ever.
      const last = pids.at(-1)!;
      await crew.signal(last, "SIGSTOP");
      await daemon.untilStalls(last);
      expect(daemon.saying("guard active")).toHaveLength(1);
    }));
});
