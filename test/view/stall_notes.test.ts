// What is kept of a stall that lasts: since when, and what was done about it.
import { describe, expect, test } from "bun:test";
import { STALL_NOTE_ROWS_MAX } from "../../src/base/limits.ts";
import { StallNotes } from "../../src/view/stall_notes.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import { DONE_JSON } from "../snapshot/states.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { stallOf } from "../recovery/harness.ts";

const VERDICT = { ...NOTHING_FOUND, verdict: "hung", cpuTicks: 7 } as const;
const STALL = { ...stallOf({ pid: 42, key: 42, observerNs: 5e9 }), verdict: VERDICT };

describe("a note of a stall", () => {
  test("has its beginning, and the processor time that was used by then", () => {
    const notes = new StallNotes();
    notes.stalled(STALL);
    expect(notes.noteOf(42, STALL.generation)).toMatchObject({
      sinceNs: 5e9,
      reportedNs: 5e9,
      cpuTicks: 7,
      done: [],
    });
    expect(notes.noteOf(42, STALL.generation + 1)).toBeUndefined();
  });

  test("of a muted one is reported when the mute is over, and has begun before", () => {
    const notes = new StallNotes();
    notes.stalled({ ...STALL, isMuted: true });
    expect(notes.noteOf(42, STALL.generation)!.reportedNs).toBeNaN();
    notes.stalled({ ...STALL, observerNs: 9e9 });
    expect(notes.noteOf(42, STALL.generation)).toMatchObject({ sinceNs: 5e9, reportedNs: 9e9 });
  });

  test("goes on in the next daemon: what was done, when it was told, the time that was used", () => {
    const before = new StallNotes();
    before.stalled({ ...STALL, isMuted: true });
    before.stalled({ ...STALL, observerNs: 9e9 });
    before.outcome({ ...outcomeOf("began"), stall: STALL, recoveryId: 5 });
    before.outcome({ ...outcomeOf("step"), recoveryId: 5 });
    const memories = [...before.memories(), { ...[...before.memories()][0]!, generation: 1 }];
    const done = [...before.doneMemories(1e6)];
    const after = new StallNotes();
    after.stalled({ ...STALL, verdict: { ...VERDICT, cpuTicks: Number.NaN } });
    const rubbish = { ...done[0]!, json: "{}" };
    after.restore(memories, [...done, rubbish, { ...done[0]!, generation: 1 }]);
    expect(after.noteOf(42, STALL.generation)).toEqual(before.noteOf(42, STALL.generation)!);
    // Its result says only the number.
    after.outcome({ ...outcomeOf("result"), recoveryId: 5 });
    expect(after.noteOf(42, STALL.generation)!.done).toHaveLength(3);
    expect([...before.doneMemories(done[0]!.json.length)]).toEqual(done.slice(0, 1));
  });

  test("that a mute holds is not reported in the next daemon, whatever the file says", () => {
    const after = new StallNotes();
    after.stalled({ ...STALL, isMuted: true });
    const { generation } = STALL;
    after.restore([{ key: 42, generation, reportedNs: 5e9, cpuTicks: 7 }], []);
    expect(after.noteOf(42, generation)!.reportedNs).toBeNaN();
  });

  test("takes no more from a file than it keeps", () => {
    const after = new StallNotes();
    after.stalled(STALL);
    const one = { key: 42, generation: STALL.generation, doneNs: 1, json: DONE_JSON };
    after.restore([], Array(100).fill(one));
    expect(after.noteOf(42, STALL.generation)!.done).toHaveLength(STALL_NOTE_ROWS_MAX);
  });

  test("says whether the daemon before has decided it", () => {
    const notes = new StallNotes();
    notes.stalled(STALL);
    expect(notes.noteOf(42, STALL.generation)).toMatchObject({ isDecided: false });
    notes.decided(42);
    expect(notes.noteOf(42, STALL.generation)).toMatchObject({ isDecided: true });
  });

  test("has what a recovery of it did, also where an outcome names only the number", () => {
    const notes = new StallNotes();
    notes.stalled(STALL);
    notes.stalled({ ...STALL, pid: 43, key: 43 });
    notes.outcome({ ...outcomeOf("began"), stall: STALL, recoveryId: 5 });
    notes.outcome({ ...outcomeOf("step"), recoveryId: 5 });
    notes.outcome({ ...outcomeOf("step"), recoveryId: 6 });
    const { done } = notes.noteOf(42, STALL.generation)!;
    expect(done.map(({ recovery }) => recovery.what)).toEqual(["began", "step"]);
    expect(notes.noteOf(43, STALL.generation)!.done).toEqual([]);
  });

  test("keeps the first and the last of many outcomes", () => {
    const notes = new StallNotes();
    notes.stalled(STALL);
    for (let id = 1; id <= 40; id++)
      notes.outcome({ ...outcomeOf("began"), stall: STALL, recoveryId: id });
    const ids = notes.noteOf(42, STALL.generation)!.done.map(({ recovery }) => recovery.id);
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 35, 36, 37, 38, 39, 40]);
  });

  test("is gone with the next beat, and the oldest of too many makes room", () => {
    const notes = new StallNotes();
    for (let key = 1; key <= 4_097; key++) notes.stalled({ ...STALL, key });
    expect(notes.noteOf(1, STALL.generation)).toBeUndefined();
    expect(notes.noteOf(4_097, STALL.generation)).toBeDefined();
    notes.left(4_097);
    expect(notes.noteOf(4_097, STALL.generation)).toBeUndefined();
  });
});

test("agents whose stalls began together are counted once each", () => {
  const notes = new StallNotes();
  const at = (key: number, agent: number, observerNs: number): void =>
    notes.stalled({ ...STALL, key, agent, observerNs });
  at(1, 1, 5e9);
  at(2, 1, 6e9);
  at(3, 2, 7e9);
  at(4, 3, 30e9);
  expect([...notes.beganNear(5e9, 10e9)]).toEqual([
    [1, 5e9],
    [2, 7e9],
  ]);
});
