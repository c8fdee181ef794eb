// The table of watched processes: one slot per pid, a capacity, no growth, no exceptions (spec
// 03). `record` takes one datagram, which carries its time and the identity of its sender;
// `drainDue` finds who fell silent. What is refused changes nothing that a beat changes, so it
// cannot keep a dead agent alive. The beat path never allocates.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { assert } from "../base/assert.ts";
import { Counters } from "../base/counters.ts";
import { TRACKER_CAPACITY_MAX } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, type Origin } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { u64FromPair } from "../base/u64.ts";
import { CONTROL_HELLO } from "../wire/control_datagram.ts";
import { beatRefusal, controlRefusal } from "./acceptance.ts";
import { type BeatRun, refreshRun } from "./beat_run.ts";
import { TRACKER, type TrackerCounters } from "./counters.ts";
import { EndedMembers } from "./ended_members.ts";
import { Eviction, type EvictionOptions } from "./eviction.ts";
import { checkTrackerInvariants } from "./invariants.ts";
import { goodbyeNsMax, sayGoodbye } from "./goodbyes.ts";
import { terminalAdvances } from "./nonce_order.ts";
import type { Pauses } from "./pauses.ts";
import { memberKey } from "./member_key.ts";
import { beginBeating } from "./hellos.ts";
import { isRecycled } from "./recycle.ts";
import { SlotTable } from "./slot_table.ts";
import { type JudgeGate, type SilenceGuard, StallScan, type StallSink } from "./stall_scan.ts";
import { isFromElsewhere, SLOT_BEAT_ONCE, type Slots, type SlotsView } from "./slots.ts";
import {
  UPDATE_CAPACITY_EXCEEDED,
  UPDATE_INSERTED,
  UPDATE_OUT_OF_ORDER,
  UPDATE_REFRESHED,
} from "./updates.ts";

/** Slots of a tracker made without options (spec 03). */
const TRACKER_CAPACITY_CLASS_DEFAULT = 256;

/** Verdicts of `stallFreshness`; only FRESH_WARRANTED may fire a recovery. */
export const FRESH_WARRANTED = 0;
export const FRESH_AGENT_RESUMED = 1;
export const FRESH_PID_RECYCLED = 2;
export const FRESH_UNVERIFIABLE_GENERATION = 3;
/** The agent is alive and beats, and its beats are refused. */
export const FRESH_BEATS_REFUSED = 4;

export interface TrackerOptions extends EvictionOptions {
  /** The threshold of a member that is new. */
  readonly thresholdNs: number;
  /** Clamped to 2^20; 0 refuses every pid. */
  readonly capacity?: number;
  /** The largest capacity that it can be given later; by default the one that it has. */
  readonly room?: number;
  readonly processes: ProcessReader;
}

export class Tracker {
  readonly counters: TrackerCounters = new Counters(TRACKER, this);
  readonly table: SlotTable;
  /** The columns, as in `table`, to be read by slot. */
  readonly slots: SlotsView;
  /** What is done to members whose processes have ended. */
  readonly ends: EndedMembers;

  readonly #slots: Slots;
  readonly eviction: Eviction;
  readonly #scan: StallScan;

