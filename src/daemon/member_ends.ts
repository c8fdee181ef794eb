// Follows the ends of members (spec 14): watches the processes of those that are new, takes the
// ends that were seen, decides what each means, and lets members leave the table. All of it
// happens between receives, within a budget, and never on the path of a beat.
import { actionOf, type HowEnded, howEnded } from "../agents/ends.ts";
import { type OpenEnd, Replacements } from "../agents/replacements.ts";
import { Counters } from "../base/counters.ts";
import { ORIGIN_KERNEL_ATTESTED, type Origin } from "../base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { exitedVerdict, type StallVerdict, unknownVerdict } from "../events/stall_verdict.ts";
import type { KeyedBye } from "../observer/greetings.ts";
import { type ProcessEnd, WATCH_GONE } from "../processes/end_watch.ts";
import type { Newcomers } from "../tracker/newcomers.ts";
import type { Deadline } from "./deadline.ts";
import { ENDS } from "./end_counters.ts";
import type { EndedMember, MemberEndsOptions } from "./end_options.ts";
import { EndReporter } from "./end_reporter.ts";
import { MemberSlots } from "./member_slots.ts";
import { StalledSweep } from "./stalled_sweep.ts";
import { type SeenEnd, seenEnd } from "./unit_ends.ts";
import { WatchedMembers } from "./watched_members.ts";

/**
 * A process descriptor, its start time and its control group: about 30 us for each new member, and
 * in small slices, as those of identities are.
 */
const NEWCOMERS_NS_PER_TURN_MAX = 0.25 * NS_PER_MS;
/** Between two looks for members that may leave. */
const SWEEP_NS = NS_PER_S;
/** Ends are decided and reported in about 50 us each; after a flood of beats many may wait. */
const ENDS_NS_PER_TURN_MAX = 2 * NS_PER_MS;

export class MemberEnds implements Deadline {
  readonly counters = new Counters(ENDS, this);
  readonly #reporter: EndReporter;
  readonly #options: MemberEndsOptions;
  readonly #newcomers: Newcomers;
  readonly #slots: MemberSlots;
  readonly #sweep: StalledSweep;
  readonly #replacements = new Replacements();
  /** By pid: members that are not read yet, with their start times. */
  readonly #unread = new Map<number, number>();
  readonly #members = new WatchedMembers();
  /** Ends that were seen, until all beats of before them are taken. */
  readonly #seen = new Map<number, SeenEnd>();
  /** By pid: members that have ended and have their slot still. */
  readonly #ended = new Map<number, EndedMember>();
  /** Pids of ended members that are to be stalled at once. */
  readonly #stalled = new Map<number, number>();
  #nowNs = 0;
  #sweepNs = SWEEP_NS;
  readonly #sink = (end: ProcessEnd): void => void this.#seen.set(end.pid, seenEnd(end));

  constructor(options: MemberEndsOptions) {
    this.#options = options;
    this.#slots = new MemberSlots(options);
    this.#sweep = new StalledSweep(options);
    this.#reporter = new EndReporter(options, this.counters);
    this.#newcomers = options.observer.tracker.ends.follow((slot) => this.#excuses(slot));
    const { unitEnds } = options;
    if (unitEnds !== undefined) unitEnds.decided = (end) => void this.#seen.set(end.pid, end);
  }

  /** Readable when a process has ended. */
  get fd(): number {
    return this.#options.watch.fd;
  }

  get watched(): number {
    return this.#options.watch.count;
  }

  get refused(): number {
    return this.#options.watch.refused;
  }

  /** The first part of a turn, before its receives: sees who has ended. */
  look(nowNs: number): void {
    this.#nowNs = nowNs;
    this.#options.watch.look(nowNs, this.#sink);
    this.#options.unitEnds?.look(nowNs);
  }

  /** Something waits for `settle`. */
  get hasWork(): boolean {
    const hasNew = this.#newcomers.count > 0 || this.#unread.size > 0;
    const hasEnds = this.#seen.size > 0 || this.#stalled.size > 0;
    return hasNew || hasEnds || this.#options.observer.greetings.hasByes;
  }

