// Who the members are (spec 03 section 2.2): after a batch, the members that it brought are looked
// at, named, given the threshold of their rule, and counted with their agent; and every few seconds
// all are looked at again, because execve keeps pid and start time. It takes a bounded time of each
// turn, so that no beat waits for it. A member is known before it is judged for the first time: its
// judgement waits for some turns if the time is used up, but not for long.
import { MemberNames, type TakenNames } from "../agents/announcing.ts";
import { extendedDeadlineNs, memberTerms } from "../agents/asked_terms.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { RULE_NONE, type RuleFinder } from "../agents/rules.ts";
import { block, Counters, counter, gauge } from "../base/counters.ts";
import {
  IDENTITY_LOOK_EVERY_NS,
  IDENTITY_NS_PER_TURN_MAX,
  IDENTITY_PUT_OFF_NS_MAX,
} from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Identity, IdentityReader } from "../processes/identity.ts";
import type { Askings } from "../tracker/askings.ts";
import { extend, judgedNs, wasMoved } from "../tracker/extensions.ts";
import { changeMildly } from "../tracker/mercy.ts";
import { type AlikeMembers, identifyAlike } from "../tracker/alike_members.ts";
import type { Identified } from "../tracker/slot_table.ts";
import { addressOf } from "../tracker/slots.ts";
import type { JudgeGate } from "../tracker/stall_scan.ts";
import type { Tracker } from "../tracker/tracker.ts";

interface IdentificationOptions {
  readonly tracker: Tracker;
  readonly reader: IdentityReader;
  /** By listener number. */
  readonly listenerNames: readonly string[];
  /** Which rule is a member's; default: there are no rules. */
  readonly findRule?: RuleFinder | undefined;
  /** What members are called; default: what they announce is not heard. */
  readonly names?: MemberNames;
  /** What is known of a member is kept for the rules of another configuration. */
  readonly keepsFacts?: boolean;
  /** Hears which agent a member belongs to, after it does. */
  readonly named?: ((agent: number, facts: MemberFacts) => void) | undefined;
  /** Hears of each member once, when it is identified; not of one that had ended before. */
  readonly came?: ((agent: number, facts: MemberFacts) => void) | undefined;
  /** A monotonic clock for durations, in ns. */
  readonly monotonicNs: () => number;
}

export const IDENTITY = block({
  looks: counter("varta_watch_identity_looks_total", "Looks at who a member is, by result.", {
    label: "result",
    values: ["read", "unchanged", "gone", "remote"],
  }),
  renamed: counter(
    "varta_watch_identity_changes_total",
    "Members that became part of another agent, because they run another program now.",
  ),
  putOff: counter(
    "varta_watch_judgements_put_off_total",
    "Turns in which the first judgement of a member waited for its identity.",
  ),
  judgedUnknown: counter(
    "varta_watch_judged_unidentified_total",
    "Members that were judged before they could be identified: they are named by their uid.",
  ),
  waiting: gauge("varta_watch_identity_waiting", "Members that nobody has looked at yet.", {
    ask: ({ freshCount }: Identification) => freshCount,
  }),
});

const { looks } = IDENTITY;

/**
 * Further looks per second, about half a percent of a core: more than 1,250 members are looked at
 * less often than every 5 s, and still before they are judged.
 */
const LOOKS_AGAIN_PER_S_MAX = 250;
/** A look that is not older says who it is that is judged. */
const IDENTITY_FRESH_NS = NS_PER_S;

/** A program that could not be read. */
const UNREAD = 0;

/** Who a member is, and what that was made of. */
export interface Named {
  readonly member: Identified;
  readonly facts: MemberFacts;
}

export class Identification implements JudgeGate, Askings {
  readonly counters = new Counters(IDENTITY, this);
  readonly #options: IdentificationOptions;
  readonly #tracker: Tracker;
  readonly #names: MemberNames;
  #findRule: RuleFinder | undefined;
  /** Time of this turn that is used up. */
  #usedNs = 0;
  /** No further look before then. */
  #nextAgainNs = Number.NEGATIVE_INFINITY;

