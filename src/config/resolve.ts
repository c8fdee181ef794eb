// Turns the checked values into the read-only Config: names into ids, listen strings into addresses, absent tables into
// their defaults. User and group names that do not exist are reported here (spec 07 section 2.4).
import { Accounts } from "./accounts.ts";
import { parseListen } from "./keys/address.ts";
import type { CheckedDocument, CheckedListener } from "./checks/check_document.ts";
import type { Config, ListenerConfig, RecoveryStep, UnixListenerConfig } from "./config.ts";
import { listenerNames } from "./checks/cross_rules.ts";
import type { Fault } from "./problems/fault.ts";
import { quoted } from "./problems/found.ts";
import type { Host } from "./load_result.ts";
import type { CheckedStep } from "./keys/recovery_step.ts";
import { accountWant } from "./keys/schema_keys.ts";
import type { Secrets } from "./secrets.ts";

/** Ids of the names in one listener. */
export interface ListenerAccounts {
  readonly gid: number | undefined;
  readonly allowUids: readonly number[] | undefined;
  readonly allowGids: readonly number[] | undefined;
}

/** Looks up the user and group names of every listener, in the order of the listeners. */
export function resolveAccounts(
  document: CheckedDocument,
  host: Host,
  faults: Fault[],
): ListenerAccounts[] {
  const users = new Accounts(host.passwdFile);
  const groups = new Accounts(host.groupFile);
  return document.listeners.map(({ values, path }) => {
    function lookUp(accounts: Accounts, name: string | number, at: readonly (string | number)[]) {
      const id = accounts.resolve(name);
      if (id !== undefined) return id;
      const found = `${quoted(String(name))}, which is not in ${accounts.file}`;
      const want = accountWant(accounts === users ? "user" : "group");
      faults.push({ path: [...path, ...at], anchor: "value", found, want });
      return -1;
    }
    const { group, allow_uids, allow_gids } = values;
    return {
      gid: group === undefined ? undefined : lookUp(groups, group, ["group"]),
      allowUids: allow_uids?.map((name, index) => lookUp(users, name, ["allow_uids", index])),
      allowGids: allow_gids?.map((name, index) => lookUp(groups, name, ["allow_gids", index])),
    };
  });
}

export interface ConfigParts {
  readonly document: CheckedDocument;
  readonly accounts: readonly ListenerAccounts[];
  readonly secrets: Secrets;
  readonly bareRun: boolean;
}

/** The configuration of a document without faults. */
export function buildConfig({ document, accounts, secrets, bareRun }: ConfigParts): Config {
  const { observer, tracker, limits, audit, export: events, liveness, log } = allValues(document);
  const names = listenerNames(document.listeners);
  return {
    bareRun,
    observer: {
      thresholdNs: observer.threshold!,
      clockSource: observer.clock_source!,
      allowCrossNamespace: observer.allow_cross_namespace!,
      strictNamespace: observer.strict_namespace!,
    },
    tracker: {
      capacity: tracker.capacity!,
      evictionPolicy: tracker.eviction_policy!,
      evictionScanWindow: tracker.eviction_scan_window!,
    },
    limits: {
      perPidRate: limits.per_pid_rate!,
      globalRate: limits.global_rate!,
      globalBurst: limits.global_burst!,
    },
    listeners: document.listeners.map((listener, index) =>
      listenerConfig(listener, names[index]!, accounts[index]!),
    ),
    recovery: recoveryConfig(document, secrets),
    audit: {
      file: audit.file,
      keyFile: audit.key_file,
      key: secrets.auditKey,
      maxBytes: audit.max_bytes,
      syncEvery: audit.sync_every!,
      syncIntervalNs: audit.sync_interval!,
      fsyncBudgetNs: audit.fsync_budget!,
      rotationBudgetNs: audit.rotation_budget!,
    },
    export: {
      file: events.file,
      format: events.format!,
      maxBytes: events.max_bytes,
      syncEvery: events.sync_every!,
    },
    metrics: metricsConfig(document, secrets),
    liveness: {
      heartbeatFile: liveness.heartbeat_file,
      selfWatchdogNs: liveness.self_watchdog,
      hwWatchdog: liveness.hw_watchdog,
      iterationBudgetNs: liveness.iteration_budget!,
      shutdownAfterNs: liveness.shutdown_after,
    },
    log: { level: log.level!, format: log.format! },
  };
}

