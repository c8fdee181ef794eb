// Checks one table of the file against its shape, key by key, so that one wrong key hides no other (spec 07 section 4).
// zod judges; the words come from schema_keys.ts. A wrong key has no value afterwards and takes part in no rule.
import type { z } from "zod";
import type { Fault, Path } from "../problems/fault.ts";
import { foundText, hiddenRemark } from "../problems/found.ts";
import { type KeyTexts, keyTexts } from "../keys/schema_keys.ts";
import { nearest } from "../problems/suggestion.ts";
import type { TomlTree } from "../toml_document.ts";

export type Shape = Readonly<Record<string, z.ZodType>>;

export interface CheckedTable<S extends Shape> {
  /** Defaults are in place; keys that are wrong, or optional and absent, are not. */
  readonly values: { -readonly [K in keyof S]?: z.output<S[K]> };
  /** Keys that are written down, right or wrong. */
  readonly given: Set<string>;
  readonly wrong: Set<string>;
}

/** Checks every key of `shape` in `table`; keys outside the shape are left to the caller. */
export function checkTable<S extends Shape>(
  shape: S,
  table: TomlTree,
  path: Path,
  faults: Fault[],
): CheckedTable<S> {
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  const wrong = new Set<string>();
  for (const [name, schema] of Object.entries(shape)) {
    const value = table[name];
    const keyPath = [...path, name];
    if (value !== undefined) given.add(name);
    const result = schema.safeParse(value);
    if (result.success) {
      if (result.data !== undefined) values[name] = result.data;
      continue;
    }
    wrong.add(name);
    if (value === undefined) faults.push(missingKeyFault(schema, keyPath));
    else faults.push(...valueFaults(schema, value, keyPath, result.error));
  }
  const checked = { values: values as CheckedTable<S>["values"], given, wrong };
  for (const name of Object.keys(shape)) {
    if (`${name}_ms` in shape) joinAlias(checked, name, path, faults);
  }
  return checked;
}

/** The faults of one value that `schema` refused. */
export function valueFaults(
  schema: z.ZodType,
  value: unknown,
  path: Path,
  error: z.ZodError,
): Fault[] {
  const texts = keyTexts(schema);
  const faults = new Map<string, Fault>();
  for (const issue of error.issues) {
    const parts = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    // An item that is not there (an empty array) is a fault of what should hold it.
    const inner = [...parts];
    while (inner.length > 0 && itemAt(value, inner) === undefined) inner.pop();
    const at = JSON.stringify(inner);
    if (faults.has(at)) continue;
    const faultPath = [...path, ...inner];
    if (issue.code === "unrecognized_keys") {
      for (const name of issue.keys) {
        faults.set(`${at} ${name}`, strangeKeyFault(texts, [...faultPath, name], name));
      }
      continue;
    }
    if (issue.code === "invalid_key") {
      const found = inner[0] === "" ? "an empty name" : "a name with = or a NUL in it";
      const want = "the name of an environment variable";
      faults.set(at, { path: faultPath, anchor: "key", found, want });
      continue;
    }
    // A table with an unknown key lacks nothing but the right spelling.
    if ([...faults.keys()].some((other) => other.startsWith(`${at} `))) continue;
    const words = inner.length === 0 ? wholeFault(texts, value) : itemFault(texts, value, inner);
    faults.set(at, { path: faultPath, anchor: "value", ...words });
  }
  return [...faults.values()];
}

function wholeFault(texts: KeyTexts, value: unknown): { found: string; want: string } {
  const remark = texts.remark?.(value);
  const found = remark?.found ?? foundText(value, texts.kind);
  return { found, want: remark?.want ?? texts.want };
}

function itemFault(
  texts: KeyTexts,
  value: unknown,
  inner: readonly (string | number)[],
): { found: string; want: string } {
  const item = itemAt(value, inner);
  const [index, name, ...deeper] = inner;
  const schema = typeof name === "string" ? texts.keys?.[name] : undefined;
  if (schema !== undefined && index !== undefined && name !== undefined) {
    const inTable = itemAt(value, [index, name]);
    const ownTexts = keyTexts(schema);
    return deeper.length === 0
      ? wholeFault(ownTexts, inTable)
      : itemFault(ownTexts, inTable, deeper);
  }
  const { item: itemTexts = texts } = texts;
  const { kind, want } = itemTexts;
  const { secret = false, wantInstead = want } = texts.item ?? {};
  if (item === "") return { found: "an empty string", want: wantInstead };
  if (typeof item === "string" && item.includes("\0")) {
    const found = secret ? "a string with a NUL" : foundText(item, kind);
    return { found, want: "a string without a NUL" };
  }
  const described = texts.item?.describe?.(item);
  if (described !== undefined) return { found: described, want };
  return { found: foundText(item, secret && typeof item === "string" ? "table" : kind), want };
}

/** A key that a table within an array does not have. */
function strangeKeyFault(texts: KeyTexts, path: Path, name: string): Fault {
  const suggestion = nearest(name, Object.keys(texts.keys ?? {}));
  const want = texts.item?.want ?? texts.want;
  return { path, anchor: "key", found: `an unknown key${hiddenRemark(name)}`, want, suggestion };
}

function itemAt(value: unknown, inner: readonly (string | number)[]): unknown {
  let item = value;
  for (const part of inner) item = (item as Record<string | number, unknown>)[part];
  return item;
}

function missingKeyFault(schema: z.ZodType, path: Path): Fault {
  return { path, anchor: "header", found: "nothing", want: keyTexts(schema).want };
}

/** `K_ms` becomes `K`; giving both is a fault of the alias. */
function joinAlias(
  table: { values: Record<string, unknown>; given: Set<string>; wrong: Set<string> },
  name: string,
  path: Path,
  faults: Fault[],
): void {
  const alias = `${name}_ms`;
  if (!table.given.has(alias)) return;
  if (table.given.has(name)) {
    const found = `both ${name} and ${alias}`;
    faults.push({ path: [...path, alias], anchor: "key", found, want: "one of the two" });
  }
  if (table.wrong.has(alias)) {
    table.wrong.add(name);
    delete table.values[name];
  } else table.values[name] = table.values[alias];
  delete table.values[alias];
}
