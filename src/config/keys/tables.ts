// Every table and key of varta.toml, once (spec 07 section 2): from a row come the check of the
// file, the type and the value in the configuration, its line in `check --print`, the default in
// the help of an option, varta.schema.json and docs/configuration.md. Rules between keys are in
// checks/cross_rules.ts.
import {
  EVICTION_WINDOW_DEFAULT,
  EVICTION_WINDOW_MAX,
  EVICTION_WINDOW_MIN,
  GLOBAL_BURST_DEFAULT,
  GLOBAL_BURST_MAX,
  GLOBAL_RATE_DEFAULT,
  PER_PID_RATE_DEFAULT,
  THRESHOLD_NS_MIN,
  TRACKER_CAPACITY_DEFAULT,
  TRACKER_CAPACITY_MAX,
} from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { U32_MAX } from "../../base/u64.ts";
import { listen } from "./address.ts";
import { duration, flag, integer, list, mode, path, secretFile, textItem, word } from "./forms.ts";
import { key } from "./key.ts";
import { RECOVERY_KEYS } from "./recovery_keys.ts";

const AUDIT_BYTES_MIN = 4_096;
const EXPORT_BYTES_MIN = 128;

/** Of letters, digits, "-", "_" and dots; names of IP addresses need no listing. */
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?$/;

const BUDGET = duration({ minMs: 50, maxMs: 60_000 });

const OBSERVER_KEYS = {
  threshold: key(
    "thresholdNs",
    duration({
      minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "report every agent as stalled for ever",
    }),
    {
      help: "Silence after which a process has stalled",
      reload: "live",
      byDefault: "5s",
    },
  ),
  clock_source: key("clockSource", word(["monotonic", "boottime", "monotonic-raw"]), {
    help: "Clock that silence is measured on",
    reload: "restart",
    byDefault: "monotonic",
  }),
  allow_cross_namespace: key("allowCrossNamespace", flag, {
    help: "Accept agents of other pid namespaces",
    reload: "live",
    byDefault: false,
  }),
  strict_namespace: key("strictNamespace", flag, {
    help: "Exit if one pid is claimed by two pid namespaces",
    reload: "live",
    byDefault: false,
  }),
};

const TRACKER_KEYS = {
  capacity: key(
    "capacity",
    integer({ min: 1, max: TRACKER_CAPACITY_MAX, zeroWould: "watch nobody" }),
    {
      help: "Processes that can be watched at the same time",
      reload: "restart",
      byDefault: TRACKER_CAPACITY_DEFAULT,
    },
  ),
  eviction_policy: key("evictionPolicy", word(["strict", "balanced"]), {
    help: "Who may lose its slot when all are taken",
    reload: "live",
    byDefault: "strict",
  }),
  eviction_scan_window: key(
    "evictionScanWindow",
    integer({
      min: EVICTION_WINDOW_MIN,
      max: EVICTION_WINDOW_MAX,
      zeroWould: "never find a free slot",
    }),
    {
      help: "Slots looked at to find one to evict",
      reload: "live",
      byDefault: EVICTION_WINDOW_DEFAULT,
    },
  ),
};

const LIMITS_KEYS = {
  per_pid_rate: key("perPidRate", integer({ min: 0, max: U32_MAX }), {
    help: "Accepted beats per second and process, one second's worth (at least 8) at once; 0 = no limit",
    reload: "live",
    byDefault: PER_PID_RATE_DEFAULT,
    unit: "beats/s",
  }),
  global_rate: key("globalRate", integer({ min: 0, max: U32_MAX }), {
    help: "Accepted beats per second in all; 0 = no limit",
    reload: "live",
    byDefault: GLOBAL_RATE_DEFAULT,
    unit: "beats/s",
  }),
  global_burst: key("globalBurst", integer({ min: 0, max: GLOBAL_BURST_MAX }), {
    help: "Beats that may come at once above global_rate; 0 = no limit",
    reload: "live",
    byDefault: GLOBAL_BURST_DEFAULT,
    unit: "beats",
  }),
};

const AUDIT_KEYS = {
  file: key("file", path("the audit log"), { help: "Audit log", reload: "live" }),
  key_file: key("keyFile", secretFile("key", "a key file"), {
    help: "Key of its chain, 64 hex digits",
    reload: "restart",
    loads: "key",
  }),
  max_bytes: key(
    "maxBytes",
    integer({
      min: AUDIT_BYTES_MIN,
      max: Number.MAX_SAFE_INTEGER,
      zeroWould: "rotate at every record",
      offBy: "no such key: then the file is never rotated",
    }),
    { help: "Size at which the audit log is rotated", reload: "live", unit: "bytes" },
  ),
  sync_every: key(
    "syncEvery",
    integer({ min: 1, max: U32_MAX, zeroWould: "never write records to the disk for certain" }),
    { help: "Audit records per fdatasync", reload: "live", byDefault: 1, unit: "records" },
  ),
  sync_interval: key("syncIntervalNs", duration({ minMs: 0 }), {
    help: "Longest time between two fdatasyncs; 0 = off",
    reload: "live",
    byDefault: "0ms",
  }),
  fsync_budget: key(
    "fsyncBudgetNs",
    duration({ minMs: 1, zeroWould: "count every fdatasync as too slow" }),
    {
      help: "Time that one fdatasync should take at most",
      reload: "live",
      byDefault: "50ms",
    },
  ),
  rotation_budget: key(
    "rotationBudgetNs",
    duration({ minMs: 1, maxMs: 250, zeroWould: "count every rotation as too slow" }),
    {
      help: "Time that one rotation should take at most",
      reload: "live",
      byDefault: "50ms",
    },
  ),
};

