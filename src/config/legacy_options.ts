// The options of the Rust observer (spec 07 section 3): recipes written for it run unchanged.
// Names, the older and the removed ones, and those that are accepted without effect.
import { GLOBAL_BURST_MAX } from "../base/limits.ts";
import { each, type OptionRow, one, row, set } from "./option_row.ts";

const UDP = ["udp"] as const;
const SECURE = ["secure-udp"] as const;
const NETWORK = ["udp", "secure-udp"] as const;

/**
 * A name that the Rust observer once had for two options: taken with a word about its successors,
 * which win over it.
 */
const BOTH_RECOVERIES = "i-accept-recovery-on-unauthenticated-transport";

// biome-ignore format: a table reads best with one row per option
export const LEGACY_OPTIONS: readonly OptionRow[] = [
  row("Listening", "socket", one("path"), "Unix socket to listen on; no file is read without --config"),
  row("Listening", "socket-mode", each(["unix"], "mode"), "mode of the socket, in octal ({default})"),
  row("Listening", "uds-rcvbuf-bytes", each(["unix"], "rcvbuf_bytes"), "receive buffer ({default})"),
  row("Judging", "threshold-ms", set("observer", "threshold_ms"), "silence that is a stall ({default})"),
  row("Judging", "clock-source", set("observer", "clock_source"), "monotonic, boottime or monotonic-raw"),
  row("Judging", "allow-cross-namespace-agents", set("observer", "allow_cross_namespace"), "accept agents of other pid namespaces"),
  row("Judging", "strict-namespace-check", set("observer", "strict_namespace"), "exit on a namespace conflict"),
  row("Judging", "tracker-capacity", set("tracker", "capacity"), "processes watched at once ({default})"),
  row("Judging", "tracker-eviction-policy", set("tracker", "eviction_policy"), "strict or balanced"),
  row("Judging", "eviction-scan-window", set("tracker", "eviction_scan_window"), "slots examined per scan ({default})"),
  row("Limits", "max-beat-rate", set("limits", "per_pid_rate"), "beats/s per process ({default}; 0 = off)"),
  row("Limits", "global-beat-rate", set("limits", "global_rate"), "beats/s in all ({default}; 0 = off)"),
  row("Limits", "global-beat-burst", set("limits", "global_burst"), "beats at once ({default}; 0 = off)"),
  row("Recovery", "recovery-exec", set("recovery", "command"), "command, split at spaces, no quoting"),
  row("Recovery", "recovery-exec-file", set("recovery", "command_file"), "secret file with the command"),
  row("Recovery", "recovery-debounce-ms", set("recovery", "debounce_ms"), "pause between two recoveries ({default})"),
  row("Recovery", "recovery-env", set("recovery", "env"), "variable of the command; may be repeated"),
  row("Recovery", "recovery-inherit-env", set("recovery", "inherit_env"), "give it the environment of the daemon"),
  row("Recovery", "recovery-timeout-ms", set("recovery", "timeout_ms"), "run time until it is killed (never)"),
  row("Recovery", "recovery-capture-stdio", set("recovery", "capture"), "keep the end of its output"),
  row("Recovery", "recovery-capture-bytes", set("recovery", "capture_bytes"), "bytes kept per stream ({default})"),
  row("Recovery", "shutdown-grace-ms", set("recovery", "shutdown_grace_ms"), "wait for commands at exit ({default})"),
  row("Metrics and export", "prom-addr", set("metrics", "listen"), "serve metrics at IP:PORT or unix:/PATH", "ADDRESS"),
  row("Metrics and export", "prom-token-file", set("metrics", "token_file"), "secret file with the bearer token"),
  row("Metrics and export", "prom-rate-limit-per-sec", set("metrics", "rate_limit_per_sec"), "requests/s per address ({default}; 0 = off)"),
  row("Metrics and export", "prom-rate-limit-burst", set("metrics", "rate_limit_burst"), "requests at once ({default}; 0 = off)"),
  row("Metrics and export", "scrape-budget-ms", set("metrics", "scrape_budget_ms"), "time a page should take ({default})"),
  row("Metrics and export", "export-file", set("export", "file"), "write events to this file"),
  row("Metrics and export", "export-file-max-bytes", set("export", "max_bytes"), "rotate it at this size"),
  row("Metrics and export", "export-file-sync-every", set("export", "sync_every"), "events per fdatasync ({default} = never)"),
  row("Liveness", "heartbeat-file", set("liveness", "heartbeat_file"), "file rewritten every second"),
  row("Liveness", "self-watchdog-secs", set("liveness", "self_watchdog_ms"), "longest turn before the daemon ends itself", "S"),
  row("Liveness", "iteration-budget-ms", set("liveness", "iteration_budget_ms"), "time a turn should take ({default})"),
  row("Liveness", "hw-watchdog", set("liveness", "hw_watchdog"), "hardware watchdog device"),
  row("Liveness", "shutdown-after-secs", set("liveness", "shutdown_after_ms"), "exit after this time, for tests", "S"),
  row("UDP", "udp-port", one("port"), "UDP port to listen on", "PORT"),
  row("UDP", "udp-bind-addr", one("address"), "address to bind, with --udp-port", "IP"),
  row("UDP", "key-file", each(SECURE, "key_file"), "shared key in use"),
  row("UDP", "accepted-key-file", each(SECURE, "accepted_key_file"), "older shared keys"),
  row("UDP", "master-key-file", each(SECURE, "master_key_file"), "key that agent keys are derived from"),
  row("UDP", "i-accept-plaintext-udp", each(UDP, "accept_plaintext"), "acknowledge that UDP beats can be forged"),
  row("UDP", "i-accept-secure-udp-non-loopback", each(SECURE, "accept_non_loopback"), "acknowledge a reachable address"),
  row("UDP", BOTH_RECOVERIES, each(NETWORK, "accept_recovery"), "older name of the next two together"),
  row("UDP", "secure-udp-i-accept-recovery-on-unauthenticated-transport", each(SECURE, "accept_recovery"), "recover on secure UDP beats"),
  row("UDP", "plaintext-udp-i-accept-recovery-on-unauthenticated-transport", each(UDP, "accept_recovery"), "recover on plaintext UDP beats"),
  row("Audit", "recovery-audit-file", set("audit", "file"), "audit log"),
  row("Audit", "recovery-audit-max-bytes", set("audit", "max_bytes"), "rotate it at this size"),
  row("Audit", "recovery-audit-sync-every", set("audit", "sync_every"), "records per fdatasync ({default})"),
  row("Audit", "audit-fsync-budget-ms", set("audit", "fsync_budget_ms"), "time an fdatasync should take ({default})"),
  row("Audit", "audit-sync-interval-ms", set("audit", "sync_interval_ms"), "longest time between two ({default} = off)"),
  row("Audit", "audit-rotation-budget-ms", set("audit", "rotation_budget_ms"), "time a rotation should take ({default})"),
  row("Accepted without effect", "read-timeout-ms", { to: "nothing", accepts: [1, 1000] }, "1 to 1000: the socket never blocks", "MS"),
  row("Accepted without effect", "signal-handler-mode", { to: "nothing", accepts: ["direct", "libc"] }, "direct or libc", "NAME"),
];

/** Older names that are still understood, with what takes their place. */
export const OLDER_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  [BOTH_RECOVERIES, [`--secure-udp-${BOTH_RECOVERIES}`, `--plaintext-udp-${BOTH_RECOVERIES}`]],
]);

/**
 * Options whose values beyond the limit of their key are brought down to it: other observers know
 * no such limit.
 */
export const CLAMPED_OPTIONS: ReadonlyMap<string, number> = new Map([
  ["global-beat-burst", GLOBAL_BURST_MAX],
]);

/** Options that are gone, with what to do instead. */
export const REMOVED_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["recovery-cmd", "--recovery-exec"],
  ["recovery-cmd-file", "--recovery-exec-file"],
  ["i-accept-shell-risk", "--recovery-exec: shell recovery was removed"],
  ["key-env", environmentHint("--key-file")],
  ["accepted-key-env", environmentHint("--accepted-key-file")],
  ["master-key-env", environmentHint("--master-key-file")],
]);

function environmentHint(instead: string): string {
  return `${instead}: keys in the environment leak through /proc and container inspection`;
}
