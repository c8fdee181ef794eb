// The registry of the metrics page (spec 08): it shows the counters of every stage, which it
// reads in place, and counts what only event rows can say. It is fed while the daemon turns;
// nothing here allocates, blocks or throws meanwhile.
import {
  type AnyBlock,
  block,
  blockPer,
  Counters,
  type CounterSource,
  type CountersOf,
  counter,
  gauge,
} from "../base/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import {
  EVENT_BEAT,
  EVENT_DECODE,
  EVENT_IO,
  type EventBatch,
  keyOfRow,
  sourceOfRow,
} from "../events/event_batch.ts";
import type { Stall } from "../events/stall.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { ownProcessCounters } from "../processes/own_process.ts";
import { DECODE_ERROR_KINDS } from "../wire/decode_error.ts";
import { type CauseCounters, CAUSES } from "./causes.ts";
import { AgentPage, type AgentTotals } from "./agent_page.ts";
import type { AgentEnd } from "./agent_families.ts";
import type { AgentRows } from "./agent_rows.ts";
import { Exposition } from "./exposition.ts";
import type { IsPossible, Labels } from "./family_section.ts";
import type { PageRows } from "./page_rows.ts";
import { PidPage } from "./pid_page.ts";
import { PidRows } from "./pid_rows.ts";

export interface MetricsOptions {
  /** What the page has, in its order. */
  readonly blocks: readonly AnyBlock[];
  /** Tracker capacity; the row table is a little larger. */
  readonly capacity: number;
  /** The largest one that it can be given; undefined = it stays. */
  readonly room?: number | undefined;
  /** In configuration order: the index is the listener number of rows and accounting. */
  readonly listeners: readonly { readonly name: string }[];
  /** The observer's own table, read at each scrape. */
  readonly accounting: DatagramAccounting;
  /** Each process has rows. */
  readonly perPid: boolean;
  /** Undefined = agents have no rows: the page is that of the Rust observer. */
  readonly agents?: PageOfAgents | undefined;
  /** What the configuration leaves possible; undefined = everything is on the page. */
  readonly isPossible?: IsPossible | undefined;
  readonly build: BuildInfo;
}

interface PageOfAgents {
  readonly rows: AgentRows;
  readonly totals: AgentTotals;
  /** Something is done about stalls. */
  readonly recovers: boolean;
  /** Nobody is told of the agent of that name; undefined = of none. */
  readonly isMuted?: (name: string) => boolean;
}

/** What per-pid rows say one by one, added up: there whether pids have rows or not. */
export const SEEN = blockPer(["listener"], {
  stalls: counter("varta_stalls_seen_total", "Stalls, by the listener of the last beat."),
  resumes: counter("varta_resumes_seen_total", "Members that beat again after a stall."),
});

export const METRICS = block({
  pidRowRefused: counter(
    "varta_prom_pid_row_refused_total",
    "Beats and stalls without a per-pid row.",
  ),
});

export const UPTIME = block({
  uptime: gauge("varta_watch_uptime_seconds", "Time since the observer started.", {
    decimals: 3,
    ask: (_owner: unknown, _index: number, nowNs: number) => nowNs / NS_PER_S,
  }),
});

export const BUILD = blockPer(["version", "revision", "runtime", "target"], {
  info: gauge("varta_build_info", "The build that is running; always 1.", { ask: () => 1 }),
});

interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly runtime: string;
  readonly target: string;
}

/** The cell of decode error 1; the others follow. */
const DECODE_ERRORS = CAUSES.decodeErrors[DECODE_ERROR_KINDS[0]];

export class Metrics {
  /** Renders the page, in slices; it is the `ScrapeSource` of the HTTP server. */
  readonly exposition: Exposition;
  /** Undefined = processes have no rows. */
  readonly #rows: PidRows | undefined;
  readonly #agents: AgentRows | undefined;
  /** By listener number. */
  readonly #seen: CountersOf<typeof SEEN>[] = [];
  readonly #accounting: DatagramAccounting;
  /** What the page has of each listener. */
  readonly #ofListeners = new Map<number, CounterSource[]>();
  readonly #counters = new Counters(METRICS, this);
  readonly #causes: CauseCounters;
  #wallOffsetNs = 0;

