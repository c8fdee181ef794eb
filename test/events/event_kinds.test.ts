// The lists of what happens, held to the pages that promise them (spec 04 section 2, spec 09
// section 2).
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EVENT_FIELDS, type FieldName } from "../../src/events/event_fields.ts";
import { EVENT_KINDS, type EventKind } from "../../src/events/event_kinds.ts";

const PAGE = join(import.meta.dir, "../../docs/spec/09-export.md");
/** Written before the fields of each kind. */
const HEAD = ["t", "observer_ns", "kind"];

const kinds = Object.entries(EVENT_KINDS) as readonly [string, EventKind][];

function keysOfPage(): string[] {
  const table = readFileSync(PAGE, "utf8").split("## 2. JSONL")[1]!.split("\n## ")[0]!;
  return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key!);
}

/** Keys of a line after the head, in order. */
function keysOf({ fields, sentence }: EventKind): string[] {
  const written = fields.filter((name) => EVENT_FIELDS[name].written !== undefined);
  const keys = written.map((name) => EVENT_FIELDS[name].key);
  return sentence === undefined ? keys : [...keys, "error"];
}

describe("the kinds of events", () => {
  test.each(kinds)("%s has its keys in the order of the page", (_name, kind) => {
    const keys = keysOf(kind);
    expect(keysOfPage().filter((key) => keys.includes(key))).toEqual(keys);
  });

  test("have every key of the page, and no other", () => {
    const keys = new Set([...HEAD, ...kinds.flatMap(([, kind]) => keysOf(kind))]);
    expect([...keys].sort()).toEqual(keysOfPage().sort());
  });

  test("have every field that the library shows on the page, under its name", () => {
    const shown = Object.entries(EVENT_FIELDS).filter(([, field]) => "shown" in field);
    const page = readFileSync(PAGE, "utf8");
    expect(shown.map(([name]) => name).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test("say every field", () => {
    const said = new Set<FieldName>(kinds.flatMap(([, { fields }]) => fields));
    expect([...said].sort()).toEqual((Object.keys(EVENT_FIELDS) as FieldName[]).sort());
  });

  test("have a number each, if they are rows", () => {
    const numbers = kinds.flatMap(([, { number }]) => number ?? []);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