  constructor(options: TrackerOptions) {
    const wanted = options.capacity ?? TRACKER_CAPACITY_CLASS_DEFAULT;
    assert(Number.isInteger(wanted) && wanted >= 0, "a tracker capacity is an integer >= 0");
    const capacity = Math.min(wanted, TRACKER_CAPACITY_MAX);
    const room = Math.max(capacity, options.room ?? 0);
    this.table = new SlotTable({ ...options, capacity, room, counters: this.counters });
    this.#slots = this.table.slots;
    this.slots = this.#slots;
    this.eviction = new Eviction(this.#slots, this.table.lanes, options);
    this.#scan = new StallScan(this.table, this.eviction, options.processes);
    this.ends = new EndedMembers(this.table, this.#scan);
  }

  get capacity(): number {
    return this.table.capacity;
  }

  /** Slots that are read per victim search. */
  get evictionWindow(): number {
    return this.eviction.window;
  }

  /** Tracked processes; slots 0..len-1 are live. */
  get len(): number {
    return this.table.len;
  }

  /** Live slots whose stall was surfaced. */
  get stallEmittedCount(): number {
    return this.table.latchedCount;
  }

  /**
   * Takes a datagram whose frame was read, and leaves in it the slot that was touched or read, -1
   * if none. Returns an UPDATE code; each refused datagram moves exactly the counter of its reason.
   */
  record(datagram: Datagram): number {
    // A start time that f64 cannot hold exactly would compare equal to its neighbours.
    if (!(datagram.generation <= Number.MAX_SAFE_INTEGER)) datagram.generation = Number.NaN;
    const slot = this.table.index.get(datagram.key);
    if (slot < 0) return this.#admit(datagram);
    if (slot >= this.table.len) return this.#dropStrayEntry(datagram);
    datagram.slot = slot;
    // Equal generations are one process; anything else, two unknown ones included, needs a closer
    // look.
    const isSame = this.#slots.generation[slot]! === datagram.generation;
    if (!isSame && isRecycled(this.table, datagram)) return this.#recycle(datagram);
    const refusal = beatRefusal(this.table, datagram);
    if (refusal === UPDATE_REFRESHED) this.#refresh(datagram);
    else this.noteIdentityRead(datagram);
    return refusal;
  }

  /**
   * As `record` for a hello or a bye: a hello makes a member that owes no beats yet, a bye one that
   * owes none any more. A bye of who is not here changes nothing, and has no slot then.
   */
  recordControl(datagram: Datagram): number {
    if (!(datagram.generation <= Number.MAX_SAFE_INTEGER)) datagram.generation = Number.NaN;
    const { table } = this;
    const isHello = datagram.control === CONTROL_HELLO;
    const slot = table.index.get(datagram.key);
    if (slot >= table.len) return this.#dropStrayEntry(datagram);
    datagram.slot = slot;
    if (slot < 0) return isHello ? this.#admit(datagram) : UPDATE_REFRESHED;
    const isSame = this.#slots.generation[slot]! === datagram.generation;
    const isOther = !isSame && isRecycled(table, datagram);
    if (isOther && isHello) return this.#recycle(datagram);
    if (isOther || (!isHello && isFromElsewhere(this.#slots, datagram))) {
      datagram.slot = -1;
      return UPDATE_REFRESHED;
    }
    const refusal = controlRefusal(table, datagram);
    if (refusal !== UPDATE_REFRESHED) {
      this.noteIdentityRead(datagram);
      return refusal;
    }
    table.pinSender(datagram);
    table.storeSender(datagram);
    if (!isHello) sayGoodbye(table, slot, datagram.nowNs, goodbyeNsMax(this.#slots.graceNs[slot]!));
    return UPDATE_REFRESHED;
  }

  /**
   * Notes with the slot of a datagram, which is refused, that the identity of its sender was read.
   */
  noteIdentityRead({ slot, nowNs, identityWasRead }: Datagram): void {
    if (identityWasRead && slot >= 0) this.#slots.identityReadNs[slot] = nowNs;
  }

  /**
   * Notes a refused beat with its slot, if it has one. `isAlive`: it shows that the member is.
   */
  noteRefusal({ slot, nowNs, control }: Datagram, rejected: number, isAlive: boolean): void {
    if (slot >= 0 && control === 0) this.#slots.refuse(slot, rejected, isAlive, nowNs);
  }

  /**
   * Takes datagrams `from` up to `to` of `run` as long as `record` would refresh their slots and
   * nothing else; returns how many. It makes them with the identity that is pinned.
   */
  refreshRun(run: BeatRun, from: number, to: number): number {
    return refreshRun(this.table, run, from, to);
  }

  /**
   * Hands every slot that is due by the threshold of its lane to `sink`, at most `slotsMax` of
   * them; returns how many slots were taken, emitted or retired. What is left stays due.
   */
  drainDue(nowNs: number, slotsMax: number, sink: StallSink): number {
    return this.#scan.drain(nowNs, Number.NaN, slotsMax, sink);
  }

  /** As `drainDue` without a limit, with one threshold for all lanes. */
  drainStalledSlots(nowNs: number, thresholdNs: number, sink: StallSink): number {
    return this.#scan.drain(nowNs, thresholdNs, Number.POSITIVE_INFINITY, sink);
  }

  /**
   * Whether the stall of `key` still holds right before a recovery fires. `generation` is the one
   * of the stall; nothing may fire if a beat was refused within the threshold before `nowNs` that
   * showed the agent alive.
   */
  stallFreshness(key: number, generation: number, nowNs = Number.POSITIVE_INFINITY): number {
    const slot = this.slotOf(key);
    if (slot < 0 || !this.#slots.isLatched(slot)) return FRESH_AGENT_RESUMED;
    const isKnown = !Number.isNaN(generation);
    if (isKnown && this.#scan.isOfOther(slot, generation)) return FRESH_PID_RECYCLED;
    const aliveSinceNs = nowNs - this.thresholdOf(slot);
    if (this.#slots.isAliveSince(slot, aliveSinceNs)) return FRESH_BEATS_REFUSED;
    const isVerifiable = isKnown || this.#slots.origin[slot] !== ORIGIN_KERNEL_ATTESTED;
    return isVerifiable ? FRESH_WARRANTED : FRESH_UNVERIFIABLE_GENERATION;
  }

  /**
   * The live slot of `key`, or -1. Valid until the next record or drain. A pid is the key of
   * the member that claimed it first.
   */
  slotOf(key: number): number {
    return this.table.slotOf(key);
  }

  /** The key of a sender that no kernel attests, see `memberKey`; NO_KEY = it can have none. */
  keyOf(datagram: Datagram): number {
    return memberKey(this.table, datagram);
  }

  /** As `slotOf` for the first `count` of `pids`, into `slots`. */
  slotsOf(pids: Uint32Array, count: number, slots: Int32Array): void {
    this.table.index.getMany(pids, count, slots);
  }

  isTracked(key: number): boolean {
    return this.slotOf(key) >= 0;
  }

  get isEmpty(): boolean {
    return this.len === 0;
  }

  /** Observer time of the last accepted beat of `pid`; undefined = it is not tracked. */
  lastNsOf(pid: number): number | undefined {
    return this.#slots.lastNs[this.slotOf(pid)];
  }

  /** The number of the agent of a member; that of members not identified if it is not tracked. */
  agentOf(key: number): number {
    return this.#slots.agent[this.slotOf(key)] ?? AGENT_NEW;
  }

  /** The pinned trust class; undefined = not tracked. */
  originOf(pid: number): Origin | undefined {
    return this.#slots.origin[this.slotOf(pid)] as Origin | undefined;
  }

  /** The pinned pid namespace; NaN = not known, undefined = not tracked. */
  pidNsInodeOf(pid: number): number | undefined {
    return this.#slots.namespaceInode[this.slotOf(pid)];
  }

  /** The pinned start time in clock ticks; NaN = not known, undefined = not tracked. */
  generationOf(pid: number): number | undefined {
    return this.#slots.generation[this.slotOf(pid)];
  }

  /** The nonce of the last accepted beat, of any kind; undefined = not tracked. */
  lastObservedNonceOf(pid: number): bigint | undefined {
    const slot = this.slotOf(pid);
    if (slot < 0) return undefined;
    return u64FromPair(this.#slots.observedNonceHi[slot]!, this.#slots.observedNonceLo[slot]!);
  }

  /** False only if the slot of `pid` holds a terminal timestamp that is not below (hi, lo). */
  terminalTimestampWouldAdvance(pid: number, hi: number, lo: number): boolean {
    const slot = this.slotOf(pid);
    return slot < 0 || terminalAdvances(this.#slots, slot, hi, lo);
  }

  /** Who may put off that a member is judged, until it is known who it is; nobody at first. */
  set judgeGate(gate: JudgeGate) {
    this.#scan.gate = gate;
  }

  /** Who may hold members that are silent for their threshold; nobody at first. */
  set guard(guard: SilenceGuard) {
    this.#scan.guard = guard;
  }

  /** Times in which no member could be heard: they move all deadlines. */
  get pauses(): Pauses {
    return this.table.lanes.pauses;
  }

  /**
   * Silence after which the member of a live slot is stalled: its lane has it, and nothing else.
   */
  thresholdOf(slot: number): number {
    return this.table.lanes.thresholdOf(slot);
  }

  /** The threshold of members that are new. */
  get thresholdNs(): number {
    return this.table.thresholdNs;
  }

  /** Earliest time at which a drain could take a slot; +Infinity if none is waiting. */
  nextDeadline(): number {
    return this.table.lanes.nextDeadline();
  }

  /** Key and source ("" = none) of the member whose pid `takeEvictedPid` has just returned. */
  get evictedKey(): number {
    return this.table.removed.poppedKey;
  }

  /** It left the table because its process has ended, which was reported. */
  get evictedHasEnded(): boolean {
    return this.table.removed.poppedHasEnded;
  }

  get evictedSource(): string {
    return this.table.removed.poppedSource;
  }

  /**
   * The youngest evicted or retired pid, -1 if there is none left. It may be tracked again by now.
   */
  takeEvictedPid(): number {
    return this.table.removed.pop();
  }

  /**
   * Throws AssertionError unless the invariants of spec 03 section 11 hold. For tests: it reads
   * every slot.
   */
  checkInvariants(): void {
    checkTrackerInvariants(this.table, this.eviction.cursor);
  }

  /**
   * The index names a slot that does not exist: forget it, so that a later frame is a clean miss.
   */
  #dropStrayEntry(datagram: Datagram): number {
    this.table.index.remove(datagram.key);
    this.counters.add(TRACKER.invariantViolations);
    return this.#refuseCapacity(datagram);
  }

  #refresh(datagram: Datagram): void {
    const slots = this.#slots;
    const { table } = this;
    const { slot, nowNs } = datagram;
    table.pinSender(datagram);
    if (slots.isLatched(slot)) table.unlatch(slot);
    if (slots.hasBeaten(slot)) slots.flags[slot]! &= ~SLOT_BEAT_ONCE;
    else beginBeating(table, slot, nowNs);
    slots.forgetRefusals(slot);
    table.storeBeat(datagram);
    table.endDeferral(slot);
    table.lanes.beat(slot, nowNs);
  }

  #recycle(datagram: Datagram): number {
    this.table.vacate(datagram.slot);
    this.table.fill(datagram);
    this.counters.add(TRACKER.pidRecycle);
    return UPDATE_INSERTED;
  }

  /** A key that is not tracked: a free slot, or the slot of a victim, or a refusal. */
  #admit(datagram: Datagram): number {
    const { table } = this;
    if (table.farewells.isOvertaken(datagram)) {
      this.counters.add(TRACKER.outOfOrder);
      datagram.slot = -1;
      return UPDATE_OUT_OF_ORDER;
    }
    const slot = table.len < this.capacity ? table.append(datagram.key) : this.#evict(datagram);
    if (slot < 0) return this.#refuseCapacity(datagram);
    datagram.slot = slot;
    table.fill(datagram);
    return UPDATE_INSERTED;
  }

  /**
   * The row of a victim, given to the key of the datagram; -1 if there is no victim or the index
   * refuses.
   */
  #evict(datagram: Datagram): number {
    const { len, latchedCount, share } = this.table;
    const silent = this.eviction.findVictim(len, latchedCount, datagram.nowNs);
    if (silent < 0) this.counters.add(TRACKER.evictionScanTruncated);
    const victim = silent < 0 ? share.findVictim(datagram.attestedUid) : silent;
    if (victim < 0 || !this.table.replace(victim, datagram.key)) return -1;
    this.counters.add(TRACKER.evicted);
    if (silent < 0) this.counters.add(TRACKER.uidShare);
    return victim;
  }

  #refuseCapacity(datagram: Datagram): number {
    this.counters.add(TRACKER.capacityExceeded);
    datagram.slot = -1;
    return UPDATE_CAPACITY_EXCEEDED;
  }
}
