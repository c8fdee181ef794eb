// Members that have left the table since their process ended, for who asks about them later (spec
// 16 section 12): the last of them. What is kept is what was known when the end was decided on.
import type { MemberFacts } from "../agents/naming.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { Stall } from "../events/stall.ts";
import type { Observer } from "../observer/observer.ts";

/** A deploy replaces fewer, and each takes about 1 KiB. */
const GONE_MEMBERS_MAX = 1_024;

export interface GoneMember {
  readonly name: string;
  /** As a stall, whether it was one or not. */
  readonly last: Stall;
  readonly isStalled: boolean;
  readonly facts: MemberFacts | undefined;
  /** Index of its rule; RULE_NONE = none took it. */
  readonly rule: number;
  readonly end: MemberExit | MemberGone;
  /** It was reported as an exit; undefined = its end is no alarm. */
  readonly exit: MemberExit | undefined;
  /** What its deadline had left when it was replaced. */
  readonly leftNs: number;
}

export class GoneMembers {
  readonly #observer: Observer;
  /** By pid, the one that ended first before the others. */
  readonly #byPid = new Map<number, GoneMember>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  /** A member has ended, and is in the table still. */
  ended(end: MemberExit | MemberGone): void {
    const { tracker, silence } = this.#observer;
    const { table, slots } = tracker;
    const slot = tracker.slotOf(end.pid);
    if (slot < 0 || !Object.is(slots.generation[slot], end.generation)) return;
    const known = this.#byPid.get(end.pid);
    const isKnown = known !== undefined && Object.is(known.end.generation, end.generation);
    this.#byPid.delete(end.pid);
    const [oldest] = this.#byPid.keys();
    if (this.#byPid.size >= GONE_MEMBERS_MAX && oldest !== undefined) this.#byPid.delete(oldest);
    this.#byPid.set(end.pid, {
      name: table.agents.nameOf(end.agent),
      last: silence.stalls.rowOf(slot, end.observerNs),
      isStalled: slots.isLatched(slot),
      facts: table.facts[slot],
      rule: slots.rule[slot]!,
      end,
      exit: "how" in end ? end : isKnown ? known.exit : undefined,
      leftNs: table.lanes.deadlineOf(slot) - end.observerNs,
    });
  }

  ofPid(pid: number): GoneMember | undefined {
    return this.#byPid.get(pid);
  }

  /** The one of an agent that ended last. */
  lastOf(name: string): GoneMember | undefined {
    return [...this.#byPid.values()].findLast((gone) => gone.name === name);
  }

  /** Members of an agent that ended uncleanly since then, as far as they are kept. */
  uncleanSince(name: string, sinceNs: number): number {
    let count = 0;
    for (const { name: of, exit } of this.#byPid.values())
      if (of === name && exit?.how === "unclean" && exit.observerNs >= sinceNs) count += 1;
    return count;
  }
}
