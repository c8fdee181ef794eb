// States for tests: plain ones, and random ones with every edge that a field has.
import { HELD_WORDS } from "../../src/events/held_words.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import { type ReadState, readState } from "../../src/snapshot/decoder.ts";
import { StateEncoder } from "../../src/snapshot/encoder.ts";
import type { MemberRows } from "../../src/snapshot/member_rows.ts";
import {
  type MemberRecord,
  type Moment,
  RECORD_KINDS,
  type State,
  type StateRow,
} from "../../src/snapshot/records.ts";
import type { Random } from "../simulation/random.ts";

export const MOMENT: Moment = {
  bootId: "11111111-2222-3333-4444-555555555555",
  timeNamespace: 4_026_531_834,
  pidNamespace: 4_026_531_836,
  observerNs: 90e9,
  monotonicNs: 1_000e9,
  boottimeNs: 1_200e9,
  unixMs: 1_700_000_000_000,
  version: "1.2.3",
  isFinal: false,
};

/** In the order of its fields. */
export const MEMBER: MemberRecord = {
  generation: 5_000,
  namespaceInode: 4_026_531_836,
  uid: 1000,
  gid: 1000,
  firstNs: 10e9,
  lastNs: 89e9,
  beats: 80,
  askedNs: 0,
  stalledNs: Number.NaN,
  goodbyeNs: Number.NaN,
  goodbyeLastsNs: Number.NaN,
  pid: 4711,
  key: 4711,
  innerPid: 0,
  payload: 7,
  lastNonceHi: 0,
  lastNonceLo: 80,
  observedNonceHi: 0,
  observedNonceLo: 80,
  terminalTimestampHi: 0,
  terminalTimestampLo: 0,
  timestampHi: 0,
  timestampLo: 123,
  program: 77,
  origin: 0,
  status: 0,
  isProven: true,
  isFirstBeat: false,
  isStalled: false,
  hasEnded: false,
  isUnbeaten: false,
  hasRegularNonce: true,
  hasTerminalTimestamp: false,
  verdict: "",
  held: "",
  isRecovering: false,
  hasSource: false,
  hasAddress: false,
  source: [],
  agent: "worker",
  rule: "worker",
  listener: "local",
  user: "app",
  comm: "python3",
  exe: "/usr/bin/python3",
  script: "worker.py",
  unit: "worker@3.service",
  unitUser: "",
  container: "",
  announced: "front-7",
};

export const EMPTY: State = {
  moment: MOMENT,
  member: [],
  missing: [],
  mute: [],
  window: [],
  pace: [],
  storm: [],
  sender: [],
  prefix: [],
  auditHead: [],
  grace: [],
  guard: [],
  history: [],
  note: [],
  done: [],
  said: [],
};

/** As a daemon writes them. */
export const EVENT_JSON = JSON.stringify({
  ...{ time: "2026-11-28T02:12:13.115Z", kind: "recovery", agent: "worker", pid: 4712 },
  recovery: { id: 3, what: "step", step: 1, steps: 2, kind: "signal", target: "SIGTERM" },
});
export const DONE_JSON = JSON.stringify({ id: 3, what: "refused", reason: "gave_up", used: 3 });

