// Why the observer heard nobody for a while (spec 12 section 8.1), by what the kernel counted over
// that time. Pure: readings in, a cause out. What explains less than half of it explains nothing.
import type { OwnTimes } from "../processes/own_times.ts";
import type { StageWord } from "./longest_stage.ts";

/** As it is sent and logged; in the order in which they are asked. */
export type PauseCauseWord = "suspended" | "stopped" | "starved" | "slow_disk" | "long_stage";

export const PAUSE_CAUSES: readonly PauseCauseWord[] = [
  "suspended",
  "stopped",
  "starved",
  "slow_disk",
  "long_stage",
];

/** What is said of each to people. */
const CLAUSES: Readonly<Record<PauseCauseWord, string>> = {
  suspended: "the machine was suspended",
  stopped: "the daemon was stopped",
  starved: "the machine was too busy to run the daemon",
  slow_disk: "the disks of the machine stood still",
  long_stage: "the daemon was busy with one stage",
};

/** A cause as a clause; `stage`: which one, where that is known. */
export function pauseClause(cause: PauseCauseWord, stage: StageWord | undefined): string {
  return stage === undefined ? CLAUSES[cause] : `${CLAUSES[cause]}, ${stage}`;
}

interface PauseEvidence {
  /** Length of the pause, without what the machine was suspended in it. */
  readonly ns: number;
  /** The last reading before it, and the first after it. */
  readonly before: OwnTimes;
  readonly after: OwnTimes;
  /** The kernel told the process that it goes on. */
  readonly wasContinued: boolean;
}

const PART_MIN = 1 / 2;
/**
 * A process that was stopped by a freezer or a debugger, or with its machine, neither ran nor
 * wanted to: this is the most that it may have done meanwhile, and in the second before.
 */
const AT_REST_PART_MAX = 1 / 4;

/** Undefined = nothing says so. */
export function pauseCause({
  ns,
  before,
  after,
  wasContinued,
}: PauseEvidence): PauseCauseWord | undefined {
  const grew = (name: keyof OwnTimes): number => after[name] - before[name];
  const explains = (spentNs: number): boolean => spentNs >= ns * PART_MIN;
  if (explains(grew("suspendedNs"))) return "suspended";
  if (wasContinued || explains(grew("frozenNs"))) return "stopped";
  // What a host gives to others is mostly seen as a delay here, too: one of them is enough.
  const delayNs = Math.max(known(grew("runDelayNs")), known(grew("stealNs")));
  const diskNs = known(grew("diskNs"));
  const cpuNs = grew("cpuNs");
  const mostNs = Math.max(delayNs, diskNs, known(cpuNs));
  if (explains(mostNs)) {
    if (mostNs === delayNs) return "starved";
    return mostNs === diskNs ? "slow_disk" : "long_stage";
  }
  const spentNs = cpuNs + grew("runDelayNs");
  return spentNs <= ns * AT_REST_PART_MAX ? "stopped" : undefined;
}

/** NaN speaks for nothing. */
function known(ns: number): number {
  return Number.isNaN(ns) ? 0 : ns;
}
