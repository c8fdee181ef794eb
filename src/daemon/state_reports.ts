// What a start says of the state that it found (spec 18 section 6), when everything is open that
// says it.
import type { CountersOf } from "../base/counters.ts";
import { wholeMsFromNs } from "../base/time.ts";
import type { Parts } from "./parts.ts";
import type { RestoredState } from "./restored_state.ts";
import { STATE } from "./state_counters.ts";
import type { OpenState } from "./state_wiring.ts";

/** Before the first turn, in which others may get the pids of those who died meanwhile. */
export function reportRestored(
  parts: Pick<Parts, "log" | "ends" | "observer" | "muting">,
  state: OpenState | undefined,
): void {
  if (state?.restored === undefined) return;
  const { keeping, restored } = state;
  tellState(parts, restored, keeping.counters);
  // By their pids: one that leaves moves another one into its slot.
  const { tracker, clock } = parts.observer;
  const nowNs = clock.lastNs;
  for (const { member } of restored.members) {
    const slot = tracker.slotOf(member.record.key);
    if (slot >= 0 && (member.diedUnseen || member.record.hasEnded))
      parts.ends?.restored(slot, nowNs);
  }
}

function tellState(
  { log, muting }: Pick<Parts, "log" | "muting">,
  { otherBoot, elapsedNs, members, leftOut }: RestoredState,
  counters: CountersOf<typeof STATE>,
): void {
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
    mutes: muting.mutes.size || undefined,
    other_boot: otherBoot || undefined,
  });
}
