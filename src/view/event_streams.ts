// Who follows the events through one door, the control socket or HTTP (spec 16 section 11): so many
// at a time, so that those of one door take no place from those of the other.
import type { EventLog } from "./event_log.ts";
import type { EventFilter, EventReader } from "./event_reader.ts";

/** Of each door: screens that people look at, and a few programs. */
export const EVENT_STREAMS_MAX = 16;

interface Follow {
  /** It had all that it wants, and there is more. */
  readonly hasMore: () => void;
  /** What it has is up to the event before this one; undefined = it has none. */
  readonly fromSeq?: number | undefined;
}

export class EventStreams {
  readonly log: EventLog;
  readonly bootId: string;
  #open = 0;

  /** `bootId`: a number means another event after the next start. */
  constructor(log: EventLog, bootId: string) {
    this.log = log;
    this.bootId = bootId;
  }

  /** A reader of what has happened; it ends with the last one that is kept. */
  replay(filter: EventFilter): EventReader {
    return this.log.reader(filter, () => {});
  }

  /** A reader of what comes, for an act that waits for it: acts have a bound of their own. */
  fromNow(filter: EventFilter, hasMore: () => void): EventReader {
    return this.log.reader(filter, hasMore, this.log.seq + 1);
  }

  /** One that goes on with what comes; undefined = there are too many. */
  follow(filter: EventFilter, { hasMore, fromSeq }: Follow): EventReader | undefined {
    if (this.#open >= EVENT_STREAMS_MAX) return undefined;
    this.#open += 1;
    return this.log.reader(filter, hasMore, fromSeq);
  }

  /** Of a reader that followed. */
  leave(reader: EventReader): void {
    this.#open -= 1;
    reader.close();
  }
}
