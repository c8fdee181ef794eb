// Recoveries in progress, from their first step to their result: steps in order, waits,
// verification and retries (spec 10 section 3). Before every action after the first it is asked
// again whether the stall still holds; a beat of the agent ends what is left. At most one recovery
// for each agent, each with at most one deadline; nothing here waits.
import { RECOVERY_EVALUATIONS_PER_TURN_MAX, RECOVERY_HOLD_LOOK_NS } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { NS_PER_S } from "../base/time.ts";
import type { CompleteOutcome, SequenceEnd } from "../events/outcome.ts";
import { sameLineage } from "../processes/generation.ts";
import { DeadlineHeap } from "../tables/deadline_heap.ts";
import { type AgentHost, HOLDER_NONE } from "./agent_host.ts";
import { type Freshness, stalenessReason } from "./checks.ts";
import type { Child } from "./children/child.ts";
import { Endings, STALE_ENDS } from "./endings.ts";
import { type History, type Room, WINDOW_OPEN } from "./history.ts";
import type { Step } from "./plan.ts";
import type { Reporter } from "./reporter.ts";
import {
  PHASE_PARKED,
  PHASE_READY,
  PHASE_RUNNING,
  PHASE_VERIFYING,
  PHASE_WAITING,
  type Sequence,
} from "./sequence.ts";
import {
  STEP_ASKING,
  STEP_DEFERRED,
  STEP_DONE,
  STEP_FAILED,
  STEP_IN_FLIGHT,
  STEP_RUNNING,
  STEP_WAITING,
  type StepActions,
} from "./step_actions.ts";
import { type Newcomer, placeOf } from "./successors.ts";
import type { UnitLookup } from "./unit_lookups.ts";

interface SequencesOptions {
  readonly history: History;
  readonly actions: StepActions;
  readonly host: AgentHost;
  readonly freshness: Freshness;
  readonly reporter: Reporter;
  /** At most so many recoveries are in progress. */
  readonly room: Room;
}

/**
 * Between two searches for the successor of a process that is gone, which does not announce itself.
 */
const SUCCESSOR_LOOK_NS = NS_PER_S;

export class Sequences {
  readonly #options: SequencesOptions;
  readonly #endings: Endings;
  readonly #byKey = new Map<number, Sequence>();
  readonly #deadlines = new DeadlineHeap<Sequence>();
  /** Those whose next step, or next try, waits for its place in a turn, the oldest first. */
  readonly #ready = new Set<Sequence>();
  /** Those that wait for an answer of the service manager. */
  readonly #asking = new Map<UnitLookup, Sequence[]>();

