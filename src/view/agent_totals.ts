// The members of each agent added up, for a page: some members at a time, while beats come in
// between. A member that is there all the time counts once. What it has beaten goes on the account
// of its agent when it is passed, so that no beat is counted twice and none is lost, whoever leaves
// meanwhile; nothing is counted per beat but in its slot.
import { AGENT_STATES } from "../agents/agent_state.ts";
import { AGENT_NEW } from "../agents/agent_table.ts";
import { saturatingAdd } from "../base/saturating.ts";
import type { AgentTotals as Totals } from "../metrics/agent_page.ts";
import type { AgentRows } from "../metrics/agent_rows.ts";
import { lastBeatNs } from "../tracker/extensions.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { memberState } from "../tracker/member_state.ts";
import { silenceNs } from "./silence.ts";

/** Members passed between two readings of the clock: about 20 us. */
const MEMBERS_PER_STEP = 128;

const MISSING = AGENT_STATES.indexOf("missing");
const GONE = AGENT_STATES.indexOf("gone");

export class AgentTotals implements Totals {
  readonly #tracker: Tracker;
  readonly #rows: AgentRows;
  #walk = 0;
  /** Members below this slot are still to be passed. */
  #end = 0;
  #nowNs = 0;

  constructor(tracker: Tracker, rows: AgentRows) {
    this.#tracker = tracker;
    this.#rows = rows;
  }

  begin(nowNs: number): void {
    this.#walk += 1;
    this.#end = this.#tracker.len;
    this.#nowNs = nowNs;
    this.#rows.beginTotals();
  }

  // From the last slot to the first: removal moves the last row into the hole, so what moves was
  // passed before.
  step(): boolean {
    const end = Math.min(this.#end, this.#tracker.len);
    this.#end = Math.max(0, end - MEMBERS_PER_STEP);
    for (let slot = end - 1; slot >= this.#end; slot--) this.#pass(slot);
    if (this.#end > 0) return false;
    for (const row of this.#rows.shown()) {
      const { byState, thresholdNs } = row.totals;
      byState[GONE] = Number.isNaN(thresholdNs) ? 1 : 0;
      byState[MISSING] = this.#rows.missingOf(row);
    }
    return true;
  }

  #pass(slot: number): void {
    const { slots, table } = this.#tracker;
    const agent = slots.agent[slot]!;
    if (agent === AGENT_NEW || !table.see(slot, this.#walk)) return;
    const row = this.#rows.of(agent);
    row.beats = saturatingAdd(row.beats, table.takeBeats(slot));
    const { totals } = row;
    const { lanes } = table;
    const lastNs = lastBeatNs(table, slot);
    const thresholdNs = lanes.thresholdOf(slot);
    totals.byState[AGENT_STATES.indexOf(memberState(table, slot, this.#nowNs))]! += 1;
    if (!slots.hasEnded(slot)) totals.members += 1;
    if (slots.isBeating(slot)) totals.beating += 1;
    if (slots.hasBeaten(slot)) totals.oldestNs = least(totals.oldestNs, lastNs);
    totals.thresholdNs = least(totals.thresholdNs, thresholdNs);
    totals.silenceRatio = most(
      totals.silenceRatio,
      silenceNs(table, slot, this.#nowNs) / thresholdNs,
    );
  }
}

/** `before` is NaN at first. */
function least(before: number, value: number): number {
  return before <= value ? before : value;
}

function most(before: number, value: number): number {
  return before >= value ? before : value;
}
