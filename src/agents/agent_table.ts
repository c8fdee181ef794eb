// The agents: by number and by name, with how many members each has. Slots, stalls and outcomes
// carry an agent's number, and a log line or a page looks the name up here. The table is bounded.
// Names that the configuration has in it have their place from the start; those that any process
// can make up get at most half of the others; what finds no place shares one agent, "other".
//
// A number outlives its agent: a stall may wait, and a recovery may go on, when its name is gone
// from here. So a name without members stays as long as its place is not needed, the one that was
// left first goes first, and its number names no other agent before at least 2^31 / AGENT_NAMES_MAX
// names had that place. A number is a row plus a multiple of the number of rows.
import { assert } from "../base/assert.ts";
import { block, Counters, counter, gauge } from "../base/counters.ts";
import { type AgentName, fitName, OWNER_RULE } from "./naming.ts";

/** The agent of members that are not identified yet. It has no name. */
export const AGENT_NEW = 0;
/** The agent of those for whose name there is no place. */
export const AGENT_OTHER = 1;
export const OTHER_NAME = "other";
const OWN_ROWS = 2;

/**
 * Names that are kept: eight times what a page shows, and one costs less than 300 bytes. Rules have
 * at most 1,000 of them.
 */
export const AGENT_NAMES_MAX = 4_096;

/** Part of the places that names get which any process can make up. */
const FREE_PART = 1 / 2;

/** No row: the end of a list. */
const END = -1;

/** A name that the configuration has, as a rule's without placeholders. */
export interface ReservedName {
  readonly name: string;
  /** All members that its rule matches are one agent, whatever their uid is. */
  readonly bindsOwner: boolean;
}

interface Row {
  name: string;
  /** NaN until the first member comes. */
  owner: number;
  members: number;
  /** Those of them that are not present, see `Slots.isPresent`. */
  absent: number;
  isReserved: boolean;
  isFree: boolean;
  /** The number is `row + turn * rowCount`. */
  turn: number;
  /** Rows without members, the one that was left first at the head. */
  before: number;
  after: number;
}

interface LeftRows {
  head: number;
  tail: number;
}

export const AGENTS = block({
  names: gauge("varta_watch_agent_names", "Names of agents that are kept.", {
    ask: ({ nameCount }: AgentTable) => nameCount,
  }),
  namesMax: gauge("varta_watch_agent_names_max", "Names of agents that may be kept.", {
    ask: ({ namesMax }: AgentTable) => namesMax,
  }),
  sharedOther: counter(
    "varta_watch_agent_names_refused_total",
    'Members that became part of the agent "other" because there was no place for their name.',
  ),
});

