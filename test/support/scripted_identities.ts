// Who the processes of a test are, as the test states it. A pid that is not stated is gone.
import type { Identity, IdentityReader } from "../../src/processes/identity.ts";
import { markOf } from "../../src/processes/program_mark.ts";

export class ScriptedIdentities implements IdentityReader {
  readonly table = new Map<number, Partial<Identity>>();
  /** Where one is stated, the pid is that of no other process. */
  readonly startTimes = new Map<number, number>();
  /** Pids looked at, in order. */
  readonly looks: number[] = [];
  /** Called for each look, so that it may take time, or a process may change. */
  onLook: (pid: number) => void = () => {};

  programMark(pid: number, startTime: number): number {
    return this.identityOf(pid, startTime, 0, 0)?.mark ?? Number.NaN;
  }

  identityOf(pid: number, startTime: number, uid: number, gid: number): Identity | undefined {
    this.looks.push(pid);
    this.onLook(pid);
    const stated = this.table.get(pid);
    if (stated === undefined || this.#isOther(pid, startTime)) return undefined;
    const { comm = "", exe = "", script = "" } = stated;
    const program = { comm, exe, script, mark: markOf([comm, exe, script]) };
    const nowhere = { unit: "", unitUser: "", container: "" };
    return { ...nowhere, uid, gid, user: this.userName(uid), ...program, ...stated };
  }

  #isOther(pid: number, startTime: number): boolean {
    const stated = this.startTimes.get(pid) ?? startTime;
    return !Object.is(stated, startTime);
  }

  userName(uid: number): string {
    return Number.isNaN(uid) ? "" : `user${uid}`;
  }
}
