// One JSON object per line, without spaces, keys in a fixed order; a key without a value is left
// out (spec 09 section 2). The keys of each kind and their forms come from the list of events: the
// writers of a row are composed once for the batch that the observer fills. Wall time is written
// once per millisecond and copied after that.
import { NS_PER_MS } from "../base/time.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import type { EventBatch } from "../events/event_batch.ts";
import {
  constantWord,
  type EventObject,
  type EventRows,
  type ExportContext,
  type ObjectWriter,
  type RowWriter,
} from "../events/event_forms.ts";
import {
  EVENT_FIELDS,
  EVENT_KINDS,
  type EventKind,
  ROW_KINDS,
  type RowKind,
} from "../events/event_kinds.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { Stall } from "../events/stall.ts";
import type { Evicted, LineFormat } from "./line_format.ts";

const END = "}\n";
/** ECMAScript's last date; an absurd wall clock is held there instead of throwing. */
const UNIX_MS_MAX = 8.64e15;

export class JsonlFormat implements LineFormat {
  /** Wall clock minus observer time, in ns. */
  wallOffsetNs = 0;
  readonly #context: ExportContext;
  readonly #stall: readonly ObjectWriter[];
  readonly #exit: readonly ObjectWriter[];
  readonly #gone: readonly ObjectWriter[];
  readonly #eviction: readonly ObjectWriter[];
  #batch: EventBatch | undefined;
  /** By the numbers of the kinds, for `#batch`. */
  #writers: readonly (readonly RowWriter[])[] = [];
  #wallMs = Number.NaN;
  #wallText = "";

  constructor(context: ExportContext) {
    this.#context = context;
    this.#stall = objectWriters(EVENT_KINDS.stall, context);
    this.#exit = objectWriters(EVENT_KINDS.exit, context);
    this.#gone = objectWriters(EVENT_KINDS.gone, context);
    this.#eviction = objectWriters(EVENT_KINDS.eviction, context);
  }

  row(text: TextBuffer, batch: EventBatch, row: number): void {
    if (batch !== this.#batch) this.#compose(batch);
    this.#time(text, batch.observerNs[row]!);
    const writers = this.#writers[batch.kind[row]!]!;
    for (let i = 0; i < writers.length; i++) writers[i]!(text, row);
    text.ascii(END);
  }

  stall(text: TextBuffer, stall: Stall): void {
    this.#object(text, this.#stall, stall.observerNs, stall);
  }

  eviction(text: TextBuffer, evicted: Evicted): void {
    this.#object(text, this.#eviction, evicted.observerNs, evicted);
  }

  exit(text: TextBuffer, exit: MemberExit): void {
    this.#object(text, this.#exit, exit.observerNs, exit);
  }

  gone(text: TextBuffer, gone: MemberGone): void {
    this.#object(text, this.#gone, gone.observerNs, gone);
  }

  #object(
    text: TextBuffer,
    writers: readonly ObjectWriter[],
    observerNs: number,
    event: object,
  ): void {
    this.#time(text, observerNs);
    for (const write of writers) write(text, event as EventObject);
    text.ascii(END);
  }

  #compose(batch: EventBatch): void {
    this.#batch = batch;
    const rows = batch as unknown as EventRows;
    this.#writers = ROW_KINDS.map((kind) =>
      kind === undefined ? [] : rowWriters(kind, rows, this.#context),
    );
  }

  #time(text: TextBuffer, observerNs: number): void {
    const wallMs = Math.floor((observerNs + this.wallOffsetNs) / NS_PER_MS);
    if (wallMs !== this.#wallMs) {
      this.#wallMs = wallMs;
      this.#wallText = new Date(Math.min(wallMs, UNIX_MS_MAX)).toISOString();
    }
    text.ascii('{"t":"');
    text.ascii(this.#wallText);
    text.ascii('","observer_ns":');
    text.decimal(Math.floor(observerNs));
  }
}

function rowWriters(kind: RowKind, rows: EventRows, context: ExportContext): readonly RowWriter[] {
  const writers = [constantWord(kind.line).rowWriter("kind", rows, context)];
  for (const name of kind.fields) {
    const { key, written } = EVENT_FIELDS[name];
    if (written !== undefined) writers.push(written.rowWriter(key, rows, context));
  }
  const { sentence } = kind;
  if (sentence === undefined) return writers;
  writers.push((text, row) => {
    text.ascii(',"error":');
    text.utf8(escapeUnprintable(JSON.stringify(sentence(rows, row, context.errnoText))));
  });
  return writers;
}

function objectWriters(kind: EventKind, context: ExportContext): readonly ObjectWriter[] {
  const writers = [constantWord(kind.line).objectWriter("kind", context)];
  for (const name of kind.fields) {
    const { key, written } = EVENT_FIELDS[name];
    if (written !== undefined) writers.push(written.objectWriter(key, context));
  }
  return writers;
}
