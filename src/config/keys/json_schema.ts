// varta.schema.json, with which editors complete and check varta.toml: derived from the rows of the
// keys.
import type { JsonSchema } from "./form.ts";
import type { Keys } from "./key.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "./listener_keys.ts";
import { TABLE_ORDER, TABLES } from "./tables.ts";

export function jsonSchemaText(): string {
  const listeners = LISTENER_KINDS.map((kind) => tableSchema(LISTENER_KEYS[kind]));
  const listener = { type: "array", items: { oneOf: listeners } };
  const tables = TABLE_ORDER.map((name): [string, JsonSchema] =>
    name === "listener" ? [name, listener] : [name, tableSchema(TABLES[name])],
  );
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

function tableSchema(keys: Keys): JsonSchema {
  const properties = Object.entries(keys).flatMap(([name, { form, help, byDefault }]) => {
    const own = [name, { description: help, default: byDefault, ...form.json }] as const;
    if (form.milliseconds === undefined) return [own];
    const description = `${help}, in milliseconds`;
    return [own, [`${name}_ms`, { description, ...form.milliseconds.json }] as const];
  });
  const required = Object.keys(keys).filter((name) => keys[name]!.required === true);
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}
