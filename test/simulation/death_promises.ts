// What following ends promises (spec 14), checked from outside: only what is reported and what is
// true of the simulated processes goes in. Each end is reported once, a clean or replaced one is no
// stall, an unclean one is one stall and not before its deadline, nobody who beats is stalled, and
// a newcomer excuses one end.
import { exitStatusOf, signalOf } from "../../src/base/wait_status.ts";
import type { ExpectedReports } from "../../src/agents/expected_agents.ts";
import type { AgentComplete, AgentMissing } from "../../src/events/expected_members.ts";
import { endedAs, type MemberExit, type MemberGone } from "../../src/events/member_end.ts";
import type { MemberLate } from "../../src/events/member_late.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { EndReports } from "../../src/daemon/end_options.ts";
import { same, SimulationFailure } from "./failure.ts";

/** One process from its start to its end; times are of the simulated clock. */
export interface Life {
  readonly pid: number;
  readonly generation: number;
  readonly unit: string;
  readonly startedNs: number;
  endedNs: number;
  reapedNs: number;
  /** As wait(2) writes it. */
  waitStatus: number;
  hasBeaten: boolean;
  firstBeatNs: number;
  lastBeatNs: number;
  nextBeatNs: number;
  hangs: boolean;
  /** Else it was reaped before it could be watched. */
  wasWatched: boolean;
  /** It ended because its unit was told to stop. */
  wasStopped: boolean;
  /** When the daemon saw that it had ended. */
  seenNs: number;
  /** The kernel said how it ended, in time. */
  isStatusKnown: boolean;
}

interface Told {
  readonly life: Life;
  exits: number;
  gone: MemberGone["reason"] | undefined;
  /** Stalls, and how many of these before its end. */
  stalls: number;
  /** It was stalled when its end was decided. */
  stalledBefore: boolean;
  /** Last beat before the silence that was told as late; NaN = none was. */
  lateSinceNs: number;
}

/** What the rule of one unit says. */
interface RuleTerms {
  readonly lateNs: number;
  readonly graceNs: number;
  readonly expected: number;
  readonly expectGraceNs: number;
}

/** Start times have no finer steps. */
const TICK_NS = 1e7;
/** One that was over sooner, and before it could be watched, is no member. */
const BRIEF_LIFE_NS_MAX = 1e9;

export class DeathPromises implements EndReports, ExpectedReports {
  nowNs = 0;
  readonly counts = { clean: 0, unclean: 0, unknown: 0, replaced: 0, brief: 0 };
  /** Ends that are clean because the unit was stopped. */
  stopped = 0;
  /** Members told late; agents told missing and complete. */
  readonly owed = { late: 0, missing: 0, complete: 0 };
  readonly #thresholdNs: number;
  readonly #unit: string;
  readonly #rule: RuleTerms;
  /** Of this turn. */
  readonly #changes: string[] = [];
  /** The slow twin of who is missing: since when there are too few, and whether that was told. */
  #tooFewSinceNs = 0;
  #isMissing = false;
  readonly #told = new Map<string, Told>();
  readonly #byPid = new Map<number, Told>();
  readonly #excusers = new Set<Life>();

  /** Members of `unit` have the rule. */
  constructor(thresholdNs: number, unit: string, rule: RuleTerms) {
    this.#thresholdNs = thresholdNs;
    this.#unit = unit;
    this.#rule = rule;
  }

  started(life: Life): void {
    const told = {
      life,
      exits: 0,
      gone: undefined,
      stalls: 0,
      stalledBefore: false,
      lateSinceNs: Number.NaN,
    };
    this.#told.set(keyOf(life), told);
    this.#byPid.set(life.pid, told);
  }

  exited(exit: MemberExit): void {
    const told = this.#ended(exit);
    const { life } = told;
    told.exits += 1;
    told.stalledBefore = told.stalls > 0;
    this.counts[exit.how] += 1;
    same("promise: an end is reported once", 1, told.exits);
    const isUnknown = Number.isNaN(exit.exitStatus) && Number.isNaN(exit.signal);
    same("promise: unknown is what has no status", isUnknown, exit.how === "unknown");
    if (!isUnknown) this.#isStatusOf(life, exit);
    const isClean = !isUnknown && isCleanStatus(life.waitStatus);
    if (isClean)
      same("promise: a clean end is unclean of a stalled one only", true, told.stalls > 0);
  }

  gone(gone: MemberGone): void {
    const told = this.#ended(gone);
    same("promise: gone is reported once", undefined, told.gone);
    same("promise: no end of a stalled member is gone", 0, told.stalls);
    told.gone = gone.reason;
    this.counts[endedAs(gone.reason)] += 1;
    if (gone.reason === "brief") {
      same("promise: a brief life was not watched", false, told.life.wasWatched);
      same("promise: a brief end is no exit", 0, told.exits);
      const livedNs = told.life.endedNs - told.life.startedNs;
      if (livedNs >= BRIEF_LIFE_NS_MAX)
        throw new SimulationFailure("promise: a brief life", BRIEF_LIFE_NS_MAX, livedNs);
      return;
    }
    if (gone.reason === "clean") {
      const { waitStatus, wasStopped } = told.life;
      const isUnknown = Number.isNaN(gone.exitStatus) && Number.isNaN(gone.signal);
      if (!isUnknown) this.#isStatusOf(told.life, gone);
      const isClean = !isUnknown && isCleanStatus(waitStatus);
      same("promise: a clean end was clean, or its unit stopped", true, isClean || wasStopped);
      if (!isClean) this.stopped += 1;
      same("promise: a clean end is no exit", 0, told.exits);
      return;
    }
    same("promise: a replaced one was reported as ended", 1, told.exits);
    this.#mayExcuse(this.#byPid.get(gone.byPid)!.life, told.life);
  }

