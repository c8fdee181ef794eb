// Totals only grow; a test that takes several looks wants to know by how much since the last one.
import {
  type Cell,
  type Counters,
  type CounterSource,
  familiesOf,
} from "../../src/base/counters.ts";

const seen = new WeakMap<object, Map<PropertyKey, number>>();

/** What `total`, the `key` of `owner`, has grown by since the last call for it. */
export function since(owner: object, key: PropertyKey, total: number): number {
  const totals = seen.get(owner) ?? new Map<PropertyKey, number>();
  seen.set(owner, totals);
  const before = totals.get(key) ?? 0;
  totals.set(key, total);
  return total - before;
}

/** The same of a counter. */
export function counted<R>(counters: Counters<R>, cell: Cell<"counter" | "gauge", R>): number {
  return since(counters, cell, counters.get(cell));
}

/** The cells of one family: of a histogram its sum in ns, then its buckets. */
export function columnOf(source: CounterSource, name: string): number[] {
  const family = familiesOf(source.block).findIndex((each) => each.name === name);
  return [...source.columns[family]!];
}
