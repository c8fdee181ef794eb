import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import { StateDump } from "../../src/daemon/state_dump.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { viewOf } from "../support/views.ts";

function dumping(level: "debug" | "info", agents: number) {
  const harness = new ObserverHarness();
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
  const dump = new StateDump({
    view: viewOf(harness.observer),
    log,
    nowNs: () => harness.clock.ns,
    turns: () => 7,
    logDropped: () => 0,
  });
  return { harness, dump, lines };
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
