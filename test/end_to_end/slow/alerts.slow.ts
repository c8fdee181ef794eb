import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { FAMILIES } from "../../support/metric_families.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const DIRECTORY = join(ROOT, "packaging/prometheus");
const RULES = join(DIRECTORY, "varta-watch.rules.yml");
const text = readFileSync(RULES, "utf8");
const groups = (Bun.YAML.parse(text) as { groups: readonly RuleGroup[] }).groups;
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.map(({ alert }) => alert);
/** Those of the daemon itself; alerts_of_agents.slow.ts has the others. */
const own = groups[0]!.rules.map(({ alert }) => alert);

interface RuleGroup {
  readonly rules: readonly {
    readonly alert: string;
    readonly expr: string;
    readonly for?: string;
  }[];
}

const AT = 'job="varta-watch",instance="a"';

/** What makes each alert fire, as series of promtool with a sample per minute. */
const FIRES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VartaWatchDown: { [`up{${AT}}`]: "0x40" },
  VartaSocketMissing: { [`varta_socket_files_missing{${AT}}`]: "1x40" },
  VartaSelfBeatLost: counts("varta_self_beats_total", 12, "lost"),
  VartaTrackerCapacityExceeded: counts("varta_tracker_capacity_exceeded_total"),
  VartaOutstandingProbeExhausted: counts("varta_recovery_outstanding_probe_exhausted_total"),
  VartaPidIndexProbeExhausted: counts("varta_tracker_pid_index_probe_exhausted_total"),
  VartaAuditRecordDropped: counts("varta_recovery_audit_dropped_total"),
  VartaAuditTamperSuspected: counts("varta_audit_tamper_suspected_total"),
  VartaInvariantViolation: counts("varta_recovery_invariant_violations_total"),
  VartaIterationP99High: slow("varta_observer_iteration_seconds"),
  VartaBeatPathP99High: slow("varta_observer_stage_seconds", ',stage="receive"'),
  VartaSelfBeatSlow: slow("varta_self_beat_seconds"),
  VartaGuardActive: counts("varta_guard_total"),
  VartaStateNotWritten: counts("varta_state_errors_total", 5),
  VartaIterationBudgetOverruns: {
    ...counts("varta_observer_iteration_budget_exceeded_total", 20),
    ...counts("varta_observer_iteration_seconds_count", 100),
  },
  VartaScrapeStormPressure: counts("varta_scrape_budget_exhausted_total", 120),
  VartaTrackerEvictionTruncated: counts("varta_tracker_eviction_scan_truncated_total"),
  VartaAuditFlushBudgetPressure: counts("varta_recovery_audit_flush_budget_exceeded_total", 12),
  VartaAuditFsyncSlow: slow("varta_audit_fsync_seconds"),
  VartaRecoveryReapTruncated: counts("varta_recovery_reap_truncated_total", 12),
  VartaRecoveryDeferred: counts("varta_recovery_step_retries_total", 1, "exec"),
  VartaAuditRingWatermarkCritical: counts("varta_audit_ring_watermark_total", 1, "critical"),
  VartaRateLimitingActive: counts("varta_rate_limited_total", 1, "per_pid"),
  VartaClockJump: counts("varta_observer_clock_jump_forward_total"),
  VartaConfigReloadFailed: {
    [`varta_config_last_reload_successful{${AT}}`]: "0x40",
    [`varta_config_last_good_in_use{${AT}}`]: "0x40",
  },
  VartaLastGoodInUse: {
    [`varta_config_last_reload_successful{${AT}}`]: "0x40",
    [`varta_config_last_good_in_use{${AT}}`]: "1x40",
  },
  VartaAuthFailureBurst: counts("varta_prom_auth_failures_total", 120),
  VartaNamespaceConflict: counts("varta_tracker_namespace_conflict_total"),
  VartaFrameDecodeAnomaly: counts("varta_decode_errors_total", 120, "bad_magic"),
  VartaAuditRingWatermarkWarn: counts("varta_audit_ring_watermark_total", 1, "warn"),
  VartaFrameAuthFailure: counts("varta_frame_auth_failures_total", 1, "pid"),
  VartaRecoveryRefused: counts("varta_recovery_refused_total", 1, "debounce_capacity"),
};

