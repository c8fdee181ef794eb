// What becomes of what a member asks for: its own threshold, and more time (spec 15 section 8.1,
// spec 20 section 4). Pure decisions; a program may ask for anything, and a rule says how far that
// is heard.
import { EXTEND_NS_MAX } from "../base/limits.ts";
import { NS_PER_MS, NS_PER_US } from "../base/time.ts";

/** How far a policy hears its members; both are its threshold where it says nothing. */
export interface AskedBounds {
  readonly thresholdMinNs: number;
  readonly thresholdMaxNs: number;
}

/** A beat may be lost, and another one late, before its sender is called silent. */
const INTERVALS_OF_SILENCE = 3;

/**
 * What members ask for is rounded up to one of these, so that they cannot have more different
 * thresholds than there are lanes: the figures that people write, in each decade from 10 ms on, at
 * most a quarter apart.
 */
const STEP_FIGURES = [1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.6, 4, 4.5, 5, 6, 7.5, 9];
const STEP_DECADES = 10;
const ASKED_STEPS = Array.from({ length: STEP_DECADES }, (_, decade) =>
  STEP_FIGURES.map((figure) => Math.round(figure * 10 ** (decade + 7))),
).flat();

/** More than three years, as nobody means it. */
const ASKED_NS_MAX = ASKED_STEPS.at(-1)!;

/** What a member asks for that says how often it beats; NaN = for nothing. */
export function askedOfInterval(intervalMs: number): number {
  return asked(intervalMs * INTERVALS_OF_SILENCE * NS_PER_MS);
}

/** What a member asks for that sends WATCHDOG_USEC; NaN = for nothing. */
export function askedOfUsec(watchdogUsec: number): number {
  return asked(watchdogUsec * NS_PER_US);
}

function asked(ns: number): number {
  return ns > 0 ? Math.min(ns, ASKED_NS_MAX) : Number.NaN;
}

/**
 * The thresholds between two bounds that members may have by asking, in their order: both bounds,
 * and the steps between them.
 */
export function askableThresholds({ thresholdMinNs, thresholdMaxNs }: AskedBounds): number[] {
  const between = ASKED_STEPS.filter((step) => step > thresholdMinNs && step < thresholdMaxNs);
  return [...new Set([thresholdMinNs, ...between, thresholdMaxNs])];
}

interface PolicyTerms extends AskedBounds {
  readonly thresholdNs: number;
  readonly lateNs: number;
  readonly graceNs: number;
}

/**
 * The terms of a member of a rule, undefined = none takes it, that has asked for `askedNs`, 0 = for
 * nothing. `thresholdNs` is that of members without a rule.
 */
export function memberTerms(
  rule: PolicyTerms | undefined,
  thresholdNs: number,
  askedNs: number,
): Pick<PolicyTerms, "thresholdNs" | "lateNs" | "graceNs"> {
  if (rule === undefined) return { thresholdNs, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
  const { graceNs, lateNs } = rule;
  const ownNs = askedNs > 0 ? held(askedNs, rule) : rule.thresholdNs;
  return {
    thresholdNs: ownNs,
    lateNs: lateNs < ownNs ? lateNs : Number.POSITIVE_INFINITY,
    graceNs,
  };
}

function held(askedNs: number, { thresholdMinNs, thresholdMaxNs }: AskedBounds): number {
  return Math.min(Math.max(stepFor(askedNs), thresholdMinNs), thresholdMaxNs);
}

/** The first step that is no shorter: who asks is never judged sooner than it asked for. */
function stepFor(askedNs: number): number {
  return ASKED_STEPS.find((step) => step >= askedNs) ?? askedNs;
}

interface Extension {
  readonly nowNs: number;
  /** When the member is judged as it is. */
  readonly deadlineNs: number;
  readonly extendUsec: number;
}

/** When the member is judged after it asked for more time: never earlier than without. */
export function extendedDeadlineNs(
  { nowNs, deadlineNs, extendUsec }: Extension,
  thresholdMaxNs: number,
): number {
  const moreNs = Math.min(extendUsec * NS_PER_US, thresholdMaxNs, EXTEND_NS_MAX);
  return Math.max(deadlineNs, nowNs + moreNs);
}
