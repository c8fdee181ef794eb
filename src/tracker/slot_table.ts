// The rows of the tracker and everything that must move with them: the index, the deadline lanes,
// the lists of each uid, the latch count and the list of removed pids. Each operation keeps all of
// them consistent or changes nothing (spec 03 sections 4.2, 6 and 11). What may be done to a row is
// decided in tracker.ts.
import { AGENT_NEW, AgentTable } from "../agents/agent_table.ts";
import { assert } from "../base/assert.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { MemberFacts } from "../agents/naming.ts";
import type { Datagram } from "../events/datagram.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { BoundedIndex } from "../tables/bounded_index.ts";
import { TRACKER, type TrackerCounters } from "./counters.ts";
import type { AgentBeats } from "./agent_beats.ts";
import type { Askings } from "./askings.ts";
import { DeadlineLanes } from "./deadline_lanes.ts";
import { Farewells } from "./farewells.ts";
import { awaitFirstBeat, storeHello } from "./hellos.ts";
import { LookOrder } from "./look_order.ts";
import { isShared } from "./member_key.ts";
import type { Newcomers } from "./newcomers.ts";
import type { SaidWords } from "./said_words.ts";
import { RemovedPids } from "./removed_pids.ts";
import type { RestoredGate } from "./restored_gate.ts";
import {
  GRACE_LENT,
  SLOT_ENDED,
  SLOT_HAS_REGULAR_NONCE,
  SLOT_HAS_TERMINAL_TIMESTAMP,
  SLOT_STALL_EMITTED,
  Slots,
} from "./slots.ts";
import type { Terms } from "./terms.ts";
import { UidShare } from "./uid_share.ts";

/** Who a member is. */
export interface Identified extends Terms {
  /** Number of its agent. */
  readonly agent: number;
  /** Index of its rule, or RULE_NONE. */
  readonly rule: number;
  /** Mark of the program that it runs; 0 = it could not be read. */
  readonly program: number;
}

interface Greeting {
  readonly key: number;
  /** NaN = it asks for no threshold of its own. */
  readonly askedNs: number;
}

interface SlotTableOptions {
  readonly capacity: number;
  /** Rows that are reserved: the largest capacity that it can be given. */
  readonly room: number;
  /** The threshold of a member that is new. */
  readonly thresholdNs: number;
  readonly counters: TrackerCounters;
  readonly processes: ProcessReader;
}

export class SlotTable {
  readonly slots: Slots;
  readonly lanes: DeadlineLanes;
  readonly share: UidShare;
  readonly agents: AgentTable;
  readonly looks: LookOrder;
  /** By slot: what was known of the member when it was last named, for other rules. */
  readonly facts: (MemberFacts | undefined)[] = [];
  /** By slot: the name that the member has announced; none = "" or undefined. */
  readonly announced: (string | undefined)[] = [];
  /** What members said of themselves since it was taken, of those who were looked at before. */
  greeted: Greeting[] = [];
  index: BoundedIndex;
  readonly removed: RemovedPids;
  readonly farewells = new Farewells();
  /** Pids that got a slot since they were taken; undefined = that is not noted. */
  newcomers: Newcomers | undefined = undefined;
  /** Asked of those that are due; undefined = no member came back that may be held. */
  restoredGate: RestoredGate | undefined = undefined;
  /** By slot: what the member has said of itself beside its beats. */
  readonly said: (SaidWords | undefined)[] = [];
  /** Undefined = nobody hears who asks for more time. */
  askings: Askings | undefined = undefined;
  /** Undefined = nobody keeps an account of beats. */
  agentBeats: AgentBeats | undefined = undefined;
  /** The threshold of a member that is new. */
  thresholdNs: number;
  /** Live rows at most; those that were there when it was lowered stay. */
  capacity: number;
  /** Live rows: 0..len-1. */
  len = 0;
  /** Live rows whose latch is set. */
  latchedCount = 0;
  /** Stalls that began or ended. */
  latchChanges = 0;
  /** Rules that have taken a member since the start, or since they were changed. */
  readonly takenRules = new Set<number>();
  /** Live rows whose key is not their pid. */
  sharedCount = 0;
  readonly counters: TrackerCounters;

