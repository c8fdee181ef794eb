// The recovery sink, read downwards: a turn takes stalls, has each decided (decider.ts), and
// begins, refuses or parks what was decided; then it looks after what began (sequences.ts,
// children/), each within its budget (spec 10). It never waits, never logs and never throws for
// what the system or a command does: each decision, each step and each child's end is reported as
// one outcome.
import { Counters, type ShowCounters } from "../base/counters.ts";
import { RECOVERY_EVALUATIONS_PER_TURN_MAX, RECOVERY_SPAWNS_PER_TURN_MAX } from "../base/limits.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import { BlindAgentHost } from "./agent_host.ts";
import { Outstanding } from "./children/outstanding.ts";
import { GIVEN_UP, RECOVERY, type RecoveryCounters } from "./counters.ts";
import { Decider } from "./decider.ts";
import type { Decision, RefuseDecision } from "./decision.ts";
import { FiredNotes } from "./fired_notes.ts";
import { History } from "./history.ts";
import type { Plan } from "./plan.ts";
import { Policies, type RecoverySettings } from "./policies.ts";
import { type ByHand, closedGate, type Gate, HandGates } from "./hand_gates.ts";
import { HeldStalls } from "./held_stalls.ts";
import { heldUntilNs } from "./guard_wait.ts";
import type { GuardGate, RecoveryOptions, WaitingStalls } from "./recovery_options.ts";
import { type Refusal, Reporter } from "./reporter.ts";
import { PHASE_PARKED, type Sequence } from "./sequence.ts";
import { Sequences } from "./sequences.ts";
import { StepActions } from "./step_actions.ts";
import { StormLimit } from "./storm_limit.ts";
import type { Newcomer } from "./successors.ts";
import { UnitLookups } from "./unit_lookups.ts";
import { UnitRestarts } from "./unit_restarts.ts";

/**
 * Spawns of a turn that recoveries in progress may take from new ones while steps of theirs wait,
 * so that neither starves.
 */
const RECOVERY_STEP_SPAWNS_PER_TURN_MAX = 8;

/** How far a recovery has come. */
export interface RecoveryPlace {
  readonly recoveryId: number;
  /** From 1. */
  readonly stepNumber: number;
  readonly stepCount: number;
}

export class Recovery {
  readonly counters: RecoveryCounters;
  /** Stalls that wait for the end of a mute. */
  readonly held: HeldStalls;
  readonly #policies: Policies;
  readonly history: History;
  readonly storm: StormLimit;
  readonly #reporter: Reporter;
  /** Also says how many members something is kept for. */
  readonly outstanding: Outstanding;
  readonly #lookups: UnitLookups;
  readonly #restarts: UnitRestarts;
  readonly #actions: StepActions;
  readonly #sequences: Sequences;
  readonly #decider: Decider;
  readonly #hand: HandGates;
  readonly #guard: GuardGate | undefined;
  /** Whose recovery a shutdown has ended; by the key of the tracker. */
  readonly #cutOff = new Set<number>();
  /** For the daemon after this one, and of the one before it. */
  readonly notes: FiredNotes;

