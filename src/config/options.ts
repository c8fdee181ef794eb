// The long options that set configuration keys, and the removed ones (spec 07 section 3): names, what they set, and the
// words of the help screen. No checks here; apply_options.ts holds each value against the same schema as the file.
import { GLOBAL_BURST_MAX } from "../base/limits.ts";
import type { ListenerKind, TableName } from "./keys/schema.ts";

/** How the text of an option becomes a value of its key. */
export type OptionForm = "text" | "path" | "integer" | "seconds" | "flag" | "words" | "pair";

export type OptionTarget =
  | { readonly to: "table"; readonly table: TableName; readonly key: string }
  /** Sets the key in every listener of these kinds. */
  | { readonly to: "listeners"; readonly kinds: readonly ListenerKind[]; readonly key: string }
  /** Replaces the listeners of these kinds by one. */
  | { readonly to: "listener"; readonly key: string }
  | { readonly to: "nothing"; readonly accepts: readonly string[] | readonly [number, number] };

export type OptionGroup =
  | "Listening"
  | "Judging"
  | "Limits"
  | "Recovery"
  | "Metrics and export"
  | "Liveness"
  | "UDP"
  | "Audit"
  | "Log"
  | "Accepted without effect";

export interface ConfigOption {
  /** Long name without dashes. */
  readonly name: string;
  /** The word for the value in help; undefined = a flag. */
  readonly value: string | undefined;
  readonly form: OptionForm;
  readonly target: OptionTarget;
  readonly group: OptionGroup;
  readonly help: string;
}

const UDP = ["udp"] as const;
const SECURE = ["secure-udp"] as const;
const NETWORK = ["udp", "secure-udp"] as const;

/** A name that the Rust observer once had for two options: taken with a word about its successors, which win over it. */
const BOTH_RECOVERIES = "i-accept-recovery-on-unauthenticated-transport";