  constructor(options: MetricsOptions) {
    const { accounting, build, listeners, blocks, agents, isPossible } = options;
    this.#rows = options.perPid ? new PidRows(options.capacity, options.room) : undefined;
    this.#agents = agents?.rows;
    this.#causes = new Counters(CAUSES, accounting);
    this.#accounting = accounting;
    this.exposition = new Exposition({ blocks, rows: this.#pageRows(agents), isPossible });
    for (const [number, { name }] of listeners.entries()) this.showListener(number, name);
    if (agents !== undefined) this.show(agents.rows.counters);
    this.show(this.#causes);
    this.show(this.#counters);
    this.show(new Counters(UPTIME, this));
    this.show(new Counters(BUILD, this), { ...build });
    this.show(ownProcessCounters());
  }

  /** The tracker has another capacity. */
  resize(capacity: number): void {
    this.#rows?.resize(capacity);
  }

  /**
   * Gives the page one more instance of a block; `labels` are what tells it from others. It stays
   * as long as `listener` does, if that is given.
   */
  show(source: CounterSource, labels: Labels = {}, listener?: number): void {
    this.exposition.show(source, labels);
    if (listener === undefined) return;
    const ofListener = this.#ofListeners.get(listener) ?? [];
    this.#ofListeners.set(listener, [...ofListener, source]);
  }

  /** What was taken in by a listener; one that comes back goes on counting where it ended. */
  showListener(number: number, name: string): void {
    this.#seen[number] ??= new Counters(SEEN, this);
    this.show(this.#accounting.countersOf(number), { listener: name }, number);
    if (this.#agents !== undefined) this.show(this.#seen[number], { listener: name }, number);
  }

  /** A listener is gone, and with it its rows. What is said of all listeners together stays. */
  hideListener(number: number): void {
    for (const source of this.#ofListeners.get(number) ?? []) this.exposition.hide(source);
    this.#ofListeners.delete(number);
  }

  /**
   * Wall clock minus observer time, in ns, taken at the start of the turn. It dates the beats of
   * the turn.
   */
  setWallOffsetNs(wallOffsetNs: number): void {
    this.#wallOffsetNs = wallOffsetNs;
  }

  /** Counts event rows 0..count-1. The beat path: no allocation. */
  onBatch(batch: EventBatch, count: number): void {
    const { kind, pid, hasSource, status, observerNs } = batch;
    const rows = this.#rows;
    const wallOffsetNs = this.#wallOffsetNs;
    for (let i = 0; i < count; i++) {
      if (kind[i]! !== EVENT_BEAT) {
        this.#countOther(batch, i);
        continue;
      }
      if (rows === undefined) continue;
      const unixMs = Math.floor((observerNs[i]! + wallOffsetNs) / NS_PER_MS);
      const isRecorded =
        hasSource[i] === 0
          ? rows.beat(pid[i]!, status[i]!, unixMs)
          : this.#sourcedBeat(rows, batch, i, unixMs);
      if (!isRecorded) this.#counters.add(METRICS.pidRowRefused);
    }
  }

  onStall(stall: Stall): void {
    this.#seen[stall.listener]?.add(SEEN.stalls);
    this.#agents?.stalled(stall);
    if (this.#rows?.stall(stall.key) === false) this.#counters.add(METRICS.pidRowRefused);
  }

  /** One that lasts since the daemon before this one. */
  onRestored(stall: Stall): void {
    this.#agents?.stalledBefore(stall);
  }

  /** A member beats again whose stall was reported. */
  onResumed(listener: number): void {
    this.#seen[listener]!.add(SEEN.resumes);
  }

  /** The process of a member of the agent of this number has ended. */
  onEnded(agent: number, how: AgentEnd): void {
    this.#agents?.ended(agent, how);
  }

  onOutcome(outcome: RecoveryOutcome): void {
    this.#agents?.recovery(outcome);
  }

  /**
   * Forgets the row of a member that the tracker removed. The caller has checked that it is not
   * tracked again.
   */
  onRemoved(key: number): void {
    this.#rows?.remove(key);
  }

  #pageRows(agents: PageOfAgents | undefined): PageRows[] {
    const pages: PageRows[] = [];
    const wallOffsetNs = () => this.#wallOffsetNs;
    if (agents !== undefined) pages.push(new AgentPage({ ...agents, wallOffsetNs }));
    const headed = pages.flatMap(({ texts }) => texts.map(({ name }) => name));
    if (this.#rows !== undefined) pages.push(new PidPage(this.#rows, headed));
    return pages;
  }

  /** A beat by plain UDP: one whose pid another source holds has a row under the name of both. */
  #sourcedBeat(rows: PidRows, batch: EventBatch, row: number, unixMs: number): boolean {
    const key = keyOfRow(batch, row);
    const pid = batch.pid[row]!;
    // The name is made once.
    const isNew = key !== pid && rows.find(key) < 0;
    const name = isNew ? `${sourceOfRow(batch, row)}/${pid}` : "";
    return rows.beat(key, batch.status[row]!, unixMs, name);
  }

  /**
   * Auth failures, conflicts and truncation are in the accounting table; only rows know the kind
   * and the errno.
   */
  #countOther(batch: EventBatch, i: number): void {
    const kind = batch.kind[i]!;
    if (kind === EVENT_DECODE) this.#causes.addAt(DECODE_ERRORS, batch.detail[i]! - 1);
    else if (kind === EVENT_IO) this.#causes.add(CAUSES.ioErrors);
  }
}
