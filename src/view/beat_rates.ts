// Beats per second of each agent, over the last minute: every five seconds what its members have
// beaten goes on its account, some members at a time, and the account is noted. Nothing is done
// for it at a beat.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { saturatingAdd } from "../base/saturating.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { AgentRow, AgentRows } from "../metrics/agent_rows.ts";
import type { Tracker } from "../tracker/tracker.ts";

const EVERY_NS = 5 * NS_PER_S;
/** Samples that are kept: the spans between them are a minute. */
const SAMPLES = 13;
/** Members passed in a turn, about 20 us; and the pause until the next ones. */
const MEMBERS_PER_STEP = 512;
const STEP_EVERY_NS = 2 * NS_PER_MS;

interface Samples {
  /** Number of the first one. */
  readonly first: number;
  /** Rings, as the times are. */
  readonly beats: Float64Array;
}

export class BeatRates {
  readonly #tracker: Tracker;
  readonly #rows: AgentRows;
  #byRow = new Map<AgentRow, Samples>();
  readonly #times = new Float64Array(SAMPLES);
  /** Samples that were taken since the start. */
  #count = 0;
  #dueNs = 0;
  /** When the next sample begins. */
  #nextNs = 0;
  /** Members below this slot are still to be passed; -1 = none are. */
  #end = -1;

  constructor(tracker: Tracker, rows: AgentRows) {
    this.#tracker = tracker;
    this.#rows = rows;
  }

  nextDeadlineNs(): number {
    return this.#dueNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#dueNs) return;
    if (this.#end < 0) {
      this.#end = this.#tracker.len;
      this.#nextNs = nowNs + EVERY_NS;
    }
    this.#pass();
    if (this.#end > 0) {
      this.#dueNs = nowNs + STEP_EVERY_NS;
      return;
    }
    this.#end = -1;
    this.#note(nowNs);
    this.#dueNs = this.#nextNs;
  }

  /** NaN = it has not been there for two samples yet. */
  rateOf(row: AgentRow): number {
    const samples = this.#byRow.get(row);
    if (samples === undefined) return Number.NaN;
    const last = this.#count - 1;
    const first = Math.max(samples.first, this.#count - SAMPLES);
    if (first >= last) return Number.NaN;
    const { beats } = samples;
    const spanS = (this.#times[last % SAMPLES]! - this.#times[first % SAMPLES]!) / NS_PER_S;
    return (beats[last % SAMPLES]! - beats[first % SAMPLES]!) / spanS;
  }

  // From the last slot to the first, as all walks. One that is met twice gives what it has beaten
  // in between.
  #pass(): void {
    const { slots, table, len } = this.#tracker;
    const end = Math.min(this.#end, len);
    this.#end = Math.max(0, end - MEMBERS_PER_STEP);
    for (let slot = end - 1; slot >= this.#end; slot--) {
      const agent = slots.agent[slot]!;
      if (agent === AGENT_NEW) continue;
      const row = this.#rows.of(agent);
      row.beats = saturatingAdd(row.beats, table.takeBeats(slot));
    }
  }

  /** Rows that are gone are forgotten with it. */
  #note(nowNs: number): void {
    const byRow = new Map<AgentRow, Samples>();
    for (const row of this.#rows.shown()) {
      const samples = this.#byRow.get(row) ?? {
        first: this.#count,
        beats: new Float64Array(SAMPLES),
      };
      samples.beats[this.#count % SAMPLES] = row.beats;
      byRow.set(row, samples);
    }
    this.#times[this.#count % SAMPLES] = nowNs;
    this.#count += 1;
    this.#byRow = byRow;
  }
}
