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
  type RowWriter,
} from "../events/event_forms.ts";
import { EVENT_FIELDS, type Field } from "../events/event_fields.ts";
import { EVENT_KINDS, type EventKind, ROW_KINDS, type RowKind } from "../events/event_kinds.ts";
import type { ExportedObjects, LineFormat, ObjectKind } from "./line_format.ts";

const END = "}\n";
/** ECMAScript's last date; an absurd wall clock is held there instead of throwing. */
const UNIX_MS_MAX = 8.64e15;

export class JsonlFormat implements LineFormat {
  /** Wall clock minus observer time, in ns. */
  wallOffsetNs = 0;
  readonly #context: ExportContext;
  #batch: EventBatch | undefined;
  /** By the numbers of the kinds, for `#batch`. */
  #writers: readonly (readonly RowWriter[])[] = [];
  #wallMs = Number.NaN;
  #wallText = "";

  constructor(context: ExportContext) {
    this.#context = context;
  }

  row(text: TextBuffer, batch: EventBatch, row: number): void {
    if (batch !== this.#batch) this.#compose(batch);
    this.#time(text, batch.observerNs[row]!);
    const writers = this.#writers[batch.kind[row]!]!;
    for (let i = 0; i < writers.length; i++) writers[i]!(text, row);
    text.ascii(END);
  }

  object<K extends ObjectKind>(text: TextBuffer, kind: K, event: ExportedObjects[K]): void {
    const { line, fields }: EventKind = EVENT_KINDS[kind];
    this.#time(text, event.observerNs);
    text.ascii(`,"kind":"${line}"`);
    for (const name of fields) {
      const { key, written } = EVENT_FIELDS[name] as Field;
      if (written === undefined) continue;
      const value = written.exportedOf(event as unknown as EventObject, this.#context);
      if (value === "" || value === false || Number.isNaN(value)) continue;
      text.utf8(`,"${key}":${escapeUnprintable(JSON.stringify(value))}`);
    }
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
