// What the state file has in it: a form for each kind of record, and how many of each there may be
// (spec 18 section 3). Plain data: times are observer times of the daemon that wrote them, and
// `moment` says which times those are. Another field or kind is another version of the file.
import { assert } from "../base/assert.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import {
  AGENT_EVENTS_MAX,
  AGENT_HISTORIES_MAX,
  MUTES_MAX,
  RETIRED_PREFIXES_MAX,
  STALL_NOTE_ROWS_MAX,
  STALL_NOTES_MAX,
  TRACKER_CAPACITY_MAX,
} from "../base/limits.ts";
import { ORIGIN_TEXTS } from "../base/origin.ts";
import { HELD_WORDS } from "../events/held_words.ts";
import { STALL_VERDICTS } from "../events/stall_verdict.ts";
import { ALIGN_BYTES, type ByteReader, type ByteWriter } from "./bytes.ts";
import {
  COUNT_OR_NONE,
  FLAG,
  list,
  NS,
  NS_OR_NONE,
  RecordForm,
  type RecordOf,
  text,
  u32,
  u8,
  word,
} from "./fields.ts";

/** Names of agents, users, units and listeners: 255 bytes of latin1 in UTF-8. */
const NAME_BYTES_MAX = 510;
/** A path of the kernel, 4,096 bytes of latin1. */
const PATH_BYTES_MAX = 8_192;
/** What somebody gave as a reason. */
const REASON_BYTES_MAX = 1_024;
/** The JSON of one event; a longer one is left out. */
export const EVENT_BYTES_MAX = 4_096;
/** 256 bytes that are no UTF-8 become as many characters of three. */
const SAID_BYTES_MAX = 768;
/** Starts of recoveries that one budget counts. */
const STARTS_MAX = 1_024;
/** The starts of a storm window; a limit beyond it is none. */
const STORM_STARTS_MAX = 4_096;
/** Senders of all secure listeners. */
const SENDERS_MAX = 262_144;
/** What is kept of agents without a member: one for each that is expected. */
const MISSING_MAX = 4_096;

const NAME = text(NAME_BYTES_MAX);

/** When the state was taken, and where: on which times and pids it is to be believed. */
const MOMENT = new RecordForm({
  /** "" = the kernel did not say. */
  bootId: text(36),
  /** Inodes of the daemon's namespaces; NaN = unknown. */
  timeNamespace: COUNT_OR_NONE,
  pidNamespace: COUNT_OR_NONE,
  /** One moment on four clocks. */
  observerNs: NS,
  monotonicNs: NS,
  boottimeNs: NS,
  unixMs: NS,
  /** Version of the daemon that wrote it. */
  version: text(64),
  /** It was written by a shutdown: nothing happened after it. */
  isFinal: FLAG,
});

/** Texts of a member: those of members of one agent are mostly the same. */
export const MEMBER_TEXTS = {
  /** Names of the agent, and of the rule that gave it its policy; "" = none. */
  agent: NAME,
  rule: NAME,
  listener: NAME,
  /** Who it is, as it was last read: latin1. Nothing if `comm` is "". */
  user: NAME,
  comm: text(64),
  exe: text(PATH_BYTES_MAX),
  script: NAME,
  unit: NAME,
  unitUser: NAME,
  container: NAME,
  /** What it says that it is called; "" = nothing. */
  announced: NAME,
};

export const TEXTS_FORM = new RecordForm(MEMBER_TEXTS);

/**
 * Its numbers come first, the longest before the others, and each record begins at a multiple of
 * their lengths: so they can be read as arrays of numbers, see MemberRows.
 */
export const MEMBER = new RecordForm(
  {
    generation: COUNT_OR_NONE,
    namespaceInode: COUNT_OR_NONE,
    uid: COUNT_OR_NONE,
    gid: COUNT_OR_NONE,
    firstNs: NS,
    lastNs: NS,
    beats: COUNT_OR_NONE,
    /** The threshold that it asked for; 0 = none. */
    askedNs: NS,
    /** Of its stall. */
    stalledNs: NS_OR_NONE,
    /** When it said goodbye, and how long it may take from then on; none = it did not. */
    goodbyeNs: NS_OR_NONE,
    goodbyeLastsNs: NS_OR_NONE,
    pid: u32(),
    key: u32(),
    innerPid: u32(),
    payload: u32(),
    lastNonceHi: u32(),
    lastNonceLo: u32(),
    observedNonceHi: u32(),
    observedNonceLo: u32(),
    terminalTimestampHi: u32(),
    terminalTimestampLo: u32(),
    timestampHi: u32(),
    timestampLo: u32(),
    program: u32(),
    origin: u8(ORIGIN_TEXTS.length - 1),
    status: u8(),
    /** What the kernel or a key said of it: its beats are those of this process. */
    isProven: FLAG,
    /** It has sent one beat only. */
    isFirstBeat: FLAG,
    /** Its stall was reported. */
    isStalled: FLAG,
    /** Its process has ended, and that was reported. */
    hasEnded: FLAG,
    /** It has said hello, and sent no beat. */
    isUnbeaten: FLAG,
    hasRegularNonce: FLAG,
    hasTerminalTimestamp: FLAG,
    /** Of its stall. */
    verdict: word(["", ...STALL_VERDICTS]),
    held: word(HELD_WORDS),
    /** What is done about it is not decided, or not over. */
    isRecovering: FLAG,
    /** From where it beats over a network. */
    hasSource: FLAG,
    hasAddress: FLAG,
    source: list(u32(), IP_WORDS),
    ...MEMBER_TEXTS,
  },
  ALIGN_BYTES,
);

