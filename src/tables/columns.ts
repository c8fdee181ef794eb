// Columns from one list: rows of numbers as one typed array for each field, which a list names
// once. The arrays are direct properties, made in the order of the list, so that all sets of one
// list have one hidden class, and a hot loop reads them as it would read fields that were written
// out.

export type ColumnArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** What a column holds; `width` numbers for each row. */
export interface Column<A extends ColumnArray> {
  readonly make: (length: number) => A;
  readonly width: number;
}

type ColumnList = Readonly<Record<string, Column<ColumnArray>>>;

export type Columns<L extends ColumnList> = {
  readonly [Name in keyof L]: L[Name] extends Column<infer A> ? A : never;
};

export function u8(): Column<Uint8Array> {
  return { make: (length) => new Uint8Array(length), width: 1 };
}

export function u16(): Column<Uint16Array> {
  return { make: (length) => new Uint16Array(length), width: 1 };
}

export function u32(width = 1): Column<Uint32Array> {
  return { make: (length) => new Uint32Array(length), width };
}

export function i32(): Column<Int32Array> {
  return { make: (length) => new Int32Array(length), width: 1 };
}

export function f64(): Column<Float64Array> {
  return { make: (length) => new Float64Array(length), width: 1 };
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
      const made = this as unknown as Record<string, ColumnArray>;
      for (const [name, { make, width }] of columns) made[name] = make(rowCount * width);
    }
  }
  return ColumnSet as unknown as new (
    rowCount: number,
  ) => Columns<L>;
}

/** Copies row `from` over row `to` in every column of `list`. */
export function copyRow<const L extends ColumnList>(
  list: L,
  set: Columns<L>,
  from: number,
  to: number,
): void {
  for (const name in list) {
    const { width } = list[name]!;
    set[name].copyWithin(to * width, from * width, (from + 1) * width);
  }
}