  constructor({ capacity, room, thresholdNs, counters, processes }: SlotTableOptions) {
    this.capacity = capacity;
    this.thresholdNs = thresholdNs;
    this.agents = new AgentTable();
    this.index = new BoundedIndex(capacity);
    this.counters = counters;
    this.slots = new Slots(room);
    this.lanes = new DeadlineLanes(this.slots, this.counters);
    this.share = new UidShare(this.slots, processes);
    this.looks = new LookOrder(this.slots);
    this.removed = new RemovedPids(room);
  }

  /** From now on it has so many rows at most; `capacity` is not above the rows reserved. */
  resize(capacity: number): void {
    assert(capacity <= this.slots.rowCount, "a table grows up to the rows that are reserved");
    this.capacity = capacity;
    this.index = this.index.resized(capacity);
  }

  /** The live row of `key`, or -1. */
  slotOf(key: number): number {
    const slot = this.index.get(key);
    return slot < this.len ? slot : -1;
  }

  /**
   * The next free row, for `fill`. Its index entry is reserved first: -1, and nothing changed, if
   * that cannot be had.
   */
  append(key: number): number {
    if (!this.index.insert(key, this.len)) return -1;
    this.len += 1;
    if (isShared(key)) this.sharedCount += 1;
    return this.len - 1;
  }

  /**
   * Gives the row of `victim` to `key`; the row is touched only after the new pid has its index
   * entry, so that a refusal leaves the victim with its latch and its place in the lane. False if
   * the index refuses.
   */
  replace(victim: number, key: number): boolean {
    const victimKey = this.slots.key[victim]!;
    this.index.remove(victimKey);
    if (!this.index.insert(key, victim)) {
      if (!this.index.insert(victimKey, victim)) this.counters.add(TRACKER.invariantViolations);
      return false;
    }
    if (isShared(victimKey)) this.sharedCount -= 1;
    if (isShared(key)) this.sharedCount += 1;
    this.vacate(victim);
    this.#pushRemoved(victim);
    return true;
  }

  /** Takes `slot` from its process, so that its row may be written afresh. */
  vacate(slot: number): void {
    if (this.slots.isLatched(slot)) this.unlatch(slot);
    this.lanes.leave(slot);
    this.share.left(slot);
    this.looks.left(slot);
    this.facts[slot] = undefined;
    this.announced[slot] = undefined;
    this.said[slot] = undefined;
    this.#leaveAgent(slot);
  }

  /** The process of `slot` has ended. */
  end(slot: number): void {
    const { slots } = this;
    if (slots.hasEnded(slot)) return;
    const wasPresent = slots.isPresent(slot);
    slots.flags[slot]! |= SLOT_ENDED;
    this.agents.changed(slots.agent[slot]!, wasPresent, false);
    this.lanes.ended(slot);
    // It is judged at once.
    if (this.endDeferral(slot)) this.lanes.graces.push(slot);
  }

  /**
   * It has beaten or ended: what it was held for by the gate of restored members is over, and so
   * is a time in which it owed no beats. True if it now waits for no deadline because of that.
   */
  endDeferral(slot: number): boolean {
    if (this.slots.isGraceLent(slot)) return this.#endLentGrace(slot);
    if (this.restoredGate?.isHeld(slot) !== true) return false;
    this.lanes.graces.remove(slot);
    this.slots.graceEndNs[slot] = Number.NEGATIVE_INFINITY;
    return true;
  }

