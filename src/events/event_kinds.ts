// What happens, and what is said of it: the columns of a row, each field with its form, and the
// fields of each kind (spec 04 section 2, spec 09 section 2). The batch, the library's events and
// the JSONL export are made from these lists: a new field is one line in each of them and its value
// in the row's writer, a new kind is one row.
import { IP_WORDS } from "../base/ip_text.ts";
import { wholeMsFromNs } from "../base/time.ts";
import { type EndNumbers, endNumbers } from "../base/wait_status.ts";
import { f64, i32, u8, u32 } from "../tables/columns.ts";
import { decodeErrorExportText, decodeErrorName, decodeErrorText } from "../wire/decode_error.ts";
import {
  address,
  agentOf,
  constantWord,
  decimal,
  type ErrnoText,
  type EventObject,
  type EventRows,
  type Form,
  known,
  listenerName,
  nanoseconds,
  numberOf,
  oneOf,
  origin,
  ownInode,
  property,
  type Shown,
  shown,
  status,
  u64,
  verdictOf,
  verdictWord,
  wordOf,
  type Written,
} from "./event_forms.ts";

/** The columns of a row. A column that a kind does not use keeps what was there. */
export const EVENT_COLUMNS = {
  kind: u8(),
  /** Number of the listener, in configuration order. */
  listener: u8(),
  observerNs: f64(),
  /** Pid; the claimed pid for kinds 3 to 5. */
  pid: u32(),
  /** 1 = a beat by plain UDP: `source` says from where, and `key` is the tracker's key. */
  hasSource: u8(),
  key: u32(),
  source: u32(IP_WORDS),
  status: u8(),
  payload: u32(),
  nonceHi: u32(),
  nonceLo: u32(),
  /** Origin; the observed one for an origin conflict. */
  origin: u8(),
  /** Pid-namespace inode, NaN = unknown; the observed one for a namespace conflict. */
  namespaceInode: f64(),
  generation: f64(),
  /** Tracker slot at the time of the call, -1 if none. */
  slot: i32(),
  /** 1 for the beat that ends a stall: the agent was reported silent and is back. */
  resumed: u8(),
  /**
   * Decode error code, auth reason, slot origin, errno (0 = credentials missing), or for a
   * namespace conflict 1 if both inodes are known.
   */
  detail: u32(),
  /** Operands of a decode error, see DecodeError in wire/. */
  errHi: u32(),
  errLo: u32(),
  err2: u32(),
};

/** The text of a failure in a row. */
type Sentence = (rows: EventRows, row: number, errnoText: ErrnoText) => string;

/**
 * What the library shows under the name of the field, and what the JSONL export writes under `key`.
 */
interface Field<Value> {
  readonly key: string;
  readonly written?: Written;
  readonly shown?: Shown<Value>;
}

function field<Value>(key: string, form: Form<Value>): Field<Value> {
  return { key, written: form, shown: form };
}

function exported(key: string, written: Written): Field<never> {
  return { key, written };
}

function inLibrary<Value>(form: Shown<Value>): Field<Value> {
  return { key: "", shown: form };
}

export const EVENT_FIELDS = {
  listener: exported("listener", listenerName("listener")),
  agent: exported("agent", agentOf("agent")),
  pid: field("pid", decimal("pid")),
  claimedPid: field("pid", decimal("pid")),
  /**
   * The address from which it came by plain UDP; undefined = kernel or key vouch for the sender.
   */
  source: field("source", address("source", "hasSource")),
  nonce: field("nonce", u64("nonceHi", "nonceLo")),
  /** Last observed nonce of any kind. */
  lastNonce: field("nonce", u64("lastNonceHi", "lastNonceLo")),
  status: field("status", status("status")),
  /** Of the last accepted beat. */
  lastStatus: exported("last_status", status("status")),
  statusStall: exported("status", constantWord("stall")),
  payload: field("payload", decimal("payload")),
  origin: field("origin", origin("origin")),
  observedOrigin: field("origin", origin("origin")),
  slotOrigin: field("slot_origin", origin("detail")),
  /** Undefined = unknown; 0 = foreign, inode hidden. */
  namespaceInode: field("namespace", known("namespaceInode")),
  observedInode: field("namespace", known("namespaceInode")),
  observerInode: field("observer_namespace", ownInode()),
  /** Start time of the process in clock ticks; undefined = unknown. */
  generation: field("generation", known("generation")),
  lastNs: field("last_ns", nanoseconds("lastNs")),
  silence: exported(
    "silence_ms",
    numberOf(({ observerNs, lastNs }) =>
      wholeMsFromNs((observerNs as number) - (lastNs as number)),
    ),
  ),
  threshold: exported(
    "threshold_ms",
    numberOf(({ thresholdNs }) => wholeMsFromNs(thresholdNs as number)),
  ),
  verdict: exported("verdict", verdictWord("verdict")),
  procState: exported("proc_state", verdictWord("procState")),
  wchan: exported("wchan", verdictWord("wchan")),
  cpuTicks: exported(
    "cpu_ticks",
    numberOf((stall) => verdictOf(stall)?.cpuTicks ?? Number.NaN),
  ),
  tracerPid: exported(
    "tracer_pid",
    numberOf((stall) => verdictOf(stall)?.tracerPid || Number.NaN),
  ),
  freezer: exported(
    "freezer",
    numberOf((stall) => verdictOf(stall)?.freezerVersion || Number.NaN),
  ),
  endStatus: exported(
    "exit_status",
    numberOf((stall) => endOf(stall).exitStatus),
  ),
  endSignal: exported(
    "signal",
    numberOf((stall) => endOf(stall).signal),
  ),
  /** False: the process of `generation` may be another than the one that sent the beats. */
  proven: inLibrary(property<boolean>("proven")),
  /** By the numbers of AUTH_REASON. */
  reason: field("reason", oneOf("detail", ["pid", "uid"])),
  /** How a member ended. */
  how: exported("how", wordOf("how")),
  goneReason: exported("reason", wordOf("reason")),
  byPid: exported("by_pid", known("byPid")),
  exitStatus: exported("exit_status", known("exitStatus")),
  signal: exported("signal", known("signal")),
  originConflict: exported("reason", constantWord("origin_conflict")),
  namespaceConflict: exported("reason", constantWord("namespace_conflict")),
  error: inLibrary(shown((rows, row) => decodeErrorName(rows["detail"]![row]!))),
  message: inLibrary(shown((rows, row) => decodeErrorText(...decodeError(rows, row)))),
  /** 0 = the kernel attached no credentials. */
  errno: inLibrary(shown((rows, row) => rows["detail"]![row]!)),
};

