// `events`: one line per event, as it comes or from the past, and what was left out.
import type { EventsEnd, EventView } from "../../view/event_view.ts";
import { cutMiddle, left, printable, widthOf } from "./cells.ts";
import { eventWords } from "./event_words.ts";
import { plural, setDuration } from "./figures.ts";
import { nameCellsMax, type Screen } from "./screen.ts";
import { Times } from "./times.ts";

const KIND_CELLS = 8;
/** That of a name that is still to come. */
const NAME_CELLS = 14;
const GAP = "  ";

/**
 * The column of names is as wide as the longest of those that are known when the first line is
 * printed: lines that come later are cut to it, and none moves.
 */
export function nameCellsOf(agents: readonly string[], screen: Screen): number {
  return Math.min(
    nameCellsMax(screen),
    Math.max(1, ...agents.map((agent) => widthOf(printable(agent)))),
  );
}

/** Of names that are still to come, only one that was asked for is known. */
export function followedNameCells(
  agents: readonly string[],
  asked: string | undefined,
  screen: Screen,
): number {
  const isOne = asked !== undefined && !/[*?]/.test(asked);
  const cells = nameCellsOf(isOne ? [asked] : agents, screen);
  return isOne ? cells : Math.max(cells, NAME_CELLS);
}

/** A line is never folded, so that it can be searched. */
export function eventLine(
  given: EventView,
  now: string,
  nameCells: number,
  screen: Screen,
): string {
  const event = printable(given);
  const name = event.agent === "" ? "-" : event.agent;
  const times = new Times(now, screen.zone);
  const cells = [
    times.exactly(event.time),
    left(event.kind, KIND_CELLS),
    left(cutMiddle(name, nameCells, screen.ascii), nameCells),
    eventWords(event, "events", times),
  ];
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** `sinceMs`: how far it was to go back; undefined = as far as it goes. */
export function eventsEndLine({ shown, left_out }: EventsEnd, sinceMs: number | undefined): string {
  const within = sinceMs === undefined ? "" : ` in ${setDuration(sinceMs)}`;
  const rest =
    left_out === 0 ? "" : ` ${left_out} of other kinds ${left_out === 1 ? "is" : "are"} not shown.`;
  return `${plural(shown, "event")}${within}.${rest}\n`;
}