  constructor(options: SequencesOptions) {
    this.#options = options;
    this.#endings = new Endings(options.reporter, options.history);
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** A recovery of the member is in progress, or waits to begin. */
  has(key: number): boolean {
    return this.#byKey.has(key);
  }

  /** The recovery of the member that has begun; undefined = none has. */
  running(key: number): Sequence | undefined {
    const sequence = this.#byKey.get(key);
    return sequence === undefined || sequence.phase === PHASE_PARKED ? undefined : sequence;
  }

  /** True if one more may be in progress, or takes the place of an older one of its agent. */
  hasRoomFor(key: number): boolean {
    return this.#byKey.size < this.#options.room.capacity || this.#byKey.has(key);
  }

  /** Recoveries whose next step waits for its place in a turn. */
  get readyCount(): number {
    return this.#ready.size;
  }

  /**
   * Begins a recovery with the steps that can be done now, at most one spawn attempt among them. An
   * older one of the same agent is void: there was a beat between two stalls. One that was tried
   * before goes on with its next step. False if none of its steps could be done yet: it is as if it
   * had never begun.
   */
  begin(sequence: Sequence, nowNs: number): boolean {
    const older = this.#byKey.get(sequence.key);
    if (older !== undefined) {
      this.#endings.replaced(older, sequence.stall.generation, nowNs);
      this.remove(older);
    }
    this.#byKey.set(sequence.key, sequence);
    this.#proceed(sequence, 1, nowNs);
    return sequence.hasActed || this.#ready.has(sequence);
  }

  /**
   * Keeps a recovery that may not begin yet until it is decided again: from `untilNs` on it waits
   * as the others do for its place in a turn. Not beside another one of its agent.
   */
  park(sequence: Sequence, untilNs: number): void {
    if (this.#byKey.has(sequence.key) || !this.hasRoomFor(sequence.key)) return;
    this.#byKey.set(sequence.key, sequence);
    this.#enter(sequence, PHASE_PARKED, untilNs);
  }

  /** It was decided again: if it is not in progress any more, that is what it came to. */
  decidedAgain(sequence: Sequence, nowNs: number): void {
    if (this.#byKey.get(sequence.key) !== sequence) this.#endings.dropped(sequence, nowNs);
  }

  /** A child is over. */
  childEnded(child: Child, outcome: CompleteOutcome, nowNs: number): void {
    const sequence = this.#byKey.get(child.key);
    if (sequence?.child !== child || sequence.phase !== PHASE_RUNNING) return;
    sequence.notes.ended(outcome);
    if (outcome.label === "reaped_zero") this.#finish(sequence, "succeeded", nowNs);
    else if (sequence.nextStep === undefined) this.#finish(sequence, "exhausted", nowNs);
    else this.#makeReady(sequence);
  }

  /** The service manager has answered: the recoveries that wait for it go on. */
  answered(lookup: UnitLookup): void {
    for (const sequence of this.#asking.get(lookup) ?? []) {
      const isCurrent = this.#byKey.get(sequence.key) === sequence;
      if (!isCurrent || sequence.unitLookup !== lookup || !this.#deadlines.has(sequence)) continue;
      this.#deadlines.remove(sequence);
      if (sequence.phase === PHASE_PARKED) this.#ready.add(sequence);
      else this.#makeReady(sequence);
    }
    this.#asking.delete(lookup);
  }

  /**
   * A beat of `key` came back: what is left of its recovery is dropped. A child that runs goes on.
   */
  resumed(key: number, generation: number, nowNs: number): void {
    const sequence = this.#byKey.get(key);
    if (sequence === undefined || !sameLineage(sequence.stall.generation, generation)) return;
    const hasBegun = sequence.phase !== PHASE_PARKED;
    if (hasBegun && sequence.phase !== PHASE_VERIFYING)
      this.#options.reporter.ended(sequence, "agent_resumed", nowNs);
    if (hasBegun) this.#endings.helped(sequence, nowNs);
    else this.#endings.notNeeded(sequence, nowNs);
    this.remove(sequence);
  }

  /**
   * A member has begun to beat. True if it is the successor of one that is being recovered: that
   * has helped, now if the process of that is gone, or as soon as it is.
   */
  came(newcomer: Newcomer, nowNs: number): boolean {
    const sequence = placeOf(newcomer, this.#byKey.values());
    if (sequence === undefined) return false;
    sequence.successorPid = newcomer.pid;
    if (this.#isGone(sequence)) {
      if (sequence.phase !== PHASE_VERIFYING)
        this.#options.reporter.ended(sequence, "agent_resumed", nowNs);
      this.#succeeded(sequence, nowNs);
    } else if (sequence.phase === PHASE_VERIFYING) this.#lookAgain(sequence, nowNs);
    return true;
  }

  /** Ends everything in progress, children aside. Returns the keys of those members. */
  stop(nowNs: number): number[] {
    this.#asking.clear();
    const keys = [...this.#byKey.keys()];
    for (const sequence of this.#byKey.values()) {
      const isVerdictDue = [PHASE_VERIFYING, PHASE_PARKED].includes(sequence.phase);
      this.#endings.stopped(sequence, !isVerdictDue, nowNs);
      this.remove(sequence);
    }
    return keys;
  }

  /** To be walked once in a turn, the oldest first: it begins by passing all that left since. */
  get ready(): Iterable<Sequence> {
    return this.#ready;
  }

  /** Its place in a turn has come: it goes on with at most `spawnsMax` spawn attempts. */
  goOn(sequence: Sequence, spawnsMax: number, nowNs: number): void {
    this.#ready.delete(sequence);
    this.#proceed(sequence, spawnsMax, nowNs);
  }

  /** It is in progress no more. */
  remove(sequence: Sequence): void {
    this.#options.history.over();
    this.#deadlines.remove(sequence);
    this.#ready.delete(sequence);
    if (this.#byKey.get(sequence.key) === sequence) this.#byKey.delete(sequence.key);
  }

  /** Observer time of the next work: 0 = now, Infinity = none. */
  nextDeadlineNs(): number {
    if (this.#ready.size > 0) return 0;
    return this.#deadlines.head?.deadlineNs ?? Infinity;
  }

  /** Takes what is due. What has a process waits until `heldUntilNs`, unless somebody asked. */
  takeDue(nowNs: number, heldUntilNs: number): void {
    for (let taken = 0; taken < RECOVERY_EVALUATIONS_PER_TURN_MAX; taken++) {
      const sequence = this.#deadlines.head;
      if (sequence === undefined || sequence.deadlineNs > nowNs) return;
      if (heldUntilNs > nowNs && !sequence.isByHand && !this.#isGone(sequence)) {
        this.#deadlines.set(sequence, heldUntilNs);
        continue;
      }
      this.#deadlines.remove(sequence);
      if (sequence.phase === PHASE_VERIFYING) this.#verify(sequence, nowNs);
      else if (sequence.phase === PHASE_PARKED) this.#ready.add(sequence);
      else this.#afterWait(sequence, nowNs);
    }
  }

  #afterWait(sequence: Sequence, nowNs: number): void {
    if (sequence.nextStep === undefined) this.#finish(sequence, "exhausted", nowNs);
    else this.#makeReady(sequence);
  }

  /** Steps, until one of them takes time or the share of spawns is used up. */
  #proceed(sequence: Sequence, spawnsMax: number, nowNs: number): void {
    const { actions } = this.#options;
    const attempts = actions.spawnAttempts;
    for (;;) {
      const spawns = actions.spawnAttempts - attempts;
      const step = sequence.nextStep;
      if (step === undefined) {
        this.#finish(sequence, "exhausted", nowNs);
        return;
      }
      if (spawns >= spawnsMax && actions.spawnsNext(sequence)) {
        this.#makeReady(sequence);
        return;
      }
      if (sequence.stepNumber > 0 && !this.#mayGoOn(sequence, nowNs)) return;
      const result = actions.run(sequence, nowNs);
      if (!this.#goesOnAfter(sequence, step, result, nowNs)) return;
    }
  }

  #goesOnAfter(sequence: Sequence, step: Step, result: number, nowNs: number): boolean {
    if (result === STEP_DEFERRED || result === STEP_ASKING) {
      this.#tryAgain(sequence);
      if (result === STEP_ASKING) this.#awaitAnswer(sequence);
      return false;
    }
    if (result !== STEP_FAILED && result !== STEP_IN_FLIGHT) sequence.hasActed = true;
    if (result === STEP_DONE || result === STEP_FAILED) return true;
    if (result === STEP_IN_FLIGHT) this.#finish(sequence, "unit_in_flight", nowNs);
    else if (result === STEP_RUNNING) sequence.phase = PHASE_RUNNING;
    else if (result === STEP_WAITING && step.kind === "wait") {
      this.#enter(sequence, PHASE_WAITING, nowNs + step.waitNs);
    }
    return false;
  }

  /** One that has not begun is decided again: until then it counts for nothing. */
  #tryAgain(sequence: Sequence): void {
    const hasBegun = sequence.hasActed || sequence.hasBegun;
    sequence.isPutOff = !hasBegun;
    this.#enter(sequence, hasBegun ? PHASE_WAITING : PHASE_PARKED, sequence.nextTryNs);
  }

  #awaitAnswer(sequence: Sequence): void {
    const lookup = sequence.unitLookup!;
    const asking = this.#asking.get(lookup);
    if (asking === undefined) this.#asking.set(lookup, [sequence]);
    else asking.push(sequence);
  }

  /** Whether the stall still holds, and the agent's unit has not come back by itself. */
  #mayGoOn(sequence: Sequence, nowNs: number): boolean {
    const { key, generation } = sequence.stall;
    const stale = stalenessReason(this.#options.freshness(key, generation));
    if (stale === "beats_refused") {
      this.#enter(sequence, PHASE_WAITING, nowNs + RECOVERY_HOLD_LOOK_NS);
      return false;
    }
    // Whoever forced it knew that it beats.
    const isKnown = sequence.isForced && stale === "skipped_agent_resumed";
    if (stale !== undefined && !isKnown) {
      this.#finish(sequence, STALE_ENDS[stale], nowNs);
      return false;
    }
    if (sequence.isPidGone && this.#options.host.holderOf(sequence.pid) !== HOLDER_NONE) {
      this.#finish(sequence, "pid_recycled", nowNs);
      return false;
    }
    if (!this.#hasSuccessor(sequence)) return true;
    this.#options.reporter.ended(sequence, "agent_resumed", nowNs);
    this.#succeeded(sequence, nowNs);
    return false;
  }

  /** The steps are over. */
  #finish(sequence: Sequence, end: SequenceEnd, nowNs: number): void {
    const { verifyWithinNs } = sequence.plan.settings;
    const isOver = end === "agent_resumed";
    const isAwaited = !isOver && sequence.hasActed && verifyWithinNs !== undefined;
    this.#endings.stepsOver(sequence, end, isAwaited, nowNs);
    if (isAwaited) {
      sequence.verifyEndNs = nowNs + verifyWithinNs;
      this.#lookAgain(sequence, nowNs);
    } else if (isOver || sequence.hasActed || !this.#parkAgain(sequence, nowNs)) {
      this.remove(sequence);
    }
  }

  #lookAgain(sequence: Sequence, nowNs: number): void {
    const { unit, successorPid } = sequence;
    const looks = unit !== undefined || !Number.isNaN(successorPid);
    const lookNs = looks ? nowNs + SUCCESSOR_LOOK_NS : Infinity;
    this.#enter(sequence, PHASE_VERIFYING, Math.min(sequence.verifyEndNs, lookNs));
  }

  #verify(sequence: Sequence, nowNs: number): void {
    if (this.#hasSuccessor(sequence)) {
      this.#succeeded(sequence, nowNs);
      return;
    }
    if (nowNs < sequence.verifyEndNs) {
      this.#lookAgain(sequence, nowNs);
      return;
    }
    const isUnknown = sequence.unit === undefined && this.#isGone(sequence);
    this.#endings.unhelped(sequence, isUnknown, nowNs);
    if (isUnknown || !this.#parkAgain(sequence, nowNs)) this.remove(sequence);
  }

  #succeeded(sequence: Sequence, nowNs: number): void {
    const { successorPid: pid, unit } = sequence;
    this.#endings.helped(sequence, nowNs, { pid, unit: unit?.name ?? "" });
    this.remove(sequence);
  }

  /** A recovery that failed begins again, as another one, when it may. False if it may not. */
  #parkAgain(sequence: Sequence, nowNs: number): boolean {
    const retryNs = this.#retryNs(sequence, nowNs);
    sequence.isPutOff = false;
    if (retryNs === undefined) return false;
    this.#enter(sequence, PHASE_PARKED, retryNs);
    return true;
  }

  #retryNs({ stall, paceKey, plan }: Sequence, nowNs: number): number | undefined {
    const { history } = this.#options;
    const { retry, verifyWithinNs = 0, debounceNs } = plan.settings;
    if (!retry) return undefined;
    const window = history.checkWindow(stall.key, stall.generation, nowNs, debounceNs);
    const debouncedNs = window === WINDOW_OPEN ? nowNs + debounceNs : nowNs;
    return Math.max(debouncedNs, history.nextNs(paceKey), nowNs + verifyWithinNs);
  }

  /** The process is gone, and one of its agent or unit that came after it beats. */
  #hasSuccessor(sequence: Sequence): boolean {
    const { unit, startGeneration, successorPid } = sequence;
    const mayHave = unit !== undefined || !Number.isNaN(successorPid);
    if (!mayHave || !this.#isGone(sequence)) return false;
    if (unit === undefined || !Number.isNaN(successorPid)) return true;
    return this.#options.host.hasSuccessor(unit, startGeneration);
  }

  #isGone({ stall, isPidGone }: Sequence): boolean {
    if (isPidGone) return true;
    if (stall.origin !== ORIGIN_KERNEL_ATTESTED || Number.isNaN(stall.generation)) return false;
    return !this.#options.host.isAlive(stall.pid, stall.generation);
  }

  #makeReady(sequence: Sequence): void {
    sequence.phase = PHASE_READY;
    this.#ready.add(sequence);
  }

  #enter(
    sequence: Sequence,
    phase: typeof PHASE_WAITING | typeof PHASE_VERIFYING | typeof PHASE_PARKED,
    deadlineNs: number,
  ): void {
    sequence.phase = phase;
    this.#deadlines.set(sequence, deadlineNs);
  }
}
