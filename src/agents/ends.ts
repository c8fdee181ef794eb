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
  /** The service manager is stopping its unit. */
  readonly isAnnounced: boolean;
  /** It said goodbye, and has not beaten since. */
  readonly saidGoodbye: boolean;
}

const { SIGHUP, SIGINT, SIGPIPE, SIGTERM } = constants.signals;
/** Those that systemd calls clean. */
const CLEAN_SIGNALS: readonly number[] = [SIGHUP, SIGINT, SIGPIPE, SIGTERM];

const { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT } = constants.signals;
const { SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ } = constants.signals;
/**
 * Those that dump core, by signal(7): whether a core was written is a matter of limits, and not of
 * what happened.
 */
const CORE_SIGNALS: readonly number[] = [
  ...[SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT],
  ...[SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ],
];

export function howEnded({ cleanExit }: EndPolicy, end: MemberEnd): HowEnded {
  const { waitStatus } = end;
  const isUnknown = Number.isNaN(waitStatus);
  if (end.isStalled || end.isSignalled) return isUnknown ? "unknown" : "unclean";
  if (end.isAnnounced) return "clean";
  const signal = isUnknown ? 0 : signalOf(waitStatus);
  if (end.saidGoodbye) return CORE_SIGNALS.includes(signal) ? "unclean" : "clean";
  if (isUnknown) return "unknown";
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
