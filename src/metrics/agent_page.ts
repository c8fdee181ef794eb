// Writes the rows of agents (spec 08 section 3.8): first the members are added up, some at a time,
// then the rows are written in the order of the names. A state or a word that a row does not have
// at 0 comes with its first one: twenty agents need a page that a person can still read.
import { AGENT_STATES } from "../agents/agent_state.ts";
import { type Family, familiesOf } from "../base/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import {
  AGENT_ENDS,
  AGENT_OUTCOMES,
  AGENT_ROWS,
  type AgentEnd,
  type AgentOutcome,
} from "./agent_families.ts";
import type { AgentRow, AgentRows } from "./agent_rows.ts";
import { bytesOf, FamilySection, type PageFormat } from "./family_section.ts";
import type { FamilyText, PageRows } from "./page_rows.ts";
import { STALL_VERDICTS } from "../events/stall_verdict.ts";

/** Adds up the members of each row; the read model of the daemon. */
export interface AgentTotals {
  begin(nowNs: number): void;
  /** Does a small piece of work; true = the `totals` of all rows are those of this page. */
  step(): boolean;
}

interface AgentPageOptions {
  readonly rows: AgentRows;
  readonly totals: AgentTotals;
  /** Something is done about stalls: what comes of that is counted from 0 on. */
  readonly recovers: boolean;
  /** Nothing is told of the agent of that name, and nothing is done; undefined = of none. */
  readonly isMuted?: (name: string) => boolean;
  /** Wall clock minus observer time. */
  readonly wallOffsetNs: () => number;
}

/** Rows written between two readings of the clock: about 30 us. */
const ROWS_PER_STEP = 8;
const TEXT_BYTES = 4 * 1_024;

const STATES_AT_ZERO: readonly string[] = ["ok", "stalled"];
const EXPECTED_STATES_AT_ZERO: readonly string[] = [...STATES_AT_ZERO, "missing"];
const VERDICTS_AT_ZERO: readonly string[] = ["hung", "exited"];
const ENDS_AT_ZERO: readonly AgentEnd[] = ["clean", "unclean"];
const OUTCOMES_AT_ZERO: readonly AgentOutcome[] = ["gave_up", "not_helped"];

const ADDING = 0;
const WRITING = 1;
const FINISHED = 2;

export class AgentPage implements PageRows {
  readonly #options: AgentPageOptions;
  readonly #families: readonly FamilyRows[] = familiesOf(AGENT_ROWS).map(
    (family) => new FamilyRows(family),
  );
  readonly #outcomesAtZero: readonly AgentOutcome[];
  #state = FINISHED;
  #shown: readonly AgentRow[] = [];
  #next = 0;

  constructor(options: AgentPageOptions) {
    this.#options = options;
    this.#outcomesAtZero = options.recovers ? OUTCOMES_AT_ZERO : [];
  }

  get texts(): readonly FamilyText[] {
    return this.#families;
  }

  begin(format: PageFormat, nowNs: number): void {
    this.#options.totals.begin(nowNs);
    for (const family of this.#families) family.begin(format);
    // Pids may have rows in this one, too: it has its head whether agents have rows or not.
    (this.#families as Families)[LAST_BEAT].writeHead();
    this.#next = 0;
    this.#state = ADDING;
  }

  step(): boolean {
    if (this.#state === ADDING) {
      if (!this.#options.totals.step()) return false;
      this.#shown = this.#options.rows.shown();
      this.#state = WRITING;
    }
    const end = Math.min(this.#next + ROWS_PER_STEP, this.#shown.length);
    for (; this.#next < end; this.#next++) this.#write(this.#shown[this.#next]!);
    if (this.#next === this.#shown.length) this.#state = FINISHED;
    return this.#state === FINISHED;
  }

  #write(row: AgentRow): void {
    const [agents, muted, members, beating, expected, lastBeat, ...more] = this
      .#families as Families;
    const [ratio, threshold, beats, stalls, exits, recoveries, info] = more;
    const { totals } = row;
    const atZero = row.expected > 0 ? EXPECTED_STATES_AT_ZERO : STATES_AT_ZERO;
    agents.words(row, AGENT_STATES, totals.byState, atZero);
    muted.number(row, this.#options.isMuted?.(row.name) === true ? 1 : 0);
    members.number(row, totals.members);
    beating.number(row, totals.beating);
    if (row.expected > 0) expected.number(row, row.expected);
    const oldestMs = Math.floor((totals.oldestNs + this.#options.wallOffsetNs()) / NS_PER_MS);
    lastBeat.thousandths(row, oldestMs);
    ratio.thousandths(row, Math.floor(totals.silenceRatio * 1_000));
    threshold.thousandths(row, Math.round((totals.thresholdNs * 1_000) / NS_PER_S));
    beats.number(row, row.beats);
    stalls.words(row, STALL_VERDICTS, row.stalls, VERDICTS_AT_ZERO);
    exits.words(row, AGENT_ENDS, row.exits, ENDS_AT_ZERO);
    recoveries.words(row, AGENT_OUTCOMES, row.recoveries, this.#outcomesAtZero);
    if (row.info !== "") info.info(row);
  }
}

/** A family, whose head comes with its first row. */
class FamilyRows implements FamilyText {
  readonly name: string;
  readonly text = new TextBuffer(TEXT_BYTES);
  readonly #section: FamilySection;
  /** `name{`. */
  readonly #start: Uint8Array;
  /** What comes after the agent, by value of the family's own label. */
  readonly #ends: readonly Uint8Array[];
  #format: PageFormat = "text";

  constructor(family: Family) {
    this.name = family.name;
    this.#section = new FamilySection(family);
    this.#start = bytesOf(`${family.name}{`);
    this.#ends = family.values.map((value) => bytesOf(`,${family.label}="${value}"} `));
  }

  begin(format: PageFormat): void {
    this.text.clear();
    this.#format = format;
  }

  writeHead(): void {
    this.#section.writeHead(this.text, this.#format);
  }

  /** A row for each word whose value is not 0, and for those that are there at 0. */
  words(
    row: AgentRow,
    words: readonly string[],
    values: Float64Array,
    atZero: readonly string[],
  ): void {
    for (let i = 0; i < words.length; i++) {
      if (values[i]! === 0 && !atZero.includes(words[i]!)) continue;
      this.#begin(row);
      this.#end(this.#ends[i]!, values[i]!);
    }
  }

  number(row: AgentRow, value: number): void {
    this.#begin(row);
    this.#end(LABELS_END, value);
  }

  /** What cannot be said, of an agent without members, is left out. */
  thousandths(row: AgentRow, value: number): void {
    if (Number.isNaN(value)) return;
    this.#begin(row);
    this.text.copy(LABELS_END);
    this.text.fixed(value, 3);
    this.text.byte(LF);
  }

  info(row: AgentRow): void {
    this.#begin(row);
    this.text.ascii(row.info);
    this.#end(LABELS_END, 1);
  }

  #begin({ label }: AgentRow): void {
    if (this.text.length === 0) this.writeHead();
    this.text.copy(this.#start);
    this.text.copy(label);
  }

  #end(labelsEnd: Uint8Array, value: number): void {
    this.text.copy(labelsEnd);
    this.text.decimal(value);
    this.text.byte(LF);
  }
}

type Families = readonly [
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
  FamilyRows,
];
/** The place of `varta_agent_last_beat_timestamp_seconds` in it. */
const LAST_BEAT = 5;

const LF = 0x0a;
const LABELS_END = bytesOf("} ");
