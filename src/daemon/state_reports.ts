// What a start says of the state that it found (spec 18 section 6), when everything is open that
// says it.
import { wholeMsFromNs } from "../base/time.ts";
import type { State } from "../snapshot/records.ts";
import type { Parts } from "./parts.ts";
import { STATE } from "./state_counters.ts";
import type { OpenState } from "./state_wiring.ts";

/**
 * After the line of the start, which is the first of a run; before the first turn, in which others
 * may get the pids of those who died meanwhile.
 */
export function tellUnseenEnds(
  { ends, observer }: Pick<Parts, "ends" | "observer">,
  state: OpenState | undefined,
): void {
  if (state?.restored === undefined) return;
  // By their pids: one that leaves moves another one into its slot.
  const { tracker, clock } = observer;
  const nowNs = clock.lastNs;
  for (const { member } of state.restored.members) {
    const slot = tracker.slotOf(member.record.key);
    if (slot >= 0 && (member.diedUnseen || member.record.hasEnded)) ends?.restored(slot, nowNs);
  }
}

export function tellRestored(
  { log, muting }: Pick<Parts, "log" | "muting">,
  state: OpenState | undefined,
): void {
  if (state?.restored === undefined) return;
  const { otherBoot, elapsedNs, members, leftOut } = state.restored;
  const { counters, found } = state.keeping;
  const stalled = members.filter(
    ({ member }) => member.record.isStalled && !member.diedUnseen,
  ).length;
  const died = members.filter(({ member }) => member.diedUnseen).length;
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
    replay_gap_ms: hasReplayGap(found) ? wholeMsFromNs(elapsedNs) : undefined,
    mutes: muting.mutes.size || undefined,
    other_boot: otherBoot || undefined,
  });
}

/** The daemon of before was killed, and had senders that a key proves. */
function hasReplayGap(found: State | undefined): boolean {
  return found !== undefined && !found.moment.isFinal && found.sender.length > 0;
}
