// A number that is another one after each change that the next daemon has to know of (spec 18
// section 7): a sum of counts that only grow. It is asked after every turn that did more than take
// beats, and so no part has to say what it does. What is new in the state file adds its count here.
import { SecureUdpListener } from "../listener/secure_udp.ts";
import type { Parts } from "./parts.ts";

type MarkedParts = Pick<Parts, "observer" | "recovery" | "muting" | "expected">;

export function stateMark(
  { observer, recovery, muting, expected }: MarkedParts,
  auditSeq: number,
): number {
  const { table } = observer.tracker;
  const members = table.agents.changes + table.latchChanges;
  const acts = recovery.history.changes + recovery.storm.changes + muting.mutes.changes;
  const guard = observer.silence.guarded?.guard.transitions ?? 0;
  return members + acts + expected.changes + guard + auditSeq + replayMoves(observer);
}

/** Another number after each beat that was accepted. */
export function beatsTaken({ listenersInForce, accounting }: Parts["observer"]): number {
  let beats = 0;
  for (const number of listenersInForce) beats += accounting.accepted[number]!;
  return beats;
}

/** Each beat that a key proves moves the replay window of its sender. */
function replayMoves({ listenersInForce, listeners, accounting }: Parts["observer"]): number {
  let moves = 0;
  for (const number of listenersInForce)
    if (listeners[number] instanceof SecureUdpListener) moves += accounting.accepted[number]!;
  return moves;
}
