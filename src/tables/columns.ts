// Columns from one list: rows of numbers as one typed array for each field, which a list names
// once. The arrays are direct properties, made in the order of the list, so that all sets of one
// list have one hidden class, and a hot loop reads them as it would read fields that were written
// out.

import { assert } from "../base/assert.ts";

export type ColumnArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/**
 * What a column holds: `width` numbers for each row, and in a fresh row `fresh`; undefined = what
 * was there.
 */
interface Column<A extends ColumnArray> {
  readonly make: (length: number) => A;
  readonly width: number;
  readonly fresh: number | undefined;
}

type ColumnList = Readonly<Record<string, Column<ColumnArray>>>;

type Columns<L extends ColumnList> = {
  readonly [Name in keyof L]: L[Name] extends Column<infer A> ? A : never;
};

/** Columns for those who may read them. */
export type ReadonlyColumns<L extends ColumnList> = {
  readonly [Name in keyof L]: ArrayLike<number>;
};

export function u8(): Column<Uint8Array> {
  return { make: (length) => new Uint8Array(length), width: 1, fresh: undefined };
}

export function u16(): Column<Uint16Array> {
  return { make: (length) => new Uint16Array(length), width: 1, fresh: undefined };
}

export function u32(width = 1): Column<Uint32Array> {
  return { make: (length) => new Uint32Array(length), width, fresh: undefined };
}

export function i32(): Column<Int32Array> {
  return { make: (length) => new Int32Array(length), width: 1, fresh: undefined };
}

export function f64(): Column<Float64Array> {
  return { make: (length) => new Float64Array(length), width: 1, fresh: undefined };
}

/** `column`, which holds `value` in a fresh row. */
export function fresh<A extends ColumnArray>(value: number, column: Column<A>): Column<A> {
  assert(column.width === 1, "a fresh row has one number for a column");
  return { ...column, fresh: value };
}

/** A class to extend: its constructor makes the columns of `list` with room for `rowCount` rows. */
export function columnSet<const L extends ColumnList>(
  list: L,
): new (
  rowCount: number,
) => Columns<L> {
  const columns = Object.entries(list);
  class ColumnSet {
    constructor(rowCount: number) {
      const made = byName(this);
      for (const [name, { make, width }] of columns) made[name] = make(rowCount * width);
    }
  }
  return ColumnSet as unknown as new (
    rowCount: number,
  ) => Columns<L>;
}

/** What a table can do with its rows. */
interface TableRows<L extends ColumnList> {
  /** Copies row `from` of `other`, which may have more columns, over row `to`. */
  copyRow(other: ReadonlyColumns<L>, from: number, to: number): void;
  /** Makes `row` a fresh one. */
  freshen(row: number): void;
  /** The same of the first `count`. */
  freshenFirst(count: number): void;
}

/**
 * As `columnSet`, for rows that are copied and made fresh. What is fresh is written kind by kind:
 * the engine compiles a store well only where it sees arrays of one kind (measured: 25 ns a column
 * else).
 */
export function columnTable<const L extends ColumnList>(
  list: L,
): new (
  rowCount: number,
) => Columns<L> & TableRows<L> {
  const columns = Object.entries(list);
  class ColumnTable extends (columnSet(list) as new (rowCount: number) => object) {
    readonly #freshU8 = new FreshColumns<Uint8Array>();
    readonly #freshU16 = new FreshColumns<Uint16Array>();
    readonly #freshU32 = new FreshColumns<Uint32Array>();
    readonly #freshF64 = new FreshColumns<Float64Array>();

    constructor(rowCount: number) {
      super(rowCount);
      for (const [name, { fresh: value }] of columns) {
        const column = byName(this)[name]!;
        if (value === undefined) continue;
        if (column instanceof Uint8Array) this.#freshU8.add(column, value);
        else if (column instanceof Uint16Array) this.#freshU16.add(column, value);
        else if (column instanceof Uint32Array) this.#freshU32.add(column, value);
        else if (column instanceof Float64Array) this.#freshF64.add(column, value);
        else assert(false, "a fresh value is for an unsigned or f64 column");
      }
    }

    copyRow(other: ReadonlyColumns<L>, from: number, to: number): void {
      const source: ReadonlyColumns<ColumnList> = other;
      const target = byName(this);
      for (const [name, { width }] of columns)
        for (let word = 0; word < width; word++)
          target[name]![to * width + word] = source[name]![from * width + word]!;
    }

    freshen(row: number): void {
      const { columns: u8s, values: u8Values } = this.#freshU8;
      for (let index = 0; index < u8s.length; index++) u8s[index]![row] = u8Values[index]!;
      const { columns: u16s, values: u16Values } = this.#freshU16;
      for (let index = 0; index < u16s.length; index++) u16s[index]![row] = u16Values[index]!;
      const { columns: u32s, values: u32Values } = this.#freshU32;
      for (let index = 0; index < u32s.length; index++) u32s[index]![row] = u32Values[index]!;
      const { columns: f64s, values: f64Values } = this.#freshF64;
      for (let index = 0; index < f64s.length; index++) f64s[index]![row] = f64Values[index]!;
    }

    freshenFirst(count: number): void {
      for (const fresh of [this.#freshU8, this.#freshU16, this.#freshU32, this.#freshF64])
        fresh.fill(count);
    }
  }
  return ColumnTable as unknown as new (
    rowCount: number,
  ) => Columns<L> & TableRows<L>;
}

/** The columns of one kind that have a value in a fresh row. */
class FreshColumns<A extends ColumnArray> {
  readonly columns: A[] = [];
  readonly values: number[] = [];

  add(column: A, value: number): void {
    this.columns.push(column);
    this.values.push(value);
  }

  fill(count: number): void {
    for (const [index, column] of this.columns.entries())
      column.fill(this.values[index]!, 0, count);
  }
}

function byName(set: object): Record<string, ColumnArray> {
  return set as Record<string, ColumnArray>;
}