/** An agent that is missing: its alert goes on. */
const MISSING = new RecordForm({
  agent: NAME,
  sinceNs: NS,
  /** Else it is muted, and is reported when that is over. */
  isTold: FLAG,
});

const MUTE = new RecordForm({
  kind: word(["agent", "glob", "all", "member"]),
  /** The name, or the pattern. */
  target: NAME,
  pid: u32(),
  key: u32(),
  generation: COUNT_OR_NONE,
  reason: text(REASON_BYTES_MAX),
  byUid: u32(),
  byPid: u32(),
  byComm: text(64),
  beganNs: NS,
  untilNs: NS,
});

/** The debounce of a process that was recovered. */
const WINDOW = new RecordForm({
  key: u32(),
  generation: COUNT_OR_NONE,
  firedNs: NS,
});

/** Back-off and budget, of an agent by its name or of a member by its key. */
const PACE = new RecordForm({
  /** "" = it is that of the member of `key`. */
  name: NAME,
  key: u32(),
  generation: COUNT_OR_NONE,
  level: u32(),
  firedNs: NS_OR_NONE,
  resumedNs: NS_OR_NONE,
  isGivenUp: FLAG,
  starts: list(NS, STARTS_MAX),
});

const STORM = new RecordForm({
  starts: list(NS, STORM_STARTS_MAX),
  firstRefusedNs: NS_OR_NONE,
  lastRefusedNs: NS_OR_NONE,
  refused: u32(),
});

/** The replay state of one sender of a secure listener. */
const SENDER = new RecordForm({
  listener: NAME,
  pid: u32(),
  ivLow: u32(),
  ivHigh: u32(),
  lastCounter: u32(),
  previousIvLow: u32(),
  previousIvHigh: u32(),
  previousLastCounter: u32(),
  nonceMaxHi: u32(),
  nonceMaxLo: u32(),
  timestampMaxHi: u32(),
  timestampMaxLo: u32(),
  terminalSeen: u8(1),
  terminalTimestampHi: u32(),
  terminalTimestampLo: u32(),
  lastSeenNs: NS,
});

/** A prefix of a session that is over, or that fell out of the history of one. */
const PREFIX = new RecordForm({
  listener: NAME,
  kind: word(["retired", "rotated"]),
  ivLow: u32(),
  ivHigh: u32(),
});

/** The last row of the audit log that was on the disk. */
const AUDIT_HEAD = new RecordForm({
  file: text(PATH_BYTES_MAX),
  seq: COUNT_OR_NONE,
  chain: text(128),
});

/** The time in which an agent that has too few members, and is not missing yet, gets them. */
const GRACE = new RecordForm({
  agent: NAME,
  /** Since when it has too few, as if there had been no pauses; and fewer than how many. */
  sinceNs: NS,
  expected: u32(),
});

/** The guard: what it holds must not be let loose by a start, and its rest goes on. */
const GUARD = new RecordForm({
  isActive: FLAG,
  sinceNs: NS,
  /** A length. */
  windowNs: NS,
  silent: u32(),
  members: u32(),
  /** It does not become active before; NaN = it was not yet. */
  restNs: NS_OR_NONE,
});

/** Of what happened to an agent, for who asks the next daemon. */
const HISTORY = new RecordForm({
  agent: NAME,
  unixMs: NS,
  json: text(EVENT_BYTES_MAX),
});

/** Of a stall that lasts: when it was reported, and its processor time when it was found. */
const NOTE = new RecordForm({
  key: u32(),
  generation: COUNT_OR_NONE,
  reportedNs: NS_OR_NONE,
  cpuTicks: COUNT_OR_NONE,
});

