import { describe, expect, test } from "bun:test";
import { columnSet, columnTable, f64, fresh, i32, u8, u16, u32 } from "../../src/tables/columns.ts";

const LIST = { kind: u8(), holder: u16(), words: u32(2), link: i32(), atNs: f64() };
const { words, atNs } = LIST;

class Rows extends columnTable(LIST) {
  get rowCount(): number {
    return this.kind.length;
  }
}

class FewColumns extends columnTable({ words, atNs }) {}

class SomeFresh extends columnTable({
  kept: u8(),
  count: fresh(1, u8()),
  link: fresh(7, u32()),
  atNs: fresh(Number.NEGATIVE_INFINITY, f64()),
}) {}

/** Three rows, each with numbers of its own. */
function threeRows(): Rows {
  const rows = new Rows(3);
  rows.kind.set([1, 2, 3]);
  rows.holder.set([1, 2, 3]);
  rows.words.set([1, 10, 2, 20, 3, 30]);
  rows.link.set([-1, -2, -3]);
  rows.atNs.set([0.1, 0.2, Number.NaN]);
  return rows;
}

describe("columnSet()", () => {
  test("makes a column of each kind as a property, in the order of the list", () => {
    const rows = new (columnSet(LIST))(3);
    expect(Object.keys(rows)).toEqual(["kind", "holder", "words", "link", "atNs"]);
    expect(rows.kind).toEqual(new Uint8Array(3));
    expect(rows.holder).toEqual(new Uint16Array(3));
    expect(rows.words).toEqual(new Uint32Array(6));
    expect(rows.link).toEqual(new Int32Array(3));
    expect(rows.atNs).toEqual(new Float64Array(3));
  });

  test("makes a class whose methods see the columns", () => {
    expect(new Rows(5).rowCount).toBe(5);
  });
});

describe("copyRow()", () => {
  test("copies all numbers of a row, and no other row", () => {
    const rows = threeRows();
    rows.copyRow(rows, 2, 0);
    expect([...rows.kind]).toEqual([3, 2, 3]);
    expect([...rows.holder]).toEqual([3, 2, 3]);
    expect([...rows.words]).toEqual([3, 30, 2, 20, 3, 30]);
    expect([...rows.link]).toEqual([-3, -2, -3]);
    expect([...rows.atNs]).toEqual([Number.NaN, 0.2, Number.NaN]);
  });

  test("takes from a set with more columns those that it has", () => {
    const few = new FewColumns(2);
    few.copyRow(threeRows(), 1, 0);
    expect([...few.words]).toEqual([2, 20, 0, 0]);
    expect([...few.atNs]).toEqual([0.2, 0]);
  });
});

test("freshen() writes what the list says a fresh row holds, and leaves the other columns", () => {
  const rows = new SomeFresh(2);
  for (const column of [rows.kept, rows.count, rows.link, rows.atNs]) column.fill(9);
  rows.freshen(1);
  expect([...rows.kept]).toEqual([9, 9]);
  expect([...rows.count]).toEqual([9, 1]);
  expect([...rows.link]).toEqual([9, 7]);
  expect([...rows.atNs]).toEqual([9, Number.NEGATIVE_INFINITY]);
});
