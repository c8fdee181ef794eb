// The rows of the steady path and of the check order, column by column: a column that one of them
// forgets would show what an older row left there. The columns are found by reflection, so a new
// one is compared without a change here.
import { expect, test } from "bun:test";
import { EventBatch } from "../../src/events/event_batch.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { beatOf, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness } from "./harness.ts";

const AGENTS = [101, 102, 103];
const POISON = 0x5a;

type Column = Uint8Array | Uint32Array | Int32Array | Float64Array;

function columnsOf(batch: EventBatch): [string, Column][] {
  return Object.entries(batch).filter((entry): entry is [string, Column] =>
    ArrayBuffer.isView(entry[1]),
  );
}

/**
 * The rows of two beats of each agent, each with all its columns; every column held rubbish before.
 */
function rowsBy(listener: ScriptedListener): Record<string, number[]>[] {
  const harness = new ObserverHarness({ listeners: [listener] });
  for (const pid of AGENTS) harness.processes.set(pid, pid);
  const rows: Record<string, number[]>[] = [];
  const beat = (nonce: number) => {
    listener.queue(
      AGENTS.map((pid) => beatOf(pid, { nonce, payload: 7 * nonce, status: nonce % 3 })),
    );
    harness.pass(20);
    harness.observer.pump((batch, count) => {
      for (const [name, column] of columnsOf(batch)) {
        const perRow = column.length / batch.kind.length;
        for (let row = 0; row < count; row++) {
          rows[row] ??= {};
          rows[row]![name] = [...column.subarray(row * perRow, (row + 1) * perRow)];
        }
        column.fill(POISON);
      }
    }, Number.POSITIVE_INFINITY);
  };
  for (let nonce = 1; nonce <= 4; nonce++) beat(nonce);
  return rows;
}

test("a plain beat has the same row in every column, taken in a run or alone", () => {
  // An allow list is for the check order: with one, no beat is taken in a run.
  const alone = rowsBy(new ScriptedListener({ allowList: new AllowList([0, 1_000], [0, 1_000]) }));
  const taken = rowsBy(new ScriptedListener());
  expect(taken).toHaveLength(AGENTS.length);
  expect(Object.keys(taken[0]!).length).toBe(columnsOf(new EventBatch()).length);
  expect(taken).toEqual(alone);
  expect(taken.map(({ pid, nonceLo }) => [pid, nonceLo])).toEqual(
    AGENTS.map((pid) => [[pid], [4]]),
  );
});
