// Who the simulated processes are. What a process runs follows from its start time: some run a
// program that others run, too, and some replace themselves by another program after a while.
// Nothing is drawn, so that looks change nothing of a run.
import type { Identity, IdentityReader } from "../../src/processes/identity.ts";
import { markOf } from "../../src/processes/program_mark.ts";
import type { ProcessTable } from "./process_table.ts";

/** What every fourth process is called. None of these replaces itself. */
export const SHARED = "pool";
/** In ticks of the simulated clock of start times. */
const EXEC_AFTER_TICKS = 1_500_000;

export class SimulatedIdentities implements IdentityReader {
  readonly #processes: ProcessTable;
  readonly #nowGeneration: () => number;

  constructor(processes: ProcessTable, nowGeneration: () => number) {
    this.#processes = processes;
    this.#nowGeneration = nowGeneration;
  }

  programMark(pid: number, startTime: number): number {
    const comm = this.#commOf(pid, startTime);
    return comm === undefined ? Number.NaN : markOf([comm]);
  }

  identityOf(pid: number, startTime: number, uid: number, gid: number): Identity | undefined {
    const comm = this.#commOf(pid, startTime);
    if (comm === undefined) return undefined;
    const nothing = { exe: "", script: "", unit: "", unitUser: "", container: "" };
    return { ...nothing, comm, mark: markOf([comm]), uid, gid, user: this.userName(uid) };
  }

  userName(uid: number): string {
    return Number.isNaN(uid) ? "" : `user${uid}`;
  }

  #commOf(pid: number, startTime: number): string | undefined {
    const process = this.#processes.find(pid);
    if (process === undefined || !process.statReadable) return undefined;
    // Another process takes the pid in the middle of the look.
    if (process.startTime !== startTime || this.#processes.swappedInLookup.has(pid))
      return undefined;
    const hasReplacedItself = this.#nowGeneration() - startTime > EXEC_AFTER_TICKS;
    const [first, second] = programsOf(startTime);
    return hasReplacedItself ? second : first;
  }
}

/** What a process runs at first and later. */
function programsOf(startTime: number): [first: string, second: string] {
  const first = isShared(startTime) ? SHARED : `p${startTime}`;
  return [first, startTime % 2 === 0 ? first : `x${startTime}`];
}

/** True if the process that started then runs the program that others run, too. */
export function isShared(startTime: number): boolean {
  return startTime % 4 === 0;
}

/** What the agent of a process may be called. */
export function namesOf(startTime: number, uid: number): string[] {
  const own = Number.isNaN(startTime) ? [] : programsOf(startTime);
  return [...own, `uid-${uid}`].flatMap((name) => [name, `user${uid}:${name}`]);
}
