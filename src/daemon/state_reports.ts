// How a start goes on from what it found (spec 18 sections 6 and 8), when everything is open that
// says it: what the state and the journal beside it have, and what is said of them.
import { wholeMsFromNs } from "../base/time.ts";
import type { Stall } from "../events/stall.ts";
import { NO_STATE, type NotedRecovery } from "../recovery/fired_notes.ts";
import type { OtherBoot } from "../snapshot/continuation.ts";
import type { Parts } from "./parts.ts";
import { reportInterrupted, restoreStalls } from "./restored_stalls.ts";
import { STATE } from "./state_counters.ts";
import type { StateKeeping } from "./state_keeping.ts";
import type { OpenState } from "./state_wiring.ts";
import type { Writers } from "./writers.ts";

/** Why nothing of this machine's processes came back. */
const OTHER_BOOTS: Readonly<Record<OtherBoot, string>> = {
  boot: "the machine was started since",
  time_namespace: "it is of another time namespace: start times cannot be compared",
  pid_namespace: "it is of another pid namespace: pids are others there",
  clock_ahead: "it is of later than now: of another machine, or of another time namespace",
  unknown: "which start of the machine it is of is not known",
};

/** Before the first turn. Returns the recoveries that the daemon before this one noted. */
export function goOn(
  parts: Parts,
  state: OpenState | undefined,
  { journal, exporter }: Writers,
): readonly NotedRecovery[] {
  const { recovery, clock } = parts;
  const { restored, noted: notedState = NO_STATE, older } = state ?? {};
  const noted = recovery.notes.use(journal, notedState, clock.nowNs(), older);
  if (restored === undefined) return noted;
  tellRestored(parts, state);
  const exported = (stall: Stall): void => exporter?.restored(stall);
  restoreStalls(parts, restored, { noted, exported });
  return noted;
}

/**
 * After the line of the start, which is the first of a run; before the first turn, in which others
 * may get the pids of those who died meanwhile.
 */
export function tellUnseenEnds(
  parts: Parts,
  state: OpenState | undefined,
  noted: readonly NotedRecovery[],
): void {
  const { ends, observer } = parts;
  reportInterrupted(parts, noted);
  if (state?.restored === undefined) return;
  // By their pids: one that leaves moves another one into its slot.
  const { tracker, clock } = observer;
  const nowNs = clock.lastNs;
  const { members } = state.restored;
  if (!members.haveEnds) return;
  const { rows, rowOf, diedUnseen } = members;
  const keys = rows.u32("key");
  const hadEnded = rows.u8("hasEnded");
  for (let place = 0; place < rowOf.length; place++) {
    const row = rowOf[place]!;
    if (diedUnseen[row] === 0 && hadEnded[row] === 0) continue;
    const slot = tracker.slotOf(keys[row]!);
    if (slot >= 0) ends?.restored(slot, nowNs);
  }
}

function tellRestored(
  { log, muting }: Pick<Parts, "log" | "muting">,
  state: OpenState | undefined,
): void {
  if (state?.restored === undefined) return;
  const { otherBoot, elapsedNs, members, missing, leftOut } = state.restored;
  const { counters } = state.keeping;
  const { rowOf, diedUnseen } = members;
  const isStalled = members.rows.u8("isStalled");
  let died = 0;
  let stalled = 0;
  const isWalked = members.haveStalls || members.haveEnds;
  for (let place = 0; isWalked && place < rowOf.length; place++) {
    const row = rowOf[place]!;
    if (diedUnseen[row] === 1) died += 1;
    else if (isStalled[row] === 1) stalled += 1;
  }
  counters.set(STATE.restored.present, members.length - stalled - died);
  counters.set(STATE.restored.stalled, stalled);
  counters.set(STATE.restored.died, died);
  counters.set(STATE.restored.left_out, leftOut);
  log.info("state restored", {
    age_ms: wholeMsFromNs(elapsedNs),
    members: members.length,
    stalled: stalled || undefined,
    died: died || undefined,
    left_out: leftOut || undefined,
    // What was sent after the last writing and recorded may be sent once more.
    replay_gap_ms: hasReplayGap(state.keeping) ? wholeMsFromNs(elapsedNs) : undefined,
    missing: missing.length || undefined,
    mutes: muting.mutes.size || undefined,
    other_boot: otherBoot || undefined,
    reason: otherBoot === "" ? undefined : OTHER_BOOTS[otherBoot],
  });
}

/** The daemon of before was killed, and had senders that a key proves. */
function hasReplayGap({ found, isAfterKill }: StateKeeping): boolean {
  return isAfterKill && found !== undefined && found.sender.length > 0;
}
