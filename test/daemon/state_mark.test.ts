import { expect, test } from "bun:test";
import type { Parts as DaemonParts } from "../../src/daemon/parts.ts";
import { stateMark } from "../../src/daemon/state_mark.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import { THRESHOLD } from "../tracker/harness.ts";
import { Parts } from "./state_parts.ts";

const BEAT = { generation: 5_000, uid: 1000, namespaceInode: 42 };
const BY = { uid: 0, pid: 1, comm: "bash" };

test("stateMark() is another number after each change that matters, and the same after a beat", () => {
  const parts = new Parts();
  const { harness, mutes, history, storm } = parts;
  const guard = { transitions: 0 };
  const observer = {
    tracker: harness.tracker,
    ...{ listeners: [], listenersInForce: [], accounting: new DatagramAccounting() },
    silence: { guarded: { guard } },
  };
  const marked = {
    ...{ observer, recovery: { history, storm } },
    ...{ muting: { mutes }, expected: { changes: 0 } },
  } as unknown as DaemonParts;
  let auditSeq = 0;
  const target = { kind: "agent", name: "worker" } as const;
  const changes: Readonly<Record<string, () => void>> = {
    "a member comes": () => void harness.beat(7, 1, 100, BEAT),
    "it stalls": () => void harness.stalled(100 + THRESHOLD),
    "it comes back": () => void harness.beat(7, 2, 300, BEAT),
    "its process ends": () => harness.tracker.ends.note(harness.tracker.slotOf(7)),
    "it leaves": () => harness.tracker.ends.leave(harness.tracker.slotOf(7)),
    "a mute begins": () =>
      mutes.begin({ target, reason: "", by: BY, beganNs: 300, untilNs: 3_000 }),
    "a mute ends": () => void mutes.end(target, 400),
    "a recovery begins": () => history.began(8, "worker", 5_000, 400),
    "it is over": () => history.over(),
    "one is refused in a storm": () => void storm.refused(400),
    "the guard becomes active": () => {
      guard.transitions += 1;
    },
    "a row of the audit log is on the disk": () => {
      auditSeq += 1;
    },
  };
  const marks = [stateMark(marked, auditSeq)];
  for (const change of Object.values(changes)) {
    change();
    marks.push(stateMark(marked, auditSeq));
  }
  const unseen = Object.keys(changes).filter((_, index) => !(marks[index + 1]! > marks[index]!));
  expect(unseen).toEqual([]);
  harness.beat(9, 1, 500, BEAT);
  const before = stateMark(marked, auditSeq);
  harness.beat(9, 2, 501, BEAT);
  expect(stateMark(marked, auditSeq)).toBe(before);
});
