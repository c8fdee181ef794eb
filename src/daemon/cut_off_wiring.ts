// How the daemon looks at members that may hold a dead connection (spec 18 section 6.1).
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { StallVerdictWord } from "../events/stall_verdict.ts";
import { CutOffMembers } from "../observer/cut_off.ts";
import type { SpareDescriptors } from "../processes/spare_descriptors.ts";
import { ThreadRuns } from "../processes/thread_runs.ts";
import type { Tracker } from "../tracker/tracker.ts";
import type { MemberEnds } from "./member_ends.ts";
import { monotonicNs } from "./monotonic.ts";

/** Of a process that may run: in state R, S or D, and nothing holds it. */
const LIVING: readonly StallVerdictWord[] = ["hung", "blocked"];

export function makeCutOff(
  tracker: Tracker,
  ends: Pick<MemberEnds, "verdictOf">,
  spares: SpareDescriptors,
): CutOffMembers {
  const runs = new ThreadRuns(spares);
  return new CutOffMembers({
    tracker,
    reader: {
      mayRun: (pid, generation) =>
        LIVING.includes(ends.verdictOf(pid, generation, ORIGIN_KERNEL_ATTESTED).verdict),
      runsOf: (pid) => runs.of(pid),
    },
    monotonicNs,
  });
}