  constructor(options: IdentificationOptions) {
    this.#options = options;
    this.#tracker = options.tracker;
    this.#findRule = options.findRule;
    this.#names =
      options.names ??
      new MemberNames(this.#tracker.table.agents, { ofRules: new Set(), expected: new Set() });
    this.#tracker.judgeGate = this;
    this.#tracker.table.askings = this;
  }

  get freshCount(): number {
    return this.#tracker.table.looks.freshCount;
  }

  /** Members that wait for a look, or have said hello since. */
  get waitingCount(): number {
    const { looks, greeted } = this.#tracker.table;
    return looks.freshCount + greeted.length;
  }

  /** Those who are looked at from now on have other rules. */
  changeRules(findRule: RuleFinder, taken?: TakenNames): void {
    this.#findRule = findRule;
    if (taken !== undefined) this.#names.change(taken);
  }

  /** Hears of a member that has got another agent without a look. */
  renamed(agent: number, facts: MemberFacts): void {
    this.#options.named?.(agent, facts);
  }

  /**
   * Who the member of `slot` is as the daemon before this one knew it, undefined = nobody looks: it
   * has the name and the policy that the rules of now give to that. It is looked at again like
   * every other one.
   */
  restore(slot: number, identity: Identity | undefined, nowNs: number): Named {
    return this.#name(slot, identity, nowNs, false);
  }

  /**
   * As `restore` of many members, of whom all but pid and program is known to be as of one that was
   * restored: of which of `kinds` is said by `alike`.
   */
  restoreLike(alike: AlikeMembers, kinds: readonly Named[], nowNs: number): void {
    const { table, slots } = this.#tracker;
    const identified = kinds.map(({ member }) => member);
    identifyAlike(table, alike, identified, nowNs);
    if (this.#options.keepsFacts !== true) return;
    const { pid } = slots;
    for (let at = 0; at < alike.slots.length; at++) {
      const slot = alike.slots[at]!;
      const { uid, user, identity, listener, address, announced } =
        kinds[alike.kindOf[slot]!]!.facts;
      // A spread takes several times as long.
      const facts = { pid: pid[slot]!, uid, user, identity, listener, address, announced };
      table.facts[slot] = facts;
    }
  }

  /**
   * The member of `slot` asks at `nowNs` for a threshold of its own, as `asked_terms` makes it of
   * what it says; NaN asks for nothing, and changes nothing. Its rule says how far that is heard,
   * now, when the member is named, and after every reload.
   */
  askThreshold(slot: number, askedNs: number, nowNs: number): void {
    const { table, thresholdNs, slots } = this.#tracker;
    if (Number.isNaN(askedNs) || slots.askedNs[slot] === askedNs) return;
    table.slots.askedNs[slot] = askedNs;
    const facts = table.facts[slot];
    // Without a look it has no rule yet.
    if (facts === undefined) return;
    changeMildly(table, slot, memberTerms(this.#findRule?.(facts), thresholdNs, askedNs), nowNs);
  }

  /**
   * The member of `slot` asks at `nowNs` for so many microseconds until it is judged: once between
   * two beats, and as far as its rule hears it.
   */
  askTime(slot: number, extendUsec: number, nowNs: number): void {
    const { table, slots } = this.#tracker;
    const facts = table.facts[slot];
    const rule = facts === undefined ? undefined : this.#findRule?.(facts);
    if (slots.isLatched(slot) || slots.hasEnded(slot) || wasMoved(table, slot)) return;
    const thresholdMaxNs = rule?.thresholdMaxNs ?? this.#tracker.thresholdOf(slot);
    const deadlineNs = judgedNs(table, slot);
    extend(table, slot, extendedDeadlineNs({ nowNs, deadlineNs, extendUsec }, thresholdMaxNs));
  }

  /** Its time starts anew. */
  beginTurn(): void {
    this.#usedNs = 0;
  }

  /**
   * Looks at who came, then at those whom it has not looked at for a while: at one of them, and at
   * more as long as that took less than `sliceNs`.
   */
  advance(nowNs: number, sliceNs = IDENTITY_NS_PER_TURN_MAX): void {
    this.#hearGreetings(nowNs, sliceNs);
    const order = this.#tracker.table.looks;
    for (let slot = order.firstFresh; slot >= 0; slot = order.firstFresh)
      if (!this.#tryLook(slot, nowNs, sliceNs)) return;
    const { lookedNs } = this.#tracker.slots;
    const dueNs = nowNs - IDENTITY_LOOK_EVERY_NS;
    this.#nextAgainNs = Math.max(this.#nextAgainNs, nowNs - NS_PER_S);
    for (let slot = order.longestAgo; slot >= 0; slot = order.longestAgo) {
      if (lookedNs[slot]! > dueNs || this.#nextAgainNs > nowNs) return;
      if (!this.#tryLook(slot, nowNs, sliceNs)) return;
      this.#nextAgainNs += NS_PER_S / LOOKS_AGAIN_PER_S_MAX;
    }
  }

  /** Those that have said hello since they were looked at: their names, and what they ask for. */
  #hearGreetings(nowNs: number, sliceNs: number): void {
    const { table } = this.#tracker;
    const { greeted } = table;
    if (greeted.length === 0) return;
    const { monotonicNs } = this.#options;
    let done = 0;
    for (; done < greeted.length && this.#usedNs < sliceNs; done++) {
      const startNs = monotonicNs();
      const { key, askedNs } = greeted[done]!;
      const slot = this.#tracker.slotOf(key);
      // One that lost its slot meanwhile, and came back, is looked at as all that are new.
      if (slot >= 0 && !table.looks.isFresh(slot)) {
        this.#name(slot, this.#knownOf(slot), nowNs, false);
        // After it: what keeps a silence of before from being judged must outlast the name.
        this.askThreshold(slot, askedNs, nowNs);
      }
      this.#usedNs += monotonicNs() - startNs;
    }
    table.greeted = done === greeted.length ? [] : greeted.slice(done);
  }

  /** Who it was when it was last looked at. */
  #knownOf(slot: number): Identity | undefined {
    const { slots, table } = this.#tracker;
    const known = table.facts[slot]?.identity;
    return known && { ...known, mark: slots.program[slot]! };
  }

  mayJudge(slot: number, nowNs: number): boolean {
    const { lookedNs } = this.#tracker.slots;
    if (nowNs - lookedNs[slot]! <= IDENTITY_FRESH_NS || this.#tryLook(slot, nowNs)) return true;
    // It has a name, which was right a few seconds ago.
    if (!this.#tracker.table.looks.isFresh(slot)) return true;
    if (nowNs - this.#tracker.table.lanes.deadlineOf(slot) < IDENTITY_PUT_OFF_NS_MAX) {
      this.counters.add(IDENTITY.putOff);
      return false;
    }
    this.counters.add(IDENTITY.judgedUnknown);
    this.#name(slot, undefined, nowNs);
    return true;
  }

  /** False: the time of this turn is used up. */
  #tryLook(slot: number, nowNs: number, sliceNs = IDENTITY_NS_PER_TURN_MAX): boolean {
    if (this.#usedNs >= sliceNs) return false;
    const { monotonicNs } = this.#options;
    const startNs = monotonicNs();
    this.#look(slot, nowNs);
    this.#usedNs += monotonicNs() - startNs;
    return true;
  }

  #look(slot: number, nowNs: number): void {
    const { slots } = this.#tracker;
    const isFresh = this.#tracker.table.looks.isFresh(slot);
    if (slots.origin[slot]! !== ORIGIN_KERNEL_ATTESTED) {
      if (isFresh) this.counters.add(looks.remote);
      this.#rename(slot, undefined, isFresh, nowNs);
      return;
    }
    const known = slots.program[slot]!;
    const { reader } = this.#options;
    const pid = slots.pid[slot]!;
    const generation = slots.generation[slot]!;
    if (known !== UNREAD) {
      const mark = reader.programMark(pid, generation);
      // Of a process that is gone by now, what was known stays true.
      if (Number.isNaN(mark) || mark === known) {
        this.counters.add(Number.isNaN(mark) ? looks.gone : looks.unchanged);
        this.#tracker.table.looks.looked(slot, nowNs);
        return;
      }
    }
    const { uid, gid } = slots;
    const identity = reader.identityOf(pid, generation, uid[slot]!, gid[slot]!, nowNs);
    this.counters.add(identity === undefined ? looks.gone : looks.read);
    this.#rename(slot, identity, isFresh, nowNs);
  }

  #rename(slot: number, identity: Identity | undefined, isFresh: boolean, nowNs: number): void {
    const { agent } = this.#tracker.slots;
    const before = agent[slot]!;
    // What had a name and is hidden now keeps it.
    if (identity === undefined && !isFresh) this.#tracker.table.looks.looked(slot, nowNs);
    else this.#name(slot, identity, nowNs);
    if (!isFresh && agent[slot]! !== before) this.counters.add(IDENTITY.renamed);
  }

  #name(
    slot: number,
    identity: Identity | undefined,
    nowNs: number,
    isFirst = this.#isFirst(slot, identity),
  ): Named {
    const { table, thresholdNs, slots } = this.#tracker;
    const facts = this.#factsOf(slot, identity, nowNs);
    const rule = this.#findRule?.(facts);
    const member = {
      agent: table.agents.numberFor(this.#names.nameOf(facts, rule)),
      rule: rule?.index ?? RULE_NONE,
      ...memberTerms(rule, thresholdNs, slots.askedNs[slot]!),
      program: identity?.mark ?? UNREAD,
    };
    this.#take(slot, member, facts, nowNs);
    if (isFirst) this.#options.came?.(member.agent, facts);
    return { member, facts };
  }

  #take(slot: number, member: Named["member"], facts: MemberFacts, nowNs: number): void {
    const kept = this.#options.keepsFacts === true ? facts : undefined;
    this.#tracker.table.identified(slot, member, nowNs, kept);
    this.#options.named?.(member.agent, facts);
  }

  /** Nothing was known of it before. One with a start time that cannot be read has ended. */
  #isFirst(slot: number, identity: Identity | undefined): boolean {
    const { slots, table } = this.#tracker;
    if (identity !== undefined) return slots.program[slot] === UNREAD;
    return table.looks.isFresh(slot) && Number.isNaN(slots.generation[slot]!);
  }

  #factsOf(slot: number, identity: Identity | undefined, nowNs: number): MemberFacts {
    const { slots, table } = this.#tracker;
    const uid = slots.uid[slot]!;
    return {
      pid: slots.pid[slot]!,
      uid,
      user: this.#options.reader.userName(uid, nowNs),
      identity,
      listener: this.#options.listenerNames[slots.listener[slot]!] ?? "",
      address: addressOf(slots, slot),
      announced: table.announced[slot],
    };
  }
}
