// Whose unit it is: what the service manager says about the user and the main process of a unit,
// and whether an agent in its control group is that process. A control group has many members, and
// some are not the service's own: a job that cron starts for a user runs in the group of
// cron.service. Only the main process, running as the user of the unit, may have it restarted
// without being listed (spec 10 section 1.1).
import { UNIT_MANAGER } from "../base/child_path.ts";
import type { Stall } from "../events/stall.ts";

export interface UnitFacts {
  /** Uid that its processes are started with; NaN = not known. */
  readonly uid: number;
  /** 0 = none runs. */
  readonly mainPid: number;
  /** The main process that runs or ran last. */
  readonly lastMainPid: number;
  /** When that ended, on the monotonic clock in microseconds; 0 = it has not. */
  readonly lastMainExitUs: number;
}

const PROPERTIES = ["User", "UID", "MainPID", "ExecMainPID", "ExecMainExitTimestampMonotonic"];
/** Values of User= that are root without asking the accounts. */
const ROOT: readonly string[] = ["", "root", "0"];

/** The command that asks for the facts of `unit`. */
export function factsArgv(unit: string): string[] {
  const properties = PROPERTIES.map((property) => `--property=${property}`);
  return [UNIT_MANAGER, "--no-pager", "show", ...properties, "--", unit];
}

/** The answer; undefined if it is none. */
export function parseFacts(text: string): UnitFacts | undefined {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const mainPid = wholeNumber(values.get("MainPID"));
  const user = values.get("User");
  if (Number.isNaN(mainPid) || user === undefined) return undefined;
  return {
    uid: ROOT.includes(user) ? 0 : wholeNumber(values.get("UID") ?? user),
    mainPid,
    lastMainPid: wholeNumber(values.get("ExecMainPID")),
    lastMainExitUs: wholeNumber(values.get("ExecMainExitTimestampMonotonic")),
  };
}

/**
 * Why the agent of `stall` may not have `unit` restarted; "" if it is the main process and runs as
 * the user of the unit. The agent was seen alive in the control group at `seenUs`, on the monotonic
 * clock.
 */
export function unitFault(unit: string, facts: UnitFacts, stall: Stall, seenUs: number): string {
  if (!isMainProcess(facts, stall.pid, seenUs)) return `it is not the main process of ${unit}`;
  if (Number.isNaN(facts.uid)) return `the user of ${unit} is not known`;
  if (facts.uid !== stall.uid)
    return `it beats as uid ${stall.uid}, and ${unit} runs as ${facts.uid}`;
  return "";
}

/**
 * A step before may have ended it: then it is the one that ran last, and ended since it was seen.
 */
function isMainProcess(facts: UnitFacts, pid: number, seenUs: number): boolean {
  if (facts.mainPid !== 0) return facts.mainPid === pid;
  return facts.lastMainPid === pid && facts.lastMainExitUs >= seenUs;
}

function wholeNumber(digits: string | undefined): number {
  return digits !== undefined && /^[0-9]{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
}
