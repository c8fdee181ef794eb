// kill -9 of the daemon at random moments while agents stall and recoveries begin: the chain of the
// audit log is whole each time, the next start suspects no tampering, and no agent is recovered
// twice within its debounce. VARTA_TEST_KILLS sets how often (200 takes about two minutes).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { Xorshift32 } from "../../reference/xorshift.ts";
import { verifyLog } from "../../audit/audit_fixture.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const KILLS = Number(process.env["VARTA_TEST_KILLS"] ?? 40);
const SEED = 0x9111;
const AGENTS_PER_ROUND = 6;
const THRESHOLD_MS = 60;
/** Longer than the threshold: every agent stalls after each of its beats. */
const INTERVAL_MS = 100;
/** Longer than the whole test: no agent may be recovered twice. */
const DEBOUNCE_MS = 3_600_000;
const LIFE_MS_MAX = 250;
/**
 * Rounds that an agent lives through: after its first daemon was killed it stalls under two more.
 */
const ROUNDS_PER_AGENT = 3;

setDefaultTimeout(600_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(
  `a daemon that is killed again and again${NEEDS_CREW}`,
  () => {
    test(`keeps its chain and recovers nobody twice, ${KILLS} times`, async () => {
      using directory = new TemporaryDirectory();
      const socket = directory.at("varta.sock");
      await using crew = new Crew(socket);
      const random = new Xorshift32(SEED);
      const living: number[][] = [];
      const all: number[] = [];
      for (let round = 0; round < KILLS; round++) {
        await using daemon = await DaemonProcess.start({
          directory: directory.path,
          args: [
            ...["--threshold-ms", `${THRESHOLD_MS}`],
            ...["--recovery-audit-file", "audit.log"],
            ...["--recovery-debounce-ms", `${DEBOUNCE_MS}`],
            ...["--recovery-exec", "sh ./note {pid}"],
          ],
          files: { note: 'echo "$1" >> fired-by-command\n' },
        });
        const pids = await crew.agents({ count: AGENTS_PER_ROUND, intervalMs: INTERVAL_MS });
        living.push(pids);
        all.push(...pids);
        await Bun.sleep(random.below(LIFE_MS_MAX));
        daemon.signal("SIGKILL");
        await daemon.exited();
        expect(verifyLog(directory.at("audit.log")).last).toStartWith("intact: ");
        expect(daemon.saying("tamper suspected")).toEqual([]);
        if (living.length >= ROUNDS_PER_AGENT)
          for (const pid of living.shift()!) await crew.kill(pid);
      }
      const notes = directory.at("fired-by-command");
      const fired = existsSync(notes) ? readFileSync(notes, "utf8").trim().split("\n") : [];
      // A pid that the kernel gave away twice is two processes.
      const unique = new Set(
        all.filter((pid, at) => all.indexOf(pid) === at && all.lastIndexOf(pid) === at),
      );
      const counted = fired.map(Number).filter((pid) => unique.has(pid));
      expect(counted.length).toBeGreaterThan(KILLS);
      expect(counted.toSorted()).toEqual([...new Set(counted)].toSorted());
    });
  },
);