export type FieldName = keyof typeof EVENT_FIELDS;

export interface EventKind {
  /** `kind` of its row; absent = it is an object and never in a batch. */
  readonly number?: number;
  /** `kind` of its lines in the export. */
  readonly line: string;
  /** What a spoofed pid or a conflict with a slot is called in the TSV export. */
  readonly mismatch?: string;
  /** In the order of the JSONL keys. */
  readonly fields: readonly FieldName[];
  /** What failed, for people; the last column of the TSV export and `error` in JSONL. */
  readonly sentence?: Sentence;
}

export const EVENT_KINDS = {
  beat: {
    number: 0,
    line: "beat",
    fields: [
      "listener",
      "pid",
      "source",
      "nonce",
      "status",
      "payload",
      "origin",
      "namespaceInode",
      "generation",
    ],
  },
  stall: {
    line: "stall",
    fields: [
      "listener",
      "agent",
      "pid",
      "source",
      "lastNonce",
      "statusStall",
      "lastStatus",
      "origin",
      "namespaceInode",
      "generation",
      "lastNs",
      "silence",
      "threshold",
      "verdict",
      "procState",
      "wchan",
      "cpuTicks",
      "tracerPid",
      "freezer",
      "endStatus",
      "endSignal",
      "proven",
    ],
  },
  decode: {
    number: 2,
    line: "decode",
    fields: ["listener", "error", "message"],
    sentence: decodeSentence,
  },
  "auth-failure": {
    number: 3,
    line: "mismatch",
    mismatch: "auth_failure",
    fields: ["listener", "claimedPid", "reason"],
  },
  "origin-conflict": {
    number: 4,
    line: "mismatch",
    mismatch: "origin_conflict",
    fields: ["listener", "claimedPid", "observedOrigin", "slotOrigin", "originConflict"],
  },
  "namespace-conflict": {
    number: 5,
    line: "mismatch",
    mismatch: "namespace_conflict",
    fields: ["listener", "claimedPid", "observedInode", "observerInode", "namespaceConflict"],
  },
  io: { number: 6, line: "io", fields: ["listener", "errno"], sentence: ioSentence },
  "ctrl-truncated": {
    number: 7,
    line: "ctrunc",
    fields: ["listener"],
    sentence: () => "ancillary data truncated",
  },
  eviction: { line: "eviction", fields: ["pid", "source"] },
  exit: {
    line: "exit",
    fields: ["listener", "agent", "pid", "generation", "how", "exitStatus", "signal"],
  },
  gone: {
    line: "gone",
    fields: ["agent", "pid", "generation", "goneReason", "byPid", "exitStatus", "signal"],
  },
} as const satisfies Record<string, EventKind>;

export type KindName = keyof typeof EVENT_KINDS;

export interface RowKind extends EventKind {
  readonly name: KindName;
}

/** The kinds of rows, by their numbers. */
export const ROW_KINDS: readonly (RowKind | undefined)[] = rowKinds();

function rowKinds(): RowKind[] {
  const kinds: RowKind[] = [];
  for (const [name, kind] of Object.entries(EVENT_KINDS)) {
    if ("number" in kind) kinds[kind.number] = { name: name as KindName, ...kind };
  }
  return kinds;
}

/** How the process of a stalled member ended, as far as that is known. */
function endOf(stall: EventObject): EndNumbers {
  return endNumbers(verdictOf(stall)?.waitStatus ?? Number.NaN);
}

function ioSentence(rows: EventRows, row: number, errnoText: ErrnoText): string {
  const errno = rows["detail"]![row]!;
  return errno === 0 ? "kernel did not attach peer credentials" : errnoText(errno);
}

function decodeSentence(rows: EventRows, row: number): string {
  return decodeErrorExportText(...decodeError(rows, row));
}

/** Code and operands. */
function decodeError(rows: EventRows, row: number): [number, number, number, number] {
  const { detail, errHi, errLo, err2 } = rows;
  return [detail![row]!, errHi![row]!, errLo![row]!, err2![row]!];
}
