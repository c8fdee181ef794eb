// Whether mass silence is held against the observer first, and whether it is now (spec 12
// section 10).
import { shortDuration } from "../../base/short_duration.ts";
import { check, type Finding, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { memberCount } from "../place.ts";
import type { ObserverGuard } from "../../view/status_view.ts";

interface GuardFacts {
  /** Undefined = it is not active. */
  readonly active: ObserverGuard | undefined;
  readonly isOff: boolean;
  /** With fewer it would never be active. */
  readonly membersMin: number;
  readonly members: number;
}

export const GUARD = check<GuardFacts>({
  name: "guard",
  about: "whether the guard is active, and is off where it would be of use",
  gather: ({ config, daemon }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    const { guard } = daemon.observer;
    return {
      active: guard === false ? undefined : guard,
      isOff: config.guard.off,
      membersMin: config.guard.members,
      members: memberCount(daemon),
    };
  },
  decide: guardFinding,
});

function guardFinding({ active, isOff, membersMin, members }: GuardFacts): Finding | undefined {
  if (active !== undefined)
    return {
      severity: "warning",
      found: `${active.silent} of ${active.members} members fell silent within ${shortDuration(active.window_ms)}: the guard holds their stalls.`,
      effect: `No stall of theirs is told or recovered before ${active.until}.`,
      fix: { run: ["varta-watch status"] },
    };
  if (!isOff || members < membersMin) return undefined;
  return {
    severity: "advice",
    found: `The guard is off, and there are ${members} members.`,
    effect: "A fault of this machine may be told as the death of all of them, and recovered.",
    fix: { words: 'take guard = "off" out of the configuration, then varta-watch reload' },
  };
}
