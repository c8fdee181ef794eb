// What the end of a member means (spec 14 section 4): pure decisions, from how its process ended
// and what its policy says.
import { constants } from "node:os";
import { exitStatusOf, signalOf } from "../base/wait_status.ts";

export const ON_EXITS = ["judge", "ignore", "report", "silence"] as const;
type OnExit = (typeof ON_EXITS)[number];

/** What a policy says about ends. */
export interface EndPolicy {
  readonly onExit: OnExit;
  /** Exit statuses that are clean, besides 0. */
  readonly cleanExit: readonly number[];
}

/** Of members that no rule takes. */
export const END_POLICY_DEFAULT: EndPolicy = { onExit: "judge", cleanExit: [] };

export type HowEnded = "clean" | "unclean" | "unknown";

export interface MemberEnd {
  /** As wait(2) writes it; NaN = unknown. */
  readonly waitStatus: number;
  /** It was reported silent, and no beat has come since. */
  readonly isStalled: boolean;
  /** A recovery has sent it a signal, not long ago. */
  readonly isSignalled: boolean;
  /** It said goodbye, or the service manager is stopping its unit. */
  readonly isAnnounced: boolean;
}

const { SIGHUP, SIGINT, SIGPIPE, SIGTERM } = constants.signals;
/** Those that systemd calls clean. */
const CLEAN_SIGNALS: readonly number[] = [SIGHUP, SIGINT, SIGPIPE, SIGTERM];

export function howEnded({ cleanExit }: EndPolicy, end: MemberEnd): HowEnded {
  const { waitStatus } = end;
  const isUnknown = Number.isNaN(waitStatus);
  if (end.isStalled || end.isSignalled) return isUnknown ? "unknown" : "unclean";
  if (end.isAnnounced) return "clean";
  if (isUnknown) return "unknown";
  const signal = signalOf(waitStatus);
  if (signal !== 0) return CLEAN_SIGNALS.includes(signal) ? "clean" : "unclean";
  const status = exitStatusOf(waitStatus);
  return status === 0 || cleanExit.includes(status) ? "clean" : "unclean";
}

/** What is done about an end: nothing; it is gone; judged at its deadline; a stall at once. */
type EndAction = "nothing" | "gone" | "judge" | "stall";

export function actionOf({ onExit }: EndPolicy, how: HowEnded): EndAction {
  if (onExit === "silence") return "nothing";
  if (onExit === "ignore" || how === "clean") return "gone";
  return onExit === "report" && how === "unclean" ? "stall" : "judge";
}
