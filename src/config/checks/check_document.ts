// Checks the whole file: tables, keys, listeners (spec 07 section 2). What comes out holds only
// values that are right by themselves; options are laid over it, and then the cross-key rules judge
// it.
import { type CheckedTable, checkTable } from "./check_table.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives, foundText, hiddenRemark } from "../problems/found.ts";
import { tableOf } from "../keys/form.ts";
import { AGENT_KEYS, AGENT_RULES_MAX } from "../keys/agent_keys.ts";
import { type CheckedValues, formOf, type Keys, keyNames } from "../keys/key.ts";
import { LISTENER_KEYS, LISTENER_KINDS, type ListenerKind } from "../keys/listener_keys.ts";
import { PLAN_KEYS, PLANS_MAX } from "../keys/plan_keys.ts";
import { RECOVERY_KEYS } from "../keys/recovery_keys.ts";
import {
  type ArrayName,
  isTableName,
  TABLE_NAMES,
  TABLE_ORDER,
  TABLE_WORDS,
  TABLES,
  type TableName,
} from "../keys/tables.ts";
import { nearest } from "../problems/suggestion.ts";
import type { TomlTree } from "../toml_document.ts";

type AllListenerKeys = (typeof LISTENER_KEYS)["unix"] &
  (typeof LISTENER_KEYS)["udp"] &
  (typeof LISTENER_KEYS)["secure-udp"];

type ListenerValues = CheckedValues<Omit<AllListenerKeys, "kind">>;

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

/** One table of an array of tables. */
export interface CheckedRow<K extends Keys = Keys> extends CheckedTable<K> {
  /** Where it is in the file. */
  readonly path: Path;
}

type CheckedTables = {
  readonly [T in TableName]: CheckedTable<(typeof TABLES)[T]>;
};

export interface CheckedDocument {
  readonly tables: CheckedTables;
  /** In file order; options may replace it. */
  listeners: CheckedListener[];
  readonly agents: readonly CheckedRow<typeof AGENT_KEYS>[];
  readonly plans: readonly CheckedRow<typeof PLAN_KEYS>[];
  /** "table.key" to the option it came from. */
  readonly options: Map<string, string>;
}

export function checkDocument(tree: TomlTree, faults: Fault[]): CheckedDocument {
  for (const name of Object.keys(tree)) {
    if (!(TABLE_ORDER as readonly string[]).includes(name)) faults.push(unknownTableFault(name));
  }
  const tables: Record<string, unknown> = {};
  for (const name of TABLE_NAMES) tables[name] = checkNamedTable(name, tree[name], faults);
  const listeners = checkListeners(tree["listener"], faults);
  const agents = checkRows({ ...AGENTS, value: tree["agent"] }, faults);
  const plans = checkRows({ ...PLANS, value: tableOf(tree["recovery"])?.["plan"] }, faults);
  const options = new Map<string, string>();
  return { tables: tables as CheckedTables, listeners, agents, plans, options };
}

/** A listener with the defaults of its kind, for options to fill. */
export function emptyListener(kind: ListenerKind, madeBy: string | undefined): CheckedListener {
  const ignored: Fault[] = [];
  const { values } = checkTable(LISTENER_KEYS[kind], { kind }, ["listener"], ignored);
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
  const keys = TABLES[name];
  const word = TABLE_WORDS[name];
  const table = word !== undefined && value === word.word ? word.means : tableOf(value);
  if (table === undefined && value !== undefined) {
    const instead = word === undefined ? "" : `, or "${word.word}"`;
    faults.push({ ...wrongType([name], value), want: `a table, headed by [${name}]${instead}` });
  }
  const known = table ?? {};
  for (const keyName of Object.keys(known)) {
    if (name === "recovery" && keyName === "plan") continue;
    if (formOf(keys, keyName) === undefined)
      faults.push(unknownKeyFault([name], keyName, keyNames(keys)));
  }
  return checkTable(keys, known, [name], faults) as CheckedTable<never>;
}

function checkListeners(value: unknown, faults: Fault[]): CheckedListener[] {
  const items = itemsOf({ path: ["listener"], one: "listener", value }, faults);
  return items.map(({ table, path }) =>
    checkListener(table ?? {}, path, table !== undefined, faults),
  );
}

interface TableArray {
  readonly path: Path;
  /** What one of its tables is for. */
  readonly one: string;
  readonly value: unknown;
}

interface ArrayItem {
  /** Undefined = it is none, which was reported. */
  readonly table: TomlTree | undefined;
  readonly path: Path;
}

/** The items of an array of tables, each with its path. */
function itemsOf({ path, one, value }: TableArray, faults: Fault[]): ArrayItem[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    const found = tableOf(value) === undefined ? foundText(value, "array") : "a single table";
    const anchor = tableOf(value) === undefined ? "value" : "header";
    const want = `one table headed by [[${path.join(".")}]] for each ${one}`;
    faults.push({ path, anchor, found, want });
    return [];
  }
  return value.map((item, index) => {
    const table = tableOf(item);
    const at = [...path, index];
    if (table === undefined) faults.push({ ...wrongType(at, item), want: "a table" });
    return { table, path: at };
  });
}

/** An array whose tables all have the same keys. */
interface RowArray<K extends Keys> {
  readonly path: Path;
  readonly one: string;
  readonly keys: K;
  readonly countMax: number;
  /** Keys of the table around it that it has not. */
  readonly foreign: Keys;
}

