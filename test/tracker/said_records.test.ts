import { expect, test } from "bun:test";
import { restoreSaid, saidRecords } from "../../src/tracker/said_records.ts";
import { noWords } from "../../src/tracker/said_words.ts";
import { Harness, THRESHOLD } from "./harness.ts";

const BEAT = { generation: 5_000, uid: 1000, namespaceInode: 42 };
const WORDS = { ...noWords(), status: "382 requests\n", isReloading: true, errno: 13 };

test("saidRecords() has a record for each who has said anything, or has more time", () => {
  const harness = new Harness();
  for (const pid of [7, 8, 9]) harness.beat(pid, 1, 950, BEAT);
  const { table } = harness.tracker;
  table.said[table.slotOf(7)] = { ...WORDS, hasTriggered: true };
  harness.extend(9, 1_000, 5_000);
  const { hasTriggered: _, triggeredNs: __, ...words } = noWords();
  const nine = { key: 9, generation: 5_000, ...words, movedNs: 6_000 };
  const { hasTriggered: ___, triggeredNs: ____, ...said } = WORDS;
  const seven = { key: 7, generation: 5_000, ...said, movedNs: Number.NaN };
  expect([...saidRecords(table)]).toEqual([nine, seven]);
});

test("restoreSaid() gives it back to the same process, with the rest of its time", () => {
  const harness = new Harness();
  for (const pid of [7, 8]) harness.beat(pid, 1, 0, BEAT);
  const { table } = harness.tracker;
  const { hasTriggered: _, triggeredNs: __, ...said } = WORDS;
  const record = { key: 7, generation: 5_000, ...said, movedNs: 1 };
  restoreSaid(table, record, 900);
  restoreSaid(table, { ...record, key: 8, generation: 5_001 }, 900);
  restoreSaid(table, { ...record, key: 9 }, 900);
  expect([table.said[0], table.said[1]]).toEqual([WORDS, undefined]);
  expect(harness.due(THRESHOLD).stalled).toEqual([8]);
  expect(harness.due(899).stalled).toEqual([]);
  expect(harness.due(900).stalled).toEqual([7]);
  harness.tracker.checkInvariants();
});
