// What has happened lately (spec 16 section 11): the last events of all agents, numbered, for who
// asks later or listens; and the last ones of each agent, for `explain`. Bounded in number and in
// bytes; fed where log lines are made, and never on the path of a beat.
import {
  AGENT_EVENTS_MAX,
  AGENT_HISTORIES_BYTES_MAX,
  AGENT_HISTORIES_MAX,
  EVENTS_KEPT_MAX,
} from "../base/limits.ts";
import { matchesGlob } from "../base/glob.ts";
import { eventOfJson } from "./event_check.ts";
import { type EventFilter, EventReader, type KeptEvent } from "./event_reader.ts";
import type { EventView } from "./event_view.ts";

/** What happened to an agent. */
interface Remembered {
  readonly unixMs: number;
  readonly json: string;
  /** Undefined = the daemon before this one wrote the JSON, and it was not read yet. */
  event: EventView | undefined;
}

/** The same for the next daemon. */
interface HistoryEvent {
  readonly agent: string;
  readonly unixMs: number;
  readonly json: string;
}

export class EventLog {
  /** The number of the last event; 0 = there was none. */
  seq = 0;
  /** Event n is at n - 1, modulo the size of the ring. */
  readonly #kept: KeptEvent[] = [];
  /** By name, the agent to which nothing happened for longest before the others. */
  readonly #histories = new Map<string, Remembered[]>();
  #historyBytes = 0;
  readonly #readers = new Set<EventReader>();

  /** `lasts`: a stall since the daemon before this one, whose history may have it. */
  add(event: EventView, unixMs: number, lasts = false): void {
    this.seq += 1;
    const kept = { seq: this.seq, unixMs, event, json: JSON.stringify(event) };
    const place = (this.seq - 1) % EVENTS_KEPT_MAX;
    const givenUp = this.#kept[place];
    this.#kept[place] = kept;
    const isKnown = event.agent === "" || (lasts && this.#remembersStall(event));
    if (!isKnown) this.#remember(event.agent, kept);
    for (const reader of this.#readers) reader.added(kept, givenUp);
  }

  /** Of one that is kept. */
  at(seq: number): KeptEvent {
    return this.#kept[(seq - 1) % EVENTS_KEPT_MAX]!;
  }

  /** One of those that are kept is about an agent of this name or pattern. */
  mentions(pattern: string): boolean {
    return this.#kept.some(({ event }) => matchesGlob(pattern, event.agent));
  }

  /** The last that happened to the agent of `name`, the newest first. */
  historyOf(name: string): readonly EventView[] {
    return this.#eventsOf(name).reverse();
  }

  /**
   * The histories, as many as are in `bytesMax` of JSON: of the agents to which something happened
   * last, the newest of each first.
   */
  *remembered(bytesMax: number): Iterable<HistoryEvent> {
    let bytesLeft = bytesMax;
    for (const [agent, history] of [...this.#histories].reverse()) {
      for (const { unixMs, json } of history.toReversed()) {
        bytesLeft -= json.length;
        if (bytesLeft < 0) return;
        yield { agent, unixMs, json };
      }
    }
  }

  /** Those of the daemon before this one, in the order in which it had them. */
  restore(histories: readonly HistoryEvent[]): void {
    for (const { agent, unixMs, json } of histories.toReversed())
      this.#remember(agent, { unixMs, json, event: undefined });
  }

  /**
   * A reader of what is kept, from number `fromSeq` on, and of what comes until it is closed;
   * `hasMore`: it had all, and there is more.
   */
  reader(filter: EventFilter, hasMore: () => void, fromSeq = 1): EventReader {
    const oldest = Math.max(1, this.seq - EVENTS_KEPT_MAX + 1);
    // What was kept of those before is not known any more.
    const lost = fromSeq === 1 ? 0 : Math.max(0, oldest - fromSeq);
    const closed = () => this.#readers.delete(reader);
    const from = Math.max(oldest, fromSeq);
    const reader = new EventReader({ kept: this, filter, fromSeq: from, lost, hasMore, closed });
    this.#readers.add(reader);
    return reader;
  }

  /** The oldest first. What the daemon before this one has left is read when it is asked for. */
  #eventsOf(name: string): EventView[] {
    return (this.#histories.get(name) ?? []).flatMap((one) => {
      one.event ??= eventOfJson(one.json);
      return one.event?.agent === name ? [one.event] : [];
    });
  }

  /** The last that it says of the process is that it stalled. */
  #remembersStall({ agent, pid }: EventView): boolean {
    const ofStalls = this.#eventsOf(agent).filter((one) => one.pid === pid && isOfStall(one));
    return ofStalls.at(-1)?.kind === "stall";
  }

  #remember(agent: string, kept: Remembered): void {
    const history = this.#histories.get(agent) ?? [];
    this.#histories.delete(agent);
    this.#histories.set(agent, history);
    history.push(kept);
    this.#historyBytes += kept.json.length;
    if (history.length > AGENT_EVENTS_MAX) this.#historyBytes -= history.shift()!.json.length;
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
    for (const { json } of oldest[1]) this.#historyBytes -= json.length;
  }
}

function isOfStall({ kind }: EventView): boolean {
  return kind === "stall" || kind === "resume";
}
