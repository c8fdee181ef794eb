// A hundred reloads under a thousand members (spec 17): with files that are right, wrong, empty or
// ask for a restart, none of them is judged by mistake, the one that is dead is, no beat is lost,
// and nothing grows.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;
const RELOADS = 100;
const MEMBERS = 1_000;
const PAUSE_MS_MAX = 10;

setDefaultTimeout(180_000);
afterAll(endLeftovers);

/** The file of the reload of that number; every third is one that must change nothing. */
function fileOf(number: number): { text: string; isGood: boolean } {
  const wrong = ["", "[observer\n", "[tracker]\ncapacity = 99\n", '[log]\nlevel = "loud"\n'];
  if (number % 3 === 2) return { text: wrong[number % wrong.length]!, isGood: false };
  const threshold = ["4s", "9s", "5s", "30s"][number % 4]!;
  const name = number % 5 === 0 ? "api" : "worker";
  const text =
    `[observer]\nthreshold = "20s"\n[tracker]\ncapacity = 2000\n` +
    `[[agent]]\nmatch = { uid = ${process.getuid?.()} }\nname = "${name}"\n` +
    `threshold = "${threshold}"\n[limits]\nglobal_rate = ${50_000 + number}\n`;
  return { text, isGood: true };
}

describe.skipIf(crewProgram === undefined)(`a hundred reloads${NEEDS_CREW}`, () => {
  test("judge no living member, miss no dead one, lose no beat, and leave nothing behind", () =>
    unlessMachinePauses(500, async () => {
      await using daemon = await DaemonProcess.start({ config: fileOf(0).text });
      await using crew = new Crew(daemon.socket);
      const pids = await crew.agents({ count: MEMBERS, intervalMs: 1_000 });
      await until("all members", async () => (await daemon.state()).agents === MEMBERS);
      let [good, bad] = [0, 0];
      const reload = async (number: number): Promise<void> => {
        const { text, isGood } = fileOf(number);
        writeFileSync(daemon.path("next"), text);
        renameSync(daemon.path("next"), daemon.path("varta.toml"));
        daemon.signal("SIGHUP");
        if (isGood) await daemon.untilSays("reloaded", ++good);
        else await daemon.untilSays("reload failed", ++bad);
      };
      for (let number = 1; number <= 20; number++) await reload(number);
      const before = resourcesOf(daemon.pid);
      const dead = pids[0]!;
      await crew.signal(dead, "SIGSTOP");
      const stoppedMs = performance.now();
      for (let number = 21; number <= RELOADS; number++) {
        await reload(number);
        const nextMs = stoppedMs + (number - 20) * 150;
        await until("the next reload", () => performance.now() >= nextMs);
      }
      await reload(4);
      await daemon.untilStalls(dead);
      const after = resourcesOf(daemon.pid);
      expect(daemon.saying("agent stalled")).toHaveLength(1);
      expect(daemon.saying("observer paused")).toEqual([]);
      await crew.signal(dead, "SIGCONT");
      const sent = [...(await crew.quiet()).values()].reduce((sum, beats) => sum + beats);
      await until("every beat", async () => (await daemon.state()).listeners[0]!.accepted === sent);
      const tookMs = daemon.saying("reloaded").map(({ fields }) => Number(fields.get("took_ms")));
      tookMs.sort((a, b) => a - b);
      const p50 = tookMs[Math.floor(tookMs.length / 2)]!;
      console.log(`${tookMs.length} reloads took ${p50} ms at p50, ${tookMs.at(-1)} ms at most`);
      expect(p50).toBeLessThan(5 * PAUSE_MS_MAX);
      expect(after.descriptors).toBe(before.descriptors);
      expect(after.residentBytes - before.residentBytes).toBeLessThan(16 * MIB);
    }));
});

function resourcesOf(pid: number): { descriptors: number; residentBytes: number } {
  const [, resident] = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ");
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    residentBytes: Number(resident) * 4_096,
  };
}
