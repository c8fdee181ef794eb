// The events as server-sent events (spec 16 section 11), for pages and curl. The number of an event
// has the name of this run of the daemon before it: after a restart an old number means another
// event, and a client that shows one gets all that is kept, and is told so.
import type { Pieces } from "../base/pieces.ts";
import type { EventFilter } from "../view/event_reader.ts";
import type { EventStreams } from "../view/event_streams.ts";
import { EVENT_LINES, type EventFormat, EventPieces } from "./event_pieces.ts";
import { answerLine, type Follower } from "./request.ts";

/** When a client that lost its connection comes again. */
const RETRY_MS = 2_000;

interface EventSourceOptions extends Follower {
  readonly filter: EventFilter;
  readonly wallMs: () => number;
}

/** Undefined = too many follow already. */
export function eventSource(
  streams: EventStreams,
  { filter, lastEventId, wallMs, wake }: EventSourceOptions,
): Pieces | undefined {
  const { bootId, log } = streams;
  const had = seqOf(lastEventId, bootId);
  const isKnown = had !== undefined && had <= log.seq;
  // What it missed is what it wants, however long ago that was.
  const wanted = isKnown ? { ...filter, sinceUnixMs: undefined } : filter;
  const fromSeq = isKnown ? had + 1 : undefined;
  const reader = streams.follow(wanted, { hasMore: wake, fromSeq });
  if (reader === undefined) return undefined;
  const isReset = lastEventId !== undefined && !isKnown;
  const reset = isReset ? message("reset", answerLine({ boot: bootId })) : "";
  return new EventPieces({
    reader,
    format: formatOf(bootId),
    follows: true,
    wallMs,
    ended: () => streams.leave(reader),
    head: `retry: ${RETRY_MS}\n\n${reset}`,
  });
}

function formatOf(bootId: string): EventFormat {
  return {
    event: (kept) =>
      `id: ${bootId}-${kept.seq}\n${message(kept.event.kind, EVENT_LINES.event(kept))}`,
    // Without a number of its own: who comes again is told anew.
    lost: (event) => message("lost", EVENT_LINES.lost(event)),
    replayed: (end) => message("replayed", EVENT_LINES.replayed(end)),
    // No comment, since a page would not hear of that.
    keepAlive: message("alive", EVENT_LINES.keepAlive),
  };
}

/** `line` ends with LF, and JSON has no other one. */
function message(name: string, line: string): string {
  return `event: ${name}\ndata: ${line}\n`;
}

/** Undefined = it is of another run, or of none. */
function seqOf(id: string | undefined, bootId: string): number | undefined {
  if (id === undefined || !id.startsWith(`${bootId}-`)) return undefined;
  const digits = id.slice(bootId.length + 1);
  return /^[1-9][0-9]{0,14}$/.test(digits) ? Number(digits) : undefined;
}
