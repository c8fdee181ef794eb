// Whether there is room in the table for more members.
import { check, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { memberCount } from "../place.ts";

/** Of the capacity: above it a deployment that doubles its members for a moment finds no room. */
const FULL_SHARE = 0.9;

export const CAPACITY = check({
  name: "capacity",
  about: "`tracker.capacity` against members",
  gather: ({ config, daemon }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    return { capacity: config.tracker.capacity, members: memberCount(daemon) };
  },
  decide: ({ capacity, members }) =>
    members < capacity * FULL_SHARE
      ? undefined
      : {
          severity: members >= capacity ? "fault" : "warning",
          found: `${members} of ${capacity} places for members are taken.`,
          effect: "Who comes when all are taken is not watched.",
          fix: { words: `tracker.capacity = ${2 * capacity}, then varta-watch reload` },
        },
});