/** One of every kind of record. */
export const FULL: State = {
  ...EMPTY,
  member: [MEMBER, { ...MEMBER, pid: 4712, key: 4712, isStalled: true, verdict: "hung" }],
  missing: [{ agent: "db", sinceNs: 12e9, isTold: true }],
  mute: [
    {
      ...{ kind: "glob", target: "worker*", pid: 0, key: 0, generation: Number.NaN },
      ...{ reason: "deploy 4.3", byUid: 0, byPid: 99, byComm: "varta-watch" },
      ...{ beganNs: 80e9, untilNs: 1_000e9 },
    },
  ],
  window: [{ key: 4711, generation: 5_000, firedNs: 50e9 }],
  pace: [
    {
      ...{ name: "worker", key: 0, generation: Number.NaN, level: 2, firedNs: 50e9 },
      ...{ resumedNs: Number.NaN, isGivenUp: false, starts: [20e9, 50e9] },
    },
  ],
  storm: [{ starts: [20e9, 50e9], firstRefusedNs: 60e9, lastRefusedNs: 61e9, refused: 3 }],
  sender: [
    {
      ...{ listener: "edge", pid: 9, ivLow: 1, ivHigh: 2, lastCounter: 3 },
      ...{ previousIvLow: 4, previousIvHigh: 5, previousLastCounter: 6 },
      ...{ nonceMaxHi: 0, nonceMaxLo: 7, timestampMaxHi: 0, timestampMaxLo: 8 },
      ...{ terminalSeen: 0, terminalTimestampHi: 0, terminalTimestampLo: 0, lastSeenNs: 88e9 },
    },
  ],
  prefix: [{ listener: "edge", kind: "retired", ivLow: 11, ivHigh: 12 }],
  auditHead: [{ file: "/var/log/varta/audit.log", seq: 41, chain: "ab".repeat(32) }],
  grace: [{ agent: "cron", sinceNs: 70e9, expected: 1 }],
  guard: [
    { isActive: true, sinceNs: 85e9, windowNs: 5e9, silent: 12, members: 20, restNs: Number.NaN },
  ],
  history: [{ agent: "worker", unixMs: 1_700_000_000_000, json: EVENT_JSON }],
  note: [{ key: 4712, generation: 5_000, reportedNs: 88e9, cpuTicks: 1_234 }],
  done: [{ key: 4712, generation: 5_000, doneNs: 88e9, json: DONE_JSON }],
  said: [
    {
      ...{ key: 4711, generation: 5_000, status: "382 requests\u001b[31m", isReloading: true },
      ...{ errno: 13, isSpokenFor: true, movedNs: 95e9 },
    },
  ],
};

export function* rowsOf(state: State): Iterable<StateRow> {
  for (const kind of RECORD_KINDS.keys()) {
    const values = state[kind];
    for (const one of Array.isArray(values) ? values : [values])
      yield { kind, values: one } as StateRow;
  }
}

export function sectionsOf(state: State): Uint8Array[] {
  const encoder = new StateEncoder(rowsOf(state));
  const sections: Uint8Array[] = [];
  for (let bytes = encoder.next(); bytes !== undefined; bytes = encoder.next())
    sections.push(bytes.slice());
  return sections;
}

export function bytesOf(state: State): Uint8Array {
  return Buffer.concat(sectionsOf(state));
}

/** Members as they come out of a state file. */
export function memberRows(member: readonly MemberRecord[]): MemberRows {
  return readOf({ ...EMPTY, member }).member;
}

/** What a daemon reads of a file that says `state`. */
export function readOf(state: State): ReadState {
  const read = readState(bytesOf(state));
  if (!read.ok) throw new Error(read.found);
  return read.state;
}

const NUMBERS = [0, 1, 2, 0x7fff_ffff, 0xffff_ffff];
const TIMES = [-5e18, -1, 0, 0.5, 1e9, 2 ** 62];
const TEXTS = ["", "a", "worker", "\u00ff\u0000", "\u20ac\u{1f600}", "x".repeat(60)];

/** A record with random values for each field of `like`. */
export function randomised<Values extends object>(random: Random, like: Values): Values {
  const entries = Object.entries(like).map(([name, value]) => [name, other(random, name, value)]);
  return Object.fromEntries(entries) as Values;
}

function other(random: Random, name: string, value: unknown): unknown {
  if (name === "verdict") return random.pick(["" as const, ...STALL_VERDICTS]);
  if (name === "held") return random.pick(HELD_WORDS);
  if (["kind", "bootId", "version", "source"].includes(name)) return value;
  if (name === "starts") return [random.pick(TIMES), random.pick(TIMES)];
  if (typeof value === "string") return random.pick(TEXTS).slice(0, 30);
  if (typeof value === "boolean") return random.chance(0.5);
  if (typeof value !== "number") return value;
  if (/^(origin|status|terminalSeen)$/.test(name)) return random.below(2);
  if (name.endsWith("Ns")) return random.pick(TIMES);
  return random.pick(NUMBERS);
}
