// What happens: the kinds of events, and the fields that each has (spec 04 section 2, spec 09
// section 2). The batch, the library's events and the export are made from this list: a new kind is
// one row.
import { decodeErrorExportText } from "../wire/decode_error.ts";
import { decodeError, type FieldName } from "./event_fields.ts";
import type { ErrnoText, EventRows } from "./event_forms.ts";

/** The text of a failure in a row. */
type Sentence = (rows: EventRows, row: number, errnoText: ErrnoText) => string;

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
      "goodbye",
      "verdict",
      "unit",
      "procState",
      "wchan",
      "cpuTicks",
      "tracerPid",
      "freezer",
      "isMuted",
      "endStatus",
      "endSignal",
      "endCore",
      "verdictReason",
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
    fields: [
      ...["listener", "agent", "pid", "generation", "recoveryId"],
      ...["how", "exitStatus", "signal", "core", "unwatched"],
    ],
  },
  gone: {
    line: "gone",
    fields: [
      "agent",
      "pid",
      "generation",
      "because",
      "byPid",
      "exitStatus",
      "signal",
      "core",
      "unwatched",
      "gap",
    ],
  },
  resume: {
    line: "resume",
    fields: [
      "listener",
      "agent",
      "pid",
      "source",
      "nonce",
      "status",
      "origin",
      "generation",
      "lastNs",
      "silence",
      "verdict",
    ],
  },
  recovery: {
    line: "recovery",
    fields: [
      "agent",
      "pid",
      "stallVerdict",
      "recoveryId",
      "plan",
      "step",
      "stepNumber",
      "stepCount",
      "outcome",
      "detail",
      "childPid",
      "because",
      "byPid",
      "exitCode",
      "signal",
      "duration",
      "dryRun",
    ],
  },
  late: {
    line: "late",
    fields: [
      "listener",
      "agent",
      "pid",
      "source",
      "generation",
      "lastNs",
      "silence",
      "late",
      "threshold",
    ],
  },
  missing: { line: "missing", fields: ["agent", "members", "expected", "grace"] },
  complete: { line: "complete", fields: ["agent", "members", "expected", "missing"] },
  mute: {
    line: "mute",
    fields: ["target", "phase", "muteFor", "byUid", "by", "muteReason", "how", "askerPid"],
  },
  act: {
    line: "act",
    fields: ["target", "knownPid", "act", "isRefused", "byUid", "by", "detail", "askerPid"],
  },
  reload: { line: "reload", fields: ["pid", "config", "detail"] },
  boot: { line: "boot", fields: ["pid", "version", "bootId", "sessionId", "config"] },
  shutdown: {
    line: "shutdown",
    fields: [
      "pid",
      "sessionId",
      "because",
      "exitCode",
      "uptime",
      "members",
      "beats",
      "stalls",
      "recoveries",
    ],
  },
} as const satisfies Record<string, EventKind>;

export type KindName = keyof typeof EVENT_KINDS;

/** The words that choose what is exported: `kind` of a line. */
export type EventWord = (typeof EVENT_KINDS)[KindName]["line"];

export const EVENT_WORDS: readonly EventWord[] = [
  ...new Set(Object.values(EVENT_KINDS).map(({ line }) => line)),
];

/** What the Rust observer exports. */
export const OBSERVER_EVENT_WORDS: readonly EventWord[] = [
  "beat",
  "stall",
  "decode",
  "io",
  "ctrunc",
  "mismatch",
  "eviction",
];

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

function ioSentence(rows: EventRows, row: number, errnoText: ErrnoText): string {
  const errno = rows["detail"]![row]!;
  return errno === 0 ? "kernel did not attach peer credentials" : errnoText(errno);
}

function decodeSentence(rows: EventRows, row: number): string {
  return decodeErrorExportText(...decodeError(rows, row));
}
