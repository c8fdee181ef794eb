// What following the ends of members needs of other parts, and what it reports to.
import type { OpenEnd } from "../agents/replacements.ts";
import type { EndPolicy } from "../agents/ends.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { Observer } from "../observer/observer.ts";
import type { EndWatch } from "../processes/end_watch.ts";
import type { GenerationClock } from "../processes/generation.ts";
import type { Newcomer } from "../recovery/successors.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import type { VerdictReader } from "../processes/stall_verdict.ts";
import type { UnitEnds } from "./unit_ends.ts";

/** What an end is reported to: log and export. Called during the turn, must not block. */
export interface EndReports {
  exited(exit: MemberExit): void;
  gone(gone: MemberGone): void;
}

export interface MemberEndsOptions {
  readonly observer: Observer;
  readonly watch: Pick<
    EndWatch,
    | "fd"
    | "count"
    | "refused"
    | "look"
    | "watch"
    | "watchLeftOut"
    | "isWatching"
    | "forget"
    | "take"
    | "nextDeadlineNs"
  >;
  readonly processes: Pick<ProcReader, "hasEnded" | "zombieStatus" | "startTime">;
  readonly verdicts: Pick<VerdictReader, "of">;
  /** Whether there is certainly no process that has this pid, also where /proc hides some. */
  readonly isGone: (pid: number) => boolean;
  /** Of the member of a slot, by its rule. */
  readonly policyOf: (slot: number) => EndPolicy;
  /** The unit that a process runs in; "" = none, or that is not known. */
  readonly unitOf: (pid: number) => string;
  /** Asks systemd about the units of those that ended; undefined = it is not asked. */
  readonly unitEnds: UnitEnds | undefined;
  /** A recovery of the member is in progress. */
  readonly isRecovering: (pid: number) => boolean;
  /** A member is new. True if it takes the place of one that is being recovered. */
  readonly succeeds: (newcomer: Newcomer, nowNs: number) => boolean;
  readonly forgetAfterNs: () => number;
  readonly reports: EndReports;
  readonly nowGeneration: GenerationClock;
  readonly monotonicNs: () => number;
}

/** What was read of a member while its process ran. */
export interface WatchedMember {
  readonly generation: number;
  /** The unit that it runs in; "" = none, or that is not known. */
  readonly unit: string;
  readonly startedNs: number;
  /** When a recovery last sent it a signal; -Infinity = it never did. */
  signalledNs: number;
  /** The last recovery that began for it; NaN = none did. */
  recoveryId: number;
}

export interface EndedMember {
  readonly generation: number;
  readonly waitStatus: number;
  readonly unit: string;
  /** It waits for its deadline; undefined = it is stalled. */
  readonly open: OpenEnd | undefined;
}
