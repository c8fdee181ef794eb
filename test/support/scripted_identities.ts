// Who the processes of a test are, as the test states it. A pid that is not stated is gone.
import type { Identity, IdentityReader } from "../../src/processes/identity.ts";
import { markOf } from "../../src/processes/program_mark.ts";

export class ScriptedIdentities implements IdentityReader {
  readonly table = new Map<number, Partial<Identity>>();
  /** Pids looked at, in order. */
  readonly looks: number[] = [];
  /** Called for each look, so that it may take time, or a process may change. */
  onLook: (pid: number) => void = () => {};

  programMark(pid: number, startTime: number): number {
    return this.identityOf(pid, startTime, 0, 0)?.mark ?? Number.NaN;
  }

  identityOf(pid: number, _startTime: number, uid: number, gid: number): Identity | undefined {
    this.looks.push(pid);
    this.onLook(pid);
    const stated = this.table.get(pid);
    if (stated === undefined) return undefined;
    const { comm = "", exe = "", script = "" } = stated;
    const program = { comm, exe, script, mark: markOf([comm, exe, script]) };
    const nowhere = { unit: "", unitUser: "", container: "" };
    return { ...nowhere, uid, gid, user: this.userName(uid), ...program, ...stated };
  }

  userName(uid: number): string {
    return Number.isNaN(uid) ? "" : `user${uid}`;
  }
}
