// What the page says of an agent: always the same rows, and those that occur.
import { describe, expect, test } from "bun:test";
import { AgentTable } from "../../src/agents/agent_table.ts";
import { type MemberFacts, nameFor } from "../../src/agents/naming.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import type { Identity } from "../../src/processes/identity.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import { beat, makeMetrics, NOBODY_EXPECTED, renderPage, stallOf } from "./fixture.ts";
import { linesWith, parsePage } from "./page.ts";

const NOBODY: Identity = {
  comm: "",
  exe: "",
  script: "",
  unit: "",
  unitUser: "",
  container: "",
  mark: 1,
  uid: 0,
  gid: 0,
  user: "root",
};

function subject({ recovers = false, perPid = false, expected = 0 } = {}) {
  const agents = new AgentTable();
  agents.reserve([{ name: "cron", bindsOwner: true }]);
  const rows = new AgentRows({
    agents,
    rowsMax: 5,
    kept: ["cron"],
    expected: {
      numbers: expected > 0 ? [agents.reservedNumber("cron")] : [],
      expectedOf: () => expected,
      missingOf: () => expected,
    },
    nowNs: () => 0,
  });
  const totals = {
    begin: () => rows.beginTotals(),
    step(): boolean {
      for (const row of rows.shown()) row.totals.byState[1] = rows.missingOf(row);
      return true;
    },
  };
  const { metrics } = makeMetrics({ perPid, agents: { rows, totals, recovers } });
  const comes = (changes: Partial<Identity>, user = "root"): number => {
    const identity = { ...NOBODY, ...changes };
    const facts: MemberFacts = { pid: 1, uid: 0, user, identity, listener: "l", address: "" };
    const number = agents.numberFor(nameFor(facts, undefined));
    agents.join(number);
    rows.named(number, facts);
    return number;
  };
  return { metrics, rows, comes, text: () => renderPage(metrics) };
}

