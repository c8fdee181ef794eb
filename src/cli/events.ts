// "varta-watch events": what has happened lately and, with -f, what happens (spec 16 section 11).
// It follows until it is stopped, its reader leaves, or the daemon ends or hangs, and says which.
import { NS_PER_MS } from "../base/time.ts";
import { EVENT_VIEW_KINDS, type EventsEnd, type EventView } from "../view/event_view.ts";
import { notAnswered, pathOf, wrongUse } from "./asking.ts";
import { ask } from "./control_client.ts";
import { type Invocation, ownFlag, ownNumber, ownText } from "./invocation.ts";
import { print } from "./output.ts";
import { eventLine, eventsEndLine, followedNameCells, nameCellsOf } from "./screens/events.ts";
import { setDuration } from "./screens/figures.ts";
import { jsonLine, plainEvent } from "./screens/plain.ts";
import type { Screen } from "./screens/screen.ts";
import { isForPeople, thisScreen } from "./this_screen.ts";

const EXIT_OK = 0;

type Line = EventView | EventsEnd | { readonly alive: true };

export async function run(invocation: Invocation): Promise<number> {
  const agent = ownText(invocation, "agent");
  const kind = ownText(invocation, "kind");
  const wrong = kind?.split(",").find((word) => !EVENT_VIEW_KINDS.some((known) => known === word));
  if (wrong !== undefined)
    return wrongUse(
      `--kind: found "${wrong}"; want some of ${EVENT_VIEW_KINDS.join(", ")}`,
      "varta-watch events --kind stall,missing",
    );
  const since = ownNumber(invocation, "since");
  const sinceMs = since === undefined ? undefined : Math.round(since / NS_PER_MS);
  const path = pathOf(invocation);
  const screen = thisScreen(invocation);
  const asked = sinceMs === undefined ? undefined : setDuration(sinceMs);
  const request = { do: "events", agent, kind, since: asked };
  const printer = printerFor(invocation, { screen, agent, sinceMs });
  const onLine = (line: string) => printer.take(line);
  const answer = ownFlag(invocation, "follow")
    ? ask(path, { ...request, follow: true }, { screen, onLine, isStream: true })
    : ask(path, request, { screen });
  if (!answer.ok) return notAnswered(answer, invocation);
  for (const line of answer.lines) printer.take(line);
  return EXIT_OK;
}

interface Printer {
  /** False: its reader has left. */
  take(line: string): boolean;
}

interface Asked {
  readonly screen: Screen;
  readonly agent: string | undefined;
  readonly sinceMs: number | undefined;
}

function printerFor(invocation: Invocation, asked: Asked): Printer {
  const isJson = ownFlag(invocation, "json");
  if (!isJson && isForPeople(invocation))
    return new ScreenPrinter(asked, ownFlag(invocation, "follow"));
  return {
    take(text) {
      const line = JSON.parse(text) as Line;
      if ("alive" in line) return true;
      if (isJson) return print(jsonLine(line));
      return "kind" in line ? print(plainEvent(line)) : true;
    },
  };
}

/** Lines up: the names of what has happened are known before the first line is printed. */
class ScreenPrinter implements Printer {
  readonly #asked: Asked;
  readonly #follows: boolean;
  readonly #past: EventView[] = [];
  /** Undefined = what has happened is not whole yet. */
  #nameCells: number | undefined;

  constructor(asked: Asked, follows: boolean) {
    this.#asked = asked;
    this.#follows = follows;
  }

  take(text: string): boolean {
    const line = JSON.parse(text) as Line;
    if ("alive" in line) return true;
    if (!("kind" in line)) return this.#replayed(line);
    if (this.#nameCells !== undefined) return print(this.#lineOf(line, this.#nameCells));
    this.#past.push(line);
    return true;
  }

  #replayed(end: EventsEnd): boolean {
    const { screen, agent, sinceMs } = this.#asked;
    const names = this.#past.map((event) => event.agent);
    const cells = this.#follows
      ? followedNameCells(names, agent, screen)
      : nameCellsOf(names, screen);
    this.#nameCells = cells;
    const lines = this.#past.splice(0).map((event) => this.#lineOf(event, cells));
    return print(lines.join("") + (this.#follows ? "" : eventsEndLine(end, sinceMs)));
  }

  #lineOf(event: EventView, cells: number): string {
    return eventLine(event, new Date().toISOString(), cells, this.#asked.screen);
  }
}
