// The configuration in effect, key by key with what set each value, for `check --print` (spec 07 section 3). The
// output is a valid varta.toml. Secrets and environment values appear as "(set)".
import { escapeUnprintable, isUnprintable } from "../base/unprintable.ts";
import { listenText } from "./keys/address.ts";
import type { Config, ListenerConfig, RecoveryStep } from "./config.ts";
import { durationTextFromNs } from "./keys/duration.ts";
import { modeText } from "./problems/found.ts";
import type { LoadSuccess } from "./load_result.ts";

export type EffectiveValue =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | readonly StepTable[]
  | SetTable;
type SetTable = { readonly [name: string]: "(set)" };
type StepTable = { readonly [name: string]: string | readonly string[] };

export interface EffectiveKey {
  /** "observer", or "listener[0]" */
  readonly table: string;
  readonly key: string;
  /** As the file would have it; undefined = not set. */
  readonly value: EffectiveValue | undefined;
  /** What set the value: "default", "file" or "--option". The name is that of the JSON output. */
  readonly origin: string;
}

export function effectiveKeys({ config, setBy }: LoadSuccess): EffectiveKey[] {
  return allRows(config).map(([table, key, value]) => {
    const setter = setBy.get(`${table}.${key}`);
    const words = setter?.from === "option" ? `--${setter.option}` : (setter?.from ?? "default");
    return { table, key, value, origin: words };
  });
}

/** TOML with a comment behind each value; keys that are not set are comments. */
export function effectiveText(result: LoadSuccess): string {
  const lines: string[] = [];
  let table = "";
  for (const row of effectiveKeys(result)) {
    if (row.table !== table) {
      if (table !== "") lines.push("");
      table = row.table;
      lines.push(table.startsWith("listener") ? "[[listener]]" : `[${table}]`);
    }
    if (row.value === undefined) lines.push(`# ${row.key} is not set`);
    else lines.push(`${`${row.key} = ${tomlText(row.value)}`.padEnd(40)} # ${row.origin}`);
  }
  return `${lines.join("\n")}\n`;
}

