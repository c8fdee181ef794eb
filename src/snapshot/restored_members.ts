// What becomes of the members of a state when the next daemon starts (spec 18 section 6). Their
// silence is honest, and what was reported stays reported. That nobody is stalled by a silence in
// which nobody listened is for the tracker, for which all silence begins anew at the start. Pure:
// processes are asked for through a parameter.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { PID_INIT } from "../wire/frame.ts";
import type { Continuation } from "./continuation.ts";
import type { MemberRecord } from "./records.ts";

/** PID_MAX_LIMIT of the kernel (linux/threads.h). */
const PID_LIMIT = 4_194_304;

export interface RestoredMember {
  readonly record: MemberRecord;
  /** Observer times of this daemon. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly stalledNs: number;
  /** It ended between its last beat and now, and that is to be reported. */
  readonly diedUnseen: boolean;
}

interface RestoreOptions {
  /** Members that there is room for. */
  readonly capacity: number;
  /** True if the process of this start time has certainly ended. */
  readonly hasEnded: (pid: number, startTime: number) => boolean;
}

interface RestoredMembers {
  readonly members: readonly RestoredMember[];
  /** Those for which there was no room, and what no daemon can have written. */
  readonly leftOut: number;
}

export function restoreMembers(
  records: readonly MemberRecord[],
  continuation: Continuation,
  options: RestoreOptions,
): RestoredMembers {
  // No process is there from before another boot; who beats over a network says so again.
  if (continuation.otherBoot !== "") return { members: [], leftOut: 0 };
  const kept = mostWanted(withoutTwins(records.filter(isPossible)), options.capacity);
  const members = kept.map((record) => restoreMember(record, continuation, options));
  return { members, leftOut: records.length - kept.length };
}

function restoreMember(
  record: MemberRecord,
  continuation: Continuation,
  { hasEnded }: RestoreOptions,
): RestoredMember {
  const isLocal = record.origin === ORIGIN_KERNEL_ATTESTED && !Number.isNaN(record.generation);
  const diedUnseen = !record.hasEnded && isLocal && hasEnded(record.pid, record.generation);
  return {
    record,
    firstNs: continuation.past(record.firstNs),
    lastNs: continuation.past(record.lastNs),
    stalledNs: continuation.past(record.stalledNs),
    diedUnseen,
  };
}

/** No process has another pid: its silence would be told of nobody. */
function isPossible({ pid, origin }: MemberRecord): boolean {
  return pid >= PID_INIT && (origin !== ORIGIN_KERNEL_ATTESTED || pid <= PID_LIMIT);
}

/** A file that says two things of one member says nothing of the second. */
function withoutTwins(records: readonly MemberRecord[]): readonly MemberRecord[] {
  const keys = new Set<number>();
  return records.filter(({ key }) => keys.size < keys.add(key).size);
}

/** Stalled ones first, so that no alert resolves for want of room; then those that beat last. */
function mostWanted(records: readonly MemberRecord[], capacity: number): readonly MemberRecord[] {
  if (records.length <= capacity) return records;
  const wanted = [...records].sort(
    (a, b) => Number(b.isStalled) - Number(a.isStalled) || b.lastNs - a.lastNs,
  );
  return wanted.slice(0, capacity);
}