  constructor(options: RecoveryOptions) {
    const { capacity, runner, freshness, unixMsAtStart, daemonEnv } = options;
    const { observerNamespaceInode, host = new BlindAgentHost(), monotonicNs = () => 0 } = options;
    const policies = new Policies(options);
    const outstanding = new Outstanding(capacity, runner, options.config);
    const counters = new Counters(RECOVERY, outstanding);
    const history = new History(outstanding, policies.longestMemory, counters);
    const reporter = new Reporter(counters, options.outcomes);
    const storm = new StormLimit(options.config);
    const lookups = new UnitLookups(runner);
    const restarts = new UnitRestarts(lookups);
    const shared = { counters, policies, history, reporter, outstanding, host, freshness };
    const actions = new StepActions({ ...shared, restarts, unixMsAtStart, daemonEnv, monotonicNs });
    this.counters = counters;
    this.#policies = policies;
    this.history = history;
    this.storm = storm;
    this.#reporter = reporter;
    this.outstanding = outstanding;
    this.#lookups = lookups;
    this.#restarts = restarts;
    this.#actions = actions;
    this.#sequences = new Sequences({ ...shared, actions, room: outstanding });
    this.#decider = new Decider({ ...shared, storm, observerNamespaceInode });
    this.notes = new FiredNotes({ history, storm, reporter, unixMsAtStart });
    const refused = (stall: Stall, reason: DecisionReason, nowNs: number): void => {
      if (this.isEnabled && !policies.planOf(stall).isEmpty)
        this.#reportRefusal(stall, { reason }, nowNs);
    };
    const { guard, isMuted } = options;
    this.#guard = guard;
    const held = new HeldStalls({ room: outstanding, isMuted, host, freshness, refused });
    this.held = held;
    const asked = { storm, held, guard, sequences: this.#sequences, observerNamespaceInode };
    this.#hand = new HandGates({ ...shared, ...asked });
  }

  /** True if something is configured and no shutdown has begun: stalls are decided. */
  get isEnabled(): boolean {
    return !this.#policies.isEmpty && !this.outstanding.isShutdown;
  }

  /**
   * Another configuration (spec 17 section 3): what runs, runs on with the plan that it has, and
   * what is remembered is held against the new figures.
   */
  change(settings: Pick<RecoverySettings, "config" | "plans">): void {
    this.#policies.change(settings);
    this.history.change(this.#policies.longestMemory);
    this.storm.change(settings.config);
    this.outstanding.change(settings.config);
  }

  /** The first half of a turn: takes stalls and decides them, as many as its budget allows. */
  decide(stalls: WaitingStalls, nowNs: number): void {
    this.#actions.beginTurn();
    for (let taken = 0; taken < RECOVERY_EVALUATIONS_PER_TURN_MAX && !stalls.isEmpty; taken++) {
      if (this.isEnabled && !this.#mayBegin()) {
        this.counters.add(RECOVERY.spawnBudgetExceeded);
        return;
      }
      const stall = stalls.take();
      // One that was reported before its agent was muted waits, too, and is not reported again.
      if (stall === undefined || this.held.hold(stall, true, nowNs)) continue;
      if (this.isEnabled) this.#decideOne(stall, nowNs);
    }
  }

  /** Of an agent of which nothing is ever done there is nothing to decide or to report. */
  #decideOne(stall: Stall, nowNs: number): void {
    if (this.#policies.planOf(stall).isEmpty) return;
    this.#carryOut(this.#decider.decide(stall, nowNs), nowNs);
  }

  /** The recovery of the member that has begun and is not over: nothing may be done to it. */
  runningOf(key: number): Readonly<Sequence> | undefined {
    return this.#sequences.running(key);
  }

  /** Where the recovery of the member is that has begun; undefined = none has. */
  placeOf(key: number): RecoveryPlace | undefined {
    const running = this.#sequences.running(key);
    if (running === undefined) return undefined;
    const { recoveryId, stepNumber, plan } = running;
    return { recoveryId, stepNumber: Math.max(1, stepNumber), stepCount: plan.steps.length };
  }

  /** What is done for the agent of a stall. */
  planOf(stall: Stall): Plan {
    return this.#policies.planOf(stall);
  }

  /** The gates of a recovery by hand, and what they find. */
  gatesOf(stall: Stall, nowNs: number): Gate[] {
    return this.#hand.gatesOf(stall, this.#decider.sequenceOf(stall, nowNs).paceKey, nowNs);
  }

  /**
   * Begins a recovery that somebody has asked for, if the gates that protect others are open;
   * `isForced`: also of a member that is not stalled.
   */
  byHand(stall: Stall, isForced: boolean, nowNs: number): ByHand {
    const sequence = this.#decider.sequenceOf(stall, nowNs);
    const gates = this.#hand.gatesOf(stall, sequence.paceKey, nowNs);
    const closed = this.isEnabled ? closedGate(gates, isForced)?.gate : "no_plan";
    if (closed !== undefined) return { gates, refused: closed, recoveryId: 0 };
    const inTheWay = this.outstanding.makeWay(stall, nowNs);
    if (inTheWay !== undefined) return { gates, refused: inTheWay.reason, recoveryId: 0 };
    sequence.isByHand = true;
    sequence.isForced = isForced;
    this.#carryOut({ kind: "begin", sequence }, nowNs);
    const { recoveryId } = sequence;
    // What waits for the service manager has no number yet, and goes on by itself.
    const isLost = recoveryId === 0 && !this.#sequences.has(stall.key);
    return { gates, refused: isLost ? "outstanding_capacity" : undefined, recoveryId };
  }

  /**
   * The second half: child exits, output, timeouts, due kills, and the next steps of recoveries in
   * progress, each within what the turn has left. Returns the exits handled.
   */
  reap(nowNs: number): number {
    const handled = this.outstanding.reap(nowNs);
    this.#takeChildEvents(nowNs);
    this.held.maintain(nowNs);
    if (this.isEnabled) {
      for (const lookup of this.#lookups.advance(nowNs)) this.#sequences.answered(lookup);
      this.#goOn(nowNs);
      this.history.maintain(nowNs);
      const refusedCount = this.storm.takeEnd(nowNs);
      if (refusedCount > 0) this.#reporter.stormEnds(this.storm, refusedCount, nowNs);
    } else this.#sequences.stop(nowNs);
    this.#actions.beginTurn();
    return handled;
  }

  /**
   * The agent beats again: what is left of its recovery is dropped. `generation` is that of the
   * beat, NaN = unknown.
   */
  onResumed(key: number, generation: number, nowNs: number): void {
    this.held.drop(key);
    this.history.resumed(key, generation, nowNs);
    this.#sequences.resumed(key, generation, nowNs);
  }

  /**
   * A member has begun to beat. True if it takes the place of one that is being recovered: it takes
   * no other.
   */
  onNewcomer(newcomer: Newcomer, nowNs: number): boolean {
    return this.#sequences.came(newcomer, nowNs) || this.held.came(newcomer);
  }

  /**
   * Observer time at which `reap()` has work: 0 = now, Infinity = nothing to wait for but exits.
   */
  nextDeadlineNs(): number {
    const childrenNs = Math.min(this.outstanding.nextDeadlineNs(), this.held.nextDeadlineNs());
    if (!this.isEnabled) return childrenNs;
    return Math.min(
      childrenNs,
      this.#lookups.nextDeadlineNs(),
      this.#sequences.nextDeadlineNs(),
      this.history.nextLookNs(),
      this.storm.endNs,
    );
  }

  /** Children that are not over yet, orphans included. */
  get outstandingCount(): number {
    return this.outstanding.count;
  }

  /** Recoveries whose result was not reported yet. */
  get sequenceCount(): number {
    return this.#sequences.size;
  }

  /**
   * A recovery of the member is in progress, or waits to begin, also for the end of a mute; once a
   * shutdown has begun: was until then.
   */
  isRecovering(key: number): boolean {
    return this.#sequences.has(key) || this.held.has(key) || this.#cutOff.has(key);
  }

  /** Agents that are not recovered any more until their budget has room again. */
  get givenUpCount(): number {
    return this.history.givenUpCount;
  }

  /**
   * No stall is decided and no step is done any more; every child gets SIGTERM. Go on with `reap()`
   * until `shutdownDone()`.
   */
  beginShutdown(nowNs: number): void {
    this.held.shut();
    for (const key of this.#sequences.stop(nowNs)) this.#cutOff.add(key);
    this.#lookups.stop();
    this.outstanding.beginShutdown(nowNs);
    this.#takeChildEvents(nowNs);
  }

  /**
   * True once every child has its outcome; after `shutdown_grace` the survivors get theirs here.
   */
  shutdownDone(nowNs: number): boolean {
    const isDone = this.outstanding.shutdownDone(nowNs);
    this.#takeChildEvents(nowNs);
    return isDone;
  }

  /** SIGKILL to every child and no more waiting: the next `shutdownDone()` is true. */
  killAllNow(nowNs: number): void {
    this.outstanding.killAll(nowNs);
    this.#takeChildEvents(nowNs);
  }

  /** Gives a page what is counted. */
  showCounters(show: ShowCounters): void {
    show(this.counters);
    show(new Counters(GIVEN_UP, this.history));
  }

  /** Whether this turn has a spawn left for one more recovery. */
  #mayBegin(): boolean {
    // Those in progress that could not take their next step in the last turn have a share of this
    // one.
    const kept = Math.min(this.#sequences.readyCount, RECOVERY_STEP_SPAWNS_PER_TURN_MAX);
    const { spawnAttempts, hasSpentTurn } = this.#actions;
    return spawnAttempts < RECOVERY_SPAWNS_PER_TURN_MAX - kept && !hasSpentTurn;
  }

  #carryOut(decision: Decision, nowNs: number): void {
    // A child of the agent may have ended to make way: that comes before what was decided.
    this.#takeChildEvents(nowNs);
    switch (decision.kind) {
      case "begin":
        this.#begin(decision.sequence, nowNs);
        return;
      case "refuse":
        this.#refuse(decision, nowNs);
        return;
      case "park":
        this.#sequences.park(decision.sequence, decision.untilNs);
        return;
      default:
        decision satisfies never;
    }
  }

  /** Checks 7 to 10: room for what the recovery will have to remember, before it does anything. */
  #begin(sequence: Sequence, nowNs: number): void {
    const { stall, paceKey, plan } = sequence;
    const { key, generation } = stall;
    if (!this.#sequences.hasRoomFor(key) || !this.#actions.reserve(sequence, nowNs)) {
      this.#reportRefusal(stall, { reason: "outstanding_capacity" }, nowNs);
      return;
    }
    if (!this.history.makeRoom(key, nowNs)) {
      this.#actions.release(sequence);
      this.#reportRefusal(stall, { reason: "debounce_capacity" }, nowNs);
      return;
    }
    sequence.fired = this.notes.note(sequence, nowNs);
    if (!this.#sequences.begin(sequence, nowNs)) {
      sequence.fired?.forget();
      sequence.fired = undefined;
      return;
    }
    sequence.hasBegun = true;
    this.history.began(key, paceKey, generation, nowNs, plan.settings);
    this.storm.started(nowNs);
  }

  #refuse(decision: RefuseDecision, nowNs: number): void {
    const { stall, reason, park } = decision;
    if (park !== undefined) this.#sequences.park(park.sequence, park.untilNs);
    if (reason === "storm_limit" && this.storm.refused(nowNs))
      this.#reporter.stormBegins(this.storm, nowNs);
    this.#reportRefusal(stall, decision, nowNs);
  }

  #reportRefusal(stall: Stall, refusal: Refusal, nowNs: number): void {
    const plan = this.#policies.planOf(stall);
    const isDryRun = plan.settings.dryRun;
    this.#reporter.refused({ stall, plan, stepNumber: 0, isDryRun, recoveryId: 0 }, refusal, nowNs);
  }

