// The whole turn of the daemon as specified (12 section 1), from the models of its
// parts.
import type { SignalAsked, SpawnAsked } from "./children.ts";
import { ExportModel } from "./export_model.ts";
import { MetricsModel } from "./metrics_model.ts";
import { type ModelStall, modelStallText } from "./model_rows.ts";
import { ObserverModel } from "./observer_model.ts";
import { RecoveryModel } from "./recovery_model.ts";
import type { SelfBeatWorld } from "./self_beat_world.ts";
import type { SimulatedClock } from "./simulated_clock.ts";
import { unitOf } from "./units.ts";
import type { World } from "./world.ts";

const SECOND_NS = 1_000_000_000;
const PUMP_BUDGET = 4_096;
const PUMP_NS_MAX = 5_000_000;
const EVALUATIONS_MAX = 256;
const SPAWNS_MAX = 16;
/** Spawns of a turn that wait for retries. */
const KEPT_SPAWNS_MAX = 8;
const REMOVED_MAX = 4_096;
const BEAT_ROW = /^beat \d+ @(\d+) pid (\d+) status (\d).* generation (\d+|NaN) .* resumed (\d)$/;

export class Model {
  readonly observer: ObserverModel;
  readonly recovery: RecoveryModel;
  readonly metrics: MetricsModel;
  readonly exported = new ExportModel();
  /** Of the last turn. */
  consumed = 0;
  stalls: string[] = [];
  removed: number[] = [];
  slowStages: string[] = [];
  /** When the guard became active, and was over. */
  guardTold: string[] = [];
  readonly #world: World;
  #clockPreviousNs = 0;
  /** Outcomes of the turn that are among the lines of the export. */
  #outcomesExported = 0;

  constructor(world: World, selfBeats: SelfBeatWorld) {
    this.#world = world;
    const { scenario } = world;
    this.observer = new ObserverModel({
      scenario,
      links: world.links,
      processes: world.processes.reader(),
      table: world.processes,
      generationAt: (trueNs) => world.generationAt(trueNs),
      readPidMax: () => world.pidMax,
      selfBeats,
    });
    this.recovery = new RecoveryModel(scenario, {
      freshness: (pid, generation) => {
        return this.observer.tracker.freshness(pid, generation, this.observer.nowNs);
      },
      processOf: (pid) => world.processes.find(pid),
      unitOf: (process) => unitOf(process),
    });
    this.metrics = new MetricsModel(scenario.capacity);
  }

  get hasWorkLeft(): boolean {
    const { cutOff } = this.observer;
    return cutOff || this.#hasStalls;
  }

