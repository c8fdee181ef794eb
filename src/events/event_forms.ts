// The forms that a field of an event can have: what the library shows of it (spec 04 section 2) and
// how the JSONL export writes it (spec 09 section 2). An event is a row of a batch or an object; a
// form reads the numbers of either by their names. Nothing is composed per event: a writer is made
// once for each field, over the columns of one batch.
import { IP_WORDS, ipText, writeIp } from "../base/ip_text.ts";
import { ORIGIN_TEXTS, type Origin } from "../base/origin.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import { u64FromPair, u64Text } from "../base/u64.ts";
import type { ColumnArray } from "../tables/columns.ts";
import type { StallVerdict } from "./stall_verdict.ts";
import { STATUS_TEXTS, type Status } from "../wire/frame.ts";

const QUOTE = 0x22;

export type EventRows = Readonly<Record<string, ColumnArray>>;
export type EventObject = Readonly<Record<string, unknown>>;
export type RowWriter = (text: TextBuffer, row: number) => void;

/** What the export has of an event that is an object; "", NaN and false are left out. */
type ExportedValue = string | number | boolean;

/** Turns an errno into its text. */
export type ErrnoText = (errno: number) => string;

/** What an event says without having it in its row. */
export interface ExportContext {
  /** Names by listener number. */
  readonly listeners: readonly string[];
  /** Name of an agent by its number; "" = it has none any more. */
  readonly agentName: (agent: number) => string;
  readonly errnoText: ErrnoText;
  /** The observer's own pid-namespace inode; NaN = unknown. */
  readonly observerNamespaceInode: number;
}

/** What the library shows. */
export interface Shown<Value> {
  ofRow(rows: EventRows, row: number, observerInode: number): Value;
  ofObject(event: EventObject): Value;
}

/** How the export writes it, with `key` before it; a value that is unknown leaves no trace. */
export interface Written {
  rowWriter(key: string, rows: EventRows, context: ExportContext): RowWriter;
  exportedOf(event: EventObject, context: ExportContext): ExportedValue;
}

export type Form<Value> = Shown<Value> & Written;

export function decimal(name: string): Form<number> {
  return numberForm(name, asIs, writeDecimal);
}

/** A number of which NaN is unknown: undefined in the library. */
export function known(name: string): Form<number | undefined> {
  return numberForm(name, ifKnown, writeKnown);
}

/** A time in nanoseconds, which may have a fraction. */
export function nanoseconds(name: string): Form<number> {
  return {
    ...numberForm(name, asIs, (text, start, value) => writeDecimal(text, start, Math.floor(value))),
    exportedOf: (event) => Math.floor(event[name] as number),
  };
}

export function origin(name: string): Form<Origin> {
  return wordForm(name, ORIGIN_TEXTS, (value) => value as Origin);
}

export function status(name: string): Form<Status> {
  return wordForm(name, STATUS_TEXTS, (value) => STATUS_TEXTS[value as 0 | 1 | 2]);
}

/** A number that stands for one of `words`. */
export function oneOf<const Word extends string>(name: string, words: readonly Word[]): Form<Word> {
  return wordForm(name, words, (value) => words[value]!);
}

export function u64(hi: string, lo: string): Form<bigint> {
  return {
    ofRow: (rows, row) => u64FromPair(rows[hi]![row]!, rows[lo]![row]!),
    ofObject: (event) => u64FromPair(event[hi] as number, event[lo] as number),
    rowWriter(key, rows) {
      const start = startOf(key, '"');
      const upper = rows[hi] as Uint32Array;
      const lower = rows[lo] as Uint32Array;
      return (text, row) => writeU64(text, start, upper[row]!, lower[row]!);
    },
    exportedOf: (event) => u64Text(event[hi] as number, event[lo] as number),
  };
}

/** The same word in every event of the kind. */
export function constantWord(word: string): Written {
  return {
    rowWriter(key) {
      const whole = startOf(key, `"${word}"`);
      return (text) => text.copy(whole);
    },
    exportedOf: () => word,
  };
}

/** A text that an object has; "" = it has none. */
export function textOf(name: string): Written {
  return ofObject((event) => event[name] as string);
}

/** True or nothing. */
export function mark(name: string): Written {
  return trueIf((event) => event[name] as boolean);
}

export function trueIf(isTrue: (event: EventObject) => boolean): Written {
  return ofObject(isTrue);
}

/** The name of an agent, of an object that has its number. */
export function agentOf(name: string): Written {
  return ofObject((event, { agentName }) => agentName(event[name] as number));
}

/** A word of the verdict of a stall. */
export function verdictWord(name: "verdict" | "unit" | "procState" | "wchan" | "reason"): Written {
  return ofObject((event) => verdictOf(event)?.[name] ?? "");
}

