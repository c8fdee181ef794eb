// Wires what follows the ends of members to the system: process descriptors within the limit of
// open files, /proc, and the parts that hear of an end.
import { ESRCH } from "../../ffi/constants.ts";
import { descriptorLimit } from "../../ffi/limits.ts";
import { pidfdOpen } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import type { EndPolicy } from "../agents/ends.ts";
import type { Config } from "../config/config.ts";
import type { Observer } from "../observer/observer.ts";
import { EndWatch } from "../processes/end_watch.ts";
import { nowGeneration } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import type { SpareDescriptors } from "../processes/spare_descriptors.ts";
import { VerdictReader } from "../processes/stall_verdict.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { EndReports } from "./end_options.ts";
import { MemberEnds } from "./member_ends.ts";
import { monotonicNs } from "./monotonic.ts";

interface EndParts {
  readonly observer: Observer;
  readonly processes: ProcReader;
  readonly spares: SpareDescriptors;
  readonly reports: EndReports;
  readonly recovery: Recovery;
}

interface EndOptions {
  readonly config: Config;
  readonly endPolicy: EndPolicy;
  readonly exportEnds: EndReports;
}

/** Undefined if ends mean nothing: silence is all that is judged. */
export function makeMemberEnds(
  { config, endPolicy, exportEnds }: EndOptions,
  { observer, processes, spares, reports, recovery }: EndParts,
): MemberEnds | undefined {
  if (endPolicy.onExit === "silence") return undefined;
  return new MemberEnds({
    observer,
    processes,
    watch: new EndWatch({
      processes,
      pidfdsMax: config.tracker.pidfdsMax,
      openFilesMax: Number(descriptorLimit()?.soft ?? Number.POSITIVE_INFINITY),
    }),
    verdicts: new VerdictReader(processes, spares),
    isGone,
    policyOf: () => endPolicy,
    groupOf: (pid, uid) => groupOf(processes, pid, uid),
    isAnnounced: () => false,
    isRecovering: (key) => recovery.isRecovering(key),
    forgetAfterNs: config.tracker.forgetAfterNs,
    reports: {
      exited(exit) {
        exportEnds.exited(exit);
        reports.exited(exit);
      },
      gone(gone) {
        exportEnds.gone(gone);
        reports.gone(gone);
      },
    },
    nowGeneration,
    monotonicNs,
  });
}

/** The kernel answers also where /proc hides the processes of others. */
function isGone(pid: number): boolean {
  const pidfd = pidfdOpen(pid);
  if (pidfd < 0) return pidfd === -ESRCH;
  closeFd(pidfd);
  return false;
}

/** Longest part of a command line that tells programs apart. */
const COMMAND_CHARACTERS_MAX = 256;

// The unit of a service, else the command line: what a supervisor starts again looks the same.
function groupOf(processes: ProcReader, pid: number, uid: number): string {
  const unit = processes.unitOf(pid);
  if (typeof unit !== "string") return `${uid} unit ${unit.name}`;
  const command = processes.argv(pid).join(" ").slice(0, COMMAND_CHARACTERS_MAX);
  return command === "" ? "" : `${uid} command ${command}`;
}
