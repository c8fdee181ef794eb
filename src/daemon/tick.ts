// One turn of the daemon without its wait: receive, judge, recover, reap, maintain (spec 12
// section 1). Every stage has a budget. Most turns only take beats, and a quiet machine runs them
// on cold caches: they do nothing else, and what the page says of them is collected when a page is
// made. All it touches is injected, so the simulator runs the very same turn on a simulated clock
// with simulated listeners, processes and children.
import { block, Counters, gauge } from "../base/counters.ts";
import {
  PUMP_BUDGET_PER_TURN,
  PUMP_NS_PER_TURN_MAX,
  REMOVED_PIDS_PER_TURN_MAX,
} from "../base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import {
  EVENT_BEAT,
  EVENT_NAMESPACE_CONFLICT,
  type EventBatch,
  hasReturn,
  keyOfRow,
} from "../events/event_batch.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { MemberResumed } from "../events/member_resumed.ts";
import type { Stall } from "../events/stall.ts";
import type { RubbishWatch } from "../listener/rubbish_watch.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Identification } from "../observer/identification.ts";
import type { Observer } from "../observer/observer.ts";
import { showObserver } from "../observer/observer_counters.ts";
import type { SharedPid } from "../observer/shared_pids.ts";
import type { Recovery } from "../recovery/recovery.ts";
import { LongestStage, type StageWord } from "./longest_stage.ts";
import { SLICE_NS_MAX, sliceNs } from "./newcomer_slice.ts";
import { ReportedStalls } from "./reported_stalls.ts";
import { TURN } from "./turn_counters.ts";
import {
  countedDatagrams,
  TURN_BUSY,
  TURN_EXPORTED,
  TURN_FULL,
  TURN_HAS_WORK_LEFT,
} from "./turn_flags.ts";

/** What the turn needs of an export file. */
export interface TickExport {
  setWallOffsetNs(wallOffsetNs: number): void;
  /** True if the batch gave it something to write. */
  onBatch(batch: EventBatch, count: number): boolean;
  onStall(stall: Stall): void;
  onLate(late: MemberLate): void;
  /** `source` is "" unless another source has the pid. */
  onRemoved(pid: number, nowNs: number, source: string): void;
  /** The tracker has no member of `key` any more, however it left. */
  onLeft(key: number): void;
}

/** A stalled member beats again. */
export type Returned = Pick<
  MemberResumed,
  "observerNs" | "key" | "pid" | "agent" | "listener" | "status"
>;

/** What a person reads; the daemon logs it. Called during the turn, must not block. */
export interface TickReports {
  stalled(stall: Stall): void;
  late(late: MemberLate): void;
  resumed(returned: Returned): void;
  /** The member of `key` is not in the table any more. */
  left(key: number): void;
  /** Several sources claim one pid. */
  sharedPid(shared: SharedPid): void;
  /** A conflict of two known namespaces, for strict mode. */
  namespaceConflict(pid: number, observedInode: number): void;
  /**
   * No agent could be heard for up to `ns`; the deadlines of so many agents moved. `stage`: the one
   * that took long before it.
   */
  paused(ns: number, deadlinesMoved: number, stage: StageWord | undefined): void;
  /** A turn whose stages took longer than any of them may. */
  slowTurn(stage: string, ns: number): void;
}

/** What logs refused datagrams; true if it did. */
interface TickRefusals {
  look(nowNs: number): boolean;
}

/** What follows the ends of members. */
interface TickEnds {
  look(nowNs: number): void;
  readonly hasWork: boolean;
  /** `sliceNs`: how long it may look at those that are new. */
  settle(nowNs: number, allHeard: boolean, sliceNs: number): void;
  nextDeadlineNs(): number;
  /** The tracker has removed the member of `pid`. */
  removed(pid: number): void;
}

interface TickOptions {
  readonly observer: Observer;
  readonly metrics: Metrics;
  readonly recovery: Recovery;
  readonly identification: Identification;
  readonly exporter: TickExport | undefined;
  readonly reports: TickReports;
  readonly rubbish: RubbishWatch;
  readonly refusals: TickRefusals;
  /** Wall clock minus observer time, in ns; asked once at the start of a turn. */
  readonly wallOffsetNs: () => number;
  /** Who has ended; undefined = ends are not followed. */
  readonly ends?: TickEnds | undefined;
  /** Which agents have fewer members than expected. */
  readonly expected?: { look(nowNs: number): void } | undefined;
  /** A monotonic clock for durations, in ns. */
  readonly monotonicNs: () => number;
}