function tomlText(value: EffectiveValue): string {
  if (typeof value === "string") return tomlString(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(tomlText).join(", ")}]`;
  const entries = Object.entries(value).map(
    ([name, item]) => `${tomlString(name)} = ${tomlText(item)}`,
  );
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** A basic string, with what a terminal would obey as escapes. Above U+FFFF those of TOML are not those of JSON. */
function tomlString(text: string): string {
  return escapeUnprintable(
    JSON.stringify(text).replace(/[\u{10000}-\u{10ffff}]/gu, (character) => {
      const code = character.codePointAt(0)!;
      if (!isUnprintable(code)) return character;
      return `\\U${code.toString(16).padStart(8, "0")}`;
    }),
  );
}

type Row = readonly [table: string, key: string, value: EffectiveValue | undefined];

function allRows(config: Config): Row[] {
  const { observer, tracker, limits, log } = config;
  return [
    ["observer", "threshold", durationTextFromNs(observer.thresholdNs)],
    ["observer", "clock_source", observer.clockSource],
    ["observer", "allow_cross_namespace", observer.allowCrossNamespace],
    ["observer", "strict_namespace", observer.strictNamespace],
    ["tracker", "capacity", tracker.capacity],
    ["tracker", "eviction_policy", tracker.evictionPolicy],
    ["tracker", "eviction_scan_window", tracker.evictionScanWindow],
    ["limits", "per_pid_rate", limits.perPidRate],
    ["limits", "global_rate", limits.globalRate],
    ["limits", "global_burst", limits.globalBurst],
    ...config.listeners.flatMap(listenerRows),
    ...recoveryRows(config.recovery),
    ...fileRows(config),
    ...metricsRows(config.metrics),
    ...livenessRows(config.liveness),
    ["log", "level", log.level],
    ["log", "format", log.format],
  ];
}

function listenerRows(listener: ListenerConfig, index: number): Row[] {
  const table = `listener[${index}]`;
  const shared: Row[] = [
    [table, "kind", listener.kind],
    [table, "name", listener.name],
    [table, "rcvbuf_bytes", listener.rcvbufBytes],
  ];
  if (listener.kind === "unix") {
    return [
      ...shared,
      [table, "path", listener.path],
      [table, "mode", modeText(listener.mode)],
      [table, "group", listener.gid],
      [table, "allow_uids", listener.allowUids],
      [table, "allow_gids", listener.allowGids],
    ];
  }
  shared.push([table, "address", listener.address], [table, "port", listener.port]);
  if (listener.kind === "udp") shared.push([table, "accept_plaintext", listener.acceptPlaintext]);
  else {
    shared.push(
      [table, "key_file", listener.keyFile],
      [table, "accepted_key_file", listener.acceptedKeyFile],
      [table, "master_key_file", listener.masterKeyFile],
      [table, "sender_states", listener.senderStates],
      [table, "accept_non_loopback", listener.acceptNonLoopback],
    );
  }
  return [...shared, [table, "accept_recovery", listener.acceptRecovery]];
}

function recoveryRows(recovery: Config["recovery"]): Row[] {
  const inline = recovery.commandSource === "inline";
  const env = Object.fromEntries(Object.keys(recovery.env).map((name) => [name, "(set)" as const]));
  return [
    ["recovery", "command", inline ? recovery.command : undefined],
    ["recovery", "command_file", inline ? undefined : recovery.commandSource],
    ["recovery", "append_pid", recovery.appendPid],
    ["recovery", "debounce", durationTextFromNs(recovery.debounceNs)],
    ["recovery", "env", env],
    ["recovery", "inherit_env", recovery.inheritEnv],
    ["recovery", "timeout", optionalDuration(recovery.timeoutNs)],
    ["recovery", "kill_grace", durationTextFromNs(recovery.killGraceNs)],
    ["recovery", "capture", recovery.capture],
    ["recovery", "capture_bytes", recovery.captureBytes],
    ["recovery", "shutdown_grace", durationTextFromNs(recovery.shutdownGraceNs)],
    ["recovery", "step", recovery.steps.length === 0 ? undefined : recovery.steps.map(stepTable)],
    ["recovery", "restart_units", recovery.restartUnits],
    ["recovery", "cwd", recovery.cwd],
    ["recovery", "umask", recovery.umask === undefined ? undefined : modeText(recovery.umask)],
    ["recovery", "backoff_max", optionalDuration(recovery.backoffMaxNs)],
    ["recovery", "backoff_reset", durationTextFromNs(recovery.backoffResetNs)],
    ["recovery", "budget", recovery.budget],
    ["recovery", "budget_window", durationTextFromNs(recovery.budgetWindowNs)],
    ["recovery", "pace_by", recovery.paceBy],
    ["recovery", "storm_limit", recovery.stormLimit],
    ["recovery", "storm_window", durationTextFromNs(recovery.stormWindowNs)],
    ["recovery", "verify_within", optionalDuration(recovery.verifyWithinNs)],
    ["recovery", "retry", recovery.retry],
    ["recovery", "dry_run", recovery.dryRun],
  ];
}

function stepTable(step: RecoveryStep): StepTable {
  switch (step.kind) {
    case "signal":
      return { signal: step.signal };
    case "wait":
      return { wait: durationTextFromNs(step.waitNs) };
    case "exec":
      return { exec: step.command };
    case "restart_unit":
      return { restart_unit: step.unit };
  }
}

function fileRows({ audit, export: events }: Config): Row[] {
  return [
    ["audit", "file", audit.file],
    ["audit", "key_file", audit.keyFile],
    ["audit", "max_bytes", audit.maxBytes],
    ["audit", "sync_every", audit.syncEvery],
    ["audit", "sync_interval", durationTextFromNs(audit.syncIntervalNs)],
    ["audit", "fsync_budget", durationTextFromNs(audit.fsyncBudgetNs)],
    ["audit", "rotation_budget", durationTextFromNs(audit.rotationBudgetNs)],
    ["export", "file", events.file],
    ["export", "format", events.format],
    ["export", "max_bytes", events.maxBytes],
    ["export", "sync_every", events.syncEvery],
  ];
}

function metricsRows(metrics: Config["metrics"]): Row[] {
  const listen = metrics.listen === undefined ? undefined : listenText(metrics.listen);
  return [
    ["metrics", "listen", listen],
    ["metrics", "socket_mode", modeText(metrics.socketMode)],
    ["metrics", "token_file", metrics.tokenFile],
    ["metrics", "hosts", metrics.hosts.length === 0 ? undefined : metrics.hosts],
    ["metrics", "rate_limit_per_sec", metrics.rateLimitPerSec],
    ["metrics", "rate_limit_burst", metrics.rateLimitBurst],
    ["metrics", "scrape_budget", durationTextFromNs(metrics.scrapeBudgetNs)],
    ["metrics", "per_pid", metrics.perPid],
  ];
}

function livenessRows(liveness: Config["liveness"]): Row[] {
  return [
    ["liveness", "heartbeat_file", liveness.heartbeatFile],
    ["liveness", "self_watchdog", optionalDuration(liveness.selfWatchdogNs)],
    ["liveness", "hw_watchdog", liveness.hwWatchdog],
    ["liveness", "iteration_budget", durationTextFromNs(liveness.iterationBudgetNs)],
    ["liveness", "shutdown_after", optionalDuration(liveness.shutdownAfterNs)],
  ];
}

function optionalDuration(ns: number | undefined): string | undefined {
  return ns === undefined ? undefined : durationTextFromNs(ns);
}
