// What can be said of an event: the columns of a row, and each field with its form (spec 04 section
// 2, spec 09 section 2). The batch, the library's events and the export are made from these lists.
// Which kind says what is in event_kinds.ts.
import { IP_WORDS } from "../base/ip_text.ts";
import { wholeMsFromNs } from "../base/time.ts";
import { type EndNumbers, endNumbers } from "../base/wait_status.ts";
import { f64, i32, u8, u32 } from "../tables/columns.ts";
import type { Unwatched } from "./member_end.ts";
import { decodeErrorName, decodeErrorText } from "../wire/decode_error.ts";
import {
  address,
  agentOf,
  constantWord,
  decimal,
  type EventObject,
  type EventRows,
  type Form,
  known,
  listenerName,
  mark,
  nanoseconds,
  numberOf,
  oneOf,
  origin,
  ownInode,
  property,
  type Shown,
  shown,
  status,
  textOf,
  trueIf,
  u64,
  verdictOf,
  verdictWord,
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

/**
 * What the library shows under the name of the field, and what the JSONL export writes under `key`.
 */
export interface Field<Value = unknown> {
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
  threshold: exported("threshold_ms", wholeMs("thresholdNs")),
  /** Since its goodbye. */
  goodbye: exported(
    "goodbye_ms",
    numberOf(({ observerNs, goodbyeNs = Number.NaN }) =>
      wholeMsFromNs((observerNs as number) - (goodbyeNs as number)),
    ),
  ),
  verdict: exported("verdict", verdictWord("verdict")),
  unit: exported("unit", verdictWord("unit")),
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
  endCore: exported(
    "core",
    trueIf((stall) => endOf(stall).dumpedCore),
  ),
  verdictReason: exported("verdict_reason", verdictWord("reason")),
  isMuted: exported(
    "muted",
    trueIf((stall) => stall["isMuted"] === true),
  ),
  /** False: the process of `generation` may be another than the one that sent the beats. */
  proven: inLibrary(property<boolean>("proven")),
  /** By the numbers of AUTH_REASON. */
  reason: field("reason", oneOf("detail", ["pid", "uid"])),
  /** How a member ended. */
  how: exported("how", textOf("how")),
  /** Why it is gone; why nothing was recovered; why the daemon ends. */
  because: exported("reason", textOf("reason")),
  byPid: exported("by_pid", known("byPid")),
  exitStatus: exported("exit_status", known("exitStatus")),
  signal: exported("signal", known("signal")),
  core: exported("core", mark("dumpedCore")),
  /** It ended in the time of that length before the start of the daemon, while none ran. */
  unwatched: exported("unwatched_ms", numberOf(unwatchedMs)),
  /** From the end of a member to the first beat of the one that took its place. */
  gap: exported("gap_ms", wholeMs("gapNs")),
  /** Of a recovery. */
  recoveryId: exported("recovery_id", known("recoveryId")),
  /** Of the stall that a recovery is for. */
  stallVerdict: exported("verdict", textOf("verdict")),
  plan: exported("plan", textOf("plan")),
  step: exported("step", textOf("step")),
  stepNumber: exported("step_number", known("stepNumber")),
  stepCount: exported("step_count", known("stepCount")),
  outcome: exported("outcome", textOf("outcome")),
  detail: exported("detail", textOf("detail")),
  childPid: exported("child_pid", known("childPid")),
  exitCode: exported("exit_code", known("exitCode")),
  duration: exported("duration_ms", wholeMs("durationNs")),
  dryRun: exported("dry_run", mark("dryRun")),
  /** Of a mute or an act: agent, pattern or member, and who asked. */
  target: exported("agent", textOf("target")),
  phase: exported("phase", textOf("phase")),
  muteReason: exported("reason", textOf("reason")),
  muteFor: exported("for_ms", wholeMs("forNs")),
  byUid: exported("by_uid", known("byUid")),
  askerPid: exported("by_pid", known("byPid")),
  by: exported("by", textOf("by")),
  act: exported("act", textOf("act")),
  knownPid: exported("pid", known("pid")),
  isRefused: exported("refused", mark("isRefused")),
  /** Of the daemon. */
  version: exported("version", textOf("version")),
  bootId: exported("boot_id", textOf("bootId")),
  sessionId: exported("session_id", textOf("sessionId")),
  config: exported("config", textOf("config")),
  uptime: exported("uptime_ms", wholeMs("observerNs")),
  /** Present, of an agent; in the table, of the daemon. */
  members: exported("members", decimal("members")),
  expected: exported("expected", decimal("expected")),
  late: exported("late_ms", wholeMs("lateNs")),
  grace: exported("grace_ms", wholeMs("graceNs")),
  missing: exported("missing_ms", wholeMs("missingNs")),
  beats: exported("beats", decimal("beats")),
  stalls: exported("stalls", decimal("stalls")),
  recoveries: exported("recoveries", decimal("recoveries")),
  originConflict: exported("reason", constantWord("origin_conflict")),
  namespaceConflict: exported("reason", constantWord("namespace_conflict")),
  error: inLibrary(shown((rows, row) => decodeErrorName(rows["detail"]![row]!))),
  message: inLibrary(shown((rows, row) => decodeErrorText(...decodeError(rows, row)))),
  /** 0 = the kernel attached no credentials. */
  errno: inLibrary(shown((rows, row) => rows["detail"]![row]!)),
};

/** A time of an object, NaN = it is not known. */
function wholeMs(name: string): Written {
  return numberOf((event) => wholeMsFromNs(event[name] as number));
}

export type FieldName = keyof typeof EVENT_FIELDS;

function unwatchedMs({ unwatched }: EventObject): number {
  const { afterNs, beforeNs } = (unwatched ?? NO_TIMES) as Unwatched;
  return wholeMsFromNs(beforeNs - afterNs);
}

const NO_TIMES: Unwatched = { afterNs: Number.NaN, beforeNs: Number.NaN };

/** How the process of a stalled member ended, as far as that is known. */
function endOf(stall: EventObject): EndNumbers {
  return endNumbers(verdictOf(stall)?.waitStatus ?? Number.NaN);
}

/** Code and operands. */
export function decodeError(rows: EventRows, row: number): [number, number, number, number] {
  const { detail, errHi, errLo, err2 } = rows;
  return [detail![row]!, errHi![row]!, errLo![row]!, err2![row]!];
}
