// What the configuration rules out is not on the page, and whatever happens is.
import { describe, expect, test } from "bun:test";
import { Counters } from "../../src/base/counters.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { pageScope, scopeHere } from "../../src/daemon/page_scope.ts";
import { TURN } from "../../src/daemon/turn_counters.ts";
import { REJECT_DECRYPT, REJECT_REASON_COUNT } from "../../src/base/reject_reason.ts";
import { FixtureHost } from "../config/fixture_host.ts";
import { makeMetrics, renderPage } from "../metrics/fixture.ts";
import { linesWith, parsePage } from "../metrics/page.ts";

const NOTHING = { adoptsOrphans: false, hasSystemd: false };
const LISTENERS = `
[[listener]]
kind = "unix"
name = "local"
path = "/run/x/x.sock"

[[listener]]
kind = "udp"
name = "lab"
address = "127.0.0.1"
port = 9000
accept_plaintext = true
accept_recovery = false
`;

async function subject(text: string, host = NOTHING) {
  using fixture = new FixtureHost();
  const loaded = await fixture.load(text);
  if (!loaded.ok) throw new Error(loaded.text);
  const { config } = loaded;
  const isPossible = pageScope(config, host);
  const { metrics, accounting } = makeMetrics({
    isPossible,
    perPid: config.metrics.perPid,
    listeners: config.listeners,
  });
  const turn = new Counters(TURN, metrics);
  for (const stage of Object.values(TURN.stage)) turn.observe(stage, 0.1);
  turn.observe(TURN.servePending, 0.1);
  metrics.show(turn);
  return { metrics, accounting, page: () => renderPage(metrics) };
}

const reasonsOf = (page: string, listener: string) =>
  linesWith(page, `varta_datagrams_rejected_total{listener="${listener}"`).map(
    (line) => /reason="(\w+)"/.exec(line)![1]!,
  );

describe("the page of a configuration file", () => {
  test("has the reject reasons that a listener of the kind can have", async () => {
    const { page } = await subject(LISTENERS);
    const [local, lab] = [reasonsOf(page(), "local"), reasonsOf(page(), "lab")];
    for (const reason of ["decrypt", "replay", "sender_table_full", "uid"]) {
      expect(local).not.toContain(reason);
      expect(lab).not.toContain(reason);
    }
    for (const reason of ["pid", "no_credentials", "ctrl_truncated", "cross_namespace"]) {
      expect(local).toContain(reason);
      expect(lab).not.toContain(reason);
    }
    for (const reason of ["decode", "capacity", "origin_conflict", "rate_per_pid"]) {
      expect(local).toContain(reason);
      expect(lab).toContain(reason);
    }
  });

  test("has nothing of what is not configured, and all of what is", async () => {
    const families = [
      ["varta_recovery_outcomes_total", '[recovery]\ncommand = ["true"]\n'],
      ["varta_audit_head_sequence", '[audit]\nfile = "/var/log/x/audit.log"\n'],
      ["varta_export_dropped_total", '[export]\nfile = "/var/log/x/events"\n'],
      ["varta_prom_pid_row_refused_total", "[metrics]\nper_pid = true\n"],
      [
        'varta_file_reopened_total{file="heartbeat"}',
        '[liveness]\nheartbeat_file = "/var/log/x/heartbeat"\n',
      ],
      ['varta_observer_stage_seconds_count{stage="recover"}', '[recovery]\ncommand = ["true"]\n'],
      [
        'rejected_total{listener="local",reason="uid"}',
        LISTENERS.replace("path", "allow_uids = [1]\npath"),
      ],
      [
        "varta_watch_agents_missing",
        '[[agent]]\nmatch = { user = "root" }\nname = "x"\nexpect = 1\n',
      ],
    ] as const;
    for (const [name, text] of families) {
      const plain = (await subject(LISTENERS)).page();
      const asked = (await subject(text.includes("[[listener]]") ? text : LISTENERS + text)).page();
      expect([name, plain.includes(name), asked.includes(name)]).toEqual([name, false, true]);
    }
  });

  test("has what the host makes possible", async () => {
    const plain = (await subject(LISTENERS)).page();
    const host = { adoptsOrphans: true, hasSystemd: true };
    const page = (await subject(LISTENERS, host)).page();
    for (const name of ["varta_orphans_reaped_total", "varta_unit_questions_total"])
      expect([plain.includes(name), page.includes(name)]).toEqual([false, true]);
  });

  test("shows what happens although it cannot, with its head", async () => {
    const { accounting, page } = await subject(LISTENERS);
    expect(page()).not.toContain("decrypt");
    accounting.rejected[0 * REJECT_REASON_COUNT + REJECT_DECRYPT] = 1;
    const lines = page().split("\n");
    expect(lines).toContain('varta_datagrams_rejected_total{listener="local",reason="decrypt"} 1');
    const at = lines.indexOf("varta_frame_decrypt_failures_total 1");
    expect(lines[at - 1]).toBe("# TYPE varta_frame_decrypt_failures_total counter");
  });

  test("has no head without a sample, and says every duration once", async () => {
    const { page } = await subject(LISTENERS);
    const { types, samples } = parsePage(page());
    const sampled = new Set([...samples.keys()].map((name) => name.split("{")[0]!));
    for (const [name, type] of types)
      if (name !== "varta_agent_last_beat_timestamp_seconds")
        expect([name, sampled.has(type === "histogram" ? `${name}_sum` : name)]).toEqual([
          name,
          true,
        ]);
    expect(page()).not.toContain("serve_pending");
    expect(page()).toContain('stage="serve"');
  });
});

test("without a configuration file the page has everything", () => {
  const page = renderPage(makeMetrics({ agents: undefined, blocks: METRIC_BLOCKS }).metrics);
  expect(page).toContain('reason="decrypt"');
  expect(page).toContain("varta_audit_head_sequence 0");
});

test("the page of options alone has no reason that came after them", async () => {
  using fixture = new FixtureHost();
  const loaded = await fixture.load("");
  if (!loaded.ok) throw new Error(loaded.text);
  const isPossible = scopeHere(loaded.config, undefined);
  const rejected = (reason: string) => isPossible("varta_datagrams_rejected_total", { reason });
  expect(["out_of_order", "text", "mainpid"].map(rejected)).toEqual([true, false, false]);
  expect(isPossible("varta_recovery_outcomes_total", { outcome: "text" })).toBe(true);
});

test("the page has what a notify listener alone refuses for that one", async () => {
  const { page } = await subject(
    `${LISTENERS}\n[[listener]]\nkind = "notify"\nname = "sd"\npath = "/run/x/n.sock"\n`,
  );
  for (const reason of ["text", "mainpid", "no_credentials", "capacity"])
    expect(reasonsOf(page(), "sd")).toContain(reason);
  for (const reason of ["decode", "wrong_size", "ctrl_truncated", "pid", "decrypt", "uid"])
    expect(reasonsOf(page(), "sd")).not.toContain(reason);
  for (const listener of ["local", "lab"])
    expect(reasonsOf(page(), listener)).not.toContain("mainpid");
});