/** Time that a turn may spend on stalls whose processes are looked at, about 0.1 ms each. */
const VERDICTS_NS_MAX = 4 * NS_PER_MS;
/** Longest time without a turn that is not plain. */
const PLAIN_NS_MAX = NS_PER_S;

export const LAST_TURN = block({
  endedAt: gauge(
    "varta_watch_last_poll_loop_timestamp_seconds",
    "Unix time of the last completed turn of the loop.",
    { decimals: 3, ask: ({ lastUnixNs }: Tick) => lastUnixNs / NS_PER_S },
  ),
});

const { receive, judge, recover, reap, maintain } = TURN.stage;

export class Tick {
  /** The loop notes those of its own. */
  readonly longestStage: LongestStage;
  readonly #options: TickOptions;
  readonly #counters = new Counters(TURN, this, () => this.#settle());
  /** The TURN_* bits of the turn that runs. */
  #flags = 0;
  #wallOffsetNs = 0;
  /** Plain turns since the last page: each has an observation of every stage. */
  #plainTurns = 0;
  /** Until then a turn may be plain, in observer time. */
  #plainUntilNs = 0;
  /** Time of this turn for who is new, of each of the two parts that look at them. */
  #sliceNs = SLICE_NS_MAX;
  readonly #stalls: ReportedStalls;
  readonly #sink = (batch: EventBatch, count: number): void => this.#onBatch(batch, count);

