// The configuration of one life of the daemon. A run is a row of lives: the first two have every
// part switched on, the later ones are drawn at random, so that small tables, tight limits and rare
// settings meet each other. Agents and processes live on between lives, as they do when a daemon is
// restarted.
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { GuardSettings } from "../../src/observer/guard.ts";
import type { LinkOptions } from "./network.ts";
import { OWN_INODE } from "./process_table.ts";
import type { Random } from "./random.ts";

/** The uid that allow lists leave out. */
export const STRANGER_UID = 6_666;

export interface Scenario {
  readonly steps: number;
  readonly thresholdNs: number;
  readonly links: readonly LinkOptions[];
  /** A reload changes it, and the two after it. */
  capacity: number;
  evictionPolicy: "strict" | "balanced";
  evictionScanWindow: number;
  /** The largest capacity that a reload may give. */
  readonly room: number;
  readonly judgeLimit: number;
  /** What the observer may be late; undefined = it notices no pause. */
  readonly pauseGapNs: number | undefined;
  /** Its clock goes on while the machine is suspended, which is silence then. */
  readonly goesOnAsleep: boolean;
  readonly perPidRate: number;
  readonly globalRate: number;
  readonly globalBurst: number;
  readonly observerInode: number;
  readonly allowCrossNamespace: boolean;
  /** False: the daemon has no way to ask for the largest pid. */
  readonly readsPidMax: boolean;
  readonly recovers: boolean;
  /** Instead of a command, the unit of the agent is restarted. */
  readonly restartsUnit: boolean;
  /** The pid is among the arguments of the command. */
  readonly commandNamesPid: boolean;
  readonly debounceNs: number;
  readonly timeoutNs: number | undefined;
  readonly killGraceNs: number;
  /** Chances per step. */
  readonly mishaps: number;
  readonly hostility: number;
  /** The one rule, which takes those that run the shared program; undefined = there is none. */
  readonly rule: ScenarioRule | undefined;
  /** Undefined = silence is never the observer's own fault. */
  readonly guard: GuardSettings | undefined;
  /** Datagrams arrive at once and in order, and agents beat four times within a threshold. */
  readonly isCalm: boolean;
}

/** A reload changes its terms. */
export interface ScenarioRule {
  thresholdNs: number;
  /** +Infinity = no member is late. */
  lateNs: number;
  graceNs: number;
  /** Of its plan, which is the recovery in all else; undefined = its plan is "none". */
  readonly debounceNs: number | undefined;
}

const LONG_QUEUE = 512;
/** As a kernel has it that nobody told otherwise: found full now and then. */
const SHORT_QUEUE = 10;

const UNIX: LinkOptions = {
  name: "local",
  kind: "unix",
  acceptRecovery: false,
  kernelVouches: false,
  queueLength: LONG_QUEUE,
  containers: false,
  allowUids: undefined,
};
const GUARDED: LinkOptions = {
  name: "guarded",
  kind: "unix",
  acceptRecovery: false,
  kernelVouches: false,
  queueLength: LONG_QUEUE,
  containers: false,
  allowUids: [0, 1_000, 1_001],
};
const TRUSTED: LinkOptions = {
  name: "trusted",
  kind: "udp",
  acceptRecovery: true,
  kernelVouches: false,
  queueLength: undefined,
  containers: false,
  allowUids: undefined,
};
const LAB: LinkOptions = {
  name: "lab",
  kind: "udp",
  acceptRecovery: false,
  kernelVouches: false,
  queueLength: undefined,
  containers: false,
  allowUids: undefined,
};
const VOUCHED: LinkOptions = {
  ...UNIX,
  name: "vouched",
  kernelVouches: true,
  queueLength: SHORT_QUEUE,
};
const PODS: LinkOptions = { ...UNIX, name: "pods", containers: true };
const VOUCHED_PODS: LinkOptions = { ...PODS, name: "vouched-pods", kernelVouches: true };

/** The settings of life number `life`, from 0. */
export function scenarioOf(life: number, random: Random, agentCount: number): Scenario {
  if (life === 0) return fullScenario(agentCount, [UNIX, TRUSTED, LAB, PODS], true);
  if (life === 1) {
    const terms = { thresholdNs: NS_PER_S / 2, lateNs: NS_PER_S / 5, graceNs: NS_PER_S };
    const rule = { ...terms, debounceNs: 5 * NS_PER_S };
    return { ...fullScenario(agentCount, [LAB, GUARDED, TRUSTED], false), rule };
  }
  return { ...drawScenario(random, agentCount), goesOnAsleep: life % 2 === 1 };
}

/** One Unix socket, honest agents, and nothing that goes wrong by itself. */
export function calmScenario(agentCount: number): Scenario {
  return {
    ...fullScenario(agentCount, [UNIX], true),
    perPidRate: 0,
    globalRate: 0,
    mishaps: 0,
    hostility: 0,
    isCalm: true,
  };
}