const EXPORT_KEYS = {
  file: key("file", path("the export file"), {
    help: "File that events are written to",
    reload: "live",
  }),
  format: key("format", word(["tsv", "jsonl"]), {
    help: "Format of the export file",
    reload: "live",
    byDefault: "tsv",
  }),
  max_bytes: key(
    "maxBytes",
    integer({
      min: EXPORT_BYTES_MIN,
      max: Number.MAX_SAFE_INTEGER,
      zeroWould: "rotate at every event",
      offBy: "no such key: then the file is never rotated",
    }),
    { help: "Size at which the export file is rotated", reload: "live", unit: "bytes" },
  ),
  sync_every: key("syncEvery", integer({ min: 0, max: U32_MAX }), {
    help: "Events per fdatasync; 0 = never",
    reload: "live",
    byDefault: 0,
    unit: "events",
  }),
};

const METRICS_KEYS = {
  listen: key("listen", listen, { help: "Address of the metrics server", reload: "live" }),
  socket_mode: key("socketMode", mode, {
    help: "Mode of a unix: socket, in octal",
    reload: "live",
    byDefault: "0600",
  }),
  token_file: key("tokenFile", secretFile("key", "the token file"), {
    help: "Bearer token that scrapers must show",
    reload: "live",
    loads: "token",
  }),
  hosts: key(
    "hosts",
    list({
      want: 'an array of host names, such as ["watch.example.org"]',
      item: textItem("a host name without scheme, port and path", HOST_NAME),
    }),
    {
      help: "Names that scrapers may call the metrics server by",
      reload: "live",
      absent: [],
    },
  ),
  rate_limit_per_sec: key("rateLimitPerSec", integer({ min: 0, max: U32_MAX }), {
    help: "Requests per second and address; 0 = no limit",
    reload: "live",
    byDefault: 5,
    unit: "requests/s",
  }),
  rate_limit_burst: key("rateLimitBurst", integer({ min: 0, max: U32_MAX }), {
    help: "Requests that may come at once from an address; 0 = no limit",
    reload: "live",
    byDefault: 10,
    unit: "requests",
  }),
  scrape_budget: key("scrapeBudgetNs", BUDGET, {
    help: "Time that one page should take at most",
    reload: "live",
    byDefault: "250ms",
  }),
  per_pid: key("perPid", flag, {
    help: "Serve the metrics of each process",
    reload: "live",
    byDefault: true,
  }),
};

const LIVENESS_KEYS = {
  heartbeat_file: key("heartbeatFile", path("the heartbeat file"), {
    help: "File rewritten every second while all is well",
    reload: "live",
  }),
  self_watchdog: key(
    "selfWatchdogNs",
    duration({
      minMs: 1_000,
      zeroWould: "end the daemon at once",
      offBy: "no such key: then there is no self-watchdog without a service manager",
    }),
    { help: "Longest turn of the loop before the daemon ends itself", reload: "live" },
  ),
  hw_watchdog: key("hwWatchdog", path("a watchdog device"), {
    help: "Hardware watchdog",
    reload: "restart",
  }),
  iteration_budget: key("iterationBudgetNs", BUDGET, {
    help: "Time that one turn of the loop should take",
    reload: "live",
    byDefault: "250ms",
  }),
  shutdown_after: key("shutdownAfterNs", duration({ minMs: 0 }), {
    help: "Run time, for tests",
    reload: "restart",
  }),
};

const LOG_KEYS = {
  level: key("level", word(["debug", "info", "warn", "error"]), {
    help: "Least severe level that is logged",
    reload: "live",
    byDefault: "info",
  }),
  format: key("format", word(["logfmt", "json"]), {
    help: "Form of a log line",
    reload: "live",
    byDefault: "logfmt",
  }),
};

export const TABLES = {
  observer: OBSERVER_KEYS,
  tracker: TRACKER_KEYS,
  limits: LIMITS_KEYS,
  recovery: RECOVERY_KEYS,
  audit: AUDIT_KEYS,
  export: EXPORT_KEYS,
  metrics: METRICS_KEYS,
  liveness: LIVENESS_KEYS,
  log: LOG_KEYS,
} as const;

export type TableName = keyof typeof TABLES;

export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

/** The tables in the order in which the file and its example have them. */
export const TABLE_ORDER = TABLE_NAMES.flatMap((name): readonly (TableName | "listener")[] =>
  name === "recovery" ? ["listener", name] : [name],
);
