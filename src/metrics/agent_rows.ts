// The names that the metrics page has rows for (spec 08 section 3.8), and what is counted of each:
// stalls, ends, recoveries, and the beats of members that are gone or that were taken at a scrape.
// A name is an account that outlives pids. There is a bounded number of them: those that the
// configuration has in it have their place from the start; one that any process can make up gives
// its place to one that it cannot; what finds none shares the rows of "other". All of it is cold.
import { AGENT_STATES } from "../agents/agent_state.ts";
import { AGENT_NEW, AGENT_OTHER, type AgentTable, OTHER_NAME } from "../agents/agent_table.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import { saturatingAdd } from "../base/saturating.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import { STALL_VERDICTS } from "../events/stall_verdict.ts";
import type { AgentBeats } from "../tracker/agent_beats.ts";
import { AGENT_ENDS, AGENT_OUTCOMES, type AgentEnd, agentOutcome } from "./agent_families.ts";
import { infoLabels } from "./agent_info.ts";
import { DayCounts } from "./day_counts.ts";
import { bytesOf, escaped } from "./family_section.ts";

/** Time for which the rows of a name stay that has no members any more. */
const ROWS_KEPT_NS = 3_600 * NS_PER_S;

/** What the members of an agent come to at a scrape. */
interface MemberTotals {
  /** By index of AGENT_STATES. */
  readonly byState: Float64Array;
  /** Those whose process has not ended. */
  members: number;
  beating: number;
  /** Observer time of the last beat of the one that has been silent for longest; NaN = none. */
  oldestNs: number;
  /** NaN = it has no member. */
  silenceRatio: number;
  thresholdNs: number;
}

export interface LastStall {
  readonly verdict: string;
  readonly pid: number;
  /** Observer time. */
  readonly observerNs: number;
}

export interface AgentRow {
  readonly name: string;
  /** `agent="NAME"`. */
  readonly label: Uint8Array;
  /** Of the agent that has the name now; -1 = it never had a member. */
  number: number;
  isKept: boolean;
  isFree: boolean;
  /** Members that the configuration expects; 0 = it expects none. */
  expected: number;
  /** Observer time at which its last member went; NaN = it has members. */
  emptySinceNs: number;
  beats: number;
  readonly stalls: Float64Array;
  lastStall: LastStall | undefined;
  /** Of the last day; undefined = there were none. */
  stallsOfDay: DayCounts | undefined;
  recoveriesOfDay: DayCounts | undefined;
  readonly exits: Float64Array;
  readonly recoveries: Float64Array;
  /** The labels of `varta_agent_info`; "" = nobody has looked at a member yet. */
  info: string;
  /** It is more than a uid that `info` says. */
  isKnown: boolean;
  readonly totals: MemberTotals;
}

export const ROWS = block({
  shared: counter(
    "varta_watch_agent_rows_refused_total",
    'Members that are counted as agent="other" here: metrics.agents_max names have rows.',
  ),
});

interface ExpectedMembers {
  readonly numbers: Iterable<number>;
  expectedOf(number: number): number;
  missingOf(number: number): number;
}

interface AgentRowsOptions {
  readonly agents: AgentTable;
  readonly rowsMax: number;
  /** Names that the configuration has: they have a place whether they have members or not. */
  readonly kept: readonly string[];
  /** Of these names, the agents of which members are expected. */
  readonly expected: ExpectedMembers;
  /** Observer time of the turn. */
  readonly nowNs: () => number;
}

export class AgentRows implements AgentBeats {
  readonly counters = new Counters(ROWS, this);
  readonly #options: AgentRowsOptions;
  readonly #byName = new Map<string, AgentRow>();
  readonly #byNumber = new Map<number, AgentRow>();
  readonly #other = makeRow(OTHER_NAME, { isKept: true, isFree: false });
  /** Rows of names without members that are not kept: only these can have been there too long. */
  #emptyCount = 0;
  /** Rows that a name may have to give up which anybody can make up. */
  #freeCount = 0;
  /** When it was last looked for rows that have been empty for long. */
  #lookedNs = Number.NaN;
  /** By name; undefined = names have come or gone. */
  #sorted: AgentRow[] | undefined;

