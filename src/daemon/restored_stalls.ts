// Stalls that last from one daemon to the next (spec 18 section 6): what is kept of each, and how
// the next one goes on with it. Nothing is said again. What was not decided about it is decided,
// and a recovery that was under way at a kill is reported: how its step went is not known.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { NS_PER_MS } from "../base/time.ts";
import { NOTHING_FOUND, type StallVerdict } from "../events/stall_verdict.ts";
import type { Stall } from "../events/stall.ts";
import { isUnderWay, type NotedRecovery } from "../recovery/fired_notes.ts";
import type { MemberRecord, MissingRecord } from "../snapshot/records.ts";
import type { RestoredMember, RestoredMembers } from "../snapshot/restored_members.ts";
import type { StallRecord } from "../tracker/member_records.ts";
import type { Parts } from "./parts.ts";
import type { RestoredState } from "./restored_state.ts";
import { restoreHistories, restoreNotes } from "./told_records.ts";

type StallParts = Pick<
  Parts,
  | "observer"
  | "events"
  | "notes"
  | "metrics"
  | "recovery"
  | "reports"
  | "muting"
  | "expected"
  | "clock"
>;

/**
 * A note has whole milliseconds of a wall clock, and a recovery may begin in the turn of its stall:
 * by so much it may seem to be older. Two stalls of one process are a threshold of 10 ms apart.
 */
const NOTE_NS_OFF_MAX = 5 * NS_PER_MS;
const NO_STALL: StallRecord = { verdict: "", stalledNs: Number.NaN, isRecovering: false };

/** What the next daemon has to know of the stall of a slot. */
export function stallRecordOf(
  slot: number,
  { observer, notes, recovery }: StallParts,
): StallRecord {
  const { slots, table } = observer.tracker;
  if (!slots.isLatched(slot)) return NO_STALL;
  const key = slots.key[slot]!;
  const note = notes.noteOf(key, slots.generation[slot]!);
  const isGuarded = observer.silence.guarded?.recoveries.has(key) === true;
  const isRecovering = isGuarded || recovery.isRecovering(key);
  if (note !== undefined) {
    const { verdict = "", sinceNs } = note;
    return { verdict, stalledNs: sinceNs, isRecovering };
  }
  // It waits to be reported, or did so when a shutdown began, and the next daemon must do that; or
  // there are too many for notes.
  const isWaiting = observer.hasPendingStalls() || notes.isWhole;
  const stalledNs = isWaiting ? Number.NaN : slots.lastNs[slot]! + table.lanes.thresholdOf(slot);
  return { verdict: "", stalledNs, isRecovering };
}

/** Agents that are missing, with whether that was reported. */
export function* missingRecords({
  expected,
  observer,
  muting,
}: Pick<StallParts, "expected" | "observer" | "muting">): Iterable<MissingRecord> {
  const { agents } = observer.tracker.table;
  for (const number of expected.numbers) {
    const sinceNs = expected.missingSinceNs(number);
    if (Number.isNaN(sinceNs)) continue;
    yield { agent: agents.nameOf(number), sinceNs, isTold: muting.wasMissingTold(number) };
  }
}

interface GoesOn {
  /** Keeps it for the line of its return. */
  readonly exported: ((stall: Stall) => void) | undefined;
  /** Recoveries that the daemon before this one noted. */
  readonly noted: readonly NotedRecovery[];
}

/** Before the first turn, when each member has its name. */
export function restoreStalls(
  parts: StallParts,
  restored: RestoredState,
  { exported, noted }: GoesOn,
): void {
  const { recovery, reports, observer, metrics, notes, clock } = parts;
  const { members, missing, graces } = restored;
  restoreHistories(parts, restored);
  const ofNow = noted.filter(({ isSameBoot }) => isSameBoot);
  const fired = new Map(ofNow.map((one) => [processOf(one), one]));
  const stalled = [...concerned(members, ofNow)].flatMap((one) => stallOf(one, fired, parts));
  for (const { stall, isTold, isOpen, hasEnded } of stalled.toSorted(bySince)) {
    const { slots } = observer.tracker;
    if (slots.isLatched(observer.tracker.slotOf(stall.key))) {
      reports.restored({ ...stall, isMuted: !isTold });
      metrics.onRestored(stall);
      exported?.(stall);
      if (!isOpen && !recovery.held.has(stall.key)) notes.decided(stall.key);
      // Those of muted agents are held already.
      if (isOpen && !recovery.held.has(stall.key))
        recovery.held.restore(stall, true, decidedFromNs(stall, hasEnded, clock.lastNs));
    }
  }
  restoreNotes(parts, restored);
  restoreMissing(parts, missing);
  parts.expected.restoreGraces(graces, clock.lastNs);
}

