// Whether there is room in the table for more members.
import { TRACKER_CAPACITY_LIVE_MAX, TRACKER_CAPACITY_MAX } from "../../base/limits.ts";
import { check, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { memberCount } from "../place.ts";

/** Of the capacity: above it a deployment that doubles its members for a moment finds no room. */
const FULL_SHARE = 0.9;

export const CAPACITY = check({
  name: "capacity",
  about: "`tracker.capacity` against members",
  gather: ({ config, daemon, unit }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    return {
      capacity: config.tracker.capacity,
      members: memberCount(daemon),
      unit: unit?.name ?? "varta-watch",
    };
  },
  decide: ({ capacity, members, unit }) =>
    members < capacity * FULL_SHARE
      ? undefined
      : {
          severity: members >= capacity ? "fault" : "warning",
          found: `${members} of ${capacity} places for members are taken.`,
          effect: "Who comes when all are taken is not watched.",
          fix: { words: fixOf(capacity, unit) },
        },
});

/** A table that grows while the daemon runs grows so far and no further. */
function fixOf(capacity: number, unit: string): string {
  const wanted = Math.min(TRACKER_CAPACITY_MAX, 2 * capacity);
  const then =
    wanted <= TRACKER_CAPACITY_LIVE_MAX ? "varta-watch reload" : `systemctl restart ${unit}`;
  return `tracker.capacity = ${wanted}, then ${then}`;
}
