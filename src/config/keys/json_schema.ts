// varta.schema.json, with which editors complete and check varta.toml: derived from the rows of the
// keys.
import { AGENT_KEYS, AGENT_RULES_MAX } from "./agent_keys.ts";
import type { JsonSchema } from "./form.ts";
import type { Keys } from "./key.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "./listener_keys.ts";
import { PLAN_KEYS, PLANS_MAX } from "./plan_keys.ts";
import { isTableName, TABLE_ORDER, TABLE_WORDS, type TableName, TABLES } from "./tables.ts";

export function jsonSchemaText(): string {
  const listeners = LISTENER_KINDS.map((kind) => tableSchema(LISTENER_KEYS[kind]));
  const listener = { type: "array", items: { oneOf: listeners } };
  const agent = { type: "array", maxItems: AGENT_RULES_MAX, items: tableSchema(AGENT_KEYS) };
  const arrays = { listener, agent };
  const tables = TABLE_ORDER.map((name): [string, JsonSchema] => [
    name,
    isTableName(name)
      ? orWord(name, tableSchema(TABLES[name], name === "recovery" ? { plan } : {}))
      : arrays[name],
  ]);
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: Object.fromEntries(tables),
    additionalProperties: false,
    description: "Configuration of varta-watch",
    title: "varta.toml",
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** A word may stand in place of the table. */
function orWord(name: TableName, table: JsonSchema): JsonSchema {
  const word = TABLE_WORDS[name]?.word;
  return word === undefined ? table : { anyOf: [table, { const: word }] };
}

const plan: JsonSchema = { type: "array", maxItems: PLANS_MAX, items: tableSchema(PLAN_KEYS) };

/** `more` has what no row says. */
function tableSchema(keys: Keys, more: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  const properties = Object.entries(keys).flatMap(([name, { form, help, byDefault }]) => {
    const own = [name, { description: help, default: byDefault, ...form.json }] as const;
    if (form.milliseconds === undefined) return [own];
    const description = `${help}, in milliseconds`;
    return [own, [`${name}_ms`, { description, ...form.milliseconds.json }] as const];
  });
  const required = Object.keys(keys).filter((name) => keys[name]!.required === true);
  return {
    type: "object",
    properties: { ...Object.fromEntries(properties), ...more },
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}