/** What a member has said of itself beside its beats (spec 20 section 3). */
const SAID = new RecordForm({
  key: u32(),
  generation: COUNT_OR_NONE,
  status: text(SAID_BYTES_MAX),
  isReloading: FLAG,
  errno: u32(),
  /** Another process in its place has beaten for it. */
  isSpokenFor: FLAG,
  /** Until when it is not judged because it has asked for that; NaN = it has not. */
  movedNs: NS_OR_NONE,
});

/** Something that was done about a stall that lasts. */
const DONE = new RecordForm({
  key: u32(),
  generation: COUNT_OR_NONE,
  doneNs: NS,
  json: text(EVENT_BYTES_MAX),
});

export type Moment = RecordOf<typeof MOMENT>;
export type MemberRecord = RecordOf<typeof MEMBER>;
export type MemberTexts = RecordOf<typeof TEXTS_FORM>;
export type MissingRecord = RecordOf<typeof MISSING>;
export type MuteRecord = RecordOf<typeof MUTE>;
export type WindowRecord = RecordOf<typeof WINDOW>;
export type PaceRecord = RecordOf<typeof PACE>;
export type StormRecord = RecordOf<typeof STORM>;
export type SenderRecord = RecordOf<typeof SENDER>;
export type PrefixRecord = RecordOf<typeof PREFIX>;
export type AuditHeadRecord = RecordOf<typeof AUDIT_HEAD>;
export type GraceRecord = RecordOf<typeof GRACE>;
export type GuardRecord = RecordOf<typeof GUARD>;
export type HistoryRecord = RecordOf<typeof HISTORY>;
export type NoteRecord = RecordOf<typeof NOTE>;
export type DoneRecord = RecordOf<typeof DONE>;
export type SaidRecord = RecordOf<typeof SAID>;

/** All that a state file says. */
export interface State {
  readonly moment: Moment;
  readonly member: readonly MemberRecord[];
  readonly missing: readonly MissingRecord[];
  readonly mute: readonly MuteRecord[];
  readonly window: readonly WindowRecord[];
  readonly pace: readonly PaceRecord[];
  readonly storm: readonly StormRecord[];
  readonly sender: readonly SenderRecord[];
  readonly prefix: readonly PrefixRecord[];
  readonly auditHead: readonly AuditHeadRecord[];
  readonly grace: readonly GraceRecord[];
  readonly guard: readonly GuardRecord[];
  readonly history: readonly HistoryRecord[];
  readonly note: readonly NoteRecord[];
  readonly done: readonly DoneRecord[];
  readonly said: readonly SaidRecord[];
}

export type RecordKind = keyof State;

/** One record of any kind. */
export type StateRow = {
  [Kind in RecordKind]: {
    readonly kind: Kind;
    readonly values: Kind extends "moment"
      ? Moment
      : State[Kind] extends readonly (infer Values)[]
        ? Values
        : never;
  };
}[RecordKind];

interface AnyForm {
  readonly bytesMax: number;
  put(out: ByteWriter, values: object): void;
  get(from: ByteReader, before?: object): object;
}

interface Kind {
  readonly form: AnyForm;
  readonly countMax: number;
}

/** In the order of their numbers in the file, which begin with 1. */
export const RECORD_KINDS: ReadonlyMap<RecordKind, Kind> = new Map<RecordKind, Kind>([
  ["moment", { form: MOMENT, countMax: 1 }],
  ["member", { form: MEMBER, countMax: TRACKER_CAPACITY_MAX }],
  ["missing", { form: MISSING, countMax: MISSING_MAX }],
  ["mute", { form: MUTE, countMax: MUTES_MAX }],
  ["window", { form: WINDOW, countMax: TRACKER_CAPACITY_MAX }],
  ["pace", { form: PACE, countMax: TRACKER_CAPACITY_MAX }],
  ["storm", { form: STORM, countMax: 1 }],
  ["sender", { form: SENDER, countMax: SENDERS_MAX }],
  ["prefix", { form: PREFIX, countMax: 4 * RETIRED_PREFIXES_MAX }],
  ["auditHead", { form: AUDIT_HEAD, countMax: 1 }],
  ["grace", { form: GRACE, countMax: MISSING_MAX }],
  ["guard", { form: GUARD, countMax: 1 }],
  ["history", { form: HISTORY, countMax: AGENT_HISTORIES_MAX * AGENT_EVENTS_MAX }],
  ["note", { form: NOTE, countMax: STALL_NOTES_MAX }],
  ["done", { form: DONE, countMax: STALL_NOTES_MAX * STALL_NOTE_ROWS_MAX }],
  ["said", { form: SAID, countMax: TRACKER_CAPACITY_MAX }],
]);

/** The longest record: a storm with all its starts. */
export const RECORD_BYTES_MAX = 64 * 1_024;

for (const { form } of RECORD_KINDS.values())
  assert(form.bytesMax <= RECORD_BYTES_MAX, "every record fits into a section");
