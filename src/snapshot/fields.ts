// The kinds of fields that records of the state file are made of (spec 18 section 2). A record is a
// table of its fields: it is written, read, bounded and typed from that one table.
import { assert } from "../base/assert.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";

interface Field<Value> {
  /** Bytes that it takes at most. */
  readonly bytesMax: number;
  /** How it is stored if it always takes `bytesMax`; undefined = its length is its own. */
  readonly column: ColumnKind | undefined;
  put(out: ByteWriter, value: Value): void;
  /** What is out of its range is a fault of the reader. `before`: of the record before it. */
  get(from: ByteReader, before?: Value): Value;
}

/** A field that is at the same place of each record: many are looked at in one loop. */
type ColumnKind =
  | { readonly size: 1 | 4; readonly max: number }
  | { readonly size: 8; readonly isValid: (value: number) => boolean };

/** Far beyond every uptime, and exact enough: 292 years. */
export const NS_MAX = 2 ** 63;

export function u32(max = 0xffff_ffff): Field<number> {
  return {
    bytesMax: 4,
    column: { size: 4, max },
    put: (out, value) => out.u32(value),
    get: (from) => within(from, from.u32(), max),
  };
}

export function u8(max = 0xff): Field<number> {
  return {
    bytesMax: 1,
    column: { size: 1, max },
    put: (out, value) => out.u8(value),
    get: (from) => within(from, from.u8(), max),
  };
}

export const FLAG: Field<boolean> = {
  bytesMax: 1,
  column: { size: 1, max: 1 },
  put: (out, value) => out.u8(value ? 1 : 0),
  get: (from) => within(from, from.u8(), 1) === 1,
};

/** Nanoseconds of any clock, before its zero, too. */
export const NS: Field<number> = number((value) => value <= NS_MAX && value >= -NS_MAX);

/** The same; NaN = there is none. */
export const NS_OR_NONE: Field<number> = number(
  (value) => (value <= NS_MAX && value >= -NS_MAX) || Number.isNaN(value),
);

/** A number that the kernel gave, exact in an f64; NaN = it is not known. */
export const COUNT_OR_NONE: Field<number> = number(
  (value) => (value >= 0 && value < 2 ** 53 && value % 1 === 0) || Number.isNaN(value),
);

/** One of a list of words, by its place: a word that is added goes to the end of the list. */
export function word<const Word extends string>(words: readonly Word[]): Field<Word> {
  assert(words.length > 0 && words.length <= 256, "the place of a word is a u8");
  return {
    bytesMax: 1,
    column: { size: 1, max: words.length - 1 },
    put: (out, value) => out.u8(words.indexOf(value)),
    get: (from) => words[within(from, from.u8(), words.length - 1)]!,
  };
}

export function text(bytesMax: number): Field<string> {
  assert(bytesMax <= 0xffff, "the length of a text is a u16");
  return {
    bytesMax: 2 + bytesMax,
    column: undefined,
    put: (out, value) => out.text(value, bytesMax),
    get: (from, before) => from.text(bytesMax, before),
  };
}

/** The last `countMax` of a list. */
export function list<Value>(item: Field<Value>, countMax: number): Field<readonly Value[]> {
  return {
    bytesMax: 4 + countMax * item.bytesMax,
    column: undefined,
    put: (out, values) => {
      const first = Math.max(0, values.length - countMax);
      out.u32(values.length - first);
      for (let at = first; at < values.length; at++) item.put(out, values[at]!);
    },
    get: (from) => {
      const count = within(from, from.u32(), countMax);
      const values: Value[] = [];
      while (values.length < count && from.fault === undefined) values.push(item.get(from));
      return values;
    },
  };
}

/** The values of a record of a form. */
export type RecordOf<Form> = Form extends RecordForm<infer Values> ? Values : never;

type Table<Values> = { readonly [Name in keyof Values]: Field<Values[Name]> };

export class RecordForm<Values extends object> {
  readonly bytesMax: number;
  readonly #names: readonly (keyof Values)[];
  readonly #fields: readonly Field<Values[keyof Values]>[];

  readonly #alignBytes: number;

  /** `alignBytes`: each record begins at a multiple of this. */
  constructor(table: Table<Values>, alignBytes = 1) {
    const names = Object.keys(table) as (keyof Values)[];
    this.#names = names;
    this.#fields = names.map((name) => table[name]);
    this.#alignBytes = alignBytes;
    this.bytesMax = this.#fields.reduce((sum, { bytesMax }) => sum + bytesMax, alignBytes - 1);
  }

  /** Its first fields, as far as each of them always takes as many bytes: by name, and where. */
  columns(): ReadonlyMap<keyof Values, ColumnKind & { readonly offset: number }> {
    const columns = new Map<keyof Values, ColumnKind & { readonly offset: number }>();
    let offset = 0;
    for (const [at, { column, bytesMax }] of this.#fields.entries()) {
      if (column === undefined) break;
      columns.set(this.#names[at]!, { ...column, offset });
      offset += bytesMax;
    }
    return columns;
  }

  put(out: ByteWriter, values: Values): void {
    const names = this.#names;
    const fields = this.#fields;
    for (let at = 0; at < fields.length; at++) fields[at]!.put(out, values[names[at]!]);
    if (this.#alignBytes > 1) out.align(this.#alignBytes);
  }

  /**
   * `before`: the record before it, which most records are much like. A copy of it has room for all
   * fields at once, and its texts are taken over.
   */
  get(from: ByteReader, before?: Values): Values {
    const names = this.#names;
    const fields = this.#fields;
    const values: Partial<Values> = { ...before };
    for (let at = 0; at < fields.length; at++) {
      const name = names[at]!;
      values[name] = fields[at]!.get(from, before?.[name]);
    }
    return values as Values;
  }
}

function number(isValid: (value: number) => boolean): Field<number> {
  return {
    bytesMax: 8,
    column: { size: 8, isValid },
    put: (out, value) => {
      assert(isValid(value), "a number of the state is in its range");
      out.f64(value);
    },
    get: (from) => {
      const value = from.f64();
      if (isValid(value)) return value;
      from.fail("a number out of its range");
      return 0;
    },
  };
}

function within(from: ByteReader, value: number, max: number): number {
  if (value <= max) return value;
  from.fail("a number out of its range");
  return 0;
}
