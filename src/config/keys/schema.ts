// Every table and key of varta.toml: type, range, default and meaning, once (spec 07 section 2). From here come the
// checks, the types of checked values, and varta.schema.json for editors. Cross-key rules are in cross_rules.ts.
import { z } from "zod";
import {
  EVICTION_WINDOW_DEFAULT,
  EVICTION_WINDOW_MAX,
  EVICTION_WINDOW_MIN,
  GLOBAL_BURST_DEFAULT,
  GLOBAL_BURST_MAX,
  GLOBAL_RATE_DEFAULT,
  PER_PID_RATE_DEFAULT,
  SENDER_STATES_DEFAULT,
  SENDER_STATES_MAX,
  THRESHOLD_NS_MIN,
  TRACKER_CAPACITY_DEFAULT,
  TRACKER_CAPACITY_MAX,
} from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { U32_MAX } from "../../base/u64.ts";
import { isIpAddress, PORT_MAX, parseListen } from "./address.ts";
import { recoveryShape } from "./recovery_shape.ts";
import {
  accountListTexts,
  accountSchema,
  accountTexts,
  booleanTexts,
  type DurationRange,
  durationKeys,
  flagKey,
  integerKey,
  integerSchema,
  integerTexts,
  key,
  modeSchema,
  modeTexts,
  optionalDurationKeys,
  optionalIntegerKey,
  pathKey,
  secretPathKey,
  pathTexts,
  socketPathSchema,
  wordKey,
  wordsTexts,
} from "./schema_keys.ts";

const I32_MAX = 2_147_483_647;
const RCVBUF_BYTES_UNIX = 1_048_576;
const AUDIT_BYTES_MIN = 4_096;
const EXPORT_BYTES_MIN = 128;

/** Of letters, digits, "-", "_" and dots; names of IP addresses need no listing. */
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?$/;

const BUDGET: DurationRange = { minMs: 50, maxMs: 60_000 };

export const observerShape = {
  ...durationKeys("threshold", "Silence after which a process has stalled", "5s", {
    minMs: THRESHOLD_NS_MIN / NS_PER_MS,
    zeroWould: "report every agent as stalled for ever",
  }),
  clock_source: wordKey("Clock that silence is measured on", "monotonic", [
    "monotonic",
    "boottime",
    "monotonic-raw",
  ]),
  allow_cross_namespace: flagKey("Accept agents of other pid namespaces", false),
  strict_namespace: flagKey("Exit if one pid is claimed by two pid namespaces", false),
};

export const trackerShape = {
  capacity: integerKey(
    "Processes that can be watched at the same time",
    { min: 1, max: TRACKER_CAPACITY_MAX, zeroWould: "watch nobody" },
    TRACKER_CAPACITY_DEFAULT,
  ),
  eviction_policy: wordKey("Who may lose its slot when all are taken", "strict", [
    "strict",
    "balanced",
  ]),
  eviction_scan_window: integerKey(
    "Slots looked at to find one to evict",
    { min: EVICTION_WINDOW_MIN, max: EVICTION_WINDOW_MAX, zeroWould: "never find a free slot" },
    EVICTION_WINDOW_DEFAULT,
  ),
};

export const limitsShape = {
  per_pid_rate: integerKey(
    "Accepted beats per second and process, one second's worth (at least 8) at once; 0 = no limit",
    { min: 0, max: U32_MAX },
    PER_PID_RATE_DEFAULT,
  ),
  global_rate: integerKey(
    "Accepted beats per second in all; 0 = no limit",
    { min: 0, max: U32_MAX },
    GLOBAL_RATE_DEFAULT,
  ),
  global_burst: integerKey(
    "Beats that may come at once above global_rate; 0 = no limit",
    { min: 0, max: GLOBAL_BURST_MAX },
    GLOBAL_BURST_DEFAULT,
  ),
};

export const LISTENER_KINDS = ["unix", "udp", "secure-udp"] as const;
export type ListenerKind = (typeof LISTENER_KINDS)[number];

export const LISTENER_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

const nameKey = {
  name: key(
    z.string().regex(LISTENER_NAME).optional(),
    "Name of the listener in metrics and logs",
    {
      kind: "string",
      want: 'a name of 1 to 32 characters from a-z, 0-9, "_" and "-", the first a letter or digit',
    },
  ),
};

