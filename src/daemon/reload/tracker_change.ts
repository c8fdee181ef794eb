// The table of members in another size and with another way to make room (spec 17 section 3). Rows
// for every capacity that it may be given are reserved from the start, so that only the indexes
// over them are made anew.
import { DoorFault, NO_DOORS, type PreparedDoors } from "../door_change.ts";
import type { Config } from "../../config/config.ts";
import type { Parts } from "../parts.ts";

/** Throws `DoorFault` if there are more members than `next` has room for. */
export function prepareTracker(
  { observer, recovery, metrics }: Pick<Parts, "observer" | "recovery" | "metrics">,
  next: Config["tracker"],
): PreparedDoors {
  const { tracker } = observer;
  const { capacity } = next;
  if (capacity < tracker.len)
    throw new DoorFault(
      ["tracker", "capacity"],
      `tracker.capacity: found ${capacity}; want at least ${tracker.len}, which are members now`,
    );
  return {
    ...NO_DOORS,
    commit: () => {
      tracker.eviction.change(next);
      if (capacity === tracker.capacity) return;
      for (const table of [tracker.table, recovery.outstanding, metrics]) table.resize(capacity);
    },
  };
}