export class AgentTable {
  readonly counters = new Counters(AGENTS, this);
  /** Rises whenever a member comes, ends or goes, or begins or ceases to owe beats. */
  changes = 0;
  readonly namesMax: number;
  /** Of a number, what is left of it by this is its row. */
  readonly rowCount: number;
  readonly #numberCount: number;
  #freeMax: number;
  readonly #rows: Row[] = [];
  readonly #rowByName = new Map<string, number>();
  #freeCount = 0;
  /** Of the names that anybody can make up, and of the others: the rows without members. */
  readonly #left: readonly [LeftRows, LeftRows] = [
    { head: END, tail: END },
    { head: END, tail: END },
  ];

  /** There are `numberCount` numbers, by default those of a u32. */
  constructor(namesMax = AGENT_NAMES_MAX, numberCount = 2 ** 32) {
    this.namesMax = namesMax;
    this.rowCount = namesMax + OWN_ROWS;
    this.#numberCount = numberCount;
    this.#freeMax = Math.floor(namesMax * FREE_PART);
    this.#append({ name: "", owner: OWNER_RULE, isReserved: true, isFree: false });
    this.#append({ name: OTHER_NAME, owner: OWNER_RULE, isReserved: true, isFree: false });
  }

  /** Keeps places for the names that the configuration has, before the first member is named. */
  reserve(reserved: readonly ReservedName[]): void {
    assert(this.nameCount + reserved.length <= this.namesMax, "each reserved name has a place");
    for (const { name, bindsOwner } of reserved) {
      if (this.#rowByName.has(fitName(name))) continue;
      const owner = bindsOwner ? OWNER_RULE : Number.NaN;
      this.#append({ name: fitName(name), owner, isReserved: true, isFree: false });
    }
    this.#freeMax = Math.floor((this.namesMax - this.nameCount) * FREE_PART);
  }

  /**
   * True if the names of another configuration can have places: what has members keeps its own.
   */
  canReserve(reserved: readonly ReservedName[]): boolean {
    const names = new Set(reserved.map(({ name }) => fitName(name)));
    const isKept = (row: Row): boolean => row.members > 0 && !names.has(row.name);
    return names.size + this.#rows.slice(OWN_ROWS).filter(isKept).length <= this.namesMax;
  }

  /**
   * As `reserve` when members have names: each of them is named again next. Names that are reserved
   * no more give up their places when these are needed.
   */
  reserveAnew(reserved: readonly ReservedName[]): void {
    assert(this.canReserve(reserved), "each reserved name has a place");
    const names = new Set(reserved.map(({ name }) => fitName(name)));
    for (let index = OWN_ROWS; index < this.#rows.length; index++) {
      const row = this.#rows[index]!;
      if (!row.isReserved || names.has(row.name)) continue;
      row.isReserved = false;
      row.owner = Number.NaN;
      if (row.members === 0) this.#link(index);
    }
    for (const { name, bindsOwner } of reserved) {
      const owner = bindsOwner ? OWNER_RULE : Number.NaN;
      const index = this.#rowByName.get(fitName(name)) ?? this.#place(fitName(name), owner, false);
      const row = this.#rows[index]!;
      if (!row.isReserved && row.members === 0) this.#unlink(index);
      if (row.isFree) this.#freeCount -= 1;
      Object.assign(row, { owner, isReserved: true, isFree: false });
    }
    this.#freeMax = Math.floor((this.namesMax - names.size) * FREE_PART);
    this.changes += 1;
  }

  get nameCount(): number {
    return this.#rowByName.size - OWN_ROWS;
  }

  /**
   * The number of the agent that is called so, or of the one that stands in for it: another owner
   * may have the name, and then the user stands before it.
   */
  numberFor(wanted: AgentName): number {
    const { text, user } = wanted;
    const first = this.#numberOfName(fitName(text), wanted);
    if (first >= 0) return first;
    // Nobody can make up the last one: a process's own "%" is escaped.
    for (const name of [`${user}:${text}`, `${user}%3A${text}`]) {
      const number = this.#numberOfName(fitName(name), wanted);
      if (number >= 0) return number;
    }
    return this.#refuse();
  }

  /** `count` members of the agent of `number` come, of which `absent` are not present. */
  joinMany(number: number, count: number, absent = 0): void {
    if (count === 0) return;
    this.join(number);
    const row = this.#rows[number % this.rowCount]!;
    row.members += count - 1;
    row.absent += absent;
  }

  /** `count` of them go, of which `absent` are not present. */
  leaveMany(number: number, count: number, absent = 0): void {
    if (count === 0) return;
    const row = this.#rows[number % this.rowCount]!;
    row.members -= count - 1;
    row.absent -= absent;
    this.leave(number);
  }

  /** A member of the agent of `number` comes. */
  join(number: number, isPresent = true): void {
    const index = number % this.rowCount;
    const row = this.#rows[index]!;
    assert(this.#numberOf(index) === number, "a member joins an agent that there is");
    if (row.members === 0) this.#unlink(index);
    row.members += 1;
    if (!isPresent) row.absent += 1;
    this.changes += 1;
  }

  /** A member of the agent of `number` has ended, or begins or ceases to owe beats. */
  changed(number: number, wasPresent: boolean, isPresent: boolean): void {
    const row = this.#rows[number % this.rowCount]!;
    row.absent += Number(wasPresent) - Number(isPresent);
    assert(row.absent >= 0 && row.absent <= row.members, "a member is absent once");
    this.changes += 1;
  }

  /** A member of the agent of `number` goes. */
  leave(number: number, isPresent = true): void {
    const index = number % this.rowCount;
    const row = this.#rows[index]!;
    assert(this.#numberOf(index) === number && row.members > 0, "a member goes once");
    row.members -= 1;
    if (!isPresent) row.absent -= 1;
    this.changes += 1;
    if (row.members === 0) this.#link(index);
  }

  /** Members of the agent of `number`. */
  membersOf(number: number): number {
    return this.#numberOf(number % this.rowCount) === number
      ? this.#rows[number % this.rowCount]!.members
      : 0;
  }

  /** As `membersOf`, but only those that are present. */
  presentOf(number: number): number {
    const index = number % this.rowCount;
    if (this.#numberOf(index) !== number) return 0;
    const { members, absent } = this.#rows[index]!;
    return members - absent;
  }

  /** The number of a name that was reserved. */
  reservedNumber(name: string): number {
    const index = this.#rowByName.get(fitName(name));
    assert(index !== undefined && this.#rows[index]!.isReserved, "the name is reserved");
    return this.#numberOf(index);
  }

  /** The number of the agent that is called so now; undefined = none is. */
  numberOf(name: string): number | undefined {
    const index = this.#rowByName.get(name);
    return index === undefined || name === "" ? undefined : this.#numberOf(index);
  }

  /** Whose members have the name now, see `AgentName.owner`; undefined = nobody's. */
  holderOf(name: string): number | undefined {
    const row = this.#rows[this.#rowByName.get(name) ?? END];
    return row === undefined || row.members === 0 ? undefined : row.owner;
  }

  /** Of those that are known: they have members, had some lately, or the configuration has them. */
  *names(): Iterable<string> {
    for (const name of this.#rowByName.keys()) if (name !== "") yield name;
  }

  /** The name of the agent of `number`; "" = it is not identified yet, or its name is gone. */
  nameOf(number: number): string {
    const index = number % this.rowCount;
    return this.#numberOf(index) === number ? this.#rows[index]!.name : "";
  }

  /** Any process can make up the name of the agent of `number`, and as many as it likes. */
  isFree(number: number): boolean {
    return this.#rows[number % this.rowCount]?.isFree === true;
  }

  /** As `nameOf`; "" too of the agent of those that have no name of their own. */
  ownNameOf(number: number): string {
    return number === AGENT_OTHER ? "" : this.nameOf(number);
  }

  /** -1 = another owner has the name. */
  #numberOfName(name: string, { owner, isFree }: AgentName): number {
    const known = this.#rowByName.get(name);
    if (known === undefined) {
      const row = this.#place(name, owner, isFree);
      return row < 0 ? this.#refuse() : this.#numberOf(row);
    }
    const row = this.#rows[known]!;
    if (Number.isNaN(row.owner)) row.owner = owner;
    return row.owner === owner ? this.#numberOf(known) : -1;
  }

  #refuse(): number {
    this.counters.add(AGENTS.sharedOther);
    return AGENT_OTHER;
  }

  /** A row for a new name, -1 = there is no place. */
  #place(name: string, owner: number, isFree: boolean): number {
    const fields = { name, owner, isFree, isReserved: false };
    const isFull = this.#rows.length === this.rowCount || (isFree && this.#isFreeFull);
    if (!isFull) return this.#append(fields);
    // Where a place of the other kind could be had, the bound of this kind may be reached.
    const own = this.#left[isFree ? 1 : 0].head;
    const index = own === END && !isFree ? this.#left[1].head : own;
    if (index === END) return -1;
    this.#forget(index);
    Object.assign(this.#rows[index]!, fields);
    this.#named(index);
    return index;
  }

  get #isFreeFull(): boolean {
    return this.#freeCount >= this.#freeMax;
  }

  #append(fields: Pick<Row, "name" | "owner" | "isReserved" | "isFree">): number {
    const index = this.#rows.length;
    this.#rows.push({ ...fields, members: 0, absent: 0, turn: 0, before: END, after: END });
    this.#named(index);
    return index;
  }

  #named(index: number): void {
    const { name, isFree } = this.#rows[index]!;
    this.#rowByName.set(name, index);
    if (isFree) this.#freeCount += 1;
    this.#link(index);
  }

  /** The name of the row gives up its place, and its number is no longer one. */
  #forget(index: number): void {
    const row = this.#rows[index]!;
    this.#unlink(index);
    this.#rowByName.delete(row.name);
    if (row.isFree) this.#freeCount -= 1;
    const isLastTurn = this.#numberOf(index) + this.rowCount >= this.#numberCount;
    row.turn = isLastTurn ? 0 : row.turn + 1;
  }

  #link(index: number): void {
    const row = this.#rows[index]!;
    if (row.isReserved) return;
    const list = this.#left[row.isFree ? 1 : 0];
    row.before = list.tail;
    row.after = END;
    if (list.tail === END) list.head = index;
    else this.#rows[list.tail]!.after = index;
    list.tail = index;
  }

  #unlink(index: number): void {
    const row = this.#rows[index]!;
    if (row.isReserved) return;
    const list = this.#left[row.isFree ? 1 : 0];
    if (row.before === END) list.head = row.after;
    else this.#rows[row.before]!.after = row.after;
    if (row.after === END) list.tail = row.before;
    else this.#rows[row.after]!.before = row.before;
  }

  #numberOf(index: number): number {
    const row = this.#rows[index];
    return row === undefined ? -1 : index + row.turn * this.rowCount;
  }
}