const AGENTS: RowArray<typeof AGENT_KEYS> = {
  path: ["agent"],
  one: "rule",
  keys: AGENT_KEYS,
  countMax: AGENT_RULES_MAX,
  foreign: {},
};

const PLANS: RowArray<typeof PLAN_KEYS> = {
  path: ["recovery", "plan"],
  one: "plan",
  keys: PLAN_KEYS,
  countMax: PLANS_MAX,
  foreign: RECOVERY_KEYS,
};

function checkRows<K extends Keys>(
  array: RowArray<K> & { readonly value: unknown },
  faults: Fault[],
): CheckedRow<K>[] {
  const { keys, path, countMax, foreign } = array;
  const items = itemsOf(array, faults);
  if (items.length > countMax) {
    const found = `${items.length} tables [[${path.join(".")}]]`;
    faults.push({
      path: [...path, countMax],
      anchor: "header",
      found,
      want: `at most ${countMax}`,
    });
  }
  return items.map((item) => {
    const table = item.table ?? {};
    for (const name of Object.keys(table)) {
      if (formOf(keys, name) !== undefined) continue;
      const isForeign = formOf(foreign, name) !== undefined;
      faults.push(
        isForeign
          ? foreignRowFault(item.path, name)
          : unknownKeyFault(item.path, name, keyNames(keys)),
      );
    }
    if (item.table !== undefined)
      return { ...checkTable(keys, table, item.path, faults), path: item.path };
    // What is no table has no keys to miss, and takes part in no rule.
    const wrong = new Set(Object.keys(keys));
    return { values: {}, given: new Set(), wrong, path: item.path };
  });
}

function foreignRowFault(path: Path, name: string): Fault {
  const found = "a key of [recovery] alone, which counts for all plans together";
  return { path: [...path, name], anchor: "key", found, want: "it in [recovery]" };
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
  const keys = LISTENER_KEYS[kind];
  for (const name of Object.keys(table)) {
    if (!Object.hasOwn(keys, name)) faults.push(foreignKeyFault(path, name, kind));
  }
  const { values, given, wrong } = checkTable(keys, table, path, faults);
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
  const { want } = LISTENER_KEYS.unix.kind.form;
  if (table["kind"] === undefined) {
    faults.push({ path: [...path, "kind"], anchor: "header", found: "nothing", want });
  } else {
    const found = foundText(table["kind"], "string");
    faults.push({ path: [...path, "kind"], anchor: "value", found, want });
  }
  for (const [name, value] of Object.entries(table)) {
    if (name === "kind") continue;
    const kind = LISTENER_KINDS.find((one) => Object.hasOwn(LISTENER_KEYS[one], name));
    if (kind === undefined) faults.push(unknownKeyFault(path, name, allListenerKeys()));
    else formOf(LISTENER_KEYS[kind], name)?.check(value, [...path, name], faults);
  }
}

function foreignKeyFault(path: Path, name: string, kind: ListenerKind): Fault {
  const owners = LISTENER_KINDS.filter((one) => Object.hasOwn(LISTENER_KEYS[one], name));
  if (owners.length === 0) {
    return unknownKeyFault(path, name, Object.keys(LISTENER_KEYS[kind]), kind);
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
  const want = inListener ? keysOfListener(kind) : `one of the keys of ${headerOf(path)}`;
  return {
    path: [...path, name],
    anchor: "key",
    found: `an unknown key${hiddenRemark(name)}`,
    want,
    suggestion,
  };
}

/** "[recovery]", or "[[recovery.plan]]" for one of an array. */
function headerOf(path: Path): string {
  const names = path.filter((part) => typeof part === "string").join(".");
  return names.length === 0 || typeof path.at(-1) === "string" ? `[${names}]` : `[[${names}]]`;
}

function keysOfListener(kind: ListenerKind | undefined): string {
  return kind === undefined
    ? "one of the keys of [[listener]]"
    : `one of the keys of a "${kind}" listener`;
}

function unknownTableFault(name: string): Fault {
  const suggestion = nearest(name, TABLE_ORDER) ?? sameKeyElsewhere(name);
  const tables = TABLE_ORDER.map((table) => (isTableName(table) ? `[${table}]` : `[[${table}]]`));
  const want = `one of the tables ${alternatives(tables, "and")}`;
  return {
    path: [name],
    anchor: "key",
    found: `an unknown name${hiddenRemark(name)}`,
    want,
    suggestion,
  };
}

/**
 * "tracker.capacity" for `capacity`, if exactly that key is in another table; "[guard]" for a
 * `guard = "off"` that stands below the header of another table.
 */
function sameKeyElsewhere(name: string): string | undefined {
  if (Object.hasOwn(TABLE_WORDS, name)) return `[${name}]`;
  for (const table of TABLE_ORDER) {
    const names = isTableName(table) ? keyNames(TABLES[table]) : arrayKeys(table);
    if (names.includes(name)) return `${table}.${name}`;
  }
  return undefined;
}

function arrayKeys(array: ArrayName): string[] {
  return array === "listener" ? allListenerKeys() : keyNames(AGENT_KEYS);
}

function allListenerKeys(): string[] {
  return [...new Set(LISTENER_KINDS.flatMap((kind) => Object.keys(LISTENER_KEYS[kind])))];
}

function wrongType(path: Path, value: unknown): Fault {
  return { path, anchor: "value", found: foundText(value, "table"), want: "" };
}