  /** The next steps of recoveries in progress, and a second decision for the parked ones. */
  #goOn(nowNs: number): void {
    const sequences = this.#sequences;
    const actions = this.#actions;
    sequences.takeDue(nowNs, heldUntilNs(this.#guard, nowNs));
    // Those that become ready again come after the ones that are counted here.
    let looks = Math.min(sequences.readyCount, RECOVERY_EVALUATIONS_PER_TURN_MAX);
    for (const next of sequences.ready) {
      if (looks-- === 0) return;
      const isParked = next.phase === PHASE_PARKED;
      const spawnsLeft = RECOVERY_SPAWNS_PER_TURN_MAX - actions.spawnAttempts;
      const maySpawn = isParked || actions.spawnsNext(next);
      if (maySpawn && (spawnsLeft <= 0 || actions.hasSpentTurn)) return;
      if (isParked) this.#decideAgain(next, nowNs);
      else sequences.goOn(next, spawnsLeft, nowNs);
    }
  }

  #decideAgain(sequence: Sequence, nowNs: number): void {
    const { stall, isByHand, isPutOff } = sequence;
    this.#sequences.remove(sequence);
    // Asked for by somebody, past the gates of pace: it has waited for the service manager alone.
    if (isByHand && isPutOff) this.#carryOut({ kind: "begin", sequence }, nowNs);
    // Another configuration may have taken its plan away.
    else if (!this.planOf(stall).isEmpty && !this.held.hold(stall, true, nowNs))
      this.#carryOut(this.#decider.decideAgain(sequence, nowNs), nowNs);
    this.#sequences.decidedAgain(sequence, nowNs);
  }

  #takeChildEvents(nowNs: number): void {
    for (;;) {
      const event = this.outstanding.takeEvent();
      if (event === undefined) return;
      const { child, outcome } = event;
      this.#reporter.report(outcome);
      if (outcome.kind !== "complete") continue;
      this.#restarts.ended(child);
      this.#sequences.childEnded(child, outcome, nowNs);
    }
  }
}