/** A number of an object, NaN = it is not known. */
export function numberOf(numberIn: (event: EventObject) => number): Written {
  return ofObject(numberIn);
}

/** What is known of the process of a stalled member; undefined = it was not looked at. */
export function verdictOf(event: EventObject): StallVerdict | undefined {
  return event["verdict"] as StallVerdict | undefined;
}

/** What no row has. */
function ofObject(exportedOf: Written["exportedOf"]): Written {
  return { rowWriter: () => () => {}, exportedOf };
}

export function listenerName(name: string): Written {
  return {
    rowWriter(key, rows, { listeners }) {
      const column = rows[name] as Uint8Array;
      // Made with the first row of each: a reload may add one.
      const wholes: Uint8Array[] = [];
      return (text, row) => {
        const number = column[row]!;
        wholes[number] ??= startOf(key, `"${listeners[number]}"`);
        text.copy(wholes[number]);
      };
    },
    exportedOf: (event, { listeners }) => listeners[event[name] as number]!,
  };
}

/**
 * The address of a beat by plain UDP: words of a row with `hasSource`, text in an object; undefined
 * = none.
 */
export function address(name: string, hasSource: string): Form<string | undefined> {
  return {
    ofRow: (rows, row) =>
      rows[hasSource]![row] === 1 ? ipText(rows[name] as Uint32Array, row * IP_WORDS) : undefined,
    ofObject: (event) => (event[name] as string) || undefined,
    rowWriter(key, rows) {
      const start = startOf(key, '"');
      const has = rows[hasSource] as Uint8Array;
      const words = rows[name] as Uint32Array;
      return (text, row) => {
        if (has[row] !== 1) return;
        text.copy(start);
        writeIp(text, words, row * IP_WORDS);
        text.byte(QUOTE);
      };
    },
    exportedOf: (event) => event[name] as string,
  };
}

/** The pid-namespace inode of the observer itself. */
export function ownInode(): Form<number | undefined> {
  return {
    ofRow: (_rows, _row, observerInode) => ifKnown(observerInode),
    ofObject: () => undefined,
    rowWriter(key, _rows, { observerNamespaceInode }) {
      const start = startOf(key);
      return (text) => writeKnown(text, start, observerNamespaceInode);
    },
    exportedOf: () => Number.NaN,
  };
}

/** What only the library has. */
export function shown<Value>(ofRow: (rows: EventRows, row: number) => Value): Shown<Value> {
  return { ofRow, ofObject: () => undefined as Value };
}

export function property<Value>(name: string): Shown<Value> {
  return {
    ofRow: () => undefined as Value,
    ofObject: (event) => event[name] as Value,
  };
}

type Write = (text: TextBuffer, start: Uint8Array, value: number) => void;

function numberForm<Value>(
  name: string,
  toValue: (value: number) => Value,
  write: Write,
): Form<Value> {
  return {
    ofRow: (rows, row) => toValue(rows[name]![row]!),
    ofObject: (event) => toValue(event[name] as number),
    rowWriter(key, rows) {
      const start = startOf(key);
      const column = rows[name]!;
      return (text, row) => write(text, start, column[row]!);
    },
    exportedOf: (event) => event[name] as number,
  };
}

/** A number that is written as one of `words`. */
function wordForm<Value>(
  name: string,
  words: readonly string[],
  toValue: (value: number) => Value,
): Form<Value> {
  return {
    ofRow: (rows, row) => toValue(rows[name]![row]!),
    ofObject: (event) => toValue(event[name] as number),
    rowWriter(key, rows) {
      const wholes = wholesOf(key, words);
      const column = rows[name] as Uint8Array;
      return (text, row) => text.copy(wholes[column[row]!]!);
    },
    exportedOf: (event) => words[event[name] as number]!,
  };
}

function wholesOf(key: string, words: readonly string[]): readonly Uint8Array[] {
  return words.map((word) => startOf(key, `"${word}"`));
}

/** What stands before a value: bytes, because they are copied with every line. */
function startOf(key: string, rest = ""): Uint8Array {
  return new TextEncoder().encode(`,"${key}":${rest}`);
}

function asIs(value: number): number {
  return value;
}

function ifKnown(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

function writeDecimal(text: TextBuffer, start: Uint8Array, value: number): void {
  text.copy(start);
  text.decimal(value);
}

function writeKnown(text: TextBuffer, start: Uint8Array, value: number): void {
  if (!Number.isNaN(value)) writeDecimal(text, start, value);
}

function writeU64(text: TextBuffer, start: Uint8Array, hi: number, lo: number): void {
  text.copy(start);
  text.decimalU64(hi, lo);
  text.byte(QUOTE);
}
