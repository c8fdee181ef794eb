// What people were told, for who asks the next daemon (spec 18 section 3): the histories of agents,
// and of stalls that last what was done. JSON, which the next one believes only after it has looked
// (view/event_check.ts), and of all of it so many bytes; what happened longest ago is left out.
import { EVENT_BYTES_MAX, type StateRow } from "../snapshot/records.ts";
import type { Parts } from "./parts.ts";
import type { RestoredState } from "./restored_state.ts";

/** Some 1,300 events, and half of that: a start reads them in a few milliseconds. */
const HISTORY_BYTES_MAX = 256 * 1_024;
const DONE_BYTES_MAX = 128 * 1_024;
/** Of UTF-8, one character takes at most so many. */
const CHARACTER_BYTES_MAX = 3;

type ToldParts = Pick<Parts, "events" | "notes">;

export function* toldRows({ events, notes }: ToldParts): Iterable<StateRow> {
  for (const values of events.remembered(HISTORY_BYTES_MAX))
    if (fits(values)) yield { kind: "history", values };
  for (const values of notes.memories()) yield { kind: "note", values };
  for (const values of notes.doneMemories(DONE_BYTES_MAX))
    if (fits(values)) yield { kind: "done", values };
}

/** Before the stalls, which may be in it. */
export function restoreHistories({ events }: ToldParts, { told }: RestoredState): void {
  events.restore(told.histories);
}

/** When each stall that lasts has its note. */
export function restoreNotes({ notes }: ToldParts, { told }: RestoredState): void {
  notes.restore(told.notes, told.done);
}

/** A text that is cut is no JSON. */
function fits({ json }: { readonly json: string }): boolean {
  return json.length * CHARACTER_BYTES_MAX <= EVENT_BYTES_MAX;
}