  /**
   * The second part, after the receives: `allHeard` = all sockets were found empty, so no beat of
   * those that were seen to end before can come any more. `sliceNs` is for those that are new.
   */
  settle(nowNs: number, allHeard: boolean, sliceNs = NEWCOMERS_NS_PER_TURN_MAX): void {
    this.#nowNs = nowNs;
    const { monotonicNs } = this.#options;
    const endNs = monotonicNs() + Math.min(sliceNs, NEWCOMERS_NS_PER_TURN_MAX);
    // Descriptors first: of one that has gone before it has one, nothing can be known any more.
    while (this.#newcomers.count > 0 && monotonicNs() <= endNs) this.#watch(this.#newcomers.take());
    for (const [pid, generation] of this.#unread) {
      // They are identified in the order in which they came.
      if (monotonicNs() > endNs || !this.#slots.isIdentified(pid, generation)) break;
      this.#read(pid, generation);
    }
    for (const bye of this.#options.observer.greetings.takeByes()) this.#bade(bye);
    if (allHeard && this.#seen.size > 0) this.#decideSeen();
    if (this.#stalled.size > 0) this.#judgeStalled();
  }

  nextDeadlineNs(): number {
    const { watch, unitEnds } = this.#options;
    const answerNs = unitEnds?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY;
    return Math.min(watch.nextDeadlineNs(), answerNs, this.#sweepNs);
  }

  /** Once a second: who is stalled and has ended leaves, when nothing is done for it any more. */
  maintain(nowNs: number): void {
    if (nowNs < this.#sweepNs) return;
    this.#nowNs = nowNs;
    this.#sweepNs = nowNs + SWEEP_NS;
    this.#replacements.maintain(nowNs);
    this.#options.watch.watchLeftOut();
    if (this.#options.observer.hasPendingStalls()) return;
    this.#sweep.look(nowNs, (slot) => this.#foundStalled(slot));
    for (const [pid, { generation, open }] of this.#ended) {
      const slot = this.#slots.slotOf(pid, generation);
      if (slot < 0) {
        this.#ended.delete(pid);
        if (open !== undefined) this.#replacements.closed(open);
      } else if (this.#sweep.mayLeave(slot)) this.#leave(slot);
    }
  }

  /** The tracker has removed the member of `pid`: its process is watched no more. */
  removed(pid: number): void {
    const member = this.#members.ofPid(pid);
    if (member === undefined || this.#slots.slotOf(pid, member.generation) >= 0) return;
    this.#members.forget({ pid, generation: member.generation });
    this.#options.watch.forget(pid, member.generation);
  }

  /** A recovery has done something: the end of a member that it signalled is not clean. */
  onOutcome(outcome: RecoveryOutcome): void {
    this.#members.onOutcome(outcome, this.#options.observer.clock.lastNs);
  }

  /**
   * The daemon before this one had the member of `slot`, whose process has ended: before that one
   * did, and then it was reported, or before `nowNs` while nobody watched.
   */
  restored(slot: number, nowNs: number): void {
    const { slots } = this.#options.observer.tracker;
    this.#nowNs = nowNs;
    const isKnown = slots.hasEnded(slot);
    const end = this.#slots.foundEnd(slot, Number.NaN, isKnown ? Number.NaN : nowNs);
    this.#knewBefore(slot, end.generation);
    if (!isKnown && this.#asksUnit(slot, end)) return;
    const leaves = isKnown ? this.#awaits(slot, end, false) : this.#leaves(slot, end, false);
    if (leaves) this.#leave(slot);
    this.#members.forget(end);
  }

  /** What the process of a stalled member is doing. */
  verdictOf(pid: number, generation: number, origin: Origin): StallVerdict {
    if (origin !== ORIGIN_KERNEL_ATTESTED) return unknownVerdict("the kernel does not attest it");
    const ended = this.#ended.get(pid);
    if (ended?.generation === generation) return exitedVerdict(ended.waitStatus, ended.unit);
    const unit = this.#members.of({ pid, generation })?.unit ?? "";
    return { ...this.#options.verdicts.of(pid, generation), unit };
  }

  #decideSeen(): void {
    const { monotonicNs } = this.#options;
    const endNs = monotonicNs() + ENDS_NS_PER_TURN_MAX;
    for (const end of this.#seen.values()) {
      if (monotonicNs() > endNs) return;
      this.#seen.delete(end.pid);
      const slot = this.#slots.slotOf(end.pid, end.generation);
      if (slot >= 0 && this.#asksUnit(slot, end)) continue;
      if (slot >= 0 && this.#leaves(slot, end, false)) this.#leave(slot);
      this.#members.forget(end);
    }
  }

  /** Stalls at once those that are to be: as many as the queue of stalls takes in one turn. */
  #judgeStalled(): void {
    const { silence } = this.#options.observer;
    if (silence.stalls.unread > 0) return;
    const due: number[] = [];
    for (const [pid, generation] of this.#stalled) {
      const slot = this.#slots.slotOf(pid, generation);
      if (slot >= 0 && due.length === silence.slotsMax) break;
      this.#stalled.delete(pid);
      if (slot >= 0) due.push(slot);
    }
    silence.judgeNow(due);
  }

  /** The member of `key` has said bye from another machine: nothing more is to be seen of it. */
  #bade(bye: KeyedBye): void {
    const { observer, policyOf } = this.#options;
    const slot = observer.tracker.slotOf(bye.key);
    if (slot < 0 || policyOf(slot).onExit === "silence") return;
    if (!observer.tracker.ends.saidBye(slot, bye, this.#nowNs)) return;
    this.#reporter.gone(slot, this.#slots.foundEnd(slot, Number.NaN), "goodbye");
    this.#leave(slot);
  }

  /** A member is new: its process is watched. */
  #watch(pid: number): void {
    const { observer, watch } = this.#options;
    const { slots } = observer.tracker;
    const slot = observer.tracker.slotOf(pid);
    if (slot < 0 || slots.origin[slot] !== ORIGIN_KERNEL_ATTESTED) return;
    const generation = slots.generation[slot]!;
    if (Number.isNaN(generation)) return;
    // One that has no descriptor is looked at when it falls silent.
    if (watch.watch(pid, generation) !== WATCH_GONE) this.#unread.set(pid, generation);
    else {
      const end = this.#slots.unwatchedEnd(slot, Number.NaN, this.#nowNs);
      const isOfBefore = end.unwatched !== undefined;
      if (isOfBefore) this.#knewBefore(slot, generation);
      this.#seen.set(pid, { ...end, isBrief: !isOfBefore && this.#slots.isBrief(slot) });
    }
  }

  /** The daemon before this one had it: what its end is judged by. */
  #knewBefore(slot: number, generation: number): void {
    const startedNs = this.#slots.startedNs(generation, this.#nowNs);
    const pid = this.#options.observer.tracker.slots.pid[slot]!;
    this.#members.add(pid, { generation, unit: this.#slots.unitOf(slot), startedNs });
  }

  /** What is asked of a member when it has ended is read as long as it runs. */
  #read(pid: number, generation: number): void {
    const { watch, policyOf, unitOf } = this.#options;
    this.#unread.delete(pid);
    const slot = this.#slots.slotOf(pid, generation);
    // One that has ended already excuses nobody.
    if (slot < 0 || this.#ended.get(pid)?.generation === generation) return;
    if (policyOf(slot).onExit === "silence") {
      watch.forget(pid, generation);
      return;
    }
    const unit = unitOf(pid);
    const group = this.#slots.groupOf(slot, unit);
    const startedNs = this.#slots.startedNs(generation, this.#nowNs);
    this.#members.add(pid, { generation, unit, startedNs });
    // One that has said hello takes nobody's place before it beats; then it is new once more.
    if (group === "" || !this.#options.observer.tracker.slots.hasBeaten(slot)) return;
    const { agent, uid } = this.#options.observer.tracker.slots;
    const successor = { agent: agent[slot]!, uid: uid[slot]!, unit, pid, startedNs };
    if (this.#options.succeeds(successor, this.#nowNs)) return;
    const newcomer = { group, pid, startedNs, beganNs: this.#nowNs };
    const excused = this.#replacements.began(newcomer);
    if (excused === undefined) return;
    const ended = this.#ended.get(excused.pid);
    const old = this.#slots.slotOf(excused.pid, excused.generation);
    if (ended?.open !== excused) return;
    this.#ended.delete(excused.pid);
    if (old < 0) return;
    this.#reporter.replaced(old, excused, ended.waitStatus, newcomer);
    this.#leave(old);
  }

  /** As StallScan asks: the slot is due; true = it leaves without a stall. */
  #excuses(slot: number): boolean {
    const { observer, watch, processes, policyOf, unitEnds } = this.#options;
    const { slots } = observer.tracker;
    if (slots.origin[slot] !== ORIGIN_KERNEL_ATTESTED) return false;
    const pid = slots.pid[slot]!;
    const generation = slots.generation[slot]!;
    if (policyOf(slot).onExit === "silence") return false;
    if (Number.isNaN(generation)) return this.#wasNeverKnown(pid);
    const ended = this.#ended.get(pid);
    if (ended?.generation === generation) {
      if (ended.open !== undefined) this.#replacements.closed(ended.open);
      this.#ended.set(pid, { ...ended, open: undefined });
      return false;
    }
    const seen = this.#seen.get(pid) ?? unitEnds?.take(pid, generation);
    if (seen?.generation === generation) {
      this.#seen.delete(pid);
      return this.#leavesWhenDue(slot, seen);
    }
    if (!processes.hasEnded(pid, generation)) return false;
    const end = this.#slots.foundEnd(slot, watch.take(pid, generation));
    // While many come, one may be over and due before it was its turn to be watched.
    const isKnown = !Number.isNaN(end.waitStatus) || this.#members.of(end) !== undefined;
    const isBrief = !isKnown && this.#unread.get(pid) !== generation && this.#slots.isBrief(slot);
    return this.#leavesWhenDue(slot, { ...end, isBrief });
  }

  #leavesWhenDue(slot: number, end: SeenEnd): boolean {
    const leaves = this.#leaves(slot, end, true);
    this.#members.forget(end);
    return leaves;
  }

  // A helper that was gone before its start time could be read: it never was a member.
  #wasNeverKnown(pid: number): boolean {
    if (!this.#options.isGone(pid)) return false;
    this.counters.add(ENDS.unidentified);
    return true;
  }

  /** Decides an end, and reports it; true = the member leaves the table. */
  #leaves(slot: number, end: SeenEnd, isDue: boolean): boolean {
    const { observer, policyOf, isRecovering } = this.#options;
    const { slots, ends } = observer.tracker;
    const isStalled = slots.isLatched(slot);
    const how = this.#howEnded(slot, end);
    const action = actionOf(policyOf(slot), how);
    if (action === "nothing") return false;
    if (action === "gone") {
      const isClean = slots.saidGoodbye(slot) ? "goodbye" : "clean";
      this.#reporter.gone(slot, end, how === "clean" ? isClean : "ignored");
      return true;
    }
    if (end.isBrief && !isStalled) {
      this.#reporter.gone(slot, end, "brief");
      return true;
    }
    const isIts = isRecovering(slots.key[slot]!);
    this.#reporter.exited(slot, end, how, this.#members.recoveryOf(end, isIts, this.#nowNs));
    ends.note(slot);
    if (!isStalled && action === "stall") this.#stalled.set(end.pid, end.generation);
    return this.#awaits(slot, end, isDue, action === "stall");
  }

  /** Its end was reported, and is judged at its deadline; true = it was replaced by then. */
  #awaits(slot: number, end: SeenEnd, isDue: boolean, isStall = false): boolean {
    const { slots, table } = this.#options.observer.tracker;
    const { pid, generation, waitStatus } = end;
    const member = this.#members.of(end);
    const unit = member?.unit ?? "";
    if (isStall || slots.isLatched(slot)) {
      this.#ended.set(pid, { generation, waitStatus, unit, open: undefined });
      return false;
    }
    const open: OpenEnd = {
      group: member === undefined ? "" : this.#slots.groupOf(slot, unit),
      pid,
      generation,
      startedNs: member?.startedNs ?? this.#slots.startedNs(generation, this.#nowNs),
      endedNs: end.seenNs,
      dueNs: table.lanes.deadlineOf(slot),
    };
    const newcomer = open.group === "" ? undefined : this.#replacements.ended(open);
    if (newcomer !== undefined) {
      this.#reporter.replaced(slot, open, waitStatus, newcomer);
      return true;
    }
    if (isDue) this.#replacements.closed(open);
    this.#ended.set(pid, { generation, waitStatus, unit, open: isDue ? undefined : open });
    return false;
  }

  #howEnded(slot: number, end: SeenEnd): HowEnded {
    const { observer, policyOf } = this.#options;
    return howEnded(policyOf(slot), {
      waitStatus: end.waitStatus,
      isStalled: observer.tracker.slots.isLatched(slot),
      isSignalled: this.#members.isSignalled(end, this.#nowNs),
      isAnnounced: end.isAnnounced,
      saidGoodbye: observer.tracker.slots.saidGoodbye(slot),
    });
  }

  /** An end that may be an alarm waits until systemd has said what it knows of it. */
  #asksUnit(slot: number, end: SeenEnd): boolean {
    const { unitEnds, policyOf } = this.#options;
    const unit = this.#members.of(end)?.unit ?? "";
    if (unitEnds === undefined || unit === "" || end.wasAsked) return false;
    const action = actionOf(policyOf(slot), this.#howEnded(slot, end));
    return (action === "judge" || action === "stall") && unitEnds.ask(end, unit, this.#nowNs);
  }

  // One that no descriptor watches.
  #foundStalled(slot: number): void {
    const { observer, processes } = this.#options;
    const { pid, generation } = observer.tracker.slots;
    const waitStatus = processes.zombieStatus(pid[slot]!, generation[slot]!);
    const end = this.#slots.foundEnd(slot, waitStatus);
    if (this.#leaves(slot, end, true)) this.#leave(slot);
  }

  #leave(slot: number): void {
    const { observer, watch } = this.#options;
    const { slots, ends } = observer.tracker;
    const pid = slots.pid[slot]!;
    const generation = slots.generation[slot]!;
    if (this.#ended.get(pid)?.generation === generation) this.#ended.delete(pid);
    watch.forget(pid, generation);
    ends.leave(slot);
  }
}
