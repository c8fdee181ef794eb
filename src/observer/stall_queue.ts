// Stalls that were judged and not yet taken: a bounded queue of rows, copied from the tracker's
// slots at a judge point and emptied by the daemon over one or more turns (spec 04 section 4).
// Nothing is judged while it holds unread stalls. Beside them are the members that were found late.
import type { Origin } from "../base/origin.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { Stall } from "../events/stall.ts";
import type { StallVerdict } from "../events/stall_verdict.ts";
import { columnTable } from "../tables/columns.ts";
import { triggeredNs } from "../tracker/extensions.ts";
import {
  refusalsOf,
  SLOT_COLUMNS,
  SLOT_GOODBYE,
  SLOT_PROVEN,
  type SlotsView,
  sourceOf,
} from "../tracker/slots.ts";
import type { StallSink } from "../tracker/stall_scan.ts";
import type { Tracker } from "../tracker/tracker.ts";

const { pid, key, agent, rule, source, observedNonceHi, observedNonceLo, lastNs } = SLOT_COLUMNS;
const { origin, namespaceInode, generation, uid, status, payload, listener } = SLOT_COLUMNS;
const { flags, refused, innerPid, goodbyeNs } = SLOT_COLUMNS;

/** What a stall takes along from its slot, and from its lane. */
class StallRows extends columnTable({
  pid,
  key,
  agent,
  rule,
  source,
  observedNonceHi,
  observedNonceLo,
  lastNs,
  origin,
  namespaceInode,
  generation,
  innerPid,
  uid,
  status,
  payload,
  listener,
  flags,
  refused,
  goodbyeNs,
}) {
  readonly thresholdNs: Float64Array;
  readonly triggeredNs: Float64Array;

  constructor(capacity: number) {
    super(capacity);
    this.thresholdNs = new Float64Array(capacity);
    this.triggeredNs = new Float64Array(capacity);
  }
}

/** What the process of a stalled member is doing; asked when its stall is taken. */
export type VerdictOf = (pid: number, generation: number, origin: Origin) => StallVerdict;

export class StallQueue implements StallSink {
  /** Found late and not yet taken; whoever takes them empties it. */
  readonly lates: MemberLate[] = [];
  readonly #tracker: Tracker;
  readonly #rows: StallRows;
  readonly #verdictOf: VerdictOf | undefined;
  #judgedNs = 0;
  #next = 0;
  #count = 0;

  constructor(tracker: Tracker, capacity: number, verdictOf?: VerdictOf) {
    this.#tracker = tracker;
    this.#verdictOf = verdictOf;
    this.#rows = new StallRows(capacity);
  }

  get unread(): number {
    return this.#count - this.#next;
  }

  /** Empties the queue for a judge point at `nowNs`. */
  restart(nowNs: number): void {
    this.#judgedNs = nowNs;
    this.#next = 0;
    this.#count = 0;
  }

  onStall(slot: number): void {
    const row = this.#count++;
    this.#rows.copyRow(this.#tracker.slots, slot, row);
    this.#rows.thresholdNs[row] = this.#tracker.thresholdOf(slot);
    this.#rows.triggeredNs[row] = triggeredNs(this.#tracker.table, slot);
  }

  onLate(slot: number): void {
    const { slots, table } = this.#tracker;
    this.lates.push({
      observerNs: this.#judgedNs,
      agent: slots.agent[slot]!,
      pid: slots.pid[slot]!,
      key: slots.key[slot]!,
      source: sourceOf(slots, slot),
      listener: slots.listener[slot]!,
      generation: slots.generation[slot]!,
      lastNs: slots.lastNs[slot]!,
      lateNs: table.lanes.lateOf(slot),
      thresholdNs: table.lanes.thresholdOf(slot),
    });
  }

  /** A stall that was found before, as it is now: a debugger may have come or gone. */
  lookAgain(stall: Stall, nowNs: number): Stall {
    const now = { ...stall, observerNs: nowNs, isMuted: false };
    if (this.#verdictOf === undefined) return now;
    return { ...now, verdict: this.#verdictOf(stall.pid, stall.generation, stall.origin) };
  }

  /** The silence of the member of `slot` as a stall, whether it is one or not. */
  ofSlot(slot: number, nowNs: number): Stall {
    return this.lookAgain(this.rowOf(slot, nowNs), nowNs);
  }

  /** The same, and its process is not looked at. */
  rowOf(slot: number, nowNs: number): Stall {
    const { slots } = this.#tracker;
    const stall = stallOf(slots, slot, this.#tracker.thresholdOf(slot), nowNs);
    return withTrigger(stall, triggeredNs(this.#tracker.table, slot));
  }

  /** The oldest unread stall, or undefined. */
  take(): Stall | undefined {
    if (this.#next === this.#count) return undefined;
    const row = this.#next++;
    const judged = stallOf(this.#rows, row, this.#rows.thresholdNs[row]!, this.#judgedNs);
    const stall = withTrigger(judged, this.#rows.triggeredNs[row]!);
    if (this.#verdictOf === undefined) return stall;
    return { ...stall, verdict: this.#verdictOf(stall.pid, stall.generation, stall.origin) };
  }
}

/** The lanes have it as silent for its threshold; people are told when it beat last. */
function withTrigger(stall: Stall, askedNs: number): Stall {
  return Number.isNaN(askedNs) ? stall : { ...stall, lastNs: askedNs, isTriggered: true };
}

function stallOf(
  rows: Omit<StallRows, "thresholdNs" | "triggeredNs" | "copyRow"> | SlotsView,
  row: number,
  thresholdNs: number,
  observerNs: number,
): Stall {
  return {
    pid: rows.pid[row]!,
    key: rows.key[row]!,
    agent: rows.agent[row]!,
    rule: rows.rule[row]!,
    source: sourceOf(rows, row),
    lastNonceHi: rows.observedNonceHi[row]!,
    lastNonceLo: rows.observedNonceLo[row]!,
    lastNs: rows.lastNs[row]!,
    thresholdNs,
    observerNs,
    origin: rows.origin[row]! as Origin,
    namespaceInode: rows.namespaceInode[row]!,
    generation: rows.generation[row]!,
    innerPid: rows.innerPid[row]!,
    uid: rows.uid[row]!,
    proven: (rows.flags[row]! & SLOT_PROVEN) !== 0,
    status: rows.status[row]!,
    payload: rows.payload[row]!,
    listener: rows.listener[row]!,
    refused: refusalsOf(rows, row),
    goodbyeNs: (rows.flags[row]! & SLOT_GOODBYE) !== 0 ? rows.goodbyeNs[row]! : Number.NaN,
  };
}
