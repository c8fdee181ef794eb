// The members in the order of their last beats, and those of one moment in that of their slots.
// Each row of a lane has its own nearly so: the rows are merged. A sort of 5,000 takes memory and
// calls, at the one moment at which a reload keeps the loop from everything else (spec 17 section
// 2).
import { LINK_NONE } from "./slots.ts";
import type { Tracker } from "./tracker.ts";

type Ordered = Pick<Tracker, "table" | "slots" | "len">;

export function byLastBeat({ table, slots, len }: Ordered): Int32Array {
  const { lastNs, next, prev } = slots;
  const order = new Int32Array(len);
  /** Those that are in no row: few, unless many are stalled. */
  const others: number[] = [];
  for (let slot = 0; slot < len; slot++) if (prev[slot]! === LINK_NONE) others.push(slot);
  others.sort((a, b) => lastNs[a]! - lastNs[b]!);
  const firstOf = table.lanes.head.filter((slot) => slot >= 0);
  let nextOther = 0;
  for (let count = 0; count < len; count++) {
    let slot = others[nextOther] ?? -1;
    let row = -1;
    for (let i = 0; i < firstOf.length; i++) {
      const first = firstOf[i]!;
      if (first < 0 || (slot >= 0 && lastNs[slot]! <= lastNs[first]!)) continue;
      slot = first;
      row = i;
    }
    order[count] = slot;
    if (row < 0) nextOther += 1;
    else firstOf[row] = next[slot]!;
  }
  orderTies(order, lastNs);
  return order;
}

/** Beats that are taken at once have one time. */
function orderTies(order: Int32Array, lastNs: ArrayLike<number>): void {
  for (let begin = 0, end = 0; begin < order.length; begin = end) {
    const ns = lastNs[order[begin]!]!;
    while (end < order.length && lastNs[order[end]!]! === ns) end += 1;
    if (end - begin > 1) order.subarray(begin, end).sort();
  }
}