  onLate({ pid, generation, observerNs, lastNs }: MemberLate): void {
    const told = this.#told.get(keyOf({ pid, generation }))!;
    const { life } = told;
    this.owed.late += 1;
    same("promise: only the members of the rule are late", this.#unit, life.unit);
    same("promise: a silence is told late once", false, told.lateSinceNs === lastNs);
    same("promise: one that is told to have ended is not late", 0, told.exits);
    same("promise: one that is stalled is not late", 0, told.stalls);
    told.lateSinceNs = lastNs;
    this.#isJudgedInTime(life, observerNs, this.#rule.lateNs);
  }

  missing({ members, expected }: AgentMissing): void {
    this.#changes.push(`missing ${members} of ${expected}`);
  }

  complete({ members, expected }: AgentComplete): void {
    this.#changes.push(`complete ${members} of ${expected}`);
  }

  /** Nobody is late and not told, and who is missing is what a walk over all members says. */
  endTurn(): void {
    const { lateNs, graceNs, expected, expectGraceNs } = this.#rule;
    let members = 0;
    for (const { life, exits, gone, stalls, lateSinceNs } of this.#told.values()) {
      if (life.unit !== this.#unit || !life.hasBeaten || exits > 0 || gone !== undefined) continue;
      members += 1;
      const dueNs = Math.max(life.lastBeatNs + lateNs, life.firstBeatNs + graceNs);
      const isOwed = dueNs <= this.nowNs && stalls === 0;
      if (isOwed) same("promise: no late is missed", life.lastBeatNs, lateSinceNs);
    }
    const wanted: string[] = [];
    this.#tooFewSinceNs = members < expected ? Math.min(this.#tooFewSinceNs, this.nowNs) : Infinity;
    if (this.#isMissing && members >= expected) wanted.push("complete");
    if (!this.#isMissing && this.nowNs - this.#tooFewSinceNs >= expectGraceNs)
      wanted.push("missing");
    for (const word of wanted) {
      this.#isMissing = word === "missing";
      this.owed[word as "missing" | "complete"] += 1;
    }
    const told = wanted.map((word) => `${word} ${members} of ${expected}`);
    same("promise: who is missing", told.join(), this.#changes.splice(0).join());
  }

  #isJudgedInTime(life: Life, observerNs: number, silenceNs: number): void {
    const graceNs = life.unit === this.#unit ? this.#rule.graceNs : 0;
    const notBeforeNs = Math.max(life.lastBeatNs + silenceNs, life.firstBeatNs + graceNs);
    if (observerNs < notBeforeNs)
      throw new SimulationFailure("promise: nobody is judged early", notBeforeNs, observerNs);
  }

  onStall(stall: Stall): void {
    const told = this.#told.get(keyOf(stall));
    if (told === undefined)
      throw new SimulationFailure("promise: a member stalls", "one", stall.pid);
    const { life } = told;
    told.stalls += 1;
    same(`promise: one stall of pid ${stall.pid}`, 1, told.stalls);
    same("promise: no stall of one that is gone", undefined, told.gone);
    this.#isJudgedInTime(life, stall.observerNs, this.#thresholdNs);
    const hasEnded = life.endedNs <= this.nowNs;
    same(
      "promise: the verdict of a stall",
      hasEnded && told.exits > 0 ? "exited" : "hung",
      stall.verdict?.verdict,
    );
  }

  /** All processes have ended, and every deadline has passed. */
  finish(): void {
    for (const { life, exits, gone, stalls } of this.#told.values()) {
      if (!life.hasBeaten) continue;
      const what = `pid ${life.pid} of ${life.generation}`;
      if (gone === undefined) same(`promise: the end of ${what} is reported`, 1, exits);
      if (!life.wasWatched && life.endedNs - life.startedNs < BRIEF_LIFE_NS_MAX - TICK_NS)
        same(`promise: ${what} was brief`, "brief", gone);
      same(`promise: ${what} stalls unless it is gone`, gone === undefined ? 1 : 0, stalls);
    }
  }

  #ended({ pid, generation }: Pick<MemberExit, "pid" | "generation">): Told {
    const told = this.#told.get(keyOf({ pid, generation }));
    if (told === undefined || told.life.endedNs > this.nowNs)
      throw new SimulationFailure("promise: only what has ended is reported", "an end", pid);
    return told;
  }

  #isStatusOf(life: Life, { exitStatus, signal }: Pick<MemberExit, "exitStatus" | "signal">): void {
    const bySignal = signalOf(life.waitStatus);
    same("promise: the signal of an end", bySignal === 0 ? Number.NaN : bySignal, signal);
    same(
      "promise: the status of an end",
      bySignal === 0 ? exitStatusOf(life.waitStatus) : Number.NaN,
      exitStatus,
    );
  }

  #mayExcuse(newcomer: Life, ended: Life): void {
    same("promise: a newcomer excuses one end", false, this.#excusers.has(newcomer));
    this.#excusers.add(newcomer);
    same("promise: a newcomer is of the same unit", ended.unit, newcomer.unit);
    same("promise: a newcomer has beaten", true, newcomer.hasBeaten);
    same("promise: a newcomer is younger", true, newcomer.startedNs > ended.startedNs);
  }
}

function keyOf({ pid, generation }: { readonly pid: number; readonly generation: number }): string {
  return `${pid} ${generation}`;
}

/** Those that the policy of this world calls clean. */
function isCleanStatus(waitStatus: number): boolean {
  const signal = signalOf(waitStatus);
  return signal === 0 ? [0, 143].includes(exitStatusOf(waitStatus)) : signal === 15;
}
