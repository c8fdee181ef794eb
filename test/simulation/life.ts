// One life of the daemon, from an empty tracker to its shutdown, turn by turn beside its model.
import { WAIT_NS_MAX } from "../../src/base/limits.ts";
import { datagramsOf, TURN_HAS_WORK_LEFT } from "../../src/daemon/turn_flags.ts";
import { IDENTITY } from "../../src/observer/identification.ts";
import type { Coverage } from "./coverage.ts";
import { OUTCOMES, REJECT_REASONS } from "./coverage.ts";
import { comparePage, compareTurn } from "./comparison.ts";
import { type Daemon, makeDaemon } from "./daemon.ts";
import { same } from "./failure.ts";
import { Model } from "./model.ts";
import { drawTerms } from "./scenario.ts";
import type { Seams } from "./seams.ts";
import { StatusReads } from "./status_reads.ts";
import type { World } from "./world.ts";

export interface LifeOptions {
  readonly world: World;
  readonly seams: Seams;
  /** The metrics page is compared after every so many turns. */
  readonly pageEvery: number;
}

/** Turns; a draw would change all that comes after it. */
const EVIDENCE_EVERY = 11;

export class Life {
  readonly #world: World;
  readonly #daemon: Daemon;
  readonly #model: Model;
  readonly #statusReads: StatusReads;
  readonly #pageEvery: number;
  #turns = 0;
  #lastTurn = 0;

  constructor({ world, seams, pageEvery }: LifeOptions) {
    this.#world = world;
    this.#pageEvery = pageEvery;
    this.#daemon = makeDaemon(world, seams);
    this.#model = new Model(world, this.#daemon.selfBeats);
    this.#statusReads = new StatusReads(this.#daemon, this.#model, world, seams);
  }

  get nowNs(): number {
    return this.#daemon.clock.lastNs;
  }