describe("the rows of an agent", () => {
  test("are these for one that nothing was told of, whose members are gone", () => {
    const { comes, text } = subject();
    comes({ comm: "a" });
    expect(linesWith(text(), 'agent="a"')).toEqual([
      'varta_agents{agent="a",state="stalled"} 0',
      'varta_agents{agent="a",state="ok"} 0',
      'varta_agent_muted{agent="a"} 0',
      'varta_agent_members{agent="a"} 0',
      'varta_agent_members_beating{agent="a"} 0',
      'varta_agent_beats_total{agent="a"} 0',
      'varta_agent_stalls_total{agent="a",verdict="hung"} 0',
      'varta_agent_stalls_total{agent="a",verdict="exited"} 0',
      'varta_agent_exits_total{agent="a",how="clean"} 0',
      'varta_agent_exits_total{agent="a",how="unclean"} 0',
      'varta_agent_info{agent="a",user="root",program="a"} 1',
    ]);
  });

  test("say what is missing of those that are expected, at 0 too", () => {
    const missing = (expected: number) => linesWith(subject({ expected }).text(), 'agent="cron"');
    expect(missing(8)).toContain('varta_agents{agent="cron",state="missing"} 8');
    expect(missing(8)).toContain('varta_agent_expected_members{agent="cron"} 8');
    expect(missing(0)).toEqual([]);
  });

  test("count stalls by verdict, ends by how, and recoveries by outcome", () => {
    const { comes, metrics, text } = subject({ recovers: true });
    const agent = comes({ comm: "a" });
    metrics.onStall({ ...stallOf(1), agent, verdict: { ...NOTHING_FOUND, verdict: "frozen" } });
    metrics.onStall({ ...stallOf(1), agent, verdict: { ...NOTHING_FOUND, verdict: "hung" } });
    metrics.onEnded(agent, "replaced");
    metrics.onEnded(agent, "unclean");
    const result = { kind: "result", agent, result: "helped", dryRun: false };
    metrics.onOutcome(result as RecoveryOutcome);
    metrics.onOutcome({ ...result, dryRun: true } as RecoveryOutcome);
    metrics.onOutcome({ kind: "step", agent, label: "started" } as RecoveryOutcome);
    metrics.onOutcome({ kind: "step", agent, label: undefined } as RecoveryOutcome);
    metrics.onOutcome({ kind: "storm" } as RecoveryOutcome);
    const counted = linesWith(text(), "_total{agent=").filter((line) => !line.includes("beats"));
    expect(counted).toEqual([
      'varta_agent_stalls_total{agent="a",verdict="hung"} 1',
      'varta_agent_stalls_total{agent="a",verdict="frozen"} 1',
      'varta_agent_stalls_total{agent="a",verdict="exited"} 0',
      'varta_agent_exits_total{agent="a",how="clean"} 0',
      'varta_agent_exits_total{agent="a",how="unclean"} 1',
      'varta_agent_exits_total{agent="a",how="replaced"} 1',
      'varta_agent_recoveries_total{agent="a",outcome="started"} 1',
      'varta_agent_recoveries_total{agent="a",outcome="gave_up"} 0',
      'varta_agent_recoveries_total{agent="a",outcome="helped"} 1',
      'varta_agent_recoveries_total{agent="a",outcome="not_helped"} 0',
    ]);
  });

  test("break no label, whatever a process or a user is called", () => {
    const { comes, text } = subject();
    comes({ comm: 'a"} 1\n', unitUser: 'u"\\', unit: "w\\x2d@1.service\u00ff\u001b" }, 'q"\n');
    const [line] = linesWith(text(), "varta_agent_info{");
    expect(line).toContain('unit="w\\\\x2d@1.service%FF%1B",unit_user="u\\"\\\\",user="q\\"%0A"');
    expect(line).toContain('program="a\\"} 1%0A"');
    expect(() => parsePage(text())).not.toThrow();
  });

  test("say who its first member was; a later one of the same agent changes nothing", () => {
    const { comes, text } = subject();
    comes({ comm: "one", unit: "u.service" });
    comes({ comm: "two", unit: "u.service" });
    const [line] = linesWith(text(), "varta_agent_info{");
    expect(line).toContain('program="one"');
  });

  test("stand in one family with those of pids, under one head", () => {
    const { comes, metrics, text } = subject({ perPid: true });
    comes({ comm: "a" });
    beat(metrics, [12]);
    const page = text();
    const family = "varta_agent_last_beat_timestamp_seconds";
    expect(page.split(`# TYPE ${family} gauge`)).toHaveLength(2);
    expect(page).toContain(`# TYPE ${family} gauge\n${family}{pid="12"} `);
    expect(() => parsePage(page)).not.toThrow();
  });

  test("are not there without a configuration file, nor the sums in their place", () => {
    const { metrics } = makeMetrics({ agents: undefined });
    metrics.onStall(stallOf(12));
    metrics.onEnded(7, "clean");
    expect(linesWith(renderPage(metrics), "agent=")).toEqual([]);
    expect(linesWith(renderPage(metrics), "_seen_total{")).toEqual([]);
  });
});

test("stalls and returns are counted by listener, whether pids have rows or not", () => {
  for (const perPid of [true, false]) {
    const { metrics, text } = subject({ perPid });
    metrics.onStall({ ...stallOf(12), listener: 1 });
    metrics.onResumed(1);
    expect(linesWith(text(), "_seen_total{")).toEqual([
      'varta_stalls_seen_total{listener="local"} 0',
      'varta_stalls_seen_total{listener="lab"} 1',
      'varta_resumes_seen_total{listener="local"} 0',
      'varta_resumes_seen_total{listener="lab"} 1',
    ]);
  }
});

test("a page is written in slices, some rows at a time", () => {
  const agents = new AgentTable();
  const rows = new AgentRows({
    agents,
    rowsMax: 500,
    kept: [],
    expected: NOBODY_EXPECTED,
    nowNs: () => 0,
  });
  for (let i = 0; i < 100; i++) {
    const identity = { ...NOBODY, comm: `p${i}` };
    const facts = { pid: i, uid: 0, user: "u", identity, listener: "", address: "" };
    const number = agents.numberFor(nameFor(facts, undefined));
    agents.join(number);
    rows.named(number, facts);
  }
  const totals = { begin() {}, step: () => true };
  const { metrics } = makeMetrics({ perPid: false, agents: { rows, totals, recovers: false } });
  const whole = parsePage(renderPage(metrics)).samples.size;
  metrics.exposition.begin("text", 5e9);
  let slices = 1;
  let nowNs = 0;
  while (!metrics.exposition.step(1e6, () => (nowNs += 1e6))) slices += 1;
  expect(slices).toBeGreaterThan(10);
  const text = Buffer.concat(metrics.exposition.parts()).toString();
  expect(parsePage(text).samples.size).toBe(whole);
});
