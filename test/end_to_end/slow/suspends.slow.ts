// The machine is suspended under a running daemon, by clocks of its own (spec 12 section 8): it is
// told whatever the clock, and is silence only where the daemon was told so.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { Crew, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { NO_SHIFT, ShiftedClocks } from "../../support/shifted_clocks.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

setDefaultTimeout(60_000);
afterAll(endLeftovers);

const HOUR_S = 3_600;
/** The daemon stands still as the machine does, and beats wait in its socket at the end. */
const ASLEEP_MS = 600;

test.skipIf(NEEDS_CREW !== "" || NO_SHIFT !== undefined).each(["monotonic", "boottime"] as const)(
  `a suspend of an hour, by the clock %s${NEEDS_CREW}`,
  async (clock) => {
    using directory = new TemporaryDirectory();
    using clocks = new ShiftedClocks(directory.at("clocks"));
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: `[observer]\nthreshold = "2s"\nclock_source = "${clock}"\n`,
      env: clocks.env,
    });
    await using crew = new Crew(daemon.socket);
    const beating = await crew.agent({ intervalMs: 100 });
    const frozen = await crew.agent({ intervalMs: 100 });
    await daemon.untilSays("member came", 2);
    await crew.signal(frozen, "SIGSTOP");
    // No beat of it waits any more: one that is heard after the hour would make the silence begin
    // there, and the daemon's life as a test's has ended by then.
    const [listener] = (await daemon.state()).listeners;
    await daemon.untilReceived(listener!.received + 2);
    daemon.signal("SIGSTOP");
    await Bun.sleep(ASLEEP_MS);
    clocks.shift({ realtimeS: HOUR_S, boottimeS: HOUR_S });
    daemon.signal("SIGCONT");
    await daemon.untilSays("agent stalled");
    await daemon.untilSays("observer paused");
    const stalls = daemon.saying("agent stalled");
    expect(stalls.map(pidOf)).toEqual([frozen]);
    expect(beating).not.toBe(frozen);
    expect(Number(stalls[0]!.fields.get("silence_ms")) >= HOUR_S * 1_000).toBe(
      clock === "boottime",
    );
    const { fields } = daemon.saying("observer paused")[0]!;
    expect(fields.get("cause")).toBe("suspended");
    expect(Number(fields.get("length_ms"))).toBeGreaterThanOrEqual(HOUR_S * 1_000);
    expect(fields.get("hint")!.includes("counts that as silence")).toBe(clock === "boottime");
    expect(await daemon.stop()).toBe(0);
  },
);
