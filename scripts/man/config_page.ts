// varta.toml(5): the text of varta.toml.example, key by key, with the values that the schema allows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { LISTENER_SHAPES, TABLE_SHAPES } from "../../src/config/keys/schema.ts";
import { keyTexts } from "../../src/config/keys/schema_keys.ts";
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

type Shape = Readonly<Record<string, Parameters<typeof keyTexts>[0]>>;

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
  const shape = shapeOf(header, entries);
  return [
    `.Ss ${header}\\&`,
    paragraphs(about),
    ".Bl -tag -width Ds",
    ...entries.map((each) => entry(each, shape)),
    ".El",
  ]
    .filter((text) => text !== "")
    .join("\n");
}

function entry({ about, keys }: ExampleEntry, shape: Shape): string {
  const heads = keys.map(({ name }) => `Ic ${name}`).join(" , ");
  return [
    `.It ${heads}`,
    ...(about.length > 0 ? [paragraphs(about), ".br"] : []),
    ...keys.map((key) => value(key, shape)),
  ].join("\n");
}

function value({ name, value: shown }: ExampleKey, shape: Shape): string {
  const schema = shape[name];
  if (schema === undefined) throw new Error(`varta.toml.example has ${name}, the schema has not`);
  const line = `${name} = ${shown}`;
  const byDefault = schema.safeParse(undefined);
  const inExample = schema.safeParse(parse(line)[name]);
  const isDefault = byDefault.data !== undefined && Bun.deepEquals(byDefault.data, inExample.data);
  return [
    textLines(`Takes ${keyTexts(schema).want}. ${isDefault ? "Default:" : "Example:"}`),
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
function shapeOf(header: string, entries: readonly ExampleEntry[]): Shape {
  const name = header.replaceAll(/[[\]]/g, "");
  if (name !== "listener") return TABLE_SHAPES[name as keyof typeof TABLE_SHAPES];
  const kind = JSON.parse(entries[0]!.keys[0]!.value) as keyof typeof LISTENER_SHAPES;
  return LISTENER_SHAPES[kind];
}
