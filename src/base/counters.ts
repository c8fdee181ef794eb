// Counters live where they count (spec 08 section 1): a stage declares a block of metrics beside
// its code, one row each with its name and HELP text, and owns a column of numbers for it. Counting
// is an indexed add. The metrics page is given the columns at the start and reads them in place;
// docs/metrics.md is generated from the rows. So a new metric is one row, and the line that counts
// it.
//
//   const HTTP = block({
//     skipped: counter("varta_scrape_skipped_total", "Scrapes answered from the cache."),
//   });
//   const counters = new Counters(HTTP, this);
//   counters.add(HTTP.skipped);
import { saturatingAdd } from "./saturating.ts";
import { NS_PER_S } from "./time.ts";

type MetricType = "counter" | "gauge" | "histogram";

/**
 * One metric family as it is declared. `Value` are its label values, `Owner` is asked for its
 * value.
 */
interface Row<Type extends MetricType, Value extends string, Owner> {
  readonly type: Type;
  /** "" = a counter that stands on no page: the library alone reads it. */
  readonly name: string;
  readonly help: string;
  /** The one fixed label and its values in the order of the page; "" = unlabelled. */
  readonly label: string;
  readonly values: readonly Value[];
  /** Digits after the point. */
  readonly decimals: number;
  /** Upper bounds as they are written, without +Inf; empty unless a histogram. */
  readonly bounds: readonly string[];
  /**
   * The value of label value number `index` at the moment of a scrape; undefined = the cells are
   * counted in.
   */
  readonly ask: ((owner: Owner, index: number, nowNs: number) => number) | undefined;
}

/** What the page and the documentation know of a row. */
export interface Family extends Row<MetricType, string, never> {
  /** Labels of the instances of its block, before its own; empty for nearly all. */
  readonly instanceLabels: readonly string[];
  readonly cellCount: number;
}

type AnyRow = Row<MetricType, string, never>;
type Rows = Readonly<Record<string, AnyRow>>;

declare const BRAND: unique symbol;
/** The place of a number in the column of a block. Cells of another block or type do not fit. */
export type Cell<Type extends MetricType, R> = number & { readonly [BRAND]: readonly [Type, R] };
type CellsOf<One, R> =
  One extends Row<infer Type, infer Value, never>
    ? [Value] extends [never]
      ? Cell<Type, R>
      : Readonly<Record<Value, Cell<Type, R>>>
    : never;

const DECLARED = Symbol("declared");

interface Declared<R> {
  readonly rows: R;
  readonly families: readonly Family[];
}

/** A declared block: by row its cell, or its cells by label value. */
type Block<R> = { readonly [Key in keyof R]: CellsOf<R[Key], R> } & {
  readonly [DECLARED]: Declared<R>;
};

/** Any block, for those that only read: the page and the documentation. */
export interface AnyBlock {
  readonly [DECLARED]: { readonly families: readonly Family[] };
}

/** The column type of a declared block: `CountersOf<typeof HTTP>`. */
export type CountersOf<B> = B extends { readonly [DECLARED]: Declared<infer R> }
  ? Counters<R>
  : never;

type OwnerOf<R> = [R[keyof R]] extends [Row<MetricType, string, infer Owner>] ? Owner : never;

/** Bounds of most histograms: from a quiet turn to a turn that delays a whole fleet. */
const BOUNDS_SHORT = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1"];

type Details<Value extends string, Owner> = Partial<
  Omit<Row<MetricType, Value, Owner>, "type" | "name" | "help">
>;

export function counter<Value extends string = never, Owner = unknown>(
  name: string,
  help: string,
  details: Details<Value, Owner> = {},
): Row<"counter", Value, Owner> {
  return row("counter", name, help, details);
}

export function gauge<Value extends string = never, Owner = unknown>(
  name: string,
  help: string,
  details: Details<Value, Owner> = {},
): Row<"gauge", Value, Owner> {
  return row("gauge", name, help, details);
}

export function histogram<Value extends string = never, Owner = unknown>(
  name: string,
  help: string,
  details: Details<Value, Owner> = {},
): Row<"histogram", Value, Owner> {
  return row("histogram", name, help, { bounds: BOUNDS_SHORT, ...details });
}

/** A counter that stands on no page, because another table says the same there. */
export function unlisted(): Row<"counter", never, unknown> {
  return row("counter", "", "", {});
}

function row<Type extends MetricType, Value extends string, Owner>(
  type: Type,
  name: string,
  help: string,
  details: Details<Value, Owner>,
): Row<Type, Value, Owner> {
  const rest = { label: "", values: [], decimals: 0, bounds: [], ask: undefined };
  return { type, name, help, ...rest, ...details };
}

/** Declares a block of which there is one instance, or several that the page adds up. */
export function block<R extends object>(rows: R): Block<R> {
  return blockPer([], rows);
}

