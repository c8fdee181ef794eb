// What is kept of each stall that lasts, for who asks later (spec 16 section 12): since when, how
// much processor time the process had used by then, and what was done about it. The last events of
// an agent are not enough for that: its other members have events, too.
import { STALL_NOTE_ROWS_MAX, STALL_NOTES_MAX } from "../base/limits.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import type { StallVerdictWord } from "../events/stall_verdict.ts";
import { recoveryOfJson } from "./event_check.ts";
import { recoveryEventOf } from "./event_feed.ts";
import type { RecoveryEvent } from "./event_view.ts";

export interface StallNote {
  readonly generation: number;
  readonly agent: number;
  /** Observer time at which it was judged; and at which it was reported, NaN = muted until now. */
  readonly sinceNs: number;
  reportedNs: number;
  /** What its process was doing; undefined = that was not looked at. */
  readonly verdict: StallVerdictWord | undefined;
  /** NaN = not known. */
  cpuTicks: number;
  /** The daemon before this one has decided it. */
  isDecided: boolean;
  /** The oldest first. */
  readonly done: DoneNote[];
}

interface DoneNote {
  readonly observerNs: number;
  readonly recovery: RecoveryEvent;
}

/** What the next daemon has to know of a note; the member's own record has the rest. */
interface NoteMemory {
  readonly key: number;
  readonly generation: number;
  readonly reportedNs: number;
  readonly cpuTicks: number;
}

/** Something that was done about a stall. */
interface DoneMemory {
  readonly key: number;
  readonly generation: number;
  readonly doneNs: number;
  /** A `RecoveryEvent`. */
  readonly json: string;
}

export class StallNotes {
  /** By the tracker's key, the stall that began first before the others. */
  readonly #notes = new Map<number, StallNote>();
  /** Keys by the number of a recovery: not each of its outcomes says whose it is. */
  readonly #keys = new Map<number, number>();
  #isWhole = true;

  /** Each stall that lasts and was reported has its note: there was always room. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** A stall was judged, or the mute is over that held it. */
  stalled(stall: Stall): void {
    const { key, generation, agent, observerNs, verdict, isMuted = false } = stall;
    const known = this.noteOf(key, generation);
    if (known !== undefined) {
      if (!isMuted && Number.isNaN(known.reportedNs)) known.reportedNs = observerNs;
      return;
    }
    this.left(key);
    const [oldest] = this.#notes.keys();
    if (this.#notes.size >= STALL_NOTES_MAX && oldest !== undefined) {
      this.left(oldest);
      this.#isWhole = false;
    }
    this.#notes.set(key, {
      generation,
      agent,
      sinceNs: observerNs,
      reportedNs: isMuted ? Number.NaN : observerNs,
      verdict: verdict?.verdict,
      cpuTicks: verdict?.cpuTicks ?? Number.NaN,
      isDecided: false,
      done: [],
    });
  }

  /** The daemon before this one began a recovery of that number for the stall of `key`. */
  began(key: number, recoveryId: number): void {
    if (this.#notes.has(key)) this.#keys.set(recoveryId, key);
  }

  /** What the daemon before this one did about the stall of `key` is over. */
  decided(key: number): void {
    const note = this.#notes.get(key);
    if (note !== undefined) note.isDecided = true;
  }

  outcome(outcome: RecoveryOutcome): void {
    if (outcome.kind === "storm") return;
    const { recoveryId, observerNs } = outcome;
    const key = "stall" in outcome ? outcome.stall.key : this.#keys.get(recoveryId);
    const note = key === undefined ? undefined : this.#notes.get(key);
    const recovery = recoveryEventOf(outcome);
    if (note === undefined || recovery === undefined) return;
    if (recoveryId > 0) this.#keys.set(recoveryId, key!);
    // What it began with says most, and what it came to.
    if (note.done.length >= STALL_NOTE_ROWS_MAX) note.done.splice(STALL_NOTE_ROWS_MAX / 2, 1);
    note.done.push({ observerNs, recovery });
  }

  /** It beats again, or has left the table. */
  left(key: number): void {
    const note = this.#notes.get(key);
    if (note === undefined) return;
    this.#notes.delete(key);
    for (const { recovery } of note.done) this.#keys.delete(recovery.id);
  }

  *memories(): Iterable<NoteMemory> {
    for (const [key, { generation, reportedNs, cpuTicks }] of [...this.#notes])
      yield { key, generation, reportedNs, cpuTicks };
  }

  /** What was done, of the stalls that began last first, as much as is in `bytesMax` of JSON. */
  *doneMemories(bytesMax: number): Iterable<DoneMemory> {
    let bytesLeft = bytesMax;
    for (const [key, { generation, done }] of [...this.#notes].reverse()) {
      for (const { observerNs: doneNs, recovery } of [...done]) {
        const json = JSON.stringify(recovery);
        bytesLeft -= json.length;
        if (bytesLeft < 0) return;
        yield { key, generation, doneNs, json };
      }
    }
  }

  /** Of stalls that last since the daemon before this one, and have their notes again. */
  restore(memories: readonly NoteMemory[], done: readonly DoneMemory[]): void {
    for (const { key, generation, reportedNs, cpuTicks } of memories) {
      const note = this.noteOf(key, generation);
      if (note === undefined) continue;
      note.cpuTicks = cpuTicks;
      // One that a mute holds is not reported.
      if (!Number.isNaN(note.reportedNs) && !Number.isNaN(reportedNs)) note.reportedNs = reportedNs;
    }
    for (const { key, generation, doneNs: observerNs, json } of done) {
      const note = this.noteOf(key, generation);
      const recovery = recoveryOfJson(json);
      if (note === undefined || recovery === undefined) continue;
      if (note.done.length >= STALL_NOTE_ROWS_MAX) continue;
      note.done.push({ observerNs, recovery });
      if (recovery.id > 0) this.#keys.set(recovery.id, key);
    }
  }

  noteOf(key: number, generation: number): StallNote | undefined {
    const note = this.#notes.get(key);
    return note !== undefined && Object.is(note.generation, generation) ? note : undefined;
  }

  /** Of the stalls that last, the agents whose first one began within `withinNs` of `sinceNs`. */
  beganNear(sinceNs: number, withinNs: number): ReadonlyMap<number, number> {
    const agents = new Map<number, number>();
    for (const { agent, sinceNs: began } of this.#notes.values())
      if (Math.abs(began - sinceNs) <= withinNs && !agents.has(agent)) agents.set(agent, began);
    return agents;
  }
}