function allValues({ tables }: CheckedDocument) {
  return {
    observer: tables.observer.values,
    tracker: tables.tracker.values,
    limits: tables.limits.values,
    audit: tables.audit.values,
    export: tables.export.values,
    liveness: tables.liveness.values,
    log: tables.log.values,
  };
}

function recoveryConfig({ tables }: CheckedDocument, secrets: Secrets): Config["recovery"] {
  const values = tables.recovery.values;
  return {
    command: values.command ?? secrets.command,
    commandSource: values.command_file ?? "inline",
    appendPid: values.append_pid!,
    debounceNs: values.debounce!,
    env: values.env!,
    inheritEnv: values.inherit_env!,
    timeoutNs: values.timeout,
    killGraceNs: values.kill_grace!,
    capture: values.capture!,
    captureBytes: values.capture_bytes!,
    shutdownGraceNs: values.shutdown_grace!,
    steps: (values.step ?? []).map(recoveryStep),
    restartUnits: values.restart_units!,
    cwd: values.cwd,
    umask: values.umask,
    backoffMaxNs: values.backoff_max,
    backoffResetNs: values.backoff_reset!,
    budget: values.budget,
    budgetWindowNs: values.budget_window!,
    paceBy: values.pace_by!,
    stormLimit: values.storm_limit,
    stormWindowNs: values.storm_window!,
    verifyWithinNs: values.verify_within,
    retry: values.retry!,
    dryRun: values.dry_run!,
  };
}

/** A checked step has exactly one key. */
function recoveryStep({ signal, wait, exec, restart_unit }: CheckedStep): RecoveryStep {
  if (signal !== undefined) return { kind: "signal", signal };
  if (wait !== undefined) return { kind: "wait", waitNs: wait };
  if (exec !== undefined) return { kind: "exec", command: exec };
  return { kind: "restart_unit", unit: restart_unit! };
}

function metricsConfig({ tables }: CheckedDocument, secrets: Secrets): Config["metrics"] {
  const values = tables.metrics.values;
  return {
    listen: values.listen === undefined ? undefined : parseListen(values.listen),
    socketMode: values.socket_mode!,
    tokenFile: values.token_file,
    token: secrets.token,
    hosts: values.hosts ?? [],
    rateLimitPerSec: values.rate_limit_per_sec!,
    rateLimitBurst: values.rate_limit_burst!,
    scrapeBudgetNs: values.scrape_budget!,
    perPid: values.per_pid!,
  };
}

function listenerConfig(
  { kind, values }: CheckedListener,
  name: string,
  accounts: ListenerAccounts,
): ListenerConfig {
  const rcvbufBytes = values.rcvbuf_bytes!;
  if (kind === "udp") {
    return {
      kind,
      name,
      rcvbufBytes,
      address: values.address!,
      port: values.port!,
      acceptPlaintext: values.accept_plaintext!,
      acceptRecovery: values.accept_recovery,
    };
  }
  if (kind === "secure-udp") {
    return {
      kind,
      name,
      rcvbufBytes,
      address: values.address!,
      port: values.port!,
      keyFile: values.key_file,
      acceptedKeyFile: values.accepted_key_file,
      masterKeyFile: values.master_key_file,
      senderStates: values.sender_states!,
      acceptNonLoopback: values.accept_non_loopback!,
      acceptRecovery: values.accept_recovery,
    };
  }
  const unix: UnixListenerConfig = {
    kind: "unix",
    name,
    rcvbufBytes,
    path: values.path!,
    mode: values.mode!,
    ...accounts,
  };
  return unix;
}
