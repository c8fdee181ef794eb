// Checks the whole file: tables, keys, listeners (spec 07 section 2). What comes out holds only values that are right by
// themselves; options are laid over it, and then the cross-key rules judge it.
import type { z } from "zod";
import { type CheckedTable, checkTable, valueFaults } from "./check_table.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives, foundText, hiddenRemark } from "../problems/found.ts";
import {
  LISTENER_KINDS,
  LISTENER_SHAPES,
  type ListenerKind,
  TABLE_ORDER,
  TABLE_SHAPES,
  type TableName,
} from "../keys/schema.ts";
import { keyTexts } from "../keys/schema_keys.ts";
import { nearest } from "../problems/suggestion.ts";
import type { TomlTree } from "../toml_document.ts";

export type ListenerShape = (typeof LISTENER_SHAPES)["unix"] &
  (typeof LISTENER_SHAPES)["udp"] &
  (typeof LISTENER_SHAPES)["secure-udp"];

type ListenerValues = {
  [K in Exclude<keyof ListenerShape, "kind">]?: z.output<ListenerShape[K]>;
};

export interface CheckedListener {
  /** Undefined if `kind` is missing or wrong. */
  readonly kind: ListenerKind | undefined;
  /** Where it is in the file. */
  readonly path: Path;
  /** The option that made it; undefined = the file, or nothing did. */
  readonly madeBy: string | undefined;
  readonly values: ListenerValues;
  readonly given: Set<string>;
  readonly wrong: Set<string>;
  /** Key to the option it came from; keys that are not in it came from the file. */
  readonly options: Map<string, string>;
}

export type CheckedTables = {
  readonly [T in TableName]: CheckedTable<(typeof TABLE_SHAPES)[T]>;
};

export interface CheckedDocument {
  readonly tables: CheckedTables;
  /** In file order; options may replace it. */
  listeners: CheckedListener[];
  /** "table.key" to the option it came from. */
  readonly options: Map<string, string>;
}

export function checkDocument(tree: TomlTree, faults: Fault[]): CheckedDocument {
  for (const name of Object.keys(tree)) {
    if (!(TABLE_ORDER as readonly string[]).includes(name)) faults.push(unknownTableFault(name));
  }
  const tables: Record<string, unknown> = {};
  for (const name of Object.keys(TABLE_SHAPES) as TableName[]) {
    tables[name] = checkNamedTable(name, tree[name], faults);
  }
  const listeners = checkListeners(tree["listener"], faults);
  return { tables: tables as CheckedTables, listeners, options: new Map() };
}

/** A listener with the defaults of its kind, for options to fill. */
export function emptyListener(kind: ListenerKind, madeBy: string | undefined): CheckedListener {
  const ignored: Fault[] = [];
  const { values } = checkTable(LISTENER_SHAPES[kind], { kind }, ["listener"], ignored);
  return {
    kind,
    path: ["listener"],
    madeBy,
    values: values as unknown as ListenerValues,
    given: new Set(),
    wrong: new Set(),
    options: new Map(),
  };
}

function checkNamedTable(name: TableName, value: unknown, faults: Fault[]): CheckedTable<never> {
  const shape = TABLE_SHAPES[name];
  const table = asTable(value);
  if (table === undefined && value !== undefined) {
    faults.push({ ...wrongType([name], value), want: `a table, headed by [${name}]` });
  }
  const known = table ?? {};
  for (const keyName of Object.keys(known)) {
    if (!Object.hasOwn(shape, keyName))
      faults.push(unknownKeyFault([name], keyName, Object.keys(shape)));
  }
  return checkTable(shape, known, [name], faults) as CheckedTable<never>;
}

function checkListeners(value: unknown, faults: Fault[]): CheckedListener[] {
  if (value === undefined) return [];
  const want = "one table headed by [[listener]] for each listener";
  if (!Array.isArray(value)) {
    const found = asTable(value) === undefined ? foundText(value, "array") : "a single table";
    const anchor = asTable(value) === undefined ? "value" : "header";
    faults.push({ path: ["listener"], anchor, found, want });
    return [];
  }
  const listeners: CheckedListener[] = [];
  for (const [index, item] of value.entries()) {
    const table = asTable(item);
    if (table === undefined) {
      faults.push({ ...wrongType(["listener", index], item), want: "a table" });
    }
    listeners.push(checkListener(table ?? {}, ["listener", index], table !== undefined, faults));
  }
  return listeners;
}

