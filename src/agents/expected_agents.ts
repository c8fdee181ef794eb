// Agents of which a number of members is expected (spec 15 section 5): they are in the table of
// agents from the start, and one that has had too few members for longer than its grace is missing.
// Nothing of it is done for a beat: a turn looks here only if a member has come, ended or gone, or
// if a grace is over.
import { block, Counters, counter, gauge } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import type { AgentComplete, AgentMissing } from "../events/expected_members.ts";
import type { AgentTable } from "./agent_table.ts";

/** After the start each member has to beat first; and a restart takes a while. */
const EXPECT_GRACE_NS_MIN = 30 * NS_PER_S;

/** For how long an agent whose rule has that grace may have too few members. */
export function expectGraceNs(graceNs: number): number {
  return Math.max(graceNs, EXPECT_GRACE_NS_MIN);
}

/** What the configuration says of an agent. */
export interface ExpectedAgent {
  /** A reserved one. */
  readonly name: string;
  readonly expected: number;
  readonly graceNs: number;
  /** That of its members; undefined = nobody shows it. */
  readonly thresholdNs?: number;
}

export interface ExpectedReports {
  missing(missing: AgentMissing): void;
  complete(complete: AgentComplete): void;
}

interface ExpectedOptions {
  readonly agents: AgentTable;
  readonly expected: readonly ExpectedAgent[];
  readonly reports: ExpectedReports;
  /**
   * Sum of the times in which the observer could hear nobody: they are part of no grace, since no
   * member could come in them.
   */
  readonly pausedNs: () => number;
  /** The shortest grace; tests have shorter ones. */
  readonly graceNsMin?: number;
}

interface Watched {
  readonly number: number;
  readonly expected: number;
  readonly graceNs: number;
  readonly thresholdNs: number;
  /** When it began to have too few members, without pauses; +Infinity = it has enough. */
  sinceNs: number;
  /** When it was reported missing; NaN = it is not. */
  missingNs: number;
  /** It is missing no sooner, without pauses: nobody could be heard before the start. */
  earliestNs: number;
}

/** A grace that runs: since when, as if there had been no pauses, and fewer than how many. */
interface RunningGrace {
  readonly agent: string;
  readonly sinceNs: number;
  readonly expected: number;
}

export const EXPECTED = block({
  missingNow: gauge(
    "varta_watch_agents_missing",
    "Agents that have had fewer members than expected for longer than their grace.",
    { ask: ({ missingCount }: ExpectedAgents) => missingCount },
  ),
  missing: counter("varta_watch_agent_missing_total", "Agents that were reported missing."),
  complete: counter(
    "varta_watch_agent_complete_total",
    "Missing agents that had their members again.",
  ),
});

export class ExpectedAgents {
  readonly counters = new Counters(EXPECTED, this);
  readonly #options: ExpectedOptions;
  readonly #watched = new Map<number, Watched>();
  /** Agents that lost or got their members or went missing, and changes of what is expected. */
  changes = 0;
  /** As the table had it when it was last looked at. */
  #changes = -1;
  /** When the next grace is over, without pauses. */
  #dueNs = Number.NEGATIVE_INFINITY;

  /** The first grace of all begins at observer time 0, the start. */
  constructor(options: ExpectedOptions) {
    this.#options = options;
    for (const one of options.expected) this.#watch(one, 0);
  }

