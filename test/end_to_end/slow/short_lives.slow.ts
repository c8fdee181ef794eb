// A flood of agents that live for ten milliseconds and end cleanly (spec 14): no alarm, no
// descriptor that stays open, and an empty table a moment later.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import type { LogLine } from "../../support/log_lines.ts";
import { until } from "../../support/until.ts";

const PER_SECOND = 2_000;
const SECONDS = 10;

setDefaultTimeout(120_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(
  `${PER_SECOND} short lives in a second${NEEDS_CREW}`,
  () => {
    test("raise no alarm but for ends that nobody can know, leave no descriptor open, and leave the table empty", async () => {
      await using daemon = await DaemonProcess.start({
        config: '[observer]\nthreshold = "1s"\n[tracker]\ncapacity = 65536\n',
      });
      const before = pidfdsOf(daemon.pid);
      await using crew = new Crew(daemon.socket);
      expect(await crew.short(PER_SECOND * SECONDS, PER_SECOND)).toBe(PER_SECOND * SECONDS);
      await until("the table to be empty", async () => (await daemon.state()).agents === 0);
      // Of those that were reaped in the moment before they were watched nobody knows how they
      // ended: these are reported, and no others.
      const ended = daemon.saying("member ended");
      expect(ended.filter(({ fields }) => fields.get("how") !== "unknown")).toEqual([]);
      expect(pidsOf(daemon.saying("agent stalled"))).toEqual(pidsOf(ended));
      expect(pidfdsOf(daemon.pid)).toEqual(before);
      const page = await daemon.page();
      expect(sampleAt(page, "varta_member_pidfds")).toBe(0);
      const clean = sampleAt(page, 'varta_member_ends_total{how="clean"}');
      const unknown = sampleAt(page, 'varta_member_ends_total{how="unknown"}');
      const unidentified = sampleAt(page, "varta_member_unidentified_total");
      expect(sumOf(page, "varta_member_ends_total")).toBe(clean + unknown);
      expect(unknown).toBeLessThan(clean / 50);
      // A short receive queue refuses many of them, and a busy machine reads some too late.
      expect(clean).toBeGreaterThan(PER_SECOND);
      expect(clean + unknown + unidentified).toBeLessThanOrEqual(PER_SECOND * SECONDS);
    });
  },
);

function pidsOf(lines: readonly LogLine[]): string[] {
  return lines.map(({ fields }) => fields.get("pid")!).toSorted();
}

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
