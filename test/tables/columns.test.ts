import { describe, expect, test } from "bun:test";
import { columnSet, copyRow, f64, i32, u8, u16, u32 } from "../../src/tables/columns.ts";

const LIST = { kind: u8(), holder: u16(), words: u32(2), link: i32(), atNs: f64() };

class Rows extends columnSet(LIST) {
  get rowCount(): number {
    return this.kind.length;
  }
}

describe("columnSet()", () => {
  test("makes a column of each kind as a property, in the order of the list", () => {
    const rows = new Rows(3);
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

test("copyRow() copies all numbers of a row, and no other row", () => {
  const rows = new Rows(3);
  rows.kind.set([1, 2, 3]);
  rows.holder.set([1, 2, 3]);
  rows.words.set([1, 10, 2, 20, 3, 30]);
  rows.link.set([-1, -2, -3]);
  rows.atNs.set([0.1, 0.2, Number.NaN]);
  copyRow(LIST, rows, 2, 0);
  expect([...rows.kind]).toEqual([3, 2, 3]);
  expect([...rows.holder]).toEqual([3, 2, 3]);
  expect([...rows.words]).toEqual([3, 30, 2, 20, 3, 30]);
  expect([...rows.link]).toEqual([-3, -2, -3]);
  expect([...rows.atNs]).toEqual([Number.NaN, 0.2, Number.NaN]);
});
