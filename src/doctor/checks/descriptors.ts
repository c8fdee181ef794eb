// Whether there is a descriptor for each watched process, by which its end is seen at once (spec 14
// section 1).
import { streamDescriptors } from "../../config/checks/descriptor_rule.ts";
import { DESCRIPTORS_SPARED } from "../../processes/end_watch.ts";
import { check, leftOut, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { memberCount } from "../place.ts";
import { descriptorLimitOf } from "../process_status.ts";
import { dropIn } from "../words.ts";

export const DESCRIPTORS = check({
  name: "descriptors",
  about:
    "the limit of open descriptors, and `tracker.pidfds_max`, against members and stream connections",
  gather: ({ config, daemon, proc, unit }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    const limit = descriptorLimitOf(proc, daemon.pid);
    if (Number.isNaN(limit)) return leftOut("/proc of the daemon");
    return {
      limit,
      pidfdsMax: config.tracker.pidfdsMax,
      members: memberCount(daemon),
      spared: DESCRIPTORS_SPARED + streamDescriptors(config),
      unit: unit?.name ?? "varta-watch.service",
    };
  },
  decide: ({ limit, pidfdsMax, members, spared, unit }) => {
    const room = Math.max(0, limit - spared);
    if (pidfdsMax === 0 || Math.min(room, pidfdsMax) >= members) {
      if (pidfdsMax <= room) return undefined;
      return {
        severity: "advice",
        found: `The end of ${room} processes is seen at once, not of ${pidfdsMax}.`,
        effect: `Its limit of descriptors is ${limit}, and ${spared} are left to others.`,
        fix: dropIn(unit, `LimitNOFILE=${pidfdsMax + spared + 3 * DESCRIPTORS_SPARED}`),
      };
    }
    return {
      severity: "warning",
      found: `There are descriptors for ${Math.min(room, pidfdsMax)} of ${members} members.`,
      effect: "The end of the others is seen at their threshold, not at once.",
      fix:
        pidfdsMax < members
          ? { words: `tracker.pidfds_max = ${2 * members}, then systemctl restart ${unit}` }
          : dropIn(unit, `LimitNOFILE=${2 * members + spared + 3 * DESCRIPTORS_SPARED}`),
    };
  },
});
