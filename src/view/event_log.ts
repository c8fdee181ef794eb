// What has happened lately (spec 16 section 11): the last events of all agents, numbered, for who
// asks later or listens; and the last ones of each agent, for `explain`. Bounded in number and in
// bytes; fed where log lines are made, and never on the path of a beat.
import {
  AGENT_EVENTS_MAX,
  AGENT_HISTORIES_BYTES_MAX,
  AGENT_HISTORIES_MAX,
  EVENTS_KEPT_MAX,
} from "../base/limits.ts";
import type { EventView, EventViewKind } from "./event_view.ts";

/** Bytes that wait for one reader of events; what is too slow loses events. */
const EVENT_READER_BYTES_MAX = 256 * 1_024;

/** What a reader wants; what is undefined is not asked for. */
interface EventFilter {
  readonly agent?: string | undefined;
  readonly kinds?: readonly EventViewKind[] | undefined;
  readonly sinceUnixMs?: number | undefined;
}

interface KeptEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly unixMs: number;
  readonly event: EventView;
  readonly sizeBytes: number;
}

interface Replay {
  readonly events: readonly EventView[];
  /** Of the same time, and of other agents or kinds. */
  readonly leftOut: number;
}

export class EventLog {
  /** The number of the last event; 0 = there was none. */
  seq = 0;
  readonly #kept: KeptEvent[] = [];
  #oldest = 0;
  /** By name, the agent to which nothing happened for longest before the others. */
  readonly #histories = new Map<string, KeptEvent[]>();
  #historyBytes = 0;
  readonly #readers = new Set<EventReader>();

  add(event: EventView, unixMs: number): void {
    this.seq += 1;
    const sizeBytes = Buffer.byteLength(JSON.stringify(event));
    const kept = { seq: this.seq, unixMs, event, sizeBytes };
    if (this.#kept.length < EVENTS_KEPT_MAX) this.#kept.push(kept);
    else {
      this.#kept[this.#oldest] = kept;
      this.#oldest = (this.#oldest + 1) % EVENTS_KEPT_MAX;
    }
    if (event.agent !== "") this.#remember(kept);
    for (const reader of this.#readers) reader.offer(event, sizeBytes);
  }

  /** What is kept of the last events, the oldest first. */
  replay(filter: EventFilter): Replay {
    const events: EventView[] = [];
    let leftOut = 0;
    for (let at = 0; at < this.#kept.length; at++) {
      const { event, unixMs } = this.#kept[(this.#oldest + at) % this.#kept.length]!;
      if (unixMs < (filter.sinceUnixMs ?? Number.NEGATIVE_INFINITY)) continue;
      if (isWanted(event, filter)) events.push(event);
      else leftOut += 1;
    }
    return { events, leftOut };
  }

  /** The last that happened to the agent of `name`, the newest first. */
  historyOf(name: string): readonly EventView[] {
    const history = this.#histories.get(name) ?? [];
    return history.map(({ event }) => event).reverse();
  }

  /** A reader of what comes from now on; `hasMore`: it had nothing, and has something. */
  follow(filter: EventFilter, hasMore: () => void, bytesMax = EVENT_READER_BYTES_MAX): EventReader {
    const reader = new EventReader(filter, hasMore, bytesMax, () => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  #remember(kept: KeptEvent): void {
    const { agent } = kept.event;
    const history = this.#histories.get(agent) ?? [];
    this.#histories.delete(agent);
    this.#histories.set(agent, history);
    history.push(kept);
    this.#historyBytes += kept.sizeBytes;
    if (history.length > AGENT_EVENTS_MAX) this.#historyBytes -= history.shift()!.sizeBytes;
    while (
      this.#histories.size > AGENT_HISTORIES_MAX ||
      this.#historyBytes > AGENT_HISTORIES_BYTES_MAX
    )
      this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#histories;
    if (oldest === undefined) return;
    this.#histories.delete(oldest[0]);
    for (const { sizeBytes } of oldest[1]) this.#historyBytes -= sizeBytes;
  }
}

/** Takes events as they come. One that is too slow loses some, and is told how many. */
class EventReader {
  readonly #filter: EventFilter;
  readonly #hasMore: () => void;
  readonly #bytesMax: number;
  readonly #closed: () => void;
  #queue: { readonly event: EventView; readonly sizeBytes: number }[] = [];
  #bytes = 0;
  /** Events that found no room, since the last one that did. */
  #lost = 0;

  constructor(filter: EventFilter, hasMore: () => void, bytesMax: number, closed: () => void) {
    this.#filter = filter;
    this.#hasMore = hasMore;
    this.#bytesMax = bytesMax;
    this.#closed = closed;
  }

  offer(event: EventView, sizeBytes: number): void {
    if (!isWanted(event, this.#filter)) return;
    if (this.#bytes + sizeBytes > this.#bytesMax) {
      this.#lost += 1;
      return;
    }
    const wasEmpty = this.#queue.length === 0 && this.#lost === 0;
    if (this.#lost > 0) {
      this.#queue.push({ event: lostEvent(this.#lost, event.time), sizeBytes: 0 });
      this.#lost = 0;
    }
    this.#queue.push({ event, sizeBytes });
    this.#bytes += sizeBytes;
    if (wasEmpty) this.#hasMore();
  }

  /** The next event; undefined = there is none yet. */
  take(time: string): EventView | undefined {
    const next = this.#queue.shift();
    if (next !== undefined) {
      this.#bytes -= next.sizeBytes;
      return next.event;
    }
    if (this.#lost === 0) return undefined;
    const lost = lostEvent(this.#lost, time);
    this.#lost = 0;
    return lost;
  }

  close(): void {
    this.#queue = [];
    this.#closed();
  }
}

function isWanted({ agent, kind }: EventView, filter: EventFilter): boolean {
  if (filter.agent !== undefined && filter.agent !== agent) return false;
  return filter.kinds === undefined || filter.kinds.includes(kind);
}

function lostEvent(count: number, time: string): EventView {
  return { time, kind: "lost", agent: "", count };
}