  /** Some time passes, things happen, and the daemon runs one turn. */
  step(): void {
    const { observer, runner } = this.#daemon;
    const waitNs = this.#hasWorkLeft ? 0 : this.#drawWaitNs();
    // The loop announces a wait that it planned; a machine that was busy or asleep adds to it
    // unannounced.
    const announcedNs = this.#world.random.chance(0.9) ? Math.min(waitNs, WAIT_NS_MAX) : 0;
    observer.allowIdle(announcedNs);
    this.#model.observer.plannedNs = announcedNs;
    this.#world.step(waitNs);
    this.#daemon.selfBeats.step();
    if (this.#world.random.chance(0.001)) runner.endAll();
    this.#replaceWaiting();
    for (const exit of runner.deliverExits()) {
      this.#model.recovery.noteExit(exit);
      if (exit.exitCode === 0) this.#world.recovered(exit.agentPid);
    }
    this.#turn(announcedNs);
  }

  /** A shutdown: no stall is decided, and every child is told to be over within the grace. */
  end(): void {
    const { tick, recovery, promises, clock, runner } = this.#daemon;
    comparePage(this.#daemon, this.#model);
    this.#summarize();
    tick.exportQueuedStalls();
    recovery.beginShutdown(this.nowNs);
    const graceNs = 4 * this.#world.scenario.thresholdNs;
    for (let steps = 0; !recovery.shutdownDone(this.nowNs) && steps <= 40; steps++) {
      this.#world.clock.trueNs += Math.ceil(graceNs / 20);
      // A clock that stands still after a step back would hold up the end for as long.
      this.#world.clock.skewNs = Math.max(this.#world.clock.skewNs, 0);
      clock.nowNs();
      runner.deliverExits();
      recovery.reap(this.nowNs);
    }
    promises.endLife();
    this.#daemon.selfBeats.check();
    same("children after the shutdown", 0, recovery.outstandingCount);
  }

  #turn(announcedNs: number): void {
    const { tick, observer, runner, recorder, promises, clock } = this.#daemon;
    const { clock: worldClock } = this.#world;
    worldClock.beginTurn();
    runner.beginTurn();
    recorder.beginTurn();
    promises.beginTurn(observer.hasPendingStalls());
    this.#maybeSeeEvidence();
    const replay = worldClock.fork();
    const sinceNs = Math.max(clock.lastNs, worldClock.rawNs);
    this.#lastTurn = tick.run();
    this.#model.turn(replay, runner.spawnsAsked, runner.signalsAsked);
    this.#model.readClock(worldClock.readings, announcedNs);
    this.#hash();
    const dropped = this.#model.observer.tracker.counters.removedPidDrops > 0;
    promises.endTurn(sinceNs, !this.#hasWorkLeft && !dropped, observer.hasPendingStalls());
    compareTurn(this.#daemon, this.#model, this.#lastTurn);
    this.#statusReads.afterTurn();
    this.#turns += 1;
    if (this.#turns % this.#pageEvery === 0) comparePage(this.#daemon, this.#model);
    worldClock.endTurn();
    this.#world.finishSwaps();
    this.#maybeReload();
  }

  /** Something that is the observer's own fault. */
  #maybeSeeEvidence(): void {
    if (this.#turns % EVIDENCE_EVERY !== 0) return;
    this.#daemon.guard?.saw("queue_full", this.nowNs);
    this.#model.observer.guard?.twin.saw(this.nowNs);
  }

  // Between two turns; what was judged and not told yet was judged by the terms of before.
  #maybeReload(): void {
    const { random, scenario, coverage } = this.#world;
    const { rule } = scenario;
    if (rule === undefined || !random.chance(0.02)) return;
    if (this.#daemon.observer.hasPendingStalls()) return;
    coverage.count("reloads");
    Object.assign(rule, drawTerms(random, rule, scenario.thresholdNs));
    this.#drawSizes();
    this.#daemon.reload();
    this.#model.observer.reload();
  }

  // Down to what is used, and up to what is reserved.
  #drawSizes(): void {
    const { random, scenario } = this.#world;
    const used = this.#daemon.observer.tracker.len;
    const { room } = scenario;
    scenario.capacity = Math.min(room, Math.max(1, used + random.pick([0, 1, 3, room])));
    scenario.evictionPolicy = random.pick(["strict", "balanced"]);
    scenario.evictionScanWindow = random.pick([1, 4, 256]);
    this.#model.metrics.resize(scenario.capacity);
  }

  get #hasWorkLeft(): boolean {
    return (this.#lastTurn & TURN_HAS_WORK_LEFT) !== 0;
  }

  // While a stall waits for its recovery, a reused pid is most dangerous.
  #replaceWaiting(): void {
    const { random } = this.#world;
    const waiting = [...this.#model.observer.told, ...this.#model.observer.stalls];
    if (waiting.length === 0 || random.chance(0.1)) return;
    for (let i = 0; i < 8; i++) this.#world.replaceOwnerOf(random.pick(waiting).pid);
  }

  // Right at a deadline, a nanosecond beside it, at the next datagram, or some time in between.
  #drawWaitNs(): number {
    const { random, scenario, clock } = this.#world;
    const { observer } = this.#daemon;
    const usual = random.below(Math.floor(scenario.thresholdNs / 20));
    if (scenario.isCalm) return usual;
    const deadlineInNs = observer.nextDeadline() - clock.rawNs;
    const nextInNs = this.#world.nextEventInNs();
    switch (random.below(8)) {
      case 0:
        return deadlineInNs > 0 && deadlineInNs <= nextInNs ? deadlineInNs : usual;
      case 1:
        return deadlineInNs > 1 && deadlineInNs <= nextInNs ? deadlineInNs - 1 : usual;
      case 2:
        return this.#waitForEdge() ?? usual;
      case 3:
        return Number.isFinite(deadlineInNs) && random.chance(0.1)
          ? Math.max(0, deadlineInNs)
          : usual;
      case 4:
        return Number.isFinite(nextInNs) ? Math.min(nextInNs, scenario.thresholdNs) : usual;
      default:
        return usual;
    }
  }

  // Until exactly a moment at which something changes its meaning, with a turn that takes no time,
  // so that all of it happens at that moment.
  #waitForEdge(): number | undefined {
    const { random, scenario, clock } = this.#world;
    const limitNs = (random.chance(0.9) ? 1.2 : 11) * scenario.thresholdNs;
    const inNs = this.#model
      .edges()
      .map((edgeNs) => edgeNs - clock.rawNs)
      .filter((ns) => ns > 1 && ns < limitNs);
    if (inNs.length === 0) return undefined;
    clock.receiveNs = 0;
    clock.datagramNs = 0;
    return random.pick(inNs) + random.pick([0, 0, 0, -1, 1]);
  }

  #hash(): void {
    const { trace } = this.#world;
    const { recorder, runner, clock } = this.#daemon;
    trace.number(clock.lastNs);
    trace.number(datagramsOf(this.#lastTurn));
    for (const text of recorder.rows) trace.text(text);
    for (const text of recorder.stalls) trace.text(text);
    for (const text of recorder.lates) trace.text(text);
    for (const text of recorder.outcomes) trace.text(text);
    for (const pid of recorder.removed) trace.number(pid);
    for (const { childPid, signal, result } of runner.signalsAsked) {
      trace.number(childPid);
      trace.number(signal);
      trace.number(result);
    }
    this.#count();
  }

  #count(): void {
    const { coverage } = this.#world;
    const { recorder } = this.#daemon;
    const consumed = datagramsOf(this.#lastTurn);
    coverage.count("turns");
    coverage.count("datagrams", consumed);
    coverage.count("stalls", recorder.stalls.length);
    coverage.count("lates", recorder.lates.length);
    const { slots } = this.#model.observer.tracker;
    for (const text of this.#model.guardTold) coverage.count(`guard.${text.split(" ")[0]}`);
    coverage.count("held", slots.filter(({ held }) => held).length);
    if (this.#model.observer.tracker.slots.some(({ parked }) => parked)) coverage.count("graced");
    coverage.count("stallsByRule", recorder.stalls.filter(isByRule).length);
    coverage.count("removed", recorder.removed.length);
    coverage.count("slowTurns", recorder.slowStages.length);
    if (consumed >= 4_096) coverage.count("budgetUsedUp");
    for (const text of recorder.outcomes)
      if (text.startsWith("timeout")) coverage.count("timeouts");
  }

  #summarize(): void {
    const { coverage } = this.#world;
    const { observer, recovery, metrics } = this.#model;
    const { counters } = observer.tracker;
    const identity = this.#daemon.identification.counters;
    coverage.count("identitiesRead", identity.get(IDENTITY.looks.read));
    coverage.count("identitiesUnreadable", identity.get(IDENTITY.looks.gone));
    coverage.count("renamed", identity.get(IDENTITY.renamed));
    for (const { account } of observer.links) coverage.count("accepted", account.accepted);
    for (const reason of REJECT_REASONS)
      coverage.count(`rejected.${reason}`, observer.rejectedTotal(reason));
    for (const outcome of OUTCOMES) {
      const total = recovery.totals.get(`varta_recovery_outcomes_total{outcome="${outcome}"}`);
      coverage.count(`outcome.${outcome}`, total ?? 0);
    }
    addTotals(coverage, recovery.totals);
    coverage.count("pidGone", recovery.pidGoneCount);
    coverage.count("recycled", counters.pidRecycles);
    coverage.count("retired", observer.seen.retired);
    coverage.count("evictions", counters.evictions);
    coverage.count("uidShares", counters.uidShares);
    coverage.count("nonceRestarts", counters.nonceRestarts);
    coverage.count("victimSearchesFailed", counters.evictionScanTruncated);
    coverage.count("removedPidDrops", counters.removedPidDrops);
    coverage.count("wraps", counters.nonceWraps);
    coverage.count("resumed", observer.seen.resumed);
    coverage.count("terminalBypass", observer.seen.terminalBypass);
    coverage.count("worseBypass", observer.seen.worseBypass);
    coverage.count("contained", observer.seen.contained);
    coverage.count("judgePoints", observer.seen.judgePoints);
    coverage.count("judgeDeferred", observer.seen.deferred);
    coverage.count("judgedInFlood", observer.seen.judgedInFlood);
    coverage.count("judgedLater", observer.seen.putOff);
    coverage.count("queueFull", observer.seen.foundFull);
    coverage.count("queueFullByPause", observer.seen.fullByPause);
    coverage.count("pauses", observer.tracker.pauses.length);
    coverage.count("lookups", observer.lookups);
    coverage.count("clockRegressions", metrics.clockRegressions);
    coverage.count("clockJumps", metrics.clockJumps);
    coverage.count("rowsRefused", metrics.rowsRefused);
  }
}

function isByRule(text: string): boolean {
  return text.includes(" rule 0 ");
}

function addTotals(coverage: Coverage, totals: ReadonlyMap<string, number>): void {
  const named = {
    spawnBudgetExceeded: "varta_recovery_spawn_budget_exceeded_total",
    reapTruncated: "varta_recovery_reap_truncated_total",
    retries: 'varta_recovery_step_retries_total{step="exec"}',
    processUnreadable: 'varta_recovery_refused_total{reason="process_unreadable"}',
    unitRestarts: 'varta_recovery_steps_total{step="restart_unit"}',
    debounceResets: "varta_recovery_debounce_recycle_resets_total",
    staleChildren: "varta_recovery_outstanding_recycle_resets_total",
    debounceEvictions: "varta_recovery_last_fired_evictions_total",
  };
  for (const [kind, series] of Object.entries(named)) coverage.count(kind, totals.get(series) ?? 0);
}
