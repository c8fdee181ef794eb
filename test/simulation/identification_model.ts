// When it is known who a member is, and which rule takes it, as spec 03 section 2.2 and spec 15
// describe it, slow and literal: a search wherever the daemon keeps an order. Simulated looks take
// no time, so none is ever put off.
import type { ReferenceSlot, ReferenceTracker } from "../reference/tracker.ts";
import { isShared } from "./identities.ts";
import type { ProcessTable } from "./process_table.ts";
import type { Scenario } from "./scenario.ts";

const SECOND_NS = 1_000_000_000;
const LOOK_EVERY_NS = 5 * SECOND_NS;
const FRESH_NS = SECOND_NS;
const BETWEEN_LOOKS_NS = SECOND_NS / 250;
const KERNEL = 0;

interface Looked {
  /** Of its slot: another member in the slot was not looked at. */
  readonly enteredAt: number;
  readonly atNs: number;
  /** Order of the looks. */
  readonly order: number;
  /** Its program could be read. */
  readonly isRead: boolean;
  readonly hasRule: boolean;
}

export class IdentificationModel {
  readonly #scenario: Scenario;
  readonly #tracker: ReferenceTracker;
  readonly #processes: ProcessTable;
  readonly #looked = new WeakMap<ReferenceSlot, Looked>();
  #order = 0;
  #nextAgainNs = Number.NEGATIVE_INFINITY;

  constructor(scenario: Scenario, tracker: ReferenceTracker, processes: ProcessTable) {
    this.#scenario = scenario;
    this.#tracker = tracker;
    this.#processes = processes;
  }

  hasRule(slot: ReferenceSlot): boolean {
    return this.#lookedAt(slot)?.hasRule === true;
  }

  /** A slot is due: a look that is older than a second is not good enough. */
  beforeJudged(slot: ReferenceSlot, nowNs: number): void {
    const looked = this.#lookedAt(slot);
    if (looked === undefined || nowNs - looked.atNs > FRESH_NS) this.#look(slot, nowNs);
  }

  /** The end of a turn: those who came, then those who were not looked at for a while. */
  advance(nowNs: number): void {
    const { slots } = this.#tracker;
    const isNew = (slot: ReferenceSlot) => this.#lookedAt(slot) === undefined;
    for (const slot of slots.filter(isNew).sort((a, b) => a.enteredAt - b.enteredAt))
      this.#look(slot, nowNs);
    this.#nextAgainNs = Math.max(this.#nextAgainNs, nowNs - SECOND_NS);
    while (this.#nextAgainNs <= nowNs) {
      const slot = this.#longestAgo();
      if (slot === undefined || this.#lookedAt(slot)!.atNs > nowNs - LOOK_EVERY_NS) return;
      this.#look(slot, nowNs);
      this.#nextAgainNs += BETWEEN_LOOKS_NS;
    }
  }

  #look(slot: ReferenceSlot, nowNs: number): void {
    const before = this.#lookedAt(slot);
    const isFirst = before === undefined;
    const isRead = slot.origin === KERNEL && (before?.isRead === true || this.#isReadable(slot));
    const { rule } = this.#scenario;
    const hasRule = rule !== undefined && isRead && isShared(slot.generation!);
    this.#looked.set(slot, {
      enteredAt: slot.enteredAt,
      atNs: nowNs,
      order: ++this.#order,
      isRead,
      hasRule,
    });
    if (hasRule && (isFirst || !before.hasRule)) this.#tracker.change(slot.pid, rule);
  }

  #isReadable({ pid, generation }: ReferenceSlot): boolean {
    const process = this.#processes.find(pid);
    if (process?.statReadable !== true || this.#processes.swappedInLookup.has(pid)) return false;
    return process.startTime === generation;
  }

  #longestAgo(): ReferenceSlot | undefined {
    let found: ReferenceSlot | undefined;
    for (const slot of this.#tracker.slots) {
      const isEarlier =
        found === undefined || this.#lookedAt(slot)!.order < this.#lookedAt(found)!.order;
      if (isEarlier) found = slot;
    }
    return found;
  }

  #lookedAt(slot: ReferenceSlot): Looked | undefined {
    const looked = this.#looked.get(slot);
    return looked?.enteredAt === slot.enteredAt ? looked : undefined;
  }
}
