// Every key of a table says truthfully whether a reload takes it over (spec 17 section 3): each
// that is live changes in the real daemon, and each other is refused by its name. Rules, plans and
// listeners have their own tests.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { type TableName, TABLE_NAMES, TABLES } from "../../../src/config/keys/tables.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { refused, reload } from "../../support/reloads.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** An option of the harness is above the file, its log is no JSON, or no value is right. */
const LEFT_OUT = [
  "limits.per_pid_rate",
  "log.format",
  "liveness.shutdown_after",
  "liveness.hw_watchdog",
];

function keysThat(reload: "live" | "restart"): string[] {
  const ofTable = (table: TableName) =>
    Object.entries(TABLES[table]).filter(([, key]) => key.reload === reload);
  return TABLE_NAMES.filter((table) => table !== "recovery")
    .flatMap((table) => ofTable(table).map(([name]) => `${table}.${name}`))
    .filter((name) => !LEFT_OUT.includes(name));
}

type Values = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Other values than the defaults; `at` makes paths of a folder. */
function liveValues(at: (name: string) => string): Values {
  return {
    "observer.threshold": "7s",
    "tracker.capacity": 5_000,
    "tracker.eviction_policy": "balanced",
    "tracker.eviction_scan_window": 9,
    "tracker.forget_after": "1h",
    "limits.global_rate": 999,
    "limits.global_burst": 9_999,
    "audit.file": at("audit"),
    "audit.max_bytes": 99_999,
    "audit.sync_every": 3,
    "audit.sync_interval": "10ms",
    "audit.fsync_budget": "51ms",
    "audit.rotation_budget": "51ms",
    "export.file": at("export"),
    "export.format": "jsonl",
    "export.events": ["stall"],
    "export.max_bytes": 9_999,
    "export.sync_every": 3,
    "control.path": at("c.sock"),
    "control.mode": "0600",
    "control.group": process.getgid?.() ?? 0,
    "control.operators": ["root"],
    "metrics.listen": `unix:${at("m.sock")}`,
    "metrics.socket_mode": "0660",
    "guard.share": 60,
    "guard.members": 11,
    "guard.window": "2s",
    "guard.off": true,
    "metrics.token_file": at("token"),
    "metrics.hosts": ["watch.example.org"],
    "metrics.rate_limit_per_sec": 6,
    "metrics.rate_limit_burst": 11,
    "metrics.scrape_budget": "251ms",
    "metrics.view": false,
    "liveness.heartbeat_file": at("beat"),
    "liveness.iteration_budget": "251ms",
    "log.level": "debug",
  };
}

function restartValues(at: (name: string) => string): Values {
  return {
    "observer.clock_source": "boottime",
    "observer.allow_cross_namespace": true,
    "observer.strict_namespace": true,
    "tracker.pidfds_max": 99,
    "audit.key_file": at("key"),
    "metrics.per_pid": true,
    "metrics.agents_max": 99,
    "state.file": at("state"),
    "state.off": true,
    "liveness.self_watchdog": "9s",
  };
}

function text(values: Values): string {
  const tables = [...new Set(Object.keys(values).map((name) => name.split(".")[0]!))];
  const line = ([name, value]: [string, unknown]) =>
    `${name.split(".")[1]} = ${JSON.stringify(value)}\n`;
  return tables
    .map((table) => {
      const own = Object.entries(values).filter(([name]) => name.startsWith(`${table}.`));
      return `[${table}]\n${own.map(line).join("")}`;
    })
    .join("");
}

function secret(path: string): void {
  writeFileSync(path, `${"5a".repeat(32)}\n`);
  chmodSync(path, 0o600);
}

test("each key that is live is taken over, and each other is refused by its name", async () => {
  await using daemon = await DaemonProcess.start({ config: "", metrics: false });
  const at = (name: string) => daemon.path(name);
  secret(at("token"));
  secret(at("key"));
  const [live, others] = [liveValues(at), restartValues(at)];
  expect(Object.keys(live).sort()).toEqual(keysThat("live").sort());
  expect(Object.keys(others).sort()).toEqual(keysThat("restart").sort());
  for (const [name, value] of Object.entries(others)) {
    // A key of the audit log has no meaning without a log.
    const file = name === "audit.key_file" ? { "audit.file": at("audit") } : {};
    const [, problem] = await refused(daemon, text({ ...file, [name]: value }));
    expect(problem).toContain(" takes a restart");
    expect(problem).toStartWith(`${name}: `);
  }
  await reload(daemon, text(live));
  const changed = () =>
    daemon.saying("configuration changed").map(({ fields }) => fields.get("change")!);
  await until("every change", () => changed().length === Object.keys(live).length);
  expect(
    changed()
      .map((line) => line.split(": ")[0]!)
      .sort(),
  ).toEqual(Object.keys(live).sort());
  expect(daemon.stderr).not.toContain("5a5a");
  expect(await daemon.stop()).toBe(0);
});