function fullScenario(
  agentCount: number,
  links: readonly LinkOptions[],
  commandNamesPid: boolean,
): Scenario {
  return {
    steps: 1_500,
    thresholdNs: NS_PER_S,
    links,
    capacity: agentCount + 8,
    room: 2 * agentCount,
    evictionPolicy: "strict",
    evictionScanWindow: 256,
    judgeLimit: 1_024,
    pauseGapNs: NS_PER_S / 4,
    goesOnAsleep: false,
    perPidRate: 20,
    globalRate: 4 * agentCount,
    globalBurst: 20 * agentCount,
    observerInode: OWN_INODE,
    allowCrossNamespace: false,
    readsPidMax: true,
    recovers: true,
    restartsUnit: false,
    commandNamesPid,
    debounceNs: 2 * NS_PER_S,
    timeoutNs: 500 * NS_PER_MS,
    killGraceNs: 300 * NS_PER_MS,
    mishaps: 0.3,
    hostility: 0.1,
    rule: undefined,
    guard: undefined,
    isCalm: false,
  };
}

function drawScenario(random: Random, agentCount: number): Scenario {
  const base = random.pick([
    10 * NS_PER_MS,
    50 * NS_PER_MS,
    250 * NS_PER_MS,
    NS_PER_S,
    5 * NS_PER_S,
  ]);
  // Odd nanoseconds: nothing may depend on round thresholds.
  const thresholdNs = base + random.below(1_000);
  const perSecond = NS_PER_S / thresholdNs;
  const beatsPerSecond = 2 * agentCount * perSecond;
  return {
    steps: random.between(500, 2_500),
    thresholdNs,
    links: random.pick([
      [UNIX],
      [GUARDED],
      [UNIX, LAB],
      [UNIX, TRUSTED],
      [TRUSTED, LAB],
      [UNIX, GUARDED, TRUSTED],
      [VOUCHED],
      [VOUCHED, UNIX, TRUSTED],
      [GUARDED, TRUSTED, LAB],
      [LAB, TRUSTED, UNIX],
      [PODS],
      [UNIX, VOUCHED_PODS, LAB],
    ]),
    capacity: random.pick([
      1,
      Math.ceil(agentCount / 3),
      Math.max(1, agentCount - 2),
      agentCount + 8,
      4 * agentCount,
    ]),
    room: 4 * agentCount + 8,
    evictionPolicy: random.pick(["strict", "balanced"]),
    evictionScanWindow: random.pick([1, 4, 256]),
    judgeLimit: random.pick([1, 3, 20, 1_024, 1_024, 1_024]),
    pauseGapNs: random.pick([undefined, ...Array(2).fill(Math.max(5e6, thresholdNs / 4))]),
    goesOnAsleep: false,
    perPidRate: random.pick([0, 0, Math.ceil(3 * perSecond), Math.ceil(20 * perSecond)]),
    globalRate: random.pick([0, 1, 4]) * Math.ceil(beatsPerSecond),
    globalBurst: random.pick([0, 1, agentCount, 20 * agentCount, 9_000_000]),
    observerInode: random.chance(0.1) ? Number.NaN : OWN_INODE,
    allowCrossNamespace: random.chance(0.3),
    readsPidMax: random.chance(0.8),
    recovers: random.chance(0.85),
    restartsUnit: random.chance(0.6),
    commandNamesPid: random.chance(0.5),
    debounceNs: Math.round(random.pick([0, 0.5, 2, 30]) * thresholdNs),
    timeoutNs: random.pick([undefined, Math.round(thresholdNs / 2), 4 * thresholdNs]),
    killGraceNs: random.pick([0, Math.round(thresholdNs / 3), 3 * thresholdNs]),
    mishaps: random.pick([0.02, 0.2, 0.6]),
    hostility: random.pick([0, 0.05, 0.3]),
    rule: drawRule(random, thresholdNs),
    guard: guardOf(thresholdNs, agentCount),
    isCalm: false,
  };
}

/** Of three lives two have one; a draw would change all that comes after it. */
function guardOf(thresholdNs: number, agentCount: number): GuardSettings | undefined {
  const lot = thresholdNs % 12;
  if (lot >= 8) return undefined;
  return {
    isOn: true,
    share: [0.2, 0.5][lot % 2]!,
    membersMin: [2, Math.ceil(agentCount / 8)][lot >> 2]!,
    windowNs: lot % 4 < 2 ? undefined : 2 * thresholdNs,
  };
}

/** Other terms for the rule; one that knows no late goes on without one. */
export function drawTerms(random: Random, { lateNs }: ScenarioRule, thresholdNs: number) {
  const ownNs = Math.round(random.pick([0.4, 0.9, 1, 2.5]) * thresholdNs) + random.below(1_000);
  const late = lateNs === Number.POSITIVE_INFINITY ? lateNs : random.pick([0.3, 0.8]);
  const graceNs = Math.round(random.pick([0, 0, 0.6, 4]) * ownNs);
  return { thresholdNs: ownNs, lateNs: Math.round(late * ownNs), graceNs };
}

function drawRule(random: Random, thresholdNs: number): ScenarioRule | undefined {
  if (random.chance(0.3)) return undefined;
  const ownNs = Math.round(random.pick([0.4, 0.9, 1, 2.5]) * thresholdNs) + random.below(1_000);
  const late = random.pick([Number.POSITIVE_INFINITY, 0.3, 0.8]);
  return {
    thresholdNs: ownNs,
    lateNs: Math.round(late * ownNs),
    graceNs: Math.round(random.pick([0, 0, 0.6, 4]) * ownNs),
    debounceNs: random.pick([undefined, 0, Math.round(4.5 * thresholdNs)]),
  };
}
