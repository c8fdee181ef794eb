// What a person reads when no agent could be heard for a while.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import type { PauseCauseWord } from "../../src/daemon/pause_evidence.ts";
import { PauseReports } from "../../src/daemon/pause_reports.ts";

const HINT = "the daemon or its machine stood still; no silence of that time counts";

function subject(): { reports: PauseReports; take: () => string[] } {
  const lines: string[] = [];
  const log = new Log({
    level: "info",
    format: "logfmt",
    write: (line) => lines.push(line.slice(line.indexOf("level="), -1)),
    wallMs: () => 0,
    monotonicNs: () => 0,
    journal: false,
    sessionId: "",
  });
  return { reports: new PauseReports(log), take: () => lines.splice(0) };
}

function paused(
  reports: PauseReports,
  ns: number,
  deadlinesMoved: number,
  nowNs: number,
  cause?: PauseCauseWord,
): void {
  reports.paused({ ns, deadlinesMoved, cause }, nowNs);
}

describe("PauseReports", () => {
  test("report a pause of more than 100 ms at once, with the deadlines that it moved", () => {
    const { reports, take } = subject();
    paused(reports, 100 * NS_PER_MS, 5, NS_PER_S);
    expect(take()).toEqual([]);
    paused(reports, 2_100 * NS_PER_MS, 67, 2 * NS_PER_S, "stopped");
    expect(take()).toEqual([
      `level=warn msg="observer paused" cause=stopped length_ms=2100 deadlines_moved=67 hint="${HINT}"`,
    ]);
    expect(reports.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("report those of the next minute in one line at its end, the longest of them", () => {
    const { reports, take } = subject();
    paused(reports, NS_PER_S, 1, NS_PER_S);
    take();
    for (const seconds of [2, 5, 3]) paused(reports, seconds * NS_PER_S, seconds, 10 * NS_PER_S);
    expect(reports.nextDeadlineNs()).toBe(61 * NS_PER_S);
    reports.maintain(61 * NS_PER_S - 1);
    expect(take()).toEqual([]);
    reports.maintain(61 * NS_PER_S);
    expect(take()).toEqual([
      `level=warn msg="observer paused" length_ms=5000 deadlines_moved=5 pauses=3 hint="${HINT}"`,
    ]);
  });
});
