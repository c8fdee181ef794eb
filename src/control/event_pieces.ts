// The text of a stream of events (spec 16 section 11), in pieces: what has happened, a line that
// says how much that was, and then what happens, until its reader leaves. The same as JSON lines
// and as server-sent events.
import type { Pieces } from "../base/pieces.ts";
import type { EventReader, KeptEvent } from "../view/event_reader.ts";
import type { EventsEnd, EventView } from "../view/event_view.ts";
import { answerLine } from "./request.ts";

/** What stands in the text for each thing. */
export interface EventFormat {
  event(kept: KeptEvent): string;
  /** Has no number: nobody can ask for it again. */
  lost(event: EventView): string;
  replayed(end: EventsEnd): string;
  /** For a reader that would take silence for calm. */
  readonly keepAlive: string;
}

export const EVENT_LINES: EventFormat = {
  event: ({ seq, json }) => `{"v":1,"seq":${seq},${json.slice(1)}\n`,
  lost: (event) => answerLine(event),
  replayed: (end) => answerLine(end),
  keepAlive: answerLine({ alive: true }),
};

/** Events that are looked at for one piece: about 0.05 ms. */
const EVENTS_PER_PIECE = 64;

interface EventPiecesOptions {
  readonly reader: EventReader;
  readonly format: EventFormat;
  /** Goes on with what comes. */
  readonly follows: boolean;
  readonly wallMs: () => number;
  /** Its reader has left, or has it all. */
  readonly ended: () => void;
  /** What stands before it all. */
  readonly head?: string;
}

export class EventPieces implements Pieces {
  readonly keepAlive: string | undefined;
  readonly #options: EventPiecesOptions;
  #shown = 0;
  #isReplayed = false;
  #head: string;

  constructor(options: EventPiecesOptions) {
    this.#options = options;
    this.keepAlive = options.follows ? options.format.keepAlive : undefined;
    this.#head = options.head ?? "";
  }

  next(): string | null | undefined {
    const { reader, follows } = this.#options;
    const text = this.#take();
    if (!this.#isReplayed && reader.hasReplayed) {
      this.#isReplayed = true;
      return text + this.#replayed();
    }
    if (this.#isReplayed && !follows && text === "") return undefined;
    return text === "" && reader.hasAll ? null : text;
  }

  end(): void {
    this.#options.ended();
  }

  #take(): string {
    const { reader, format, wallMs } = this.#options;
    let text = this.#head;
    this.#head = "";
    const lost = reader.takeLost();
    if (lost > 0) {
      const time = new Date(wallMs()).toISOString();
      text += format.lost({ time, kind: "lost", agent: "", count: lost });
    }
    if (!this.#isReplayed || this.#options.follows) {
      for (const kept of reader.read(EVENTS_PER_PIECE)) {
        text += format.event(kept);
        this.#shown += 1;
      }
    }
    return text;
  }

  #replayed(): string {
    const { reader, format } = this.#options;
    return format.replayed({ shown: this.#shown, left_out: reader.leftOut });
  }
}