  /**
   * Other agents, or other numbers of members, are expected from `nowNs` on (spec 17 section 5).
   * One of which as many are expected as before keeps its state and its time.
   */
  change(expected: readonly ExpectedAgent[], nowNs: number): void {
    const before = new Map(this.#watched);
    const awakeNs = nowNs - this.#options.pausedNs();
    this.#watched.clear();
    for (const one of expected) {
      const watched = this.#watch(one, awakeNs);
      const known = before.get(watched.number);
      if (known === undefined) continue;
      const { missingNs, sinceNs, earliestNs } = known;
      watched.missingNs = missingNs;
      watched.earliestNs = earliestNs;
      if (one.expected <= known.expected) watched.sinceNs = sinceNs;
    }
    // All of them are looked at in this turn.
    this.#changes = -1;
    this.changes += 1;
  }

  /** Of the daemon before this one: they were reported as missing, and nothing is said again. */
  restore(missing: Iterable<{ readonly agent: string; readonly sinceNs: number }>): void {
    const since = new Map(Array.from(missing, ({ agent, sinceNs }) => [agent, sinceNs]));
    for (const watched of this.#watched.values()) {
      const sinceNs = since.get(this.#options.agents.nameOf(watched.number));
      if (sinceNs !== undefined) watched.missingNs = sinceNs;
    }
    this.#changes = -1;
  }

  /** The graces that run, for the next daemon. */
  *graces(): Iterable<RunningGrace> {
    const { agents, pausedNs } = this.#options;
    for (const { number, sinceNs, missingNs, expected } of this.#watched.values())
      if (Number.isNaN(missingNs) && Number.isFinite(sinceNs))
        yield { agent: agents.nameOf(number), sinceNs: sinceNs + pausedNs(), expected };
  }

  /**
   * Those of the daemon before this one go on, so that starts close to each other do not put a
   * report off for ever. What beats has a threshold from `startNs` to be heard, as ever.
   */
  restoreGraces(graces: Iterable<RunningGrace>, startNs: number): void {
    const running = new Map(Array.from(graces, (grace) => [grace.agent, grace]));
    for (const watched of this.#watched.values()) {
      const { expected, graceNs, thresholdNs } = watched;
      const grace = running.get(this.#options.agents.nameOf(watched.number));
      if (grace === undefined || expected > grace.expected) continue;
      watched.sinceNs = Math.min(grace.sinceNs, startNs);
      watched.earliestNs = startNs + (thresholdNs < graceNs ? thresholdNs : graceNs);
    }
    this.#changes = -1;
  }

  get missingCount(): number {
    let count = 0;
    for (const { missingNs } of this.#watched.values()) if (!Number.isNaN(missingNs)) count += 1;
    return count;
  }

  /** The agents of which members are expected. */
  get numbers(): Iterable<number> {
    return this.#watched.keys();
  }

  /** How many members the agent of `number` has to have; 0 = none is expected. */
  expectedOf(number: number): number {
    return this.#watched.get(number)?.expected ?? 0;
  }

  /** The threshold that members of the agent of `number` would have; NaN = none is expected. */
  thresholdOf(number: number): number {
    return this.#watched.get(number)?.thresholdNs ?? Number.NaN;
  }

  /** How many members are missing of the agent of `number`; 0 also while its grace runs. */
  missingOf(number: number): number {
    const watched = this.#watched.get(number);
    if (watched === undefined || Number.isNaN(watched.missingNs)) return 0;
    return Math.max(0, watched.expected - this.#options.agents.presentOf(number));
  }

  /** Observer time at which the agent of `number` was found missing; NaN = it is not. */
  missingSinceNs(number: number): number {
    return this.#watched.get(number)?.missingNs ?? Number.NaN;
  }

  /** What the agent of `number` has left to get its members; NaN = no grace of it runs. */
  graceLeftNs(number: number, nowNs: number): number {
    const watched = this.#watched.get(number);
    if (watched === undefined || !Number.isNaN(watched.missingNs)) return Number.NaN;
    const leftNs = missingFromNs(watched) - (nowNs - this.#options.pausedNs());
    return Number.isFinite(leftNs) ? Math.max(0, leftNs) : Number.NaN;
  }

  /** Looks at who has enough members, if any of them has come or gone, or a grace is over. */
  look(nowNs: number): void {
    const { agents, pausedNs } = this.#options;
    const awakeNs = nowNs - pausedNs();
    if (agents.changes === this.#changes && awakeNs < this.#dueNs) return;
    this.#changes = agents.changes;
    this.#dueNs = Number.POSITIVE_INFINITY;
    for (const watched of this.#watched.values()) this.#lookAt(watched, nowNs, awakeNs);
  }

  /** When a grace is over; +Infinity = none runs. */
  nextDeadlineNs(): number {
    return this.#dueNs + this.#options.pausedNs();
  }

  /** As a timer of the loop. */
  maintain(nowNs: number): void {
    this.look(nowNs);
  }

  #watch(one: ExpectedAgent, sinceNs: number): Watched {
    const { agents, graceNsMin = EXPECT_GRACE_NS_MIN } = this.#options;
    const { name, expected, graceNs, thresholdNs = Number.NaN } = one;
    const number = agents.reservedNumber(name);
    const terms = { graceNs: Math.max(graceNs, graceNsMin), thresholdNs };
    const times = { sinceNs, missingNs: Number.NaN, earliestNs: Number.NEGATIVE_INFINITY };
    const watched = { number, expected, ...terms, ...times };
    this.#watched.set(number, watched);
    return watched;
  }

  #lookAt(watched: Watched, nowNs: number, awakeNs: number): void {
    const members = this.#options.agents.presentOf(watched.number);
    if (members >= watched.expected) {
      this.#began(watched, Number.POSITIVE_INFINITY);
      this.#hasEnough(watched, members, nowNs);
      return;
    }
    if (!Number.isNaN(watched.missingNs)) return;
    this.#began(watched, Math.min(watched.sinceNs, awakeNs));
    const dueNs = missingFromNs(watched);
    if (awakeNs < dueNs) this.#dueNs = Math.min(this.#dueNs, dueNs);
    else this.#isMissing(watched, members, nowNs);
  }

  #began(watched: Watched, sinceNs: number): void {
    if (watched.sinceNs !== sinceNs) this.changes += 1;
    watched.sinceNs = sinceNs;
  }

  #hasEnough(watched: Watched, members: number, nowNs: number): void {
    const { number: agent, expected, missingNs } = watched;
    if (Number.isNaN(missingNs)) return;
    watched.missingNs = Number.NaN;
    this.changes += 1;
    this.counters.add(EXPECTED.complete);
    const event = { observerNs: nowNs, agent, members, expected };
    this.#options.reports.complete({ ...event, missingNs: nowNs - missingNs });
  }

  #isMissing(watched: Watched, members: number, nowNs: number): void {
    const { number: agent, expected, graceNs } = watched;
    watched.missingNs = nowNs;
    this.changes += 1;
    this.counters.add(EXPECTED.missing);
    this.#options.reports.missing({ observerNs: nowNs, agent, members, expected, graceNs });
  }
}

/** When it is missing if it has too few members until then, without pauses. */
function missingFromNs({ sinceNs, graceNs, earliestNs }: Watched): number {
  return Math.max(sinceNs + graceNs, earliestNs);
}
