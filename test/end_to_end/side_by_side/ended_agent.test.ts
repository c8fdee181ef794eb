// Agents that have ended before the daemon reads their beat: which process it was is not known, and
// yet each is recovered by a command that needs no pid (spec 10 section 3).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { PROGRAM } from "../../support/program.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AGENTS = 4;

/** A daemon that stood still while agents sent one beat each and ended; and their pids. */
async function unseen(command: string, files: Readonly<Record<string, string>> = {}) {
  // With a configuration file they never were members (spec 14 section 4.2).
  const args = ["--threshold-ms", "200", "--recovery-exec", command];
  const daemon = await DaemonProcess.start({ args, files: { told: "", ...files } });
  daemon.signal("SIGSTOP");
  const agents = Array.from({ length: AGENTS }, () =>
    Bun.spawn([...PROGRAM, "beat", "--socket", daemon.socket], { stdout: "ignore" }),
  );
  for (const { exited } of agents) expect(await exited).toBe(0);
  daemon.signal("SIGCONT");
  return { daemon, pids: agents.map(({ pid }) => pid).toSorted((a, b) => a - b) };
}

describe.concurrent.skipIf(process.platform !== "linux")(
  "agents that ended before they were looked at",
  () => {
    test("are recovered by a command without {pid}, which is told that there is none", async () => {
      const tell = 'echo "gone=$VARTA_PID_GONE pid=[$VARTA_PID]" >> told';
      const { daemon, pids } = await unseen("/bin/sh ./tell", { tell });
      await using _ = daemon;
      await daemon.untilSays("recovery done", AGENTS);
      const recovered = daemon.saying("recovery began").map((line) => pidOf(line));
      expect(recovered.toSorted((a, b) => a! - b!)).toEqual(pids);
      const told = readFileSync(daemon.path("told"), "utf8");
      expect(told).toBe("gone=1 pid=[]\n".repeat(AGENTS));
    });

    test("are not by one with {pid}, which is a warning and counted", async () => {
      const { daemon } = await unseen("/bin/echo {pid}");
      await using _ = daemon;
      await daemon.untilSays("agent stalled", AGENTS);
      await daemon.untilSays("recovery refused");
      expect(daemon.saying("recovery refused")[0]!.fields.get("reason")).toBe("pid_gone");
      expect(daemon.saying("recovery refused")[0]!.fields.get("level")).toBe("warn");
      const refused = 'varta_recovery_refused_total{reason="pid_gone"}';
      expect(sampleAt(await daemon.page(), refused)).toBe(AGENTS);
    });
  },
);
