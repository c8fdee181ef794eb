// A daemon that is stopped with its agents beating on: no agent is blamed for a silence that the
// daemon could not hear, and the one that died meanwhile is reported (spec 12 section 8).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAt } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AGENTS = 30;
const INTERVAL_MS = 60;
/**
 * Enough for every agent to find a place in the short queue after the stop, also on a busy machine.
 */
const THRESHOLD_MS = 700;
/**
 * Long enough for every agent to miss its deadline, and for the queue of 10 to be full for most of
 * it.
 */
const STOP_MS = 2 * THRESHOLD_MS;

/**
 * What the line about a pause may have as its cause, on a busy machine too; options alone leave it
 * as it was.
 */
const STARTS = [
  {
    by: "a file",
    causes: ["stopped", "starved", undefined],
    config: `[observer]\nthreshold = "${THRESHOLD_MS}ms"\n`,
  },
  { by: "options alone", causes: undefined, args: ["--threshold-ms", `${THRESHOLD_MS}`] },
];

describe.concurrent.skipIf(crewProgram === undefined)(
  `a daemon that stood still${NEEDS_CREW}`,
  () => {
    test.each(STARTS)(
      "started by $by calls silent who died meanwhile alone",
      ({ causes, ...start }) =>
        unlessMachinePauses(THRESHOLD_MS / 2, async () => {
          await using daemon = await DaemonProcess.start(start);
          await using crew = new Crew(daemon.socket);
          const pids = await crew.agents({ count: AGENTS, intervalMs: INTERVAL_MS });
          await until("all to be tracked", async () => (await daemon.state()).agents === AGENTS);

          daemon.signal("SIGSTOP");
          const stoppedMs = performance.now();
          await crew.kill(pids[7]!);
          await until("the stop to be long", () => performance.now() - stoppedMs > STOP_MS);
          daemon.signal("SIGCONT");

          await daemon.untilStalls(pids[7]!);
          // Every other agent has beaten again by now, or would be reported with it.
          const { accepted } = (await daemon.state()).listeners[0]!;
          await daemon.untilReceived(accepted + 3 * AGENTS);
          expect(daemon.saying("agent stalled").map(pidOf)).toEqual([pids[7]!]);
          const paused = daemon.saying("observer paused");
          const found = paused.map(({ fields }) => fields.get("cause"));
          if (causes !== undefined) expect(found.length).toBeGreaterThan(0);
          for (const cause of found) expect(causes ?? [undefined]).toContain(cause);
          const page = await daemon.page();
          expect(sampleAt(page, "varta_observer_paused_seconds_total")).toBeGreaterThan(1);
        }),
    );
  },
);
