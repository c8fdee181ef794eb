// Every table and key of varta.toml, once (spec 07 section 2): from a row come the check of the
// file, the type and the value in the configuration, its line in `check --print`, the default in
// the help of an option, varta.schema.json and docs/configuration.md. Rules between keys are in
// checks/cross_rules.ts.

// biome-ignore-all format: a table reads best with a row in few lines
import { AGENT_NAMES_MAX } from "../../agents/agent_table.ts";
import {
  EVICTION_WINDOW_DEFAULT,
  EVICTION_WINDOW_MAX,
  EVICTION_WINDOW_MIN,
  GLOBAL_BURST_MAX,
  THRESHOLD_NS_MIN,
  TRACKER_CAPACITY_LIVE_MAX,
  TRACKER_CAPACITY_MAX,
} from "../../base/limits.ts";
import { LOG_LEVELS } from "../../base/log_level.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { U32_MAX } from "../../base/u64.ts";
import { EVENT_WORDS } from "../../events/event_kinds.ts";
import { listen } from "./address.ts";
import { duration, flag, integer, mode, path, secretFile, socketPath, textItem, word } from "./forms.ts";
import { account, list, operators, words } from "./list_forms.ts";
import { live, restart } from "./key.ts";
import { RECOVERY_KEYS } from "./recovery_keys.ts";

const TRACKER_CAPACITY_DEFAULT = 4_096;
const PIDFDS_DEFAULT = 16_384;
const PER_PID_RATE_DEFAULT = 100;
const GLOBAL_RATE_DEFAULT = 50_000;
const GLOBAL_BURST_DEFAULT = 100_000;

const AUDIT_BYTES_MIN = 4_096;
const EXPORT_BYTES_MIN = 128;

/** Of letters, digits, "-", "_" and dots; names of IP addresses need no listing. */
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?$/;

const BUDGET = duration({ minMs: 50, maxMs: 60_000 });

const OBSERVER_KEYS = {
  threshold: live("thresholdNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "report every agent as stalled for ever" }),
    "Silence after which a process has stalled", { byDefault: "5s" }),
  clock_source: restart("clockSource", word(["monotonic", "boottime", "monotonic-raw"]),
    "Clock that silence is measured on", { byDefault: "monotonic" }),
  allow_cross_namespace: restart("allowCrossNamespace", flag, "Accept agents of other pid namespaces",
    { byDefault: false }),
  strict_namespace: restart("strictNamespace", flag,
    "Exit if one pid is claimed by two pid namespaces", { byDefault: false }),
};

const TRACKER_KEYS = {
  capacity: live("capacity",
    integer({ min: 1, max: TRACKER_CAPACITY_MAX, zeroWould: "watch no agent" }),
    "Processes that can be watched at the same time",
    { byDefault: TRACKER_CAPACITY_DEFAULT, unit: "processes", liveMax: TRACKER_CAPACITY_LIVE_MAX }),
  eviction_policy: live("evictionPolicy", word(["strict", "balanced"]),
    "Who may lose its slot when all are taken", { byDefault: "strict" }),
  eviction_scan_window: live("evictionScanWindow", integer({ min: EVICTION_WINDOW_MIN,
      max: EVICTION_WINDOW_MAX, zeroWould: "never find a free slot" }),
    "Slots searched for one to evict", { byDefault: EVICTION_WINDOW_DEFAULT, unit: "slots" }),
  pidfds_max: restart("pidfdsMax", integer({ min: 0, max: TRACKER_CAPACITY_MAX }),
    "Processes whose end is seen at once, by an open descriptor for each; 0 = none",
    { byDefault: PIDFDS_DEFAULT, unit: "descriptors" }),
  forget_after: live("forgetAfterNs", duration({ minMs: 1_000,
      zeroWould: "forget every agent of another machine as soon as it stalls" }),
    "Silence after which a stalled agent of another machine is forgotten", { byDefault: "24h" }),
};

