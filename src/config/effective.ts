// The configuration in effect, key by key with what set each value, for `check --print` (spec 07
// section 3). The output is a valid varta.toml. Secrets and environment values appear as "(set)".
import { escapeUnprintable, isUnprintable } from "../base/unprintable.ts";
import type { Config } from "./config.ts";
import { AGENT_KEYS } from "./keys/agent_keys.ts";
import type { EffectiveValue } from "./keys/form.ts";
import type { Key, Keys } from "./keys/key.ts";
import { LISTENER_KEYS } from "./keys/listener_keys.ts";
import { PLAN_KEYS } from "./keys/plan_keys.ts";
import { isTableName, TABLE_ORDER, TABLES } from "./keys/tables.ts";
import type { LoadSuccess } from "./load_result.ts";

interface EffectiveKey {
  /** "observer", "listener[0]" or "recovery.plan[0]" */
  readonly table: string;
  readonly key: string;
  /** As the file would have it; undefined = not set. */
  readonly value: EffectiveValue | undefined;
  /** What set the value: "default", "file" or "--option". The name is that of the JSON output. */
  readonly origin: string;
}

export function effectiveKeys({ config, setBy }: LoadSuccess): EffectiveKey[] {
  return allRows(config).map(([table, key, value]) => {
    const setter = setBy.get(`${table}.${key}`);
    const words =
      setter?.from === "option" ? `--${setter.option}` : (setter?.from ?? unsetOrigin(table));
    return { table, key, value, origin: words };
  });
}

/** A plan has what it does not set from [recovery]. */
function unsetOrigin(table: string): string {
  return table.startsWith("recovery.plan[") ? "[recovery]" : "default";
}

/** TOML with a comment after each value; keys that are not set are comments. */
export function effectiveText(result: LoadSuccess): string {
  const lines: string[] = [];
  let table = "";
  for (const row of effectiveKeys(result)) {
    if (row.table !== table) {
      if (table !== "") lines.push("");
      table = row.table;
      lines.push(table.endsWith("]") ? `[[${table.replace(/\[[0-9]+\]$/, "")}]]` : `[${table}]`);
    }
    if (row.value === undefined) lines.push(`# ${row.key} is not set`);
    else lines.push(`${`${row.key} = ${tomlText(row.value)}`.padEnd(40)} # ${row.origin}`);
  }
  return `${lines.join("\n")}\n`;
}

/** As the file would have it. */
export function tomlText(value: EffectiveValue): string {
  if (typeof value === "string") return tomlString(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(tomlText).join(", ")}]`;
  const entries = Object.entries(value).map(
    ([name, item]) => `${tomlString(name)} = ${tomlText(item)}`,
  );
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/**
 * A basic string, with what a terminal would obey as escapes. Above U+FFFF those of TOML are not
 * those of JSON.
 */
function tomlString(text: string): string {
  return escapeUnprintable(
    JSON.stringify(text).replace(/[\u{10000}-\u{10ffff}]/gu, (character) => {
      const code = character.codePointAt(0)!;
      if (!isUnprintable(code)) return character;
      return `\\U${code.toString(16).padStart(8, "0")}`;
    }),
  );
}

type Row = readonly [table: string, key: string, value: EffectiveValue | undefined];

function allRows(config: Config): Row[] {
  return TABLE_ORDER.flatMap((name) => {
    if (isTableName(name)) {
      const plans = name === "recovery" ? planRows(config) : [];
      return [...tableRows(name, TABLES[name], config[name]), ...plans];
    }
    if (name === "agent")
      return config.agents.flatMap((agent, index) =>
        tableRows(`agent[${index}]`, AGENT_KEYS, agent),
      );
    return config.listeners.flatMap((listener, index) =>
      tableRows(`listener[${index}]`, LISTENER_KEYS[listener.kind], listener),
    );
  });
}

function planRows({ plans }: Config): Row[] {
  return plans.flatMap((plan, index) => tableRows(`recovery.plan[${index}]`, PLAN_KEYS, plan));
}

function tableRows(table: string, keys: Keys, fields: object): Row[] {
  const values = fields as Readonly<Record<string, unknown>>;
  const secrets = Object.values(keys).filter((key) => shownValue(key, values) !== undefined);
  const secretFields = secrets.map(({ loads }) => loads);
  return Object.entries(keys).map(([name, key]) => {
    // What a secret file has brought in is not shown: the file is.
    const isSecret = secretFields.includes(key.field);
    return [table, name, isSecret ? undefined : shownValue(key, values)];
  });
}

/** The value of a key among the fields of its table, secrets hidden; undefined = not set. */
export function shownValue(
  { field, form, absent, byDefault }: Key,
  values: Readonly<Record<string, unknown>>,
): EffectiveValue | undefined {
  const value = values[field];
  const isEmpty = byDefault === undefined && Array.isArray(value) && value.length === 0;
  if (value === undefined || value === absent || isEmpty) return undefined;
  return form.shown === undefined ? (value as EffectiveValue) : form.shown(value);
}
