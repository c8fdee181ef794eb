// varta.toml(5): the text of varta.toml.example, key by key, with the values that the schema
// allows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { AGENT_KEYS } from "../../src/config/keys/agent_keys.ts";
import { defaultOf, type Keys } from "../../src/config/keys/key.ts";
import { LISTENER_KEYS } from "../../src/config/keys/listener_keys.ts";
import { PLAN_KEYS } from "../../src/config/keys/plan_keys.ts";
import { TABLES } from "../../src/config/keys/tables.ts";
import { ROOT } from "../binary/target.ts";
import {
  type ExampleEntry,
  type ExampleKey,
  type ExampleTable,
  type Prose,
  readExample,
} from "./example_file.ts";
import { argument, definitions, escaped, textLines } from "./mdoc.ts";
import { fillTemplate } from "./template.ts";

export function configPage(): string {
  const example = readExample(readFileSync(join(ROOT, "varta.toml.example"), "utf8"));
  const tables = example.sections.flatMap(({ title, about, tables }) => [
    `.Sh ${escaped(title.toUpperCase())}`,
    paragraphs(about),
    ...tables.map(table),
  ]);
  return fillTemplate("varta.toml.5", {
    INTRODUCTION: paragraphs(example.introduction.filter((part) => !isAboutExample(part))),
    TABLES: tables.filter((text) => text !== "").join("\n"),
  });
}

/** What is said about the example file and not about the configuration. */
function isAboutExample(part: Prose): boolean {
  return part.is === "paragraph" && /^(varta\.toml: |Every key is here)/.test(part.text);
}

function table({ header, about, entries }: ExampleTable): string {
  const rows = keysOf(header, entries);
  return [
    `.Ss ${header}\\&`,
    paragraphs(about),
    ".Bl -tag -width Ds",
    ...entries.map((each) => entry(each, rows)),
    ".El",
  ]
    .filter((text) => text !== "")
    .join("\n");
}

function entry({ about, keys }: ExampleEntry, rows: Keys): string {
  const heads = keys.map(({ name }) => `Ic ${name}`).join(" , ");
  return [
    `.It ${heads}`,
    ...(about.length > 0 ? [paragraphs(about), ".br"] : []),
    ...keys.map((key) => value(key, rows)),
  ].join("\n");
}

function value({ name, value: shown }: ExampleKey, rows: Keys): string {
  const key = rows[name];
  if (key === undefined)
    throw new Error(`varta.toml.example has ${name}, src/config/keys/ has not`);
  const line = `${name} = ${shown}`;
  const byDefault = defaultOf(key);
  const inExample = key.form.check(parse(line)[name], [], []);
  const isDefault = byDefault !== undefined && Bun.deepEquals(byDefault, inExample);
  return [
    textLines(`Takes ${key.form.want}. ${isDefault ? "Default:" : "Example:"}`),
    `.Dl ${argument(line)}`,
  ].join("\n");
}

function paragraphs(parts: readonly Prose[]): string {
  return parts
    .map((part, index) => {
      if (part.is === "lines") return definitions(part.lines);
      return `${index > 0 ? ".Pp\n" : ""}${textLines(part.text)}`;
    })
    .join("\n");
}

// The three kinds of listener have the same header; which one it is says its first key.
function keysOf(header: string, entries: readonly ExampleEntry[]): Keys {
  const name = header.replaceAll(/[[\]]/g, "");
  if (name === "agent") return AGENT_KEYS;
  if (name === "recovery.plan") return PLAN_KEYS;
  if (name !== "listener") return TABLES[name as keyof typeof TABLES];
  const kind = JSON.parse(entries[0]!.keys[0]!.value) as keyof typeof LISTENER_KEYS;
  return LISTENER_KEYS[kind];
}