const LIMITS_KEYS = {
  per_pid_rate: live("perPidRate", integer({ min: 0, max: U32_MAX }),
    "Accepted beats per second and process, one second's worth (at least 8) at once; 0 = no limit",
    { byDefault: PER_PID_RATE_DEFAULT, unit: "beats/s" }),
  global_rate: live("globalRate", integer({ min: 0, max: U32_MAX }),
    "Accepted beats per second in all; 0 = no limit",
    { byDefault: GLOBAL_RATE_DEFAULT, unit: "beats/s" }),
  global_burst: live("globalBurst", integer({ min: 0, max: GLOBAL_BURST_MAX }),
    "Beats that may come at once above global_rate; 0 = no limit",
    { byDefault: GLOBAL_BURST_DEFAULT, unit: "beats" }),
};

const AUDIT_KEYS = {
  file: live("file", path("the audit log"), "Audit log"),
  key_file: restart("keyFile", secretFile("key", "a key file"), "Key of its chain, 64 hex digits",
    { loads: "key" }),
  max_bytes: live("maxBytes", integer({ min: AUDIT_BYTES_MIN, max: Number.MAX_SAFE_INTEGER,
      zeroWould: "rotate at every record", offBy: "no such key: then the file is never rotated" }),
    "Size at which the audit log is rotated", { unit: "bytes" }),
  sync_every: live("syncEvery",
    integer({ min: 1, max: U32_MAX, zeroWould: "never write records to the disk for certain" }),
    "Audit records per fdatasync", { byDefault: 1, unit: "records" }),
  sync_interval: live("syncIntervalNs", duration({ minMs: 0 }),
    "Longest time between two fdatasyncs; 0 = off", { byDefault: "0ms" }),
  fsync_budget: live("fsyncBudgetNs",
    duration({ minMs: 1, zeroWould: "count every fdatasync as too slow" }),
    "Time that one fdatasync should take at most", { byDefault: "50ms" }),
  rotation_budget: live("rotationBudgetNs",
    duration({ minMs: 1, maxMs: 250, zeroWould: "count every rotation as too slow" }),
    "Time that one rotation should take at most", { byDefault: "50ms" }),
};

const EXPORT_KEYS = {
  file: live("file", path("the export file"), "File that events are written to"),
  format: live("format", word(["tsv", "jsonl"]), "Format of the export file", { byDefault: "tsv" }),
  events: live("events", words(EVENT_WORDS, "kinds of events"), "Kinds of events that are written",
    { computed: "all but beat; the Rust observer's if started by its options alone" }),
  max_bytes: live("maxBytes", integer({ min: EXPORT_BYTES_MIN, max: Number.MAX_SAFE_INTEGER,
      zeroWould: "rotate at every event", offBy: "no such key: then the file is never rotated" }),
    "Size at which the export file is rotated", { unit: "bytes" }),
  sync_every: live("syncEvery", integer({ min: 0, max: U32_MAX }),
    "Events per fdatasync; 0 = never", { byDefault: 0, unit: "events" }),
};

const METRICS_KEYS = {
  listen: live("listen", listen, "Address of the metrics server"),
  socket_mode: live("socketMode", mode, "Mode of a unix: socket, in octal", { byDefault: "0600" }),
  token_file: live("tokenFile", secretFile("key", "the token file"),
    "Bearer token that scrapers must show", { loads: "token" }),
  hosts: live("hosts", list({ want: 'an array of host names, such as ["watch.example.org"]',
      item: textItem("a host name without scheme, port and path", HOST_NAME) }),
    "Names that scrapers may call the metrics server by", { absent: [] }),
  rate_limit_per_sec: live("rateLimitPerSec", integer({ min: 0, max: U32_MAX }),
    "Requests per second and address; 0 = no limit", { byDefault: 5, unit: "requests/s" }),
  rate_limit_burst: live("rateLimitBurst", integer({ min: 0, max: U32_MAX }),
    "Requests that may come at once from an address; 0 = no limit",
    { byDefault: 10, unit: "requests" }),
  scrape_budget: live("scrapeBudgetNs", BUDGET, "Time that one page should take at most",
    { byDefault: "250ms" }),
  view: live("view", flag, "Serve what is known of the agents as JSON under /v1/",
    { byDefault: true }),
  per_pid: restart("perPid", flag, "Serve the metrics of each process",
    { computed: "false with a configuration file, else true" }),
  agents_max: restart("agentsMax", integer({ min: 1, max: AGENT_NAMES_MAX,
      zeroWould: "put all agents under one name" }),
    'Names of agents that have metrics of their own; the others are "other"',
    { byDefault: 500, unit: "names" }),
};

