// "events": what has happened lately, and what happens (spec 16 section 11). Without `follow` its
// answer ends; with it the asker leaves.
import { matchesGlob } from "../../base/glob.ts";
import type { Pieces } from "../../base/pieces.ts";
import type { EventFilter } from "../../view/event_reader.ts";
import { EVENT_STREAMS_MAX } from "../../view/event_streams.ts";
import { EVENT_VIEW_KINDS, type EventViewKind } from "../../view/event_view.ts";
import { EVENT_LINES, EventPieces } from "../event_pieces.ts";
import { eventSource } from "../event_source.ts";
import {
  type Arguments,
  argFlag,
  argNumber,
  argText,
  type Asker,
  type ControlSources,
  refusalPieces,
  type Request,
} from "../request.ts";
import { noSuchAgent } from "../status_rows.ts";

const SINCE_MS_MAX = 366 * 24 * 3_600 * 1_000;

export const EVENTS: Request = {
  name: "events",
  right: "read",
  help: "what has happened lately, and what happens",
  args: {
    agent: { is: "text", charsMax: 256, help: "name, or a pattern with * and ?" },
    kind: { is: "words", words: EVENT_VIEW_KINDS, help: "only these kinds" },
    since: { is: "duration", msMax: SINCE_MS_MAX, help: "only what is not older" },
    follow: { is: "flag", help: "go on with what comes, until the asker leaves" },
  },
  answer:
    "one line for each event that is kept, the oldest first: `seq`, `time`, `kind`, `agent` and what belongs to the kind; then one with `shown` and `left_out`. With `follow` more events, and `alive` when there was none for 2 s. `lost` has the number of those that this reader was too slow for",
  run: (args, sources, asker) => new KnownAgent(args, sources, asker),
  follow: (args, { events, wallMs }, client) =>
    eventSource(events, { ...client, filter: filterOf(args, wallMs()), wallMs }),
};

function filterOf(args: Arguments, wallMs: number): EventFilter {
  const kinds = argText(args, "kind");
  const sinceMs = argNumber(args, "since");
  return {
    agent: argText(args, "agent"),
    kinds: kinds?.split(",") as readonly EventViewKind[] | undefined,
    sinceUnixMs: sinceMs === undefined ? undefined : wallMs - sinceMs,
  };
}

/** The events, once it is sure that the name is no misspelt one: that would be silence for ever. */
class KnownAgent implements Pieces {
  readonly #args: Arguments;
  readonly #sources: ControlSources;
  readonly #asker: Asker;
  readonly #walk: ReturnType<ControlSources["view"]["walkStatus"]> | undefined;
  #pieces: Pieces | undefined;

  constructor(args: Arguments, sources: ControlSources, asker: Asker) {
    this.#args = args;
    this.#sources = sources;
    this.#asker = asker;
    const name = argText(args, "agent");
    if (name === undefined || sources.events.log.mentions(name)) this.#begin();
    else this.#walk = sources.view.walkStatus();
  }

  get keepAlive(): string | undefined {
    return this.#pieces?.keepAlive;
  }

  next(): string | null | undefined {
    if (this.#pieces !== undefined) return this.#pieces.next();
    if (!this.#walk!.step()) return "";
    const agents = this.#walk!.agents();
    const name = argText(this.#args, "agent")!;
    if (agents.some(({ agent }) => matchesGlob(name, agent))) this.#begin();
    else this.#pieces = noSuchAgent(name, agents);
    return "";
  }

  end(): void {
    this.#pieces?.end?.();
  }

  #begin(): void {
    const { events, wallMs } = this.#sources;
    const follows = argFlag(this.#args, "follow");
    const filter = filterOf(this.#args, wallMs());
    const reader = follows
      ? events.follow(filter, { hasMore: this.#asker.wake })
      : events.replay(filter);
    if (reader === undefined) {
      const text = `more than ${EVENT_STREAMS_MAX} that follow the events`;
      this.#pieces = refusalPieces({ error: "too_many", text });
      return;
    }
    const ended = () => (follows ? events.leave(reader) : reader.close());
    this.#pieces = new EventPieces({ reader, format: EVENT_LINES, follows, wallMs, ended });
  }
}
