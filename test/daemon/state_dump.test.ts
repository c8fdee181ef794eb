import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import { StatusLine } from "../../src/control/status_line.ts";
import { StateDump, STATUS_BYTES_MAX } from "../../src/daemon/state_dump.ts";
import type { StatusView } from "../../src/view/status_view.ts";
import { sourcesWith } from "../control/sources.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { joinMembers } from "../support/named_members.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { viewOf } from "../support/views.ts";

function dumping(level: "debug" | "info", agents: number, hasView = false) {
  const harness = new ObserverHarness({ trackerCapacity: 1_024 });
  const pids = Array.from({ length: agents }, (_, at) => 100 + at);
  for (const pid of pids) harness.processes.set(pid, 1);
  for (const pid of pids) harness.receive(beatOf(pid));
  const lines: string[] = [];
  const log = new Log({
    level,
    format: "logfmt",
    write: (line) => lines.push(line.trimEnd()),
    wallMs: () => 0,
    monotonicNs: () => 0,
    journal: true,
    sessionId: "0",
  });
  const view = viewOf(harness.observer);
  const sources = sourcesWith({ view });
  const written: string[] = [];
  const dump = new StateDump({
    view,
    log,
    statusLine: hasView ? () => new StatusLine(sources, { bytesMax: STATUS_BYTES_MAX }) : undefined,
    write: (line) => written.push(line),
    nowNs: () => harness.clock.ns,
    turns: () => 7,
    logDropped: () => 0,
  });
  return { harness, dump, lines, written };
}

function passTurns(dump: StateDump, { clock }: ObserverHarness): void {
  while (dump.nextDeadlineNs() < Number.POSITIVE_INFINITY) {
    clock.ns = Math.max(clock.ns, dump.nextDeadlineNs());
    dump.maintain(clock.ns);
  }
}

describe("StateDump", () => {
  test("writes one line at level info, and has nothing more to do", () => {
    const { dump, lines } = dumping("info", 3);
    dump.begin();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith('<6>level=info msg="state" state="{');
    expect(lines[0]).toContain('\\"turns\\":7,\\"agents\\":3,\\"stalled\\":0');
    expect(dump.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("writes every agent at level debug, a hundred at a time, until none is left", () => {
    const { harness, dump, lines } = dumping("debug", 250);
    dump.begin();
    expect(lines).toHaveLength(1);
    const counts: number[] = [];
    while (dump.nextDeadlineNs() < Number.POSITIVE_INFINITY) {
      harness.clock.ns = dump.nextDeadlineNs();
      dump.maintain(harness.clock.ns - 1);
      dump.maintain(harness.clock.ns);
      counts.push(lines.length - 1);
    }
    expect(counts).toEqual([100, 200, 250, 250]);
    const pids = lines.slice(1).map((line) => / pid=(\d+)/.exec(line)![1]);
    expect(new Set(pids).size).toBe(250);
  });

  test("writes what status --json prints as one line beside the log, made in turns", () => {
    const { harness, dump, lines, written } = dumping("info", 0, true);
    joinMembers(harness, [100, 101], (pid) => `agent-${pid}`);
    dump.begin();
    expect(written).toEqual([]);
    passTurns(dump, harness);
    expect(lines).toHaveLength(1);
    expect(written).toHaveLength(1);
    const { agents, host } = JSON.parse(written[0]!) as StatusView;
    expect(host).toBe("mill-2");
    expect(agents.map(({ agent }) => agent).sort()).toEqual(["agent-100", "agent-101"]);
  });

  test("cuts the view at 64 KiB, the worst agents first, and says so", () => {
    const { harness, dump, written } = dumping("info", 0, true);
    const pids = Array.from({ length: 1_000 }, (_, at) => 100 + at);
    joinMembers(harness, pids, (pid) => `agent-${pid}`);
    dump.begin();
    passTurns(dump, harness);
    const [line] = written as [string];
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(65_536);
    expect(Buffer.byteLength(line)).toBeGreaterThan(64_500);
    const { agents, cut, counts } = JSON.parse(line) as StatusView;
    expect(cut).toBe(true);
    expect(counts.ok).toBe(1_000);
    expect(agents.length).toBeLessThan(1_000);
  });

  test("says of an agent how long it is silent, and when it stalls", () => {
    const { harness, dump, lines } = dumping("debug", 1);
    harness.clock.ns += 30 * NS_PER_MS;
    dump.begin();
    dump.maintain(harness.clock.ns);
    expect(lines[1]).toBe(
      '<7>level=debug msg="agent" pid=100 listener=scripted status=ok silence_ms=30 threshold_ms=100 stalls_in_ms=70 state=ok proven=true origin=kernel_attested',
    );
  });
});