/** A daemon that is well: everything is there and nothing grows. */
const HEALTHY: Readonly<Record<string, string>> = {
  [`up{${AT}}`]: "1x40",
  [`varta_watch_uptime_seconds{${AT}}`]: "0+60x40",
  [`varta_config_last_reload_successful{${AT}}`]: "1x40",
  [`varta_config_last_good_in_use{${AT}}`]: "0x40",
  ...Object.fromEntries(
    FAMILIES.filter(({ type }) => type === "counter").map(({ name, label, values }) => [
      series(name, label, values[0]),
      "7x40",
    ]),
  ),
};

test("every metric and label value of the alert rules is in the catalogue", () => {
  expect([own.length, alerts.length]).toEqual([32, 39]);
  for (const { expr: expression } of rules) {
    const names = [...expression.matchAll(/\bvarta_\w+/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect([name, family(name) !== undefined]).toEqual([name, true]);
    for (const match of expression.matchAll(/\b(varta_\w+)\{(\w+)="(\w+)"\}/g)) {
      const { label, values } = family(match[1]!)!;
      expect(label).toBe(match[2]!);
      expect(values).toContain(match[3]!);
    }
  }
});

test("what is told of an agent is not told of one that is muted, nor by a daemon that was away", () => {
  const ends =
    /\nunless on \(instance\) min_over_time\(up\{job="varta-watch"\}\[30s\]\) == 0\nunless on \(instance, agent\) varta_agent_muted == 1\n$/;
  const ofAgents = rules.filter(({ expr }) => /varta_agents?_?/.test(expr));
  expect(ofAgents.map(({ alert }) => alert)).toEqual(alerts.slice(own.length, -1));
  for (const { expr } of ofAgents) expect(expr).toMatch(ends);
});

test("every alert has a severity and a section of the runbook", () => {
  const runbook = readFileSync(join(DIRECTORY, "runbook.md"), "utf8");
  for (const alert of alerts) {
    const [rule] = text.split(`- alert: ${alert}\n`)[1]!.split("- alert:");
    expect(rule).toMatch(/severity: (critical|warning|info)\n +service: varta-watch/);
    expect(rule).toContain(
      `runbook_url: file:///usr/share/doc/varta-watch/runbook.md#${alert.toLowerCase()}\n`,
    );
    expect(runbook).toContain(`## ${alert}\n`);
  }
});

test.skipIf(Bun.which("promtool") === null)(
  "promtool: each alert fires for its cause, and none for a healthy daemon",
  () => {
    expect(Object.keys(FIRES).sort()).toEqual([...own].sort());
    const cases = [caseOf({}, undefined), ...own.map((alert) => caseOf(FIRES[alert]!, alert))];
    expect(promtoolOn(cases)).toContain("SUCCESS");
  },
);

/** Alerts of which a single event is enough, with the metric that counts it. */
const AT_ONCE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VartaOutstandingProbeExhausted: once("varta_recovery_outstanding_probe_exhausted_total"),
  VartaPidIndexProbeExhausted: once("varta_tracker_pid_index_probe_exhausted_total"),
  VartaAuditRecordDropped: once("varta_recovery_audit_dropped_total"),
  VartaAuditTamperSuspected: once("varta_audit_tamper_suspected_total"),
  VartaInvariantViolation: once("varta_recovery_invariant_violations_total"),
  VartaAuditRingWatermarkCritical: once("varta_audit_ring_watermark_total", "critical"),
  VartaAuditRingWatermarkWarn: once("varta_audit_ring_watermark_total", "warn"),
  VartaGuardActive: once("varta_guard_total"),
  VartaClockJump: once("varta_observer_clock_jump_forward_total"),
  VartaRecoveryRefused: once("varta_recovery_refused_total", "debounce_capacity"),
};

test.skipIf(Bun.which("promtool") === null)(
  "promtool: what happens once is told if the rule is not about what goes on",
  () => {
    const waiting = rules.filter((rule) => rule.for !== undefined).map(({ alert }) => alert);
    expect(Object.keys(AT_ONCE).filter((alert) => waiting.includes(alert))).toEqual([]);
    const cases = Object.entries(AT_ONCE).map(([alert, causes]) => caseOf(causes, alert));
    expect(promtoolOn(cases)).toContain("SUCCESS");
  },
);

test.skipIf(Bun.which("promtool") === null)(
  "promtool: refused self-beats and a guard that is active now are told, a full queue once is not",
  () => {
    const refused = (perMinute: number) => counts("varta_self_beats_total", perMinute, "refused");
    const cases = [
      caseOf(refused(60), "VartaSelfBeatLost"),
      caseOf(refused(5), undefined),
      caseOf({ [`varta_guard_active{${AT}}`]: "0x28 1x12" }, "VartaGuardActive"),
    ];
    expect(promtoolOn(cases)).toContain("SUCCESS");
  },
);

test.skipIf(Bun.which("promtool") === null)(
  "promtool: a state that is long behind is told, a writing that failed once is not",
  () => {
    const cases = [
      caseOf({ [`varta_state_behind_seconds{${AT}}`]: "0x20 3+60x20" }, "VartaStateNotWritten"),
      caseOf({ [`varta_state_behind_seconds{${AT}}`]: "3x40" }, undefined),
      caseOf(once("varta_state_errors_total"), undefined),
    ];
    expect(promtoolOn(cases)).toContain("SUCCESS");
  },
);

test.skipIf(Bun.which("promtool") === null)("promtool: the scrape configuration is valid", () => {
  const { stdout, stderr } = Bun.spawnSync([
    "promtool",
    "check",
    "config",
    join(DIRECTORY, "scrape.yml"),
  ]);
  expect(`${stdout}${stderr}`).toContain("SUCCESS");
  expect(`${stdout}${stderr}`).not.toContain("FAILED");
});

/** What it says of the tests. */
function promtoolOn(tests: readonly object[]): string {
  const directory = mkdtempSync(join(tmpdir(), "varta-alerts-"));
  try {
    const file = join(directory, "tests.yml");
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "1m", tests }));
    const { stdout, stderr } = Bun.spawnSync(["promtool", "test", "rules", file]);
    return `${stdout}${stderr}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function family(name: string) {
  const base = name.replace(/_(bucket|count|sum)$/, "");
  return FAMILIES.find(
    (each) => each.name === name || (each.type === "histogram" && each.name === base),
  );
}

function series(name: string, label: string, value: string | undefined): string {
  return label === "" ? `${name}{${AT}}` : `${name}{${AT},${label}="${value}"}`;
}

function counts(name: string, perMinute = 1, value?: string): Record<string, string> {
  return { [series(name, family(name)!.label, value)]: `0+${perMinute}x40` };
}

/** It happens in minute 28, two before the alerts are looked at. */
function once(name: string, value?: string): Record<string, string> {
  return { [series(name, family(name)!.label, value)]: "0x27 1x13" };
}

/** Everything takes longer than every bound but the last one. */
function slow(name: string, labels = ""): Record<string, string> {
  const bucket = (le: string) => `${name}_bucket{${AT}${labels},le="${le}"}`;
  return { [bucket("0.5")]: "0x40", [bucket("1")]: "0+60x40", [bucket("+Inf")]: "0+60x40" };
}

function caseOf(causes: Readonly<Record<string, string>>, alert: string | undefined) {
  const all = { ...HEALTHY, ...causes };
  return {
    interval: "1m",
    input_series: Object.entries(all).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: "30m",
        exp_samples: alert === undefined ? [] : [{ labels: `{alertname="${alert}"}`, value: 1 }],
      },
    ],
  };
}
