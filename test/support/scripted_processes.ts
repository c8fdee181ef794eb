// Processes as a test states them, with every look-up counted. A pid that is not stated is
// gone.
import type { ProcessReader } from "../../src/processes/process_reader.ts";

export interface StatedProcess {
  /** NaN = unreadable. */
  startTime: number;
  /** NaN = unreadable; 0 = foreign, hidden. */
  inode: number;
  /** NaN = unreadable. */
  uid: number;
  /** Its number in its own namespace; NaN = unreadable. */
  innermostPid: number;
}

export const OWN_INODE = 4_026_531_836;

export class ScriptedProcesses implements ProcessReader {
  readonly table = new Map<number, StatedProcess>();
  startTimeReads = 0;
  inodeReads = 0;
  innermostPidReads = 0;
  /** Only for a proof, and not among the look-ups. */
  uidReads = 0;
  /** Called before each answer, so that a process may change between two look-ups. */
  beforeRead: ((pid: number) => void) | undefined = undefined;

  set(pid: number, startTime: number, inode: number = OWN_INODE, uid: number = 1000): void {
    this.table.set(pid, { startTime, inode, uid, innermostPid: pid });
  }

  get reads(): number {
    return this.startTimeReads + this.inodeReads;
  }

  /** A process of a container, where it is `innermostPid`. */
  setInContainer(pid: number, startTime: number, inode: number, innermostPid: number): void {
    this.set(pid, startTime, inode);
    this.table.get(pid)!.innermostPid = innermostPid;
  }

  /** Look-ups since the last call. */
  takeReads(): number {
    const { reads } = this;
    this.startTimeReads = 0;
    this.inodeReads = 0;
    return reads;
  }

  startTime(pid: number): number {
    this.startTimeReads += 1;
    this.beforeRead?.(pid);
    return this.table.get(pid)?.startTime ?? Number.NaN;
  }

  hasEnded(pid: number, startTime: number): boolean {
    const found = this.table.get(pid);
    return found === undefined || (!Number.isNaN(found.startTime) && found.startTime !== startTime);
  }

  realUid(pid: number): number {
    this.uidReads += 1;
    return this.table.get(pid)?.uid ?? Number.NaN;
  }

  innermostPid(pid: number): number {
    this.innermostPidReads += 1;
    this.beforeRead?.(pid);
    return this.table.get(pid)?.innermostPid ?? Number.NaN;
  }

  namespaceInode(pid: number): number {
    this.inodeReads += 1;
    this.beforeRead?.(pid);
    return this.table.get(pid)?.inode ?? Number.NaN;
  }
}
