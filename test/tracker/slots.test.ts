// The columns of a slot by reflection over their list: one that a fresh slot forgets would show
// what the member before it left there.
import { expect, test } from "bun:test";
import { SLOT_COLUMNS } from "../../src/tracker/slots.ts";
import { Harness } from "./harness.ts";

type Name = keyof typeof SLOT_COLUMNS;

const NAMES = Object.keys(SLOT_COLUMNS) as Name[];

/**
 * Valid with a flag only, which no fresh slot has; their memory is never touched for most slots.
 */
const FLAGGED: readonly Name[] = [
  "source",
  "goodbyeNs",
  "ownGraceEndNs",
  "runCount",
  "runNonce",
  "refused",
  "aliveNs",
];

/** Every column of the slot that a first beat takes, where `poison` was before. */
function takenOver(poison: number): Map<Name, number[]> {
  const h = new Harness({ capacity: 1 });
  const { slots } = h.tracker.table;
  for (const name of NAMES) slots[name].fill(poison);
  h.beat(7, 1, 10);
  h.tracker.checkInvariants();
  return new Map(NAMES.map((name) => [name, [...slots[name]]]));
}

test("a beat that takes a slot leaves nothing in it of what was there, save what no flag makes valid", () => {
  const one = takenOver(0x5a);
  const other = takenOver(0x25);
  const kept = NAMES.filter((name) => !Bun.deepEquals(one.get(name), other.get(name)));
  expect(kept).toEqual([...FLAGGED]);
});