/** Reports of recoveries that were under way when the daemon was killed. */
export function reportInterrupted(
  { observer, recovery, notes, clock }: StallParts,
  noted: readonly NotedRecovery[],
): void {
  const { tracker } = observer;
  for (const one of noted.filter(isUnderWay)) {
    const slot = tracker.slotOf(one.key);
    const isIts = slot >= 0 && Object.is(tracker.slots.generation[slot], one.generation);
    if (isIts) notes.began(one.key, one.progress!.recoveryId);
    recovery.notes.interrupted(one, isIts ? tracker.slots.agent[slot]! : AGENT_NEW, clock.lastNs);
  }
  recovery.notes.settle();
}

interface LastingStall {
  readonly stall: Stall;
  readonly isTold: boolean;
  /** Something may be done about it yet. */
  readonly isOpen: boolean;
  /** Its process is known to have ended. */
  readonly hasEnded: boolean;
}

/**
 * From when on something may be done about a stall of before. It may be over: that it beat again is
 * lost if the daemon was killed right then, so it has its threshold from the start to show that.
 */
export function decidedFromNs(
  { thresholdNs }: Pick<Stall, "thresholdNs">,
  hasEnded: boolean,
  startNs: number,
): number {
  return hasEnded ? startNs : startNs + thresholdNs;
}

/** Those that are stalled, or were recovered: few of all. */
function* concerned(
  members: RestoredMembers,
  noted: readonly NotedRecovery[],
): Iterable<RestoredMember> {
  if (noted.length === 0 && !members.haveStalls) return;
  const isStalled = members.rows.u8("isStalled");
  const keys = members.rows.u32("key");
  const recovered = new Set(noted.map(({ key }) => key));
  const { rowOf } = members;
  for (let place = 0; place < rowOf.length; place++)
    if (isStalled[rowOf[place]!] === 1 || recovered.has(keys[rowOf[place]!]!))
      yield members.at(place);
}

function stallOf(
  { record, stalledNs, diedUnseen }: RestoredMember,
  fired: ReadonlyMap<string, NotedRecovery>,
  { observer, recovery }: StallParts,
): LastingStall[] {
  const { tracker, silence } = observer;
  const slot = tracker.slotOf(record.key);
  if (slot < 0) return [];
  const last = fired.get(processOf(record));
  // The state was taken before its stall: what was done about it was noted since.
  const isNewer = !record.isStalled && last?.isAfterState === true;
  if (isNewer && !tracker.slots.isLatched(slot)) tracker.table.latch(slot);
  if (!record.isStalled && !isNewer) return [];
  const sinceNs = isNewer ? last.firedNs : stalledNs;
  const stall = { ...silence.stalls.rowOf(slot, sinceNs), ...verdictField(record) };
  const wasTried = last !== undefined && last.firedNs >= sinceNs - NOTE_NS_OFF_MAX;
  const isOpen = record.isRecovering || isNewer;
  const mayRetry = !wasTried || recovery.planOf(stall).settings.retry;
  const isTold = isNewer || record.held !== "untold";
  const hasEnded = diedUnseen || record.hasEnded;
  return [{ stall, isTold, isOpen: isOpen && mayRetry, hasEnded }];
}

function verdictField({ verdict }: MemberRecord): { verdict?: StallVerdict } {
  return verdict === "" ? {} : { verdict: { ...NOTHING_FOUND, verdict } };
}

function processOf({ key, generation }: Pick<NotedRecovery, "key" | "generation">): string {
  return `${key} ${generation}`;
}

function bySince(a: LastingStall, b: LastingStall): number {
  return a.stall.observerNs - b.stall.observerNs;
}

function restoreMissing(
  { expected, muting, observer }: StallParts,
  missing: readonly MissingRecord[],
): void {
  expected.restore(missing);
  const { agents } = observer.tracker.table;
  const untold = new Set(missing.flatMap(({ agent, isTold }) => (isTold ? [] : [agent])));
  for (const agent of expected.numbers) {
    if (!untold.has(agents.nameOf(agent))) continue;
    const members = agents.presentOf(agent);
    const expectedCount = expected.expectedOf(agent);
    const observerNs = expected.missingSinceNs(agent);
    muting.holdMissing({ observerNs, agent, members, expected: expectedCount, graceNs: 0 });
  }
}
