// What a person reads about names that members announce and do not have (spec 15 section 8.2): one
// line at once for each reason, then at most one a minute with the number in between.
import { NAME_REFUSALS, type NameRefusal } from "../agents/announcing.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";

const LINE_NS_MIN = 60 * NS_PER_S;

/** What no line has told yet, and when the last one was written. */
interface Untold {
  count: number;
  toldNs: number;
  last: MemberFacts | undefined;
}

const NAME_HINTS: Readonly<Record<NameRefusal, string>> = {
  not_allowed: "announce = true, or globs of the names, in the [[agent]] that takes it",
  other_rule: "another [[agent]] has the name: choose one that no rule has",
  expected: "members are expected under the name: choose one that no rule has",
  other_owner: "members of another user have the name: choose one for each user",
};

export class NameReports implements Deadline {
  readonly #log: Pick<Log, "warn">;
  readonly #nowNs: () => number;
  readonly #untold = new Map<NameRefusal, Untold>(
    NAME_REFUSALS.map((reason) => [
      reason,
      { count: 0, toldNs: Number.NEGATIVE_INFINITY, last: undefined },
    ]),
  );

  constructor(log: Pick<Log, "warn">, nowNs: () => number) {
    this.#log = log;
    this.#nowNs = nowNs;
  }

  /** The member that `facts` are of is not called what it announces. */
  refused(facts: MemberFacts, reason: NameRefusal): void {
    const untold = this.#untold.get(reason)!;
    untold.count += 1;
    untold.last = facts;
    this.#tell(reason, untold, this.#nowNs());
  }

  nextDeadlineNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (const { count, toldNs } of this.#untold.values())
      if (count > 0) nextNs = Math.min(nextNs, toldNs + LINE_NS_MIN);
    return nextNs;
  }

  maintain(nowNs: number): void {
    for (const [reason, untold] of this.#untold)
      if (untold.count > 0) this.#tell(reason, untold, nowNs);
  }

  #tell(reason: NameRefusal, untold: Untold, nowNs: number): void {
    if (nowNs < untold.toldNs + LINE_NS_MIN) return;
    const { pid, user, announced } = untold.last!;
    this.#log.warn("name refused", {
      pid,
      user: user || undefined,
      name: announced,
      reason,
      count: untold.count,
      hint: NAME_HINTS[reason],
    });
    untold.count = 0;
    untold.toldNs = nowNs;
  }
}
