// What the configuration rules out on the metrics page: labels that belong to listeners of another
// kind, and families of what is not configured. They are left out as long as they are 0, so nothing
// that happens after all is hidden (spec 08 section 1). A daemon without a configuration file has
// the page of the Rust observer, where everything is there.
import { adoptsOrphans } from "../../ffi/wait.ts";
import { isUnixKind } from "../config/keys/listener_keys.ts";
import { EXPECTED } from "../agents/expected_agents.ts";
import { AUDIT } from "../audit/counters.ts";
import { type AnyBlock, familiesOf } from "../base/counters.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import type { ExitStatusSources } from "./end_wiring.ts";
import { STATE } from "./state_counters.ts";
import { EXPORT } from "../export/event_export.ts";
import { SECURE } from "../listener/counters.ts";
import type { IsPossible } from "../metrics/family_section.ts";
import { NOTIFY } from "../observer/notify_texts.ts";
import { METRICS } from "../metrics/metrics.ts";
import { ORPHANS } from "../recovery/children/orphan_reaper.ts";
import { GIVEN_UP, RECOVERY } from "../recovery/counters.ts";
import { UNIT_QUESTIONS } from "../systemd/unit_questions.ts";

/** The samples of a family that have one of the values in any label; no values = all of it. */
interface RuledOut {
  readonly family: string;
  readonly values?: readonly string[];
  readonly listener?: string;
}

/** What the system has to do with it. */
interface HostFacts {
  /** Orphans become children of the daemon. */
  readonly adoptsOrphans: boolean;
  /** There is a service manager that can be asked. */
  readonly hasSystemd: boolean;
}

/** `sources`: undefined = there is no configuration file. */
export function scopeHere(config: Config, sources: ExitStatusSources | undefined): IsPossible {
  const facts = { adoptsOrphans: adoptsOrphans(), hasSystemd: sources?.systemd === true };
  return sources === undefined ? scopeOfOptions : pageScope(config, facts);
}

export function pageScope(config: Config, host: HostFacts): IsPossible {
  const ruledOut = [
    ...(host.adoptsOrphans ? [] : all(ORPHANS)),
    ...(host.hasSystemd ? [] : all(UNIT_QUESTIONS)),
    // Its histogram stands on the page of the Rust observer; here it is the stage "serve".
    { family: "varta_observer_serve_pending_seconds" },
    ...ofListeners(config),
    ...ofFeatures(config),
    ...ofRecovery(config),
    ...ofServer(config),
  ];
  return (name, labels) => {
    const values = Object.values(labels);
    return !ruledOut.some(
      (one) =>
        one.family === name &&
        (one.listener === undefined || one.listener === labels["listener"]) &&
        (one.values === undefined || one.values.some((value) => values.includes(value))),
    );
  };
}

/** Of a daemon without a configuration file: what came after the Rust observer, as long as 0. */
function scopeOfOptions(name: string, labels: Readonly<Record<string, string>>): boolean {
  return name !== REJECTED || !OF_NOTIFY.includes(labels["reason"] ?? "");
}

/** Something may be done about a stall. */
export function recovers({ recovery, plans }: Config): boolean {
  return [recovery, ...plans].some(
    ({ command, steps }) => command !== undefined || steps.length > 0,
  );
}

const REJECTED = "varta_datagrams_rejected_total";
/** The reasons of a notify listener alone. */
const OF_NOTIFY = ["text", "mainpid"];

/** The cause counter of each reason that only some listeners have. */
const CAUSES: readonly RuledOut[] = [
  { family: "varta_ctrl_truncated_total", values: ["ctrl_truncated"] },
  { family: "varta_frame_decrypt_failures_total", values: ["decrypt"] },
  { family: "varta_sender_state_full_total", values: ["sender_table_full"] },
  { family: "varta_secure_replay_refused_total", values: ["replay"] },
  { family: "varta_frame_namespace_mismatch_total", values: ["cross_namespace"] },
  { family: "varta_tracker_namespace_conflict_total", values: ["namespace_conflict"] },
  { family: "varta_origin_conflict_total", values: ["origin_conflict"] },
];
/** Those that say the reason in a label. */
const AUTH_FAILURES = "varta_frame_auth_failures_total";
const RATE_LIMITED = "varta_rate_limited_total";