  get #hasStalls(): boolean {
    const { guard, nowNs, stalls, told } = this.observer;
    return stalls.length + told.length > 0 || guard?.hasReady(nowNs) === true;
  }

  /** Replays one turn from the moment of `clock`. */
  turn(
    clock: SimulatedClock,
    spawns: readonly SpawnAsked[],
    signals: readonly SignalAsked[],
  ): void {
    const { observer, recovery } = this;
    observer.rows = [];
    observer.sequence = [];
    observer.lates = [];
    this.stalls = [];
    this.removed = [];
    this.exported.beginTurn();
    this.#outcomesExported = 0;
    recovery.beginTurn(spawns, signals);
    const startNs = clock.trueNs;
    this.consumed = observer.pump(clock, PUMP_BUDGET, PUMP_NS_MAX);
    // Only receiving takes simulated time.
    this.slowStages = clock.trueNs - startNs > 2 * SECOND_NS ? ["receive"] : [];
    this.guardTold = observer.guard?.twin.told.splice(0) ?? [];
    this.#countTold();
    this.#recover();
    recovery.reap(observer.nowNs);
    recovery.takeAnswers(observer.nowNs);
    recovery.retry(observer.nowNs, SPAWNS_MAX);
    this.#exportOutcomes();
    this.#maintain();
    this.metrics.turns += 1;
  }

  /**
   * Spec 04 section 8: every raw reading that the daemon made, in order, and the wait that was
   * announced before.
   */
  readClock(readings: readonly number[], idleAllowanceNs: number): void {
    let allowanceNs = idleAllowanceNs;
    for (const rawNs of readings) {
      const previousNs = this.#clockPreviousNs;
      if (rawNs < previousNs) this.metrics.clockRegressions += 1;
      else if (previousNs > 0 && rawNs - previousNs > 5 * SECOND_NS + allowanceNs) {
        this.metrics.clockJumps += 1;
      }
      this.#clockPreviousNs = Math.max(previousNs, rawNs);
      allowanceNs = 0;
    }
  }

  /** Observer times at which a limit is reached to the nanosecond. */
  edges(): number[] {
    const { timeoutNs, killGraceNs } = this.#world.scenario;
    const { observer } = this;
    const { tracker, lookedUpNs } = observer;
    const edges = tracker.slots.flatMap((slot) => [
      slot.lastNs + slot.lane.thresholdNs + tracker.excusedNs(slot),
      slot.lastNs + Math.min(slot.lane.lateNs, slot.lane.thresholdNs) + tracker.excusedNs(slot),
      slot.graceEndNs + observer.nowNs - tracker.awakeNs(observer.nowNs),
      slot.lastNs + 10 * slot.lane.thresholdNs,
      (lookedUpNs.get(slot) ?? 0) + SECOND_NS,
    ]);
    for (const { state, spawnNs, killStartNs } of this.recovery.children) {
      if (state === "running" && timeoutNs !== undefined) edges.push(spawnNs + timeoutNs);
      if (state === "terminating") edges.push(killStartNs! + killGraceNs);
    }
    return edges;
  }

  #countTold(): void {
    for (const text of this.observer.sequence) {
      if (typeof text !== "string") {
        this.#tell(text);
        continue;
      }
      this.exported.row(text);
      const beat = BEAT_ROW.exec(text);
      if (beat === null) continue;
      if (beat[5] === "1") {
        this.metrics.resumesTold += 1;
        this.recovery.resumed(Number(beat[2]), Number(beat[4]));
      }
      const unixMs = Math.floor((Number(beat[1]) + this.#world.wallOffsetNs) / 1e6);
      this.metrics.beat(Number(beat[2]), Number(beat[3]), unixMs);
    }
  }

  #recover(): void {
    const { observer, recovery } = this;
    const { recovers } = this.#world.scenario;
    for (let taken = 0; taken < EVALUATIONS_MAX; taken++) {
      if (!this.#hasStalls) return;
      if (
        recovers &&
        recovery.spawns >= SPAWNS_MAX - Math.min(recovery.readyCount, KEPT_SPAWNS_MAX)
      ) {
        recovery.countDeferral();
        return;
      }
      const stall = this.#nextStall();
      if (stall === undefined) continue;
      if (recovers) recovery.decide(stall, observer.nowNs);
      this.#exportOutcomes();
    }
  }

  /** Undefined = its recovery waits for the guard, or is not wanted any more. */
  #nextStall(): ModelStall | undefined {
    const { guard, nowNs, stalls, told } = this.observer;
    if (guard?.hasReady(nowNs) === true) return guard.takeReady();
    const stall = told.shift() ?? this.#tell(stalls.shift()!);
    return guard?.waits(stall, nowNs) === true ? undefined : stall;
  }

  #exportOutcomes(): void {
    const { outcomes } = this.recovery;
    for (; this.#outcomesExported < outcomes.length; this.#outcomesExported++)
      this.exported.outcome(outcomes[this.#outcomesExported]!);
  }

  #tell(stall: ModelStall): ModelStall {
    this.stalls.push(modelStallText(stall));
    this.exported.stall(stall);
    this.metrics.stall(stall);
    return stall;
  }

  #maintain(): void {
    const { tracker } = this.observer;
    for (let i = 0; i < REMOVED_MAX && tracker.removed.length > 0; i++) {
      const pid = tracker.removed.pop()!;
      if (tracker.find(pid) !== undefined) continue;
      this.metrics.rows.delete(pid);
      this.removed.push(pid);
      this.exported.removed(pid, this.observer.nowNs);
    }
    this.observer.maybeRefreshPidMax();
    this.observer.identification.advance(this.observer.nowNs);
  }
}
