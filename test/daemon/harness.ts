// A turn of the daemon with scripted listeners, time, processes and children, and a diary of what
// it reported to which sink, in order.
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import type { Stall } from "../../src/events/stall.ts";
import { Identification } from "../../src/observer/identification.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { RubbishWatch } from "../../src/listener/rubbish_watch.ts";
import type { Observer } from "../../src/observer/observer.ts";
import type { Metrics } from "../../src/metrics/metrics.ts";
import { Tick, type TickExport, type TickReports } from "../../src/daemon/tick.ts";
import {
  datagramsOf,
  TURN_BUSY,
  TURN_FULL,
  TURN_HAS_WORK_LEFT,
} from "../../src/daemon/turn_flags.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import { Metrics as MetricsRegistry } from "../../src/metrics/metrics.ts";
import type { Recovery } from "../../src/recovery/recovery.ts";
import { renderPage } from "../metrics/fixture.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "../observer/harness.ts";
import {
  recoveryHarness,
  type RecoveryHarnessOptions,
  ScriptedRunner,
} from "../recovery/harness.ts";
import { OWN_INODE } from "../support/scripted_processes.ts";

export interface TickHarnessOptions extends ObserverHarnessOptions {
  /** Undefined = recovery is off. */
  readonly command?: readonly string[];
  /** What is known of a member is kept, as with a configuration file. */
  readonly keepsFacts?: boolean;
  /** More of how it recovers. */
  readonly recovery?: Omit<RecoveryHarnessOptions, "runner">;
}

export class TickHarness extends ObserverHarness {
  readonly diary: string[] = [];
  /** Pids of which nobody is told. */
  readonly muted = new Set<number>();
  readonly runner = new ScriptedRunner();
  readonly metrics: Metrics;
  readonly recovery: Recovery;
  readonly identification: Identification;
  readonly tick: Tick;
  /** Wall clock minus observer time. */
  wallOffsetNs = 1_000;
  /** Durations of what is measured next, in ns; then every measurement is 0 long. */
  readonly durationsNs: number[] = [];
  readonly identities = new ScriptedIdentities();
  /** What a look at who a member is takes. */
  lookNs = 0;
  #monotonicNs = 0;
  #lastTurn = 0;

  constructor({ command, keepsFacts = false, recovery = {}, ...options }: TickHarnessOptions = {}) {
    super(options);
    const { observer, diary } = this;
    const { capacity } = observer.tracker;
    this.metrics = new MetricsRegistry({
      blocks: METRIC_BLOCKS,
      capacity,
      listeners: this.listeners,
      accounting: observer.accounting,
      perPid: true,
      build: { version: "1", revision: "r", runtime: "bun", target: "t" },
    });
    this.recovery = recoveryHarness({
      runner: this.runner,
      ...recovery,
      config: { command, ...recovery.config },
      capacity,
      isMuted: (stall, nowNs) => this.isMuted(stall, nowNs),
      guard: observer.silence.guarded,
      observerNamespaceInode: OWN_INODE,
      freshness: (pid, generation) => observer.stallFreshness(pid, generation),
      outcomes: (outcome) => this.onOutcome(outcome),
    }).recovery;
    this.identification = new Identification({
      tracker: observer.tracker,
      reader: this.identities,
      listenerNames: [],
      monotonicNs: () => this.identities.looks.length * this.lookNs,
      keepsFacts,
    });
    this.tick = new Tick({
      observer,
      metrics: this.metrics,
      recovery: this.recovery,
      identification: this.identification,
      exporter: exportInto(diary),
      reports: reportsInto(diary),
      refusals: { look: () => false },
      rubbish: rubbishWatchInto(diary, observer),
      wallOffsetNs: () => this.wallOffsetNs,
      monotonicNs: () => (this.#monotonicNs += this.durationsNs.shift() ?? 0),
    });
  }

  onOutcome(outcome: RecoveryOutcome): void {
    // Not every outcome is about one agent.
    if ("pid" in outcome) this.diary.push(`${outcome.kind} ${outcome.pid}`);
  }

  isMuted({ pid }: Stall, _nowNs: number): boolean {
    return this.muted.has(pid);
  }

  /** Runs one turn and returns what it reported, in order. */
  turn(): string[] {
    this.#lastTurn = this.tick.run();
    return this.diary.splice(0);
  }

  /** Datagrams taken in the last turn. */
  get consumed(): number {
    return datagramsOf(this.#lastTurn);
  }

  get hasWorkLeft(): boolean {
    return (this.#lastTurn & TURN_HAS_WORK_LEFT) !== 0;
  }

  get busy(): boolean {
    return (this.#lastTurn & TURN_BUSY) !== 0;
  }

  get plain(): boolean {
    return (this.#lastTurn & TURN_FULL) === 0;
  }

  /** The value of a series on the metrics page. */
  series(name: string): number {
    const lines = renderPage(this.metrics).split("\n");
    const line = lines.find((one) => one.startsWith(`${name} `));
    if (line === undefined) throw new Error(`there is no series ${name}`);
    return Number(line.slice(name.length + 1));
  }
}

function exportInto(diary: string[]): TickExport {
  return {
    setWallOffsetNs: (ns) => diary.push(`export at ${ns}`),
    onBatch: (_batch: EventBatch, count: number) => diary.push(`export ${count} rows`) > 0,
    onLate: ({ pid }) => diary.push(`export late ${pid}`),
    onStall: (stall: Stall) => diary.push(`export stall ${stall.pid}`),
    onRemoved: (pid: number) => diary.push(`export removal ${pid}`),
    onLeft: () => {},
  };
}

function reportsInto(diary: string[]): TickReports {
  return {
    late: ({ pid }) => diary.push(`late ${pid}`),
    stalled: ({ pid, isMuted }) => diary.push(`stalled ${pid}${isMuted ? " muted" : ""}`),
    resumed: ({ pid, listener, status }) =>
      diary.push(`back ${pid} by ${listener} status ${status}`),
    left: () => {},
    sharedPid: ({ pid, source }) => diary.push(`shared ${pid} by ${source}`),
    namespaceConflict: (pid, inode) => diary.push(`foreign ${pid} in ${inode}`),
    paused: (ns, moved) => diary.push(`paused ${ns} ${moved}`),
    slowTurn: (stage, ns) => diary.push(`slow ${stage} ${ns}`),
  };
}

function rubbishWatchInto(diary: string[], { listeners, accounting }: Observer): RubbishWatch {
  return new RubbishWatch({
    listeners,
    accounting,
    thresholdNs: NS_PER_S,
    reports: {
      filterAttached: (listener) => diary.push(`filter on ${listener}`),
      filterDetached: (listener) => diary.push(`filter off ${listener}`),
      filterUnavailable: (listener) => diary.push(`no filter for ${listener}`),
    },
  });
}