  constructor(options: TickOptions) {
    this.#options = options;
    this.longestStage = new LongestStage((stage, ns) => options.reports.slowTurn(stage, ns));
    const { metrics, observer, rubbish, recovery } = options;
    this.#stalls = new ReportedStalls({
      observer,
      held: recovery.held,
      report: (stall) => this.#tell(stall),
      released: (stall, isTold) => this.#tellReleased(stall, isTold),
    });
    const show = metrics.show.bind(metrics);
    showObserver(observer, show);
    rubbish.showCounters(show);
    recovery.showCounters(show);
    show(options.identification.counters);
    show(this.#counters);
    show(new Counters(LAST_TURN, this));
  }

  /** Unix time of the last turn. */
  get lastUnixNs(): number {
    return this.#options.observer.clock.lastNs + this.#wallOffsetNs;
  }

  /**
   * Runs the stages once; the TURN_* bits, and how many datagrams were taken. `hasEnds`: processes
   * of members have ended.
   */
  run(hasEnds = false): number {
    const { monotonicNs, metrics, recovery, observer, ends } = this.#options;
    const t0 = monotonicNs();
    this.#options.identification.beginTurn();
    this.#flags = 0;
    this.#wallOffsetNs = this.#options.wallOffsetNs();
    metrics.setWallOffsetNs(this.#wallOffsetNs);
    this.#options.exporter?.setWallOffsetNs(this.#wallOffsetNs);
    if (hasEnds || (ends?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY) <= observer.clock.lastNs)
      ends!.look(observer.nowNs());
    const count = observer.pump(this.#sink, PUMP_BUDGET_PER_TURN, PUMP_NS_PER_TURN_MAX);
    this.#sliceNs = this.#isWaiting() ? sliceNs(count, monotonicNs() - t0) : SLICE_NS_MAX;
    this.#tellLates();
    this.#settleEnds();
    this.#tellPause(t0);
    this.#options.rubbish.look(observer.clock.lastNs);
    if (this.#options.refusals.look(observer.clock.lastNs)) this.#flags |= TURN_FULL;
    const t1 = monotonicNs();
    const judgeNs = observer.takeJudgeNs();
    this.#counters.observe(receive, (t1 - t0 - judgeNs) / NS_PER_S);
    this.#counters.observe(judge, judgeNs / NS_PER_S);
    if (this.#isPlain()) {
      this.#plainTurns++;
      this.#maintain();
      this.longestStage.received(t1 - t0);
      return this.#ended(count);
    }
    this.#flags |= TURN_FULL;
    this.#plainUntilNs = observer.clock.lastNs + PLAIN_NS_MAX;
    if (!this.#stalls.isEmpty) {
      this.#flags |= TURN_BUSY;
      recovery.decide(this.#stallsOfTurn(), observer.clock.lastNs);
    }
    const t2 = monotonicNs();
    if (recovery.reap(observer.clock.lastNs) > 0) this.#flags |= TURN_BUSY;
    const t3 = monotonicNs();
    this.#maintain();
    const t4 = monotonicNs();
    this.longestStage.turned(t1 - t0, t2 - t1, t3 - t2, t4 - t3);
    this.#counters.observe(recover, (t2 - t1) / NS_PER_S);
    this.#counters.observe(reap, (t3 - t2) / NS_PER_S);
    this.#counters.observe(maintain, (t4 - t3) / NS_PER_S);
    return this.#ended(count);
  }

  // What the process of each does is looked at in some ten files of the kernel: a mass stall is
  // spread over turns, so that no beat waits for it.
  #stallsOfTurn() {
    const { ends, monotonicNs } = this.#options;
    return ends === undefined ? this.#stalls : this.#stalls.within(VERDICTS_NS_MAX, monotonicNs);
  }

  #ended(count: number): number {
    const { observer } = this.#options;
    const isLeft = observer.lastPumpCutOff || !this.#stalls.isEmpty || this.#isWaiting();
    return this.#flags | (isLeft ? TURN_HAS_WORK_LEFT : 0) | countedDatagrams(count);
  }

  #isWaiting(): boolean {
    const { identification, ends } = this.#options;
    return identification.waitingCount > 0 || ends?.hasWork === true;
  }

  // Before silence is decided on: a beat that ended waits for no deadline.
  #settleEnds(): void {
    const { ends, observer } = this.#options;
    if (ends?.hasWork !== true) return;
    ends.settle(observer.clock.lastNs, !observer.lastPumpCutOff, this.#sliceNs);
    this.#flags |= TURN_FULL;
  }

  // Before any stall that was found later; those that were found up to `untilNs`.
  #tellLates(untilNs = Number.POSITIVE_INFINITY): void {
    const { lates } = this.#options.observer.silence.stalls;
    let told = 0;
    for (; told < lates.length && lates[told]!.observerNs <= untilNs; told++) {
      this.#options.exporter?.onLate(lates[told]!);
      this.#options.reports.late(lates[told]!);
    }
    if (told === 0) return;
    lates.splice(0, told);
    this.#flags |= TURN_FULL;
  }

  #tellPause(beganNs: number): void {
    const { pauses, tracker } = this.#options.observer;
    // It may have been this very receive.
    if (pauses.longestNs > 0)
      this.longestStage.took("receive", this.#options.monotonicNs() - beganNs);
    const stage = this.longestStage.take();
    if (pauses.longestNs === 0) return;
    const deadlinesMoved = tracker.len - tracker.stallEmittedCount;
    this.#options.reports.paused(pauses.longestNs, deadlinesMoved, stage);
    pauses.longestNs = 0;
    // A line may be due when this turn is over.
    this.#flags |= TURN_FULL;
  }

  /** Exports what is queued and decides no recovery any more: the first step of a shutdown. */
  exportQueuedStalls(): void {
    const { observer, exporter, metrics } = this.#options;
    this.#stalls.forgetReported();
    for (let stall = observer.takeStall(); stall !== undefined; stall = observer.takeStall()) {
      exporter?.onStall(stall);
      metrics.onStall(stall);
    }
  }

  // Whether the stages after the receive have nothing to do. Once a second they look for
  // themselves.
  #isPlain(): boolean {
    const { observer, recovery } = this.#options;
    const { lastNs } = observer.clock;
    return (
      (this.#flags & TURN_FULL) === 0 &&
      this.#stalls.isEmpty &&
      lastNs < this.#plainUntilNs &&
      lastNs < recovery.nextDeadlineNs()
    );
  }

  #onBatch(batch: EventBatch, count: number): void {
    const { observer } = this.#options;
    // One that came back with one of these beats may be late again already: that comes after it.
    this.#tellLates(batch.observerNs[0]);
    if (!observer.hasPendingStalls() || !hasReturn(batch, count)) {
      this.#tellBatch(batch, count);
      return;
    }
    // An agent that stalled and came back within one pump: a reader must see the stall before the
    // return. But stalls that were judged after these beats came in may be about the very agents
    // that sent them.
    const first = observer.takeStall()!;
    const wasJudgedBefore = first.observerNs <= batch.observerNs[0]!;
    if (!wasJudgedBefore) this.#tellBatch(batch, count);
    this.#stalls.reportAll(first);
    if (wasJudgedBefore) this.#tellBatch(batch, count);
  }

  #tellBatch(batch: EventBatch, count: number): void {
    const { metrics, exporter, reports, recovery } = this.#options;
    metrics.onBatch(batch, count);
    if (exporter?.onBatch(batch, count) === true) this.#flags |= TURN_EXPORTED;
    for (let i = 0; i < count; i++) {
      const kind = batch.kind[i]!;
      if (kind === EVENT_BEAT) {
        if (batch.resumed[i] === 1) {
          this.#flags |= TURN_FULL | TURN_BUSY;
          recovery.onResumed(keyOfRow(batch, i), batch.generation[i]!, batch.observerNs[i]!);
          metrics.onResumed(batch.listener[i]!);
          reports.resumed(this.#returned(batch, i));
        }
        continue;
      }
      this.#flags |= TURN_FULL;
      if (kind === EVENT_NAMESPACE_CONFLICT && batch.detail[i] === 1) {
        reports.namespaceConflict(batch.pid[i]!, batch.namespaceInode[i]!);
      }
    }
  }

  #returned(batch: EventBatch, row: number): Returned {
    const key = keyOfRow(batch, row);
    return {
      observerNs: batch.observerNs[row]!,
      key,
      pid: batch.pid[row]!,
      agent: this.#options.observer.tracker.agentOf(key),
      listener: batch.listener[row]!,
      status: batch.status[row]!,
    };
  }

  #tell(stall: Stall): boolean {
    const { exporter, metrics, reports, recovery, observer } = this.#options;
    const told = { ...stall, isMuted: recovery.held.isMuted(stall, observer.clock.lastNs) };
    exporter?.onStall(told);
    metrics.onStall(told);
    reports.stalled(told);
    return recovery.held.hold(told, false, observer.clock.lastNs);
  }

  #tellReleased(stall: Stall, isTold: boolean): Stall {
    const { reports, observer } = this.#options;
    const now = observer.silence.stalls.lookAgain(stall, observer.clock.lastNs);
    if (!isTold) reports.stalled(now);
    return now;
  }

  // After the recoveries: a stall that is reported makes a row for its agent, also if that has lost
  // its slot meanwhile.
  #maintain(): void {
    const { observer } = this.#options;
    this.#forgetRemoved();
    const shared = observer.takeSharedPid();
    if (shared !== undefined) this.#options.reports.sharedPid(shared);
    observer.maybeRefreshPidMax(observer.clock.lastNs);
    this.#options.identification.advance(observer.clock.lastNs, this.#sliceNs);
    this.#options.expected?.look(observer.clock.lastNs);
  }

  // The stages that plain turns left out.
  #settle(): void {
    for (const stage of [recover, reap, maintain])
      this.#counters.observeZeros(stage, this.#plainTurns);
    this.#plainTurns = 0;
  }

  #forgetRemoved(): void {
    const { observer, metrics, exporter, reports } = this.#options;
    for (let i = 0; i < REMOVED_PIDS_PER_TURN_MAX; i++) {
      const pid = observer.drainEvictedPid();
      if (pid < 0) return;
      const { evictedKey, evictedSource } = observer.tracker;
      this.#options.ends?.removed(pid);
      if (observer.tracker.isTracked(evictedKey)) continue;
      metrics.onRemoved(evictedKey);
      reports.left(evictedKey);
      exporter?.onLeft(evictedKey);
      if (observer.tracker.evictedHasEnded) continue;
      const source = evictedKey === pid ? "" : evictedSource;
      exporter?.onRemoved(pid, observer.clock.lastNs, source);
    }
  }
}
