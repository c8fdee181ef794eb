// Whether a process may speak for another one (spec 16 section 15): it is the same one, or a
// descendant of it of the same user in the same pid namespace. Read from /proc when it is asked.

/** What is read of a process; NaN = unknown, or there is none. */
interface DescentReader {
  startTime(pid: number): number;
  /** False for a zombie, too. */
  isAlive(pid: number, startTime: number): boolean;
  parentPid(pid: number): number;
  realUid(pid: number): number;
  namespaceInode(pid: number, observerInode: number): number;
}

/** Longer chains of parents are no shell scripts. */
const GENERATIONS_MAX = 64;

export type DescentFault =
  | "asker_gone"
  | "no_such_process"
  | "other_user"
  | "other_namespace"
  | "no_descendant";

interface Descent {
  readonly asker: number;
  readonly askerUid: number;
  readonly pid: number;
  /** Of the observer: its numbers are those that the asker has to mean. */
  readonly observerInode: number;
}

/** Undefined = it may. */
export function descentFault(
  reader: DescentReader,
  { asker, askerUid, pid, observerInode }: Descent,
): DescentFault | undefined {
  const started = reader.startTime(pid);
  if (!reader.isAlive(asker, reader.startTime(asker))) return "asker_gone";
  if (Number.isNaN(started) || !reader.isAlive(pid, started)) return "no_such_process";
  if (reader.realUid(pid) !== askerUid) return "other_user";
  for (const one of [asker, pid])
    if (reader.namespaceInode(one, observerInode) !== observerInode) return "other_namespace";
  if (!descendsFrom(reader, asker, pid)) return "no_descendant";
  // The parents were read one after the other: what has the pid now is what had it before.
  return reader.startTime(pid) === started ? undefined : "no_such_process";
}

function descendsFrom(reader: DescentReader, asker: number, ancestor: number): boolean {
  let pid = asker;
  let started = reader.startTime(pid);
  for (let n = 0; n < GENERATIONS_MAX && pid > 1; n++) {
    if (pid === ancestor) return true;
    const parent = reader.parentPid(pid);
    const parentStarted = reader.startTime(parent);
    // A parent that began after its child has got the pid of the one that was meant.
    if (!(parentStarted <= started)) return false;
    pid = parent;
    started = parentStarted;
  }
  return false;
}
