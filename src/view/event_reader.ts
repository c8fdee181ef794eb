// Reads the events that are kept, at its own pace (spec 16 section 11): a place in the ring and no
// queue, so that a reader that is slow, or never reads, costs the daemon no memory. What the ring
// has given up before it was read is lost, and the reader is told how many.
import { matchesGlob } from "../base/glob.ts";
import type { EventView, EventViewKind } from "./event_view.ts";

/** What a reader wants; what is undefined is not asked for. */
export interface EventFilter {
  /** Name, or a pattern with * and ?. */
  readonly agent?: string | undefined;
  readonly kinds?: readonly EventViewKind[] | undefined;
  readonly sinceUnixMs?: number | undefined;
}

export interface KeptEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly unixMs: number;
  readonly event: EventView;
  /** It as one JSON object: made once for all who read it. */
  readonly json: string;
}

/** The ring, as its readers see it. */
interface KeptEvents {
  /** The number of the last event; 0 = there was none. */
  readonly seq: number;
  /** Of one that is kept. */
  at(seq: number): KeptEvent;
}

interface EventReaderOptions {
  readonly kept: KeptEvents;
  readonly filter: EventFilter;
  /** The first event that it gets. */
  readonly fromSeq: number;
  /** Of those that it wants, how many were given up before it began. */
  readonly lost: number;
  /** It had all that it wants, and there is more. */
  readonly hasMore: () => void;
  readonly closed: () => void;
}

export class EventReader {
  /** Events of the age that it wants that were of other agents or kinds. */
  leftOut = 0;
  readonly #options: EventReaderOptions;
  /** What is up to here happened before it began. */
  readonly #replayEnd: number;
  #nextSeq: number;
  #lost: number;

  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#nextSeq = options.fromSeq;
    this.#lost = options.lost;
    this.#replayEnd = options.kept.seq;
  }

  /** It has all that happened before it began. */
  get hasReplayed(): boolean {
    return this.#nextSeq > this.#replayEnd;
  }

  get hasAll(): boolean {
    return this.#nextSeq > this.#options.kept.seq && this.#lost === 0;
  }

  /** Events that were given up before they were read, since this was asked last. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Those that it wants among the next `most`; not beyond the end of the replay in one go. */
  read(most: number): KeptEvent[] {
    const { kept } = this.#options;
    const last = this.hasReplayed ? kept.seq : this.#replayEnd;
    const end = Math.min(last, this.#nextSeq + most - 1);
    const events: KeptEvent[] = [];
    for (; this.#nextSeq <= end; this.#nextSeq++) {
      const one = kept.at(this.#nextSeq);
      if (!this.#isRecent(one)) continue;
      if (this.#isOfFilter(one)) events.push(one);
      else this.leftOut += 1;
    }
    return events;
  }

  /** The ring has one more, and has given up another for it. */
  added(last: KeptEvent, givenUp: KeptEvent | undefined): void {
    if (givenUp?.seq === this.#nextSeq) {
      this.#nextSeq += 1;
      if (this.#isRecent(givenUp) && this.#isOfFilter(givenUp)) this.#lost += 1;
    }
    if (this.#nextSeq !== last.seq) return;
    // One that waits for others must not fall back behind these.
    if (this.#isOfFilter(last)) this.#options.hasMore();
    else this.#nextSeq += 1;
  }

  close(): void {
    this.#options.closed();
  }

  #isRecent({ unixMs }: KeptEvent): boolean {
    return unixMs >= (this.#options.filter.sinceUnixMs ?? Number.NEGATIVE_INFINITY);
  }

  #isOfFilter({ event: { agent, kind } }: KeptEvent): boolean {
    const { filter } = this.#options;
    if (filter.agent !== undefined && !isAbout(filter.agent, agent)) return false;
    return filter.kinds === undefined || filter.kinds.includes(kind);
  }
}

/**
 * `subject` may be more than a name: acts and mutes are of "worker pid 4711" and of patterns, too.
 * Names have no blank.
 */
function isAbout(wanted: string, subject: string): boolean {
  const [name = ""] = subject.split(" ", 1);
  return matchesGlob(wanted, name) || (name !== "" && matchesGlob(name, wanted));
}