  #endLentGrace(slot: number): boolean {
    const { slots, lanes } = this;
    const waited = lanes.graces.has(slot);
    lanes.graces.remove(slot);
    const wasPresent = slots.isPresent(slot);
    slots.flags[slot]! &= ~GRACE_LENT;
    const isPresent = slots.isPresent(slot);
    if (isPresent !== wasPresent) this.agents.changed(slots.agent[slot]!, wasPresent, isPresent);
    slots.graceEndNs[slot] = slots.ownGraceEndNs[slot]!;
    return waited;
  }

  /** The stall of `slot` is surfaced: it waits for no deadline until its next beat. */
  latch(slot: number): void {
    this.lanes.unlink(slot);
    this.slots.flags[slot]! |= SLOT_STALL_EMITTED;
    this.latchedCount += 1;
    this.latchChanges += 1;
  }

  unlatch(slot: number): void {
    this.slots.flags[slot]! &= ~SLOT_STALL_EMITTED;
    this.latchedCount -= 1;
    this.latchChanges += 1;
    this.lanes.onHeard?.(this.slots.key[slot]!);
  }

  /** Writes a fresh row into the vacated slot of a datagram. */
  fill(datagram: Datagram): void {
    const slots = this.slots;
    const { slot } = datagram;
    slots.freshen(slot);
    slots.key[slot] = datagram.key;
    slots.pid[slot] = datagram.pid;
    slots.agent[slot] = AGENT_NEW;
    this.agents.join(AGENT_NEW);
    slots.origin[slot] = datagram.origin;
    slots.namespaceInode[slot] = datagram.namespaceInode;
    slots.generation[slot] = datagram.generation;
    slots.uid[slot] = datagram.attestedUid;
    slots.gid[slot] = datagram.attestedGid;
    const { addresses, sourceAt } = datagram;
    if (addresses !== undefined) slots.setAddress(slot, addresses, sourceAt);
    if (datagram.control === 0) {
      this.storeBeat(datagram);
      slots.debt[slot] = datagram.debtIfFirst;
    } else storeHello(this, datagram);
    this.lanes.enter(slot, datagram.nowNs, this.thresholdNs);
    if (datagram.control !== 0) awaitFirstBeat(this, slot);
    this.share.entered(slot);
    this.looks.entered(slot);
    if (datagram.origin === ORIGIN_KERNEL_ATTESTED) this.newcomers?.push(datagram.pid);
  }

  /** The member of `slot` was looked at, and this is who it is; no `facts` = they are not kept. */
  identified(slot: number, identified: Identified, nowNs: number, facts?: MemberFacts): void {
    const { slots } = this;
    this.assign(slot, identified.agent, identified.rule);
    slots.program[slot] = identified.program;
    this.facts[slot] = facts;
    this.lanes.change(slot, identified);
    this.looks.looked(slot, nowNs);
  }

  /** The member of `slot` says hello. What it says is heard when it is looked at, or soon after. */
  greet(slot: number, name: string, askedNs: number): void {
    const { slots } = this;
    const isNew = name !== (this.announced[slot] ?? "");
    // One that waits to be heard may have asked for something else.
    const isOther = askedNs !== slots.askedNs[slot]! || this.greeted.length > 0;
    const asks = !Number.isNaN(askedNs) && isOther;
    if (!isNew && !asks) return;
    this.announced[slot] = name;
    if (!this.looks.isFresh(slot)) this.greeted.push({ key: slots.key[slot]!, askedNs });
    else if (asks) slots.askedNs[slot] = askedNs;
  }

  /** The member of `slot` belongs to `agent` from now on, by `rule`. */
  assign(slot: number, agent: number, rule: number): void {
    const { slots } = this;
    const isPresent = slots.isPresent(slot);
    this.agents.join(agent, isPresent);
    // What it sent before anybody knew who it is belongs to the agent that it turns out to be.
    if (slots.agent[slot]! === AGENT_NEW) this.agents.leave(AGENT_NEW, isPresent);
    else this.#leaveAgent(slot);
    slots.agent[slot] = agent;
    slots.rule[slot] = rule;
    this.takenRules.add(rule);
  }

  /**
   * The member of `slot` beats by `listener` from now on, whose beats count as `origin`: else the
   * next one would be refused as that of another sender.
   */
  moveTo(slot: number, listener: number, origin: number): void {
    this.slots.listener[slot] = listener;
    this.slots.origin[slot] = origin;
  }

  /** The beats of `slot` since they were last taken. */
  takeBeats(slot: number): number {
    const beats = this.slots.beats[slot]!;
    this.slots.beats[slot] = 0;
    this.slots.beatsTaken[slot]! += beats;
    return beats;
  }

  /**
   * False if walk number `walk` has seen the member of `slot` before: while a walk goes on, a
   * removal may move a member to where the walk comes by once more.
   */
  see(slot: number, walk: number): boolean {
    if (this.slots.walk[slot]! === walk) return false;
    this.slots.walk[slot] = walk;
    return true;
  }

  /** What every accepted beat leaves in its slot, its time excepted: that belongs to the lane. */
  storeBeat(datagram: Datagram): void {
    const slots = this.slots;
    const { slot, nonceHi, nonceLo, timestampHi, timestampLo, sources } = datagram;
    slots.status[slot] = datagram.status;
    slots.payload[slot] = datagram.payload;
    slots.listener[slot] = datagram.listenerNumber;
    slots.beats[slot]! += 1;
    slots.debt[slot] = datagram.debt;
    this.storeSender(datagram);
    if (sources !== undefined) slots.setSource(slot, sources, datagram.sourceAt);
    slots.observedNonceHi[slot] = nonceHi;
    slots.observedNonceLo[slot] = nonceLo;
    if (datagram.isTerminal) {
      slots.terminalTimestampHi[slot] = timestampHi;
      slots.terminalTimestampLo[slot] = timestampLo;
      slots.flags[slot]! |= SLOT_HAS_TERMINAL_TIMESTAMP;
      return;
    }
    slots.lastNonceHi[slot] = nonceHi;
    slots.lastNonceLo[slot] = nonceLo;
    slots.timestampHi[slot] = timestampHi;
    slots.timestampLo[slot] = timestampLo;
    slots.flags[slot]! |= SLOT_HAS_REGULAR_NONCE;
  }

  /** What was found out about its sender. */
  storeSender(datagram: Datagram): void {
    const { slots } = this;
    const { slot } = datagram;
    if (datagram.identityWasRead) slots.identityReadNs[slot] = datagram.nowNs;
    if (datagram.isProven) slots.prove(slot);
    if (datagram.innerPid !== 0) slots.innerPid[slot] = datagram.innerPid;
  }

  /** What was not known of the sender of its member is known from now on. */
  pinSender({ slot, namespaceInode, generation }: Datagram): void {
    const { slots } = this;
    if (Number.isNaN(slots.namespaceInode[slot]!)) slots.namespaceInode[slot] = namespaceInode;
    if (Number.isNaN(slots.generation[slot]!)) slots.generation[slot] = generation;
  }

  /** Removes `slot`; the last row moves into the hole. */
  remove(slot: number): void {
    const slots = this.slots;
    const key = slots.key[slot]!;
    this.vacate(slot);
    this.index.remove(key);
    if (isShared(key)) this.sharedCount -= 1;
    this.#pushRemoved(slot);
    const last = this.len - 1;
    if (slot !== last) {
      slots.copyRow(slots, last, slot);
      this.lanes.moved(slot);
      this.share.moved(slot);
      this.looks.moved(slot);
      this.facts[slot] = this.facts[last];
      this.facts[last] = undefined;
      this.announced[slot] = this.announced[last];
      this.announced[last] = undefined;
      this.said[slot] = this.said[last];
      this.said[last] = undefined;
      if (!this.index.insert(slots.key[slot]!, slot))
        this.counters.add(TRACKER.invariantViolations);
    }
    this.len = last;
  }

  #leaveAgent(slot: number): void {
    const agent = this.slots.agent[slot]!;
    this.agents.leave(agent, this.slots.isPresent(slot));
    this.agentBeats?.left(agent, this.takeBeats(slot));
  }

  #pushRemoved(slot: number): void {
    if (!this.removed.push(this.slots, slot)) this.counters.add(TRACKER.removedPidDrops);
  }
}