const unixShape = {
  kind: key(z.literal("unix"), "Kind of the listener", wordsTexts(LISTENER_KINDS)),
  ...nameKey,
  rcvbuf_bytes: rcvbufKey(RCVBUF_BYTES_UNIX),
  path: key(
    socketPathSchema,
    "Path of the socket",
    pathTexts('the socket, such as "/run/varta/varta.sock"'),
  ),
  mode: key(modeSchema.prefault("0600"), "Mode of the socket file, in octal", modeTexts),
  group: key(accountSchema.optional(), "Group of the socket file", accountTexts("group")),
  allow_uids: key(
    z.array(accountSchema).optional(),
    "Users whose beats are accepted",
    accountListTexts("user"),
  ),
  allow_gids: key(
    z.array(accountSchema).optional(),
    "Primary groups whose beats are accepted",
    accountListTexts("group"),
  ),
};

const udpShape = {
  kind: key(z.literal("udp"), "Kind of the listener", wordsTexts(LISTENER_KINDS)),
  ...nameKey,
  rcvbuf_bytes: rcvbufKey(0),
  address: addressKey("0.0.0.0"),
  ...portKey(),
  accept_plaintext: flagKey("Acknowledges that anybody can forge beats here", false),
  ...acceptRecoveryKey(),
};

const secureUdpShape = {
  kind: key(z.literal("secure-udp"), "Kind of the listener", wordsTexts(LISTENER_KINDS)),
  ...nameKey,
  rcvbuf_bytes: rcvbufKey(0),
  address: addressKey("127.0.0.1"),
  ...portKey(),
  key_file: secretPathKey("Shared key in use, 64 hex digits", "a key file"),
  accepted_key_file: secretPathKey("Older shared keys, one per line", "a key file"),
  master_key_file: secretPathKey("Key that agent keys are derived from", "a key file"),
  sender_states: integerKey(
    "Senders whose replay state is kept",
    { min: 1, max: SENDER_STATES_MAX, zeroWould: "refuse every sender" },
    SENDER_STATES_DEFAULT,
  ),
  accept_non_loopback: flagKey("Acknowledges that the address is reachable from outside", false),
  ...acceptRecoveryKey(),
};

export const LISTENER_SHAPES = {
  unix: unixShape,
  udp: udpShape,
  "secure-udp": secureUdpShape,
} as const;

export const auditShape = {
  file: pathKey("Audit log", "the audit log"),
  key_file: secretPathKey("Key of its chain, 64 hex digits", "a key file"),
  max_bytes: optionalIntegerKey("Size at which the audit log is rotated", {
    min: AUDIT_BYTES_MIN,
    max: Number.MAX_SAFE_INTEGER,
    zeroWould: "rotate at every record",
    offBy: "no such key: then the file is never rotated",
  }),
  sync_every: integerKey(
    "Audit records per fdatasync",
    { min: 1, max: U32_MAX, zeroWould: "never write records to the disk for certain" },
    1,
  ),
  ...durationKeys("sync_interval", "Longest time between two fdatasyncs; 0 = off", "0ms", {
    minMs: 0,
  }),
  ...durationKeys("fsync_budget", "Time that one fdatasync should take at most", "50ms", {
    minMs: 1,
    zeroWould: "count every fdatasync as too slow",
  }),
  ...durationKeys("rotation_budget", "Time that one rotation should take at most", "50ms", {
    minMs: 1,
    maxMs: 250,
    zeroWould: "count every rotation as too slow",
  }),
};

export const exportShape = {
  file: pathKey("File that events are written to", "the export file"),
  format: wordKey("Format of the export file", "tsv", ["tsv", "jsonl"]),
  max_bytes: optionalIntegerKey("Size at which the export file is rotated", {
    min: EXPORT_BYTES_MIN,
    max: Number.MAX_SAFE_INTEGER,
    zeroWould: "rotate at every event",
    offBy: "no such key: then the file is never rotated",
  }),
  sync_every: integerKey("Events per fdatasync; 0 = never", { min: 0, max: U32_MAX }, 0),
};