  constructor(options: AgentRowsOptions) {
    this.#options = options;
    for (const name of options.kept)
      this.#byName.set(name, makeRow(name, { isKept: true, isFree: false }));
    for (const number of options.expected.numbers)
      this.of(number).expected = options.expected.expectedOf(number);
  }

  /** The names of another configuration have places, and other members are expected. */
  change(kept: readonly string[]): void {
    for (const row of [...this.#byName.values()]) {
      row.expected = 0;
      if (row.isKept && !kept.includes(row.name)) this.#keepNoMore(row);
    }
    for (const name of kept) {
      const row = this.#byName.get(name);
      if (row !== undefined) this.#keep(row);
      else this.#byName.set(name, makeRow(name, { isKept: true, isFree: false }));
    }
    this.#sorted = undefined;
    for (const number of this.#options.expected.numbers)
      this.of(number).expected = this.#options.expected.expectedOf(number);
  }

  /** Those on the page in order of their names. */
  shown(): readonly AgentRow[] {
    this.#forgetOld();
    this.#sorted ??= [...this.#byName.values(), this.#other].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    return this.#sorted.filter((row) => this.#isShown(row));
  }

  /** The members of all rows are added up anew. */
  beginTotals(): void {
    for (const { totals } of this.#byName.values()) clear(totals);
    clear(this.#other.totals);
  }

  /** The row of the agent of `number`, which may be that of all others. */
  of(number: number): AgentRow {
    return this.#byNumber.get(number) ?? this.#find(number);
  }

  /** It is known who a member of the agent of `number` is: rows are there from then on, at 0. */
  named(number: number, facts: MemberFacts): void {
    const row = this.of(number);
    if (row === this.#other) {
      this.counters.add(ROWS.shared);
      return;
    }
    if (isEmpty(row)) this.#refill(row);
    const isKnown = facts.identity !== undefined;
    const isOnly = this.#options.agents.membersOf(number) === 1;
    if (row.info !== "" && !(isKnown && (isOnly || !row.isKnown))) return;
    row.info = infoLabels(facts);
    row.isKnown = isKnown;
  }

  /** Members that are missing of the agent of `row`. */
  missingOf(row: AgentRow): number {
    return row.expected === 0 ? 0 : this.#options.expected.missingOf(row.number);
  }

  left(number: number, beats: number): void {
    const row = this.of(number);
    row.beats = saturatingAdd(row.beats, beats);
    if (this.#options.agents.membersOf(number) > 0 || row === this.#other) return;
    if (!row.isKept && !isEmpty(row)) this.#emptyCount += 1;
    row.emptySinceNs = this.#options.nowNs();
  }

  stalled({ agent, pid, observerNs, verdict }: Stall): void {
    const word = verdict?.verdict ?? "unknown";
    const row = this.of(agent);
    row.stalls[STALL_VERDICTS.indexOf(word)]! += 1;
    row.lastStall = { verdict: word, pid, observerNs };
    row.stallsOfDay ??= new DayCounts();
    row.stallsOfDay.add(observerNs);
  }

  /** It was counted by the daemon before this one. */
  stalledBefore({ agent, pid, observerNs, verdict }: Stall): void {
    const row = this.of(agent);
    if (row.lastStall !== undefined && row.lastStall.observerNs > observerNs) return;
    row.lastStall = { verdict: verdict?.verdict ?? "unknown", pid, observerNs };
  }

  ended(agent: number, how: AgentEnd): void {
    this.of(agent).exits[AGENT_ENDS.indexOf(how)]! += 1;
  }

  recovery(outcome: RecoveryOutcome): void {
    const word = agentOutcome(outcome);
    if (word === undefined || !("agent" in outcome)) return;
    const row = this.of(outcome.agent);
    row.recoveries[AGENT_OUTCOMES.indexOf(word)]! += 1;
    if (outcome.kind !== "result") return;
    row.recoveriesOfDay ??= new DayCounts();
    row.recoveriesOfDay.add(outcome.observerNs);
  }

  #isShown(row: AgentRow): boolean {
    if (row === this.#other) return row.number >= 0;
    if (row.number < 0) return false;
    return row.expected > 0 || !(this.#options.nowNs() - row.emptySinceNs >= ROWS_KEPT_NS);
  }

  #find(number: number): AgentRow {
    const { agents } = this.#options;
    const name = number === AGENT_NEW || number === AGENT_OTHER ? "" : agents.nameOf(number);
    const row = name === "" ? undefined : (this.#byName.get(name) ?? this.#place(name, number));
    if (row === undefined) {
      this.#other.number = AGENT_OTHER;
      return this.#other;
    }
    // The name had another number, or none yet.
    this.#byNumber.delete(row.number);
    row.number = number;
    this.#byNumber.set(number, row);
    return row;
  }

  #place(name: string, number: number): AgentRow | undefined {
    const isFree = this.#options.agents.isFree(number);
    if (!this.#hasRoom && this.#emptyCount > 0) this.#forgetOld();
    if (!this.#hasRoom && !isFree && this.#freeCount > 0) this.#takePlace();
    if (!this.#hasRoom) return undefined;
    const row = makeRow(name, { isKept: false, isFree });
    if (isFree) this.#freeCount += 1;
    this.#byName.set(name, row);
    this.#sorted = undefined;
    return row;
  }

  get #hasRoom(): boolean {
    return this.#byName.size < this.#options.rowsMax;
  }

  #refill(row: AgentRow): void {
    row.emptySinceNs = Number.NaN;
    if (!row.isKept) this.#emptyCount -= 1;
  }

  #keep(row: AgentRow): void {
    if (row.isKept) return;
    if (isEmpty(row)) this.#emptyCount -= 1;
    if (row.isFree) this.#freeCount -= 1;
    row.isKept = true;
    row.isFree = false;
  }

  #keepNoMore(row: AgentRow): void {
    row.isKept = false;
    if (row.number < 0) this.#byName.delete(row.name);
    else if (isEmpty(row)) this.#emptyCount += 1;
  }

  /** Names that have had no member for long. */
  #forgetOld(): void {
    const nowNs = this.#options.nowNs();
    if (this.#emptyCount === 0 || nowNs === this.#lookedNs) return;
    this.#lookedNs = nowNs;
    const sinceNs = nowNs - ROWS_KEPT_NS;
    for (const row of this.#byName.values())
      if (!row.isKept && row.emptySinceNs <= sinceNs) this.#forget(row);
  }

  /** A name that anybody can make up goes: the one left first, else the one that came last. */
  #takePlace(): void {
    const free = [...this.#byName.values()].filter(({ isFree }) => isFree);
    const left = free.filter(isEmpty).sort((a, b) => a.emptySinceNs - b.emptySinceNs);
    const victim = left[0] ?? free.at(-1);
    if (victim !== undefined) this.#forget(victim);
  }

  #forget(row: AgentRow): void {
    if (isEmpty(row)) this.#emptyCount -= 1;
    if (row.isFree) this.#freeCount -= 1;
    this.#byName.delete(row.name);
    this.#byNumber.delete(row.number);
    this.#sorted = undefined;
  }
}

function clear(totals: MemberTotals): void {
  totals.byState.fill(0);
  totals.members = 0;
  totals.beating = 0;
  totals.oldestNs = Number.NaN;
  totals.silenceRatio = Number.NaN;
  totals.thresholdNs = Number.NaN;
}

function isEmpty({ emptySinceNs }: AgentRow): boolean {
  return !Number.isNaN(emptySinceNs);
}

function makeRow(name: string, { isKept, isFree }: Pick<AgentRow, "isKept" | "isFree">): AgentRow {
  return {
    name,
    label: bytesOf(`agent="${escaped(name)}"`),
    number: -1,
    isKept,
    isFree,
    expected: 0,
    emptySinceNs: Number.NaN,
    beats: 0,
    stalls: new Float64Array(STALL_VERDICTS.length),
    lastStall: undefined,
    stallsOfDay: undefined,
    recoveriesOfDay: undefined,
    exits: new Float64Array(AGENT_ENDS.length),
    recoveries: new Float64Array(AGENT_OUTCOMES.length),
    info: "",
    isKnown: false,
    totals: {
      byState: new Float64Array(AGENT_STATES.length),
      members: 0,
      beating: 0,
      oldestNs: Number.NaN,
      silenceRatio: Number.NaN,
      thresholdNs: Number.NaN,
    },
  };
}
