// What else of a state goes on in the next daemon (spec 18 section 5): mutes, the pace of recovery,
// storms, replay states. Times become those of this daemon; what is about a process of another boot
// is left out.
import { MUTE_NS_MAX } from "../base/limits.ts";
import type { Continuation } from "./continuation.ts";
import type {
  DoneRecord,
  GraceRecord,
  GuardRecord,
  MissingRecord,
  MuteRecord,
  NoteRecord,
  PaceRecord,
  SenderRecord,
  State,
  StormRecord,
  WindowRecord,
} from "./records.ts";

type RestoredRest = Pick<
  State,
  | "missing"
  | "mute"
  | "window"
  | "pace"
  | "storm"
  | "sender"
  | "prefix"
  | "auditHead"
  | "grace"
  | "guard"
  | "history"
  | "note"
  | "done"
>;

/** The same records with the times of this daemon, of which now is `nowNs`. */
export function restoreRest(
  state: Omit<State, "member">,
  continuation: Continuation,
  nowNs: number,
): RestoredRest {
  const isSame = continuation.otherBoot === "";
  const { past } = continuation;
  return {
    // Its members do not come back by the start of a machine alone.
    missing: state.missing.map((missing) => missingNow(missing, past)),
    mute: mutesNow(state.mute, continuation, nowNs),
    window: isSame ? state.window.map((window) => windowNow(window, past)) : [],
    pace: pacesNow(state.pace, continuation),
    storm: state.storm.map((storm) => stormNow(storm, past)),
    // Who beats over a network does not end with this machine: what it sent before is a recording.
    sender: state.sender.map((sender) => senderNow(sender, past)),
    prefix: state.prefix,
    auditHead: state.auditHead,
    // A machine that has just started gives everyone a new one.
    grace: isSame ? state.grace.map((grace) => graceNow(grace, past)) : [],
    // What it says of pids is about those of this boot.
    history: isSame ? state.history : [],
    note: isSame ? state.note.map((note) => noteNow(note, past)) : [],
    done: isSame ? state.done.map((done) => doneNow(done, past)) : [],
    guard: isSame ? state.guard.map((guard) => guardNow(guard, continuation)) : [],
  };
}

type Past = Continuation["past"];

function missingNow(missing: MissingRecord, past: Past): MissingRecord {
  return { ...missing, sinceNs: past(missing.sinceNs) };
}

function graceNow(grace: GraceRecord, past: Past): GraceRecord {
  return { ...grace, sinceNs: past(grace.sinceNs) };
}

function noteNow(note: NoteRecord, past: Past): NoteRecord {
  return { ...note, reportedNs: past(note.reportedNs) };
}

function doneNow(done: DoneRecord, past: Past): DoneRecord {
  return { ...done, doneNs: past(done.doneNs) };
}

function guardNow(guard: GuardRecord, { past, end }: Continuation): GuardRecord {
  // How long a rest may be is known to who knows the thresholds.
  const restNs = end(guard.restNs, Number.POSITIVE_INFINITY);
  return { ...guard, sinceNs: past(guard.sinceNs), restNs };
}

function mutesNow(
  mutes: readonly MuteRecord[],
  continuation: Continuation,
  nowNs: number,
): MuteRecord[] {
  return mutes
    .filter(({ kind }) => kind !== "member" || continuation.otherBoot === "")
    .map((mute) => {
      const untilNs = continuation.end(mute.untilNs, MUTE_NS_MAX);
      // A mute is never longer than the bound, also if its begin was changed in the file.
      const beganNs = Math.max(continuation.past(mute.beganNs), untilNs - MUTE_NS_MAX);
      return { ...mute, beganNs, untilNs };
    })
    .filter(({ untilNs }) => untilNs > nowNs);
}

function windowNow(window: WindowRecord, past: Past): WindowRecord {
  return { ...window, firedNs: past(window.firedNs) };
}

function pacesNow(paces: readonly PaceRecord[], { past, otherBoot }: Continuation): PaceRecord[] {
  return paces
    .filter(({ name }) => name !== "" || otherBoot === "")
    .map((pace) => ({
      ...pace,
      firedNs: past(pace.firedNs),
      resumedNs: past(pace.resumedNs),
      starts: inOrder(pace.starts.map(past)),
    }));
}

function stormNow(storm: StormRecord, past: Past): StormRecord {
  return {
    ...storm,
    starts: inOrder(storm.starts.map(past)),
    firstRefusedNs: past(storm.firstRefusedNs),
    lastRefusedNs: past(storm.lastRefusedNs),
  };
}

function senderNow(sender: SenderRecord, past: Past): SenderRecord {
  return { ...sender, lastSeenNs: past(sender.lastSeenNs) };
}

/** Who counts them takes the first for the oldest. */
function inOrder(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b);
}
