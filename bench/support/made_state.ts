// A state file as a daemon of this boot would have left it a moment ago, with as many members as
// one asks for: those of a network, which need no processes, with all that is kept of a local one,
// so that their records have its length.
import { writeFileSync } from "node:fs";
import { ORIGIN_NETWORK_UNVERIFIED } from "../../src/base/origin.ts";
import { nsFromMs } from "../../src/base/time.ts";
import { StateEncoder } from "../../src/snapshot/encoder.ts";
import { hereAndNow } from "../../src/snapshot/here.ts";
import type { MemberRecord, StateRow } from "../../src/snapshot/records.ts";

/** Beyond those of processes, which beat beside them. */
const FIRST_PID = 10_000_000;
const OBSERVER_NS = nsFromMs(600_000);
const LAST_NS = OBSERVER_NS - nsFromMs(100);

/** Its size in bytes. */
export function writeMadeState(path: string, members: number, listener: string): number {
  const encoder = new StateEncoder(rows(members, listener));
  const parts: Uint8Array[] = [];
  for (let part = encoder.next(); part !== undefined; part = encoder.next())
    parts.push(part.slice());
  const bytes = Buffer.concat(parts);
  writeFileSync(path, bytes, { mode: 0o600 });
  return bytes.length;
}

function* rows(members: number, listener: string): Iterable<StateRow> {
  const moment = { ...hereAndNow(OBSERVER_NS, Date.now()), version: "bench", isFinal: true };
  yield { kind: "moment", values: moment };
  for (let pid = FIRST_PID; pid < FIRST_PID + members; pid++)
    yield { kind: "member", values: { ...MEMBER, pid, key: pid, listener } };
}

const NO_NONCE = { lastNonceHi: 0, lastNonceLo: 80, observedNonceHi: 0, observedNonceLo: 80 };
const NO_TIMESTAMP = {
  ...{ hasTerminalTimestamp: false, terminalTimestampHi: 0, terminalTimestampLo: 0 },
  ...{ timestampHi: 0, timestampLo: 1 },
};

const MEMBER: MemberRecord = {
  ...{ pid: 0, key: 0, origin: ORIGIN_NETWORK_UNVERIFIED, generation: Number.NaN },
  ...{ namespaceInode: Number.NaN, innerPid: 0, uid: Number.NaN, gid: Number.NaN },
  ...{ isUnbeaten: false, announced: "", goodbyeNs: Number.NaN, goodbyeLastsNs: Number.NaN },
  ...{ askedNs: 0, isProven: false, isFirstBeat: false, isStalled: false, hasEnded: false },
  ...{ agent: "worker", rule: "worker", listener: "" },
  ...{ hasSource: false, hasAddress: false, source: [] },
  ...{ firstNs: 0, lastNs: LAST_NS, status: 0, payload: 0, beats: 80, hasRegularNonce: true },
  ...NO_NONCE,
  ...NO_TIMESTAMP,
  ...{ user: "app", comm: "python3", exe: "/usr/bin/python3.13", script: "/srv/app/worker.py" },
  ...{ program: 77, unit: "worker@17.service", unitUser: "", container: "" },
  ...{ verdict: "", stalledNs: Number.NaN, held: "", isRecovering: false },
};
