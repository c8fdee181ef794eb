// What a person reads when no agent could be heard for a while.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import type { ToldPause } from "../../src/daemon/pause_cause.ts";
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

const PAUSE = { cause: undefined, stage: undefined, isSilence: false };

function paused(
  reports: PauseReports,
  ns: number,
  deadlinesMoved: number,
  nowNs: number,
  what: Partial<ToldPause> = {},
): void {
  reports.paused({ ...PAUSE, endNs: nowNs, ns, ...what }, deadlinesMoved);
}

describe("PauseReports", () => {
  test("report a pause of more than 100 ms at once, with the deadlines that it moved", () => {
    const { reports, take } = subject();
    paused(reports, 100 * NS_PER_MS, 5, NS_PER_S);
    expect(take()).toEqual([]);
    paused(reports, 2_100 * NS_PER_MS, 67, 2 * NS_PER_S, { cause: "stopped" });
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

  test("name the stage that took long, and say of a suspend that it is silence if it is", () => {
    const { reports, take } = subject();
    paused(reports, NS_PER_S, 1, NS_PER_S, { cause: "long_stage", stage: "serve" });
    paused(reports, NS_PER_S, 0, 61 * NS_PER_S, { cause: "suspended", isSilence: true });
    expect(take()).toEqual([
      `level=warn msg="observer paused" cause=long_stage stage=serve length_ms=1000 deadlines_moved=1 hint="${HINT}"`,
      'level=warn msg="observer paused" cause=suspended length_ms=1000 deadlines_moved=0 hint="the machine was suspended; observer.clock_source = boottime counts that as silence"',
    ]);
  });
});
