// Mutes as records for the state file, and back (spec 18 section 3).
import type { MuteRecord } from "../snapshot/records.ts";
import type { Mute, MuteTarget } from "./mutes.ts";

export function recordOfMute({ target, reason, by, beganNs, untilNs }: Mute): MuteRecord {
  const member = target.kind === "member" ? target : NO_MEMBER;
  return {
    kind: target.kind,
    target: textOf(target),
    pid: member.pid,
    key: member.key,
    generation: member.generation,
    reason,
    byUid: by.uid,
    byPid: by.pid,
    byComm: by.comm,
    beganNs,
    untilNs,
  };
}

export function muteOfRecord(record: MuteRecord): Mute {
  const { reason, byUid: uid, byPid: pid, byComm: comm, beganNs, untilNs } = record;
  return { target: targetOf(record), reason, by: { uid, pid, comm }, beganNs, untilNs };
}

const NO_MEMBER = { pid: 0, key: 0, generation: Number.NaN };

function textOf(target: MuteTarget): string {
  if (target.kind === "all") return "";
  return target.kind === "glob" ? target.glob : target.name;
}

function targetOf({ kind, target, pid, key, generation }: MuteRecord): MuteTarget {
  switch (kind) {
    case "agent":
      return { kind, name: target };
    case "glob":
      return { kind, glob: target };
    case "all":
      return { kind };
    case "member":
      return { kind, name: target, pid, key, generation };
    default:
      return kind satisfies never;
  }
}