function checkListener(
  table: TomlTree,
  path: Path,
  isTable: boolean,
  faults: Fault[],
): CheckedListener {
  const options = new Map<string, string>();
  const kind = LISTENER_KINDS.find((one) => one === table["kind"]);
  if (kind === undefined) {
    if (isTable) checkKindless(table, path, faults);
    return {
      kind,
      path,
      madeBy: undefined,
      values: {},
      given: new Set(),
      wrong: new Set(["kind"]),
      options,
    };
  }
  const shape = LISTENER_SHAPES[kind];
  for (const name of Object.keys(table)) {
    if (!Object.hasOwn(shape, name)) faults.push(foreignKeyFault(path, name, kind));
  }
  const { values, given, wrong } = checkTable(shape, table, path, faults);
  return {
    kind,
    path,
    madeBy: undefined,
    values: values as unknown as ListenerValues,
    given,
    wrong,
    options,
  };
}

/** Without a kind the other keys are still checked, each by the first kind that has it. */
function checkKindless(table: TomlTree, path: Path, faults: Fault[]): void {
  const { kind } = LISTENER_SHAPES.unix;
  const { want } = keyTexts(kind);
  if (table["kind"] === undefined) {
    faults.push({ path: [...path, "kind"], anchor: "header", found: "nothing", want });
  } else {
    const found = foundText(table["kind"], "string");
    faults.push({ path: [...path, "kind"], anchor: "value", found, want });
  }
  for (const [name, value] of Object.entries(table)) {
    if (name === "kind") continue;
    const schema = schemaOfAnyKind(name);
    if (schema === undefined) {
      faults.push(unknownKeyFault(path, name, allListenerKeys()));
      continue;
    }
    const result = schema.safeParse(value);
    if (!result.success) faults.push(...valueFaults(schema, value, [...path, name], result.error));
  }
}

function schemaOfAnyKind(name: string): z.ZodType | undefined {
  for (const kind of LISTENER_KINDS) {
    const shape: Readonly<Record<string, z.ZodType>> = LISTENER_SHAPES[kind];
    if (Object.hasOwn(shape, name)) return shape[name];
  }
  return undefined;
}

function foreignKeyFault(path: Path, name: string, kind: ListenerKind): Fault {
  const owners = LISTENER_KINDS.filter((one) => Object.hasOwn(LISTENER_SHAPES[one], name));
  if (owners.length === 0) {
    return unknownKeyFault(path, name, Object.keys(LISTENER_SHAPES[kind]), kind);
  }
  const kinds = alternatives(
    owners.map((one) => `"${one}"`),
    "and",
  );
  const found = `a key of ${kinds} listeners`;
  return { path: [...path, name], anchor: "key", found, want: keysOfListener(kind) };
}

function unknownKeyFault(
  path: Path,
  name: string,
  candidates: readonly string[],
  kind?: ListenerKind,
): Fault {
  const inListener = path[0] === "listener";
  const suggestion = nearest(name, candidates) ?? sameKeyElsewhere(name);
  const want = inListener ? keysOfListener(kind) : `one of the keys of [${path[0]}]`;
  return {
    path: [...path, name],
    anchor: "key",
    found: `an unknown key${hiddenRemark(name)}`,
    want,
    suggestion,
  };
}

function keysOfListener(kind: ListenerKind | undefined): string {
  return kind === undefined
    ? "one of the keys of [[listener]]"
    : `one of the keys of a "${kind}" listener`;
}

function unknownTableFault(name: string): Fault {
  const suggestion = nearest(name, TABLE_ORDER) ?? sameKeyElsewhere(name);
  const tables = TABLE_ORDER.map((table) => (table === "listener" ? "[[listener]]" : `[${table}]`));
  const want = `one of the tables ${alternatives(tables, "and")}`;
  return {
    path: [name],
    anchor: "key",
    found: `an unknown name${hiddenRemark(name)}`,
    want,
    suggestion,
  };
}

/** "tracker.capacity" for `capacity`, if exactly that key is in another table. */
function sameKeyElsewhere(name: string): string | undefined {
  for (const table of TABLE_ORDER) {
    const names = table === "listener" ? allListenerKeys() : Object.keys(TABLE_SHAPES[table]);
    if (names.includes(name)) return `${table}.${name}`;
  }
  return undefined;
}

function allListenerKeys(): string[] {
  return [...new Set(LISTENER_KINDS.flatMap((kind) => Object.keys(LISTENER_SHAPES[kind])))];
}

function wrongType(path: Path, value: unknown): Fault {
  return { path, anchor: "value", found: foundText(value, "table"), want: "" };
}

function asTable(value: unknown): TomlTree | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.getPrototypeOf(value) === null ? (value as TomlTree) : undefined;
}