function ofListeners(config: Config): RuledOut[] {
  const { listeners, limits } = config;
  const general = [
    ...(listeners.length > 1 ? [] : ["origin_conflict"]),
    ...(limits.perPidRate > 0 ? [] : ["rate_per_pid"]),
    ...(limits.globalRate > 0 ? [] : ["rate_global"]),
  ];
  const byListener = listeners.map((one) => [...general, ...reasonsOfOthers(one)]);
  const nowhere = (reason: string) => byListener.every((reasons) => reasons.includes(reason));
  const kinds = listeners.map(({ kind }) => kind);
  return [
    ...listeners.map(({ name }, i) => ({
      family: REJECTED,
      listener: name,
      values: byListener[i]!,
    })),
    ...CAUSES.filter(({ values }) => nowhere(values![0]!)).map(({ family }) => ({ family })),
    { family: AUTH_FAILURES, values: ["uid", "pid"].filter(nowhere) },
    { family: RATE_LIMITED, values: ["per_pid", "global"].filter((one) => nowhere(`rate_${one}`)) },
    ...(kinds.includes("secure-udp") ? [] : all(SECURE)),
    ...(kinds.includes("notify") ? [] : all(NOTIFY)),
    ...(kinds.every(isUnixKind)
      ? [{ family: "varta_watch_identity_looks_total", values: ["remote"] }]
      : []),
  ];
}

/** Why only a listener of another kind, or with other keys, refuses a datagram. */
function reasonsOfOthers(listener: ListenerConfig): string[] {
  const ofSecure = ["decrypt", "sender_table_full", "replay"];
  const ofUnix = [
    "ctrl_truncated",
    "no_credentials",
    "pid",
    "cross_namespace",
    "namespace_conflict",
  ];
  const ofFrames = ["wrong_size", "ctrl_truncated", "decode", "pid", "out_of_order"];
  if (listener.kind === "secure-udp") return [...OF_NOTIFY, ...ofUnix, "uid"];
  if (listener.kind === "udp") return [...OF_NOTIFY, ...ofSecure, ...ofUnix, "uid"];
  const { allowUids, allowGids, kind } = listener;
  const isOpen = (allowUids ?? []).length + (allowGids ?? []).length === 0;
  const ofOthers = [...ofSecure, ...(kind === "notify" ? ofFrames : OF_NOTIFY)];
  return isOpen ? [...ofOthers, "uid"] : ofOthers;
}

function ofFeatures(config: Config): RuledOut[] {
  const { audit, export: events, liveness, metrics, agents, state } = config;
  const files = [
    ...(events.file === undefined ? ["export", "file_export_io"] : []),
    ...(audit.file === undefined
      ? ["audit", "fired", "audit_io", "audit_ring_warn", "audit_ring_critical"]
      : []),
    ...(liveness.heartbeatFile === undefined ? ["heartbeat", "heartbeat_io"] : []),
  ];
  return [
    { family: "varta_file_reopened_total", values: files },
    { family: "varta_log_suppressed_total", values: files },
    ...(events.file === undefined ? all(EXPORT) : []),
    ...(audit.file === undefined ? all(AUDIT) : []),
    ...(state.off ? all(STATE) : []),
    ...(metrics.perPid ? [] : all(METRICS)),
    ...(agents.some(({ expect }) => expect !== undefined) ? [] : all(EXPECTED)),
  ];
}

/** Without a recovery its stages have nothing to do. */
function ofRecovery(config: Config): RuledOut[] {
  if (recovers(config)) return [];
  return [
    ...all(RECOVERY),
    ...all(GIVEN_UP),
    { family: "varta_observer_stage_seconds", values: ["recover", "reap"] },
    {
      family: "varta_log_suppressed_total",
      values: ["recovery_refused", "recovery_deferred"],
    },
  ];
}

function ofServer({ metrics }: Config): RuledOut[] {
  const { listen, tokenFile, rateLimitPerSec, rateLimitBurst } = metrics;
  const isLocal = listen?.kind === "unix";
  const isUnlimited = rateLimitPerSec === 0 || rateLimitBurst === 0;
  const dropped = [
    ...(isLocal ? ["host", "health_rate_limit", "address_connections"] : []),
    ...(isLocal || isUnlimited ? ["rate_limit", "ip_table_full"] : []),
  ];
  return [
    { family: "varta_prom_connections_dropped_total", values: dropped },
    ...(tokenFile === undefined ? [{ family: "varta_prom_auth_failures_total" }] : []),
    ...(isLocal ? [{ family: "varta_prom_ip_state_probe_exhausted_total" }] : []),
  ];
}

function all(block: AnyBlock): RuledOut[] {
  return familiesOf(block).map(({ name }) => ({ family: name }));
}