export const metricsShape = {
  listen: key(
    z
      .string()
      .refine((text) => parseListen(text) !== undefined)
      .optional(),
    "Address of the metrics server",
    {
      kind: "string",
      want: 'an address such as "127.0.0.1:9469", "[::1]:9469" or "unix:/run/varta/metrics.sock"',
    },
  ),
  socket_mode: key(modeSchema.prefault("0600"), "Mode of a unix: socket, in octal", modeTexts),
  token_file: secretPathKey("Bearer token that scrapers must show", "the token file"),
  hosts: key(
    z.array(z.string().regex(HOST_NAME)).optional(),
    "Names that scrapers may call the metrics server by",
    {
      kind: "array",
      want: 'an array of host names, such as ["watch.example.org"]',
      item: { kind: "string", want: "a host name without scheme, port and path" },
    },
  ),
  rate_limit_per_sec: integerKey(
    "Requests per second and address; 0 = no limit",
    { min: 0, max: U32_MAX },
    5,
  ),
  rate_limit_burst: integerKey(
    "Requests that may come at once from an address; 0 = no limit",
    { min: 0, max: U32_MAX },
    10,
  ),
  ...durationKeys("scrape_budget", "Time that one page should take at most", "250ms", BUDGET),
  per_pid: flagKey("Serve the metrics of each process", true),
};

export const livenessShape = {
  heartbeat_file: pathKey("File rewritten every second while all is well", "the heartbeat file"),
  ...optionalDurationKeys(
    "self_watchdog",
    "Longest turn of the loop before the daemon ends itself",
    {
      minMs: 1_000,
      zeroWould: "end the daemon at once",
      offBy: "no such key: then there is no self-watchdog without a service manager",
    },
  ),
  hw_watchdog: pathKey("Hardware watchdog", "a watchdog device"),
  ...durationKeys(
    "iteration_budget",
    "Time that one turn of the loop should take",
    "250ms",
    BUDGET,
  ),
  ...optionalDurationKeys("shutdown_after", "Run time, for tests", { minMs: 0 }),
};

export const logShape = {
  level: wordKey("Least severe level that is logged", "info", ["debug", "info", "warn", "error"]),
  format: wordKey("Form of a log line", "logfmt", ["logfmt", "json"]),
};

export const TABLE_SHAPES = {
  observer: observerShape,
  tracker: trackerShape,
  limits: limitsShape,
  recovery: recoveryShape,
  audit: auditShape,
  export: exportShape,
  metrics: metricsShape,
  liveness: livenessShape,
  log: logShape,
} as const;

export type TableName = keyof typeof TABLE_SHAPES;

/** The tables in the order in which the file and its example have them. */
export const TABLE_ORDER = [
  "observer",
  "tracker",
  "limits",
  "listener",
  "recovery",
  "audit",
  "export",
  "metrics",
  "liveness",
  "log",
] as const;

/** The whole file. Checked key by key in check_document.ts; this form exists for the JSON Schema and for tests. */
export const documentSchema = z
  .strictObject({
    observer: z.strictObject(observerShape).optional(),
    tracker: z.strictObject(trackerShape).optional(),
    limits: z.strictObject(limitsShape).optional(),
    listener: z
      .array(
        z.discriminatedUnion("kind", [
          z.strictObject(unixShape),
          z.strictObject(udpShape),
          z.strictObject(secureUdpShape),
        ]),
      )
      .optional(),
    recovery: z.strictObject(recoveryShape).optional(),
    audit: z.strictObject(auditShape).optional(),
    export: z.strictObject(exportShape).optional(),
    metrics: z.strictObject(metricsShape).optional(),
    liveness: z.strictObject(livenessShape).optional(),
    log: z.strictObject(logShape).optional(),
  })
  .describe("Configuration of varta-watch");

/** varta.schema.json: what editors complete and check varta.toml with. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(documentSchema, { io: "input" });
  return `${JSON.stringify({ ...schema, title: "varta.toml" }, undefined, 2)}\n`;
}

function rcvbufKey(byDefault: number) {
  const summary = "Receive buffer asked of the kernel, in bytes; 0 = its default";
  return integerKey(summary, { min: 0, max: I32_MAX }, byDefault);
}

function addressKey(byDefault: string) {
  const want = 'an IPv4 or IPv6 address, such as "127.0.0.1" or "::1"';
  const schema = z.string().refine(isIpAddress).default(byDefault);
  return key(schema, "Address to bind", { kind: "string", want });
}

function portKey() {
  const range = { min: 1, max: PORT_MAX, zeroWould: "take a port that no agent knows" };
  return { port: key(integerSchema(range), "UDP port", integerTexts(range)) };
}

function acceptRecoveryKey() {
  const summary = "Whether beats from here may lead to a recovery";
  return { accept_recovery: key(z.boolean().optional(), summary, booleanTexts) };
}