const LIVENESS_KEYS = {
  heartbeat_file: live("heartbeatFile", path("the heartbeat file"),
    "File rewritten every second while all is well"),
  self_watchdog: restart("selfWatchdogNs", duration({ minMs: 1_000,
      zeroWould: "end the daemon at once",
      offBy: "no such key: then there is no self-watchdog without a service manager" }),
    "Longest turn of the loop before the daemon ends itself"),
  hw_watchdog: restart("hwWatchdog", path("a watchdog device"),
    "Hardware watchdog that reboots the machine when stalls are no longer judged"),
  iteration_budget: live("iterationBudgetNs", BUDGET, "Time that one turn of the loop should take",
    { byDefault: "250ms" }),
  shutdown_after: restart("shutdownAfterNs", duration({ minMs: 0 }), "Run time, for tests"),
};

const GUARD_KEYS = {
  share: live("share", integer({ min: 1, max: 99,
      zeroWould: "hold every stall", offBy: 'guard = "off"' }),
    "More than this of the members silent at once is held, not judged", { byDefault: 50, unit: "%" }),
  members: live("members", integer({ min: 2, max: TRACKER_CAPACITY_MAX,
      zeroWould: "hold a single stall", offBy: 'guard = "off"' }),
    "Members that must be present for that", { byDefault: 10, unit: "members" }),
  window: live("windowNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "never find two that fall silent at once", offBy: 'guard = "off"' }),
    "Time within which they fall silent; without it the largest threshold of the silent"),
  off: live("off", flag, "Judge however many fall silent at once", { byDefault: false }),
};

const STATE_KEYS = {
  file: restart("file", path("the state file"), "File with what outlives the daemon",
    { computed: "`state` in the service manager's directory, else the first Unix listener's path with `.state`" }),
  off: restart("off", flag, "Keep nothing that outlives the daemon", { byDefault: false }),
};

const CONTROL_KEYS = {
  path: live("path", socketPath("the control socket"), "Control socket",
    { computed: "`control.sock` beside the first Unix listener" }),
  mode: live("mode", mode, "Mode of the socket file, in octal", { byDefault: "0660" }),
  group: live("gid", account("group"), "Group of the socket file, which may read"),
  operators: live("operators", operators, "Users, and groups with `@`, who may act besides root",
    { absent: { uids: [], gids: [] } }),
};

const LOG_KEYS = {
  level: live("level", word(LOG_LEVELS),
    "Least severe level that is logged", { byDefault: "info" }),
  format: live("format", word(["logfmt", "json"]), "Form of a log line", { byDefault: "logfmt" }),
};

export const TABLES = {
  observer: OBSERVER_KEYS,
  tracker: TRACKER_KEYS,
  limits: LIMITS_KEYS,
  recovery: RECOVERY_KEYS,
  audit: AUDIT_KEYS,
  export: EXPORT_KEYS,
  control: CONTROL_KEYS,
  metrics: METRICS_KEYS,
  guard: GUARD_KEYS,
  state: STATE_KEYS,
  liveness: LIVENESS_KEYS,
  log: LOG_KEYS,
} as const;

export type TableName = keyof typeof TABLES;

export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

/** What may stand in place of a whole table: `guard = "off"`. */
export const TABLE_WORDS: Readonly<
  Partial<
    Record<
      TableName,
      { readonly word: string; readonly means: Readonly<Record<string, unknown>> }
    >
  >
> = {
  guard: { word: "off", means: { off: true } },
  state: { word: "off", means: { off: true } },
};

/** The arrays of tables at the top of the file. */
export type ArrayName = "listener" | "agent";

/** The tables in the order in which the file and its example have them. */
export const TABLE_ORDER = TABLE_NAMES.flatMap((name): readonly (TableName | ArrayName)[] =>
  name === "recovery" ? ["listener", "agent", name] : [name],
);

export function isTableName(name: TableName | ArrayName): name is TableName {
  return Object.hasOwn(TABLES, name);
}