/**
 * Declares a block whose instances are told apart on the page by `instanceLabels`, for example the
 * listener.
 */
export function blockPer<R extends object>(instanceLabels: readonly string[], rows: R): Block<R> {
  const families: Family[] = [];
  const cells: Record<string, number | Record<string, number>> = {};
  let first = 0;
  for (const [key, one] of Object.entries(rows as Rows)) {
    const width = cellWidth(one);
    const cellCount = width * Math.max(1, one.values.length);
    families.push({ ...one, instanceLabels, cellCount });
    const byValue = one.values.map((value, index) => [value, first + index * width] as const);
    cells[key] = byValue.length === 0 ? first : Object.fromEntries(byValue);
    first += cellCount;
  }
  return Object.assign(cells as { [Key in keyof R]: CellsOf<R[Key], R> }, {
    [DECLARED]: { rows, families },
  });
}

/**
 * Cells of one label value: a histogram has its sum in ns, then its buckets with +Inf, not
 * cumulative.
 */
export function cellWidth({ type, bounds }: AnyRow): number {
  return type === "histogram" ? bounds.length + 2 : 1;
}

/** The rows of a block in the order of the page. */
export function familiesOf(one: AnyBlock): readonly Family[] {
  return one[DECLARED].families;
}

/** What the page reads: one instance of a block. */
export interface CounterSource {
  readonly block: AnyBlock;
  /** The cells of each row, in the order of the block. */
  readonly columns: readonly Float64Array[];
  /** Brings the rows that are asked up to now. */
  refresh(nowNs: number): void;
}

/** Gives one instance to a page; `labels` are what tells it from others, if anything does. */
export type ShowCounters = (
  source: CounterSource,
  labels?: Readonly<Record<string, string>>,
  /** Number of the listener with which it comes and goes; undefined = of none. */
  listener?: number,
) => void;

/** One instance of a block: its column of numbers. Counting neither allocates nor throws. */
export class Counters<R> implements CounterSource {
  readonly block: Block<R>;
  readonly columns: readonly Float64Array[];
  readonly #cells: Float64Array;
  /** By cell: the upper bound of a bucket. */
  readonly #bounds: Float64Array;
  readonly #owner: OwnerOf<R>;
  readonly #settle: () => void;

  /**
   * `owner` is given to the rows that ask; `settle` is called before each page, for what is counted
   * late.
   */
  constructor(declared: Block<R>, owner: OwnerOf<R>, settle: () => void = () => {}) {
    const families = familiesOf(declared);
    this.block = declared;
    this.#owner = owner;
    this.#settle = settle;
    this.#cells = new Float64Array(families.reduce((sum, { cellCount }) => sum + cellCount, 0));
    this.#bounds = new Float64Array(this.#cells.length);
    let first = 0;
    this.columns = families.map((family) => {
      const { bounds, cellCount } = family;
      if (bounds.length > 0)
        for (let at = first; at < first + cellCount; at += cellWidth(family))
          this.#bounds.set([0, ...bounds.map(Number), Number.POSITIVE_INFINITY], at);
      first += cellCount;
      return this.#cells.subarray(first - cellCount, first);
    });
  }

  /** Adds `count`, which is not negative; the counter stops at 2^53-1. */
  add(cell: Cell<"counter", R>, count = 1): void {
    this.#cells[cell] = saturatingAdd(this.#cells[cell]!, count);
  }

  /** Counts once in label value number `index` of a row, by the cell of the first. */
  addAt(first: Cell<"counter", R>, index: number): void {
    this.#cells[first + index] = saturatingAdd(this.#cells[first + index]!, 1);
  }

  /** Sets a gauge to `value`, which is not negative; NaN leaves it out of the page. */
  set(cell: Cell<"gauge", R>, value: number): void {
    this.#cells[cell] = value;
  }

  /** The value of a counter or gauge as it was last counted, set or asked. */
  get(cell: Cell<"counter" | "gauge", R>): number {
    return this.#cells[cell]!;
  }

  /** Counts `seconds` in the first bucket whose bound is at least that. */
  observe(cell: Cell<"histogram", R>, seconds: number): void {
    let bucket = cell + 1;
    while (seconds > this.#bounds[bucket]!) bucket += 1;
    this.#cells[bucket]! += 1;
    // In whole nanoseconds, so that a sum does not drift.
    this.#cells[cell] = saturatingAdd(this.#cells[cell]!, Math.round(seconds * NS_PER_S));
  }

  /** Counts `times` observations of 0. */
  observeZeros(cell: Cell<"histogram", R>, times: number): void {
    this.#cells[cell + 1]! += times;
  }

  refresh(nowNs: number): void {
    this.#settle();
    for (const [family, { ask }] of familiesOf(this.block).entries()) {
      if (ask === undefined) continue;
      const column = this.columns[family]!;
      for (let index = 0; index < column.length; index++)
        column[index] = ask(this.#owner as never, index, nowNs);
    }
  }
}
