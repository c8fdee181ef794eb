// A flood of agents that live for ten milliseconds and end cleanly (spec 14): no alarm, no
// descriptor that stays open, and an empty table a moment later.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { until } from "../../support/until.ts";

const PER_SECOND = 2_000;
const SECONDS = 30;

setDefaultTimeout(180_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(
  `${PER_SECOND} short lives in a second${NEEDS_CREW}`,
  () => {
    test("raise no alarm, leave no descriptor open, and leave the table empty", async () => {
      await using daemon = await DaemonProcess.start({
        config: '[observer]\nthreshold = "1s"\n[tracker]\ncapacity = 65536\n',
      });
      const before = pidfdsOf(daemon.pid);
      await using crew = new Crew(daemon.socket);
      expect(await crew.short(PER_SECOND * SECONDS, PER_SECOND)).toBe(PER_SECOND * SECONDS);
      await until("the table to be empty", async () => (await daemon.state()).agents === 0);
      expect(daemon.saying("agent stalled")).toEqual([]);
      expect(daemon.saying("member ended")).toEqual([]);
      expect(pidfdsOf(daemon.pid)).toEqual(before);
      const page = await daemon.page();
      expect(sampleAt(page, "varta_member_pidfds")).toBe(0);
      const clean = sampleAt(page, 'varta_member_ends_total{how="clean"}');
      const brief = sampleAt(page, 'varta_member_ends_total{how="brief"}');
      const unidentified = sampleAt(page, "varta_member_unidentified_total");
      expect(sumOf(page, "varta_member_ends_total")).toBe(clean + brief);
      // A short receive queue refuses many of them, and a busy machine reads some too late.
      expect(clean).toBeGreaterThan(PER_SECOND);
      // One that left the table between its two beats is counted twice.
      expect(clean + brief + unidentified).toBeLessThan(PER_SECOND * SECONDS * 1.001);
    });
  },
);

function pidfdsOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  const links = readdirSync(directory).map((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.includes("pidfd"));
}
