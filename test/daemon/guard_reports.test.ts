// What people read of the guard (spec 12 section 10).
import { expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { GuardReports } from "../../src/daemon/guard_reports.ts";
import { Log } from "../../src/daemon/log.ts";
import type { GuardChange } from "../../src/observer/guard.ts";
import { EventFeed } from "../../src/view/event_feed.ts";
import type { EventLog } from "../../src/view/event_log.ts";

test("the guard is told when it becomes active and when it is over, once", () => {
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
  const details: (string | undefined)[] = [];
  const events = new EventFeed({
    log: { add: ({ detail }: { detail?: string }) => details.push(detail) } as unknown as EventLog,
    agentName: () => "",
    unixMsAtStart: () => 0,
  });
  const view = {
    sinceNs: NS_PER_S,
    silent: 17,
    members: 31,
    windowNs: NS_PER_S,
    evidence: undefined,
    untilNs: 2 * NS_PER_S,
  };
  const changes: GuardChange[] = [
    { kind: "active", atNs: NS_PER_S, view },
    {
      kind: "over",
      atNs: 5 * NS_PER_S,
      tookNs: 3_700 * NS_PER_MS,
      silent: 0,
      end: "back",
      evidence: "queue_full",
    },
  ];
  const reports = new GuardReports({ guard: { changes }, log, events });
  expect(reports.nextDeadlineNs()).toBe(Number.NEGATIVE_INFINITY);
  reports.maintain();
  expect(reports.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  reports.maintain();
  expect(lines).toEqual([
    'level=warn msg="guard active" silent=17 members=31 window_ms=1000 recoveries=held',
    'level=info msg="guard over" took_ms=3700 stalled=0 end=back cause=queue_full',
  ]);
  expect(details).toEqual([
    "active: 17 of 31 fell silent within 1s",
    "over after 3700ms (queue_full): 0 still silent",
  ]);
});