// biome-ignore format: a table reads best with one row per option
export const CONFIG_OPTIONS: readonly ConfigOption[] = [
  option("Listening", "socket", "PATH", "path", one("path"), "Unix socket to listen on; no file is read without --config"),
  option("Listening", "socket-mode", "MODE", "text", each(["unix"], "mode"), "mode of the socket, in octal (0600)"),
  option("Listening", "uds-rcvbuf-bytes", "N", "integer", each(["unix"], "rcvbuf_bytes"), "receive buffer (1048576)"),
  option("Judging", "threshold-ms", "MS", "integer", set("observer", "threshold_ms"), "silence that is a stall (5000)"),
  option("Judging", "clock-source", "NAME", "text", set("observer", "clock_source"), "monotonic, boottime or monotonic-raw"),
  option("Judging", "allow-cross-namespace-agents", undefined, "flag", set("observer", "allow_cross_namespace"), "accept agents of other pid namespaces"),
  option("Judging", "strict-namespace-check", undefined, "flag", set("observer", "strict_namespace"), "exit on a namespace conflict"),
  option("Judging", "tracker-capacity", "N", "integer", set("tracker", "capacity"), "processes watched at once (4096)"),
  option("Judging", "tracker-eviction-policy", "NAME", "text", set("tracker", "eviction_policy"), "strict or balanced"),
  option("Judging", "eviction-scan-window", "N", "integer", set("tracker", "eviction_scan_window"), "slots examined per scan (256)"),
  option("Limits", "max-beat-rate", "N", "integer", set("limits", "per_pid_rate"), "beats/s per process (100; 0 = off)"),
  option("Limits", "global-beat-rate", "N", "integer", set("limits", "global_rate"), "beats/s in all (50000; 0 = off)"),
  option("Limits", "global-beat-burst", "N", "integer", set("limits", "global_burst"), "beats at once (100000; 0 = off)"),
  option("Recovery", "recovery-exec", "COMMAND", "words", set("recovery", "command"), "command, split at spaces, no quoting"),
  option("Recovery", "recovery-exec-file", "PATH", "path", set("recovery", "command_file"), "secret file with the command"),
  option("Recovery", "recovery-debounce-ms", "MS", "integer", set("recovery", "debounce_ms"), "pause between two recoveries (1000)"),
  option("Recovery", "recovery-env", "KEY=VALUE", "pair", set("recovery", "env"), "variable of the command; may be repeated"),
  option("Recovery", "recovery-inherit-env", undefined, "flag", set("recovery", "inherit_env"), "give it the environment of the daemon"),
  option("Recovery", "recovery-timeout-ms", "MS", "integer", set("recovery", "timeout_ms"), "run time until it is killed (never)"),
  option("Recovery", "recovery-capture-stdio", undefined, "flag", set("recovery", "capture"), "keep the end of its output"),
  option("Recovery", "recovery-capture-bytes", "N", "integer", set("recovery", "capture_bytes"), "bytes kept per stream (4096)"),
  option("Recovery", "shutdown-grace-ms", "MS", "integer", set("recovery", "shutdown_grace_ms"), "wait for commands at exit (5000)"),
  option("Recovery", "dry-run", undefined, "flag", set("recovery", "dry_run"), "decide and tell everything, start and signal nothing"),
  option("Metrics and export", "prom-addr", "ADDRESS", "text", set("metrics", "listen"), "serve metrics at IP:PORT or unix:/PATH"),
  option("Metrics and export", "prom-token-file", "PATH", "path", set("metrics", "token_file"), "secret file with the bearer token"),
  option("Metrics and export", "prom-rate-limit-per-sec", "N", "integer", set("metrics", "rate_limit_per_sec"), "requests/s per address (5; 0 = off)"),
  option("Metrics and export", "prom-rate-limit-burst", "N", "integer", set("metrics", "rate_limit_burst"), "requests at once (10; 0 = off)"),
  option("Metrics and export", "scrape-budget-ms", "MS", "integer", set("metrics", "scrape_budget_ms"), "time a page should take (250)"),
  option("Metrics and export", "export-file", "PATH", "path", set("export", "file"), "write events to this file"),
  option("Metrics and export", "export-file-max-bytes", "N", "integer", set("export", "max_bytes"), "rotate it at this size"),
  option("Metrics and export", "export-file-sync-every", "N", "integer", set("export", "sync_every"), "events per fdatasync (0 = never)"),
  option("Liveness", "heartbeat-file", "PATH", "path", set("liveness", "heartbeat_file"), "file rewritten every second"),
  option("Liveness", "self-watchdog-secs", "S", "seconds", set("liveness", "self_watchdog_ms"), "longest turn before the daemon ends itself"),
  option("Liveness", "iteration-budget-ms", "MS", "integer", set("liveness", "iteration_budget_ms"), "time a turn should take (250)"),
  option("Liveness", "hw-watchdog", "PATH", "path", set("liveness", "hw_watchdog"), "watchdog device (not in this version yet)"),
  option("Liveness", "shutdown-after-secs", "S", "seconds", set("liveness", "shutdown_after_ms"), "exit after this time, for tests"),
  option("UDP", "udp-port", "PORT", "integer", one("port"), "UDP port to listen on"),
  option("UDP", "udp-bind-addr", "IP", "text", one("address"), "address to bind, with --udp-port"),
  option("UDP", "key-file", "PATH", "path", each(SECURE, "key_file"), "shared key in use"),
  option("UDP", "accepted-key-file", "PATH", "path", each(SECURE, "accepted_key_file"), "older shared keys"),
  option("UDP", "master-key-file", "PATH", "path", each(SECURE, "master_key_file"), "key that agent keys are derived from"),
  option("UDP", "i-accept-plaintext-udp", undefined, "flag", each(UDP, "accept_plaintext"), "acknowledge that UDP beats can be forged"),
  option("UDP", "i-accept-secure-udp-non-loopback", undefined, "flag", each(SECURE, "accept_non_loopback"), "acknowledge a reachable address"),
  option("UDP", BOTH_RECOVERIES, undefined, "flag", each(NETWORK, "accept_recovery"), "older name of the next two together"),
  option("UDP", "secure-udp-i-accept-recovery-on-unauthenticated-transport", undefined, "flag", each(SECURE, "accept_recovery"), "recover on secure UDP beats"),
  option("UDP", "plaintext-udp-i-accept-recovery-on-unauthenticated-transport", undefined, "flag", each(UDP, "accept_recovery"), "recover on plaintext UDP beats"),
  option("Audit", "recovery-audit-file", "PATH", "path", set("audit", "file"), "audit log"),
  option("Audit", "recovery-audit-max-bytes", "N", "integer", set("audit", "max_bytes"), "rotate it at this size"),
  option("Audit", "recovery-audit-sync-every", "N", "integer", set("audit", "sync_every"), "records per fdatasync (1)"),
  option("Audit", "audit-fsync-budget-ms", "MS", "integer", set("audit", "fsync_budget_ms"), "time an fdatasync should take (50)"),
  option("Audit", "audit-sync-interval-ms", "MS", "integer", set("audit", "sync_interval_ms"), "longest time between two (0 = off)"),
  option("Audit", "audit-rotation-budget-ms", "MS", "integer", set("audit", "rotation_budget_ms"), "time a rotation should take (50)"),
  option("Log", "log-level", "LEVEL", "text", set("log", "level"), "debug, info, warn or error (info)"),
  option("Log", "log-format", "FORMAT", "text", set("log", "format"), "logfmt or json, errors of the start included (logfmt)"),
  option("Accepted without effect", "read-timeout-ms", "MS", "integer", { to: "nothing", accepts: [1, 1000] }, "1 to 1000: the socket never blocks"),
  option("Accepted without effect", "signal-handler-mode", "NAME", "text", { to: "nothing", accepts: ["direct", "libc"] }, "direct or libc"),
];

/** Older names that are still understood, with what takes their place. */
export const OLDER_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  [BOTH_RECOVERIES, [`--secure-udp-${BOTH_RECOVERIES}`, `--plaintext-udp-${BOTH_RECOVERIES}`]],
]);

/** Options whose values beyond the limit of their key are brought down to it: other observers know no such limit. */
export const CLAMPED_OPTIONS: ReadonlyMap<string, number> = new Map([
  ["global-beat-burst", GLOBAL_BURST_MAX],
]);

/** Options of the Rust observer that are gone, with what to do instead. */
export const REMOVED_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["recovery-cmd", "--recovery-exec"],
  ["recovery-cmd-file", "--recovery-exec-file"],
  ["i-accept-shell-risk", "--recovery-exec: shell recovery was removed"],
  ["key-env", environmentHint("--key-file")],
  ["accepted-key-env", environmentHint("--accepted-key-file")],
  ["master-key-env", environmentHint("--master-key-file")],
]);

function option(
  group: OptionGroup,
  name: string,
  value: string | undefined,
  form: OptionForm,
  target: OptionTarget,
  help: string,
): ConfigOption {
  return { name, value, form, target, group, help };
}

function set(table: TableName, key: string): OptionTarget {
  return { to: "table", table, key };
}

function each(kinds: readonly ListenerKind[], key: string): OptionTarget {
  return { to: "listeners", kinds, key };
}

function one(key: string): OptionTarget {
  return { to: "listener", key };
}

function environmentHint(instead: string): string {
  return `${instead}: keys in the environment leak through /proc and container inspection`;
}
