// A strict reader of the export: of JSONL the keys of each kind in their order and nothing else, of
// TSV as many columns as there are. It throws on anything odd.
import { EVENT_FIELDS } from "../../src/events/event_fields.ts";
import { EVENT_KINDS, type EventKind } from "../../src/events/event_kinds.ts";
import { UNPRINTABLE_CLASS } from "../../src/base/unprintable.ts";

/** A line of either format; what it does not say is undefined. */
export interface ExportLine {
  readonly kind: string;
  readonly observer_ns: number;
  readonly [key: string]: string | number | boolean | undefined;
}

const UNPRINTABLE = new RegExp(`[${UNPRINTABLE_CLASS}]`, "u");
const HEAD = ["t", "observer_ns", "kind"];
const TEXTS: readonly string[] = ["t", "kind", "nonce"];
/** Columns of every line, with a configuration file. */
const COLUMN_COUNT = 20;

export function readJsonl(text: string): ExportLine[] {
  return linesOf(text).map((line) => {
    const read = JSON.parse(line) as ExportLine;
    const keys = Object.keys(read);
    const isInOrder = keysOf(read.kind).some(
      (wanted) => keys.join() === wanted.filter((key) => keys.includes(key)).join(),
    );
    if (!isInOrder) throw new Error(`keys out of order, or unknown: ${line}`);
    if (UNPRINTABLE.test(line)) throw new Error(`a character that a terminal obeys: ${line}`);
    for (const key of TEXTS)
      if (!["string", "undefined"].includes(typeof read[key])) throw new Error(`${key}: ${line}`);
    if (!Number.isSafeInteger(read.observer_ns)) throw new Error(`observer_ns: ${line}`);
    if (Number.isNaN(Date.parse(String(read["t"])))) throw new Error(`t: ${line}`);
    return read;
  });
}

export function readTsv(text: string): string[][] {
  return linesOf(text).map((line) => {
    const columns = line.split("\t");
    if (columns.length !== COLUMN_COUNT || columns.includes(""))
      throw new Error(`columns: ${line}`);
    if (UNPRINTABLE.test(columns.join(""))) throw new Error(`a character: ${line}`);
    keysOf(columns[1]!);
    return columns;
  });
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error("the last line is not whole");
  return lines;
}

/** The keys that a line of `word` may have: a mismatch is one of several kinds. */
function keysOf(word: string): readonly string[][] {
  const known = KEYS.get(word) ?? keysOfKinds(word);
  KEYS.set(word, known);
  return known;
}

const KEYS = new Map<string, readonly string[][]>();

function keysOfKinds(word: string): readonly string[][] {
  const kinds: EventKind[] = Object.values(EVENT_KINDS).filter(({ line }) => line === word);
  if (kinds.length === 0) throw new Error(`unknown kind ${word}`);
  return kinds.map(({ fields }) => {
    const keys = fields.map((name) => EVENT_FIELDS[name].key).filter((key) => key !== "");
    return [...HEAD, ...keys, "error"];
  });
}
