// The match of an [[agent]]: a table of globs by what they are held against (spec 15 section 1).
import { MATCH_FIELDS, type Match, type MatchField } from "../../agents/match.ts";
import { ACCOUNT_ID_MAX } from "../accounts.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives, hiddenRemark } from "../problems/found.ts";
import { nearest } from "../problems/suggestion.ts";
import { type Form, type Item, itemFault, tableOf, valueFault } from "./form.ts";

export const GLOBS_MAX = 64;

const WANT = 'a table of globs, such as { unit = "worker@*.service", user = "app" }';
const FIELDS_WANT = `one of ${alternatives(MATCH_FIELDS, "and")}`;
const LIST_WANT = `a glob or an array of 1 to ${GLOBS_MAX} of them`;

export const GLOB: Item<string> = {
  kind: "string",
  want: 'a glob in a string, such as "worker@*.service"',
  wantInstead: "a glob that something matches",
  json: { type: "string", minLength: 1 },
  parse: (value) =>
    typeof value === "string" && value !== "" && !value.includes("\0") ? value : undefined,
};

/** Of the match of a uid: a number is what most people write. */
const UID_GLOB: Item<string> = {
  ...GLOB,
  kind: "string or integer",
  want: `a uid from 0 to ${ACCOUNT_ID_MAX}, or a glob in a string`,
  json: {
    anyOf: [{ type: "integer", minimum: 0, maximum: ACCOUNT_ID_MAX }, GLOB.json],
  },
  parse: (value) =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= ACCOUNT_ID_MAX
      ? String(value)
      : GLOB.parse(value),
};

export const match: Form<Match> = {
  name: "match",
  kind: "table",
  want: WANT,
  takes: `a table with at least ${FIELDS_WANT}, each ${LIST_WANT}`,
  json: {
    type: "object",
    minProperties: 1,
    properties: Object.fromEntries(
      MATCH_FIELDS.map((field) => {
        const { json } = itemOf(field);
        const list = { type: "array", items: json, minItems: 1, maxItems: GLOBS_MAX };
        return [field, { anyOf: [json, list] }];
      }),
    ),
    additionalProperties: false,
  },
  check(value, path, faults) {
    const table = tableOf(value);
    if (table === undefined) {
      faults.push(valueFault(match, value, path));
      return undefined;
    }
    if (Object.keys(table).length === 0) {
      const found = "an empty table, which would take every member";
      faults.push({ path, anchor: "value", found, want: `at least ${FIELDS_WANT}` });
      return undefined;
    }
    const faultsBefore = faults.length;
    const checked: { [F in MatchField]?: readonly string[] } = {};
    for (const [name, held] of Object.entries(table)) {
      const field = MATCH_FIELDS.find((one) => one === name);
      if (field === undefined) faults.push(unknownFieldFault(name, [...path, name]));
      else checked[field] = globsOf(held, itemOf(field), [...path, name], faults);
    }
    return faults.length > faultsBefore ? undefined : checked;
  },
  shown: (fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([field, globs]) => [
        field,
        globs!.length === 1 ? globs![0]! : globs!,
      ]),
    ),
};

function itemOf(field: MatchField): Item<string> {
  return field === "uid" ? UID_GLOB : GLOB;
}

export function globsOf(value: unknown, item: Item<string>, path: Path, faults: Fault[]): string[] {
  if (!Array.isArray(value)) {
    const glob = item.parse(value);
    if (glob === undefined) faults.push(itemFault(item, value, path));
    return glob === undefined ? [] : [glob];
  }
  if (value.length === 0 || value.length > GLOBS_MAX) {
    faults.push(valueFault({ kind: "array", want: LIST_WANT }, value, path));
    return [];
  }
  const globs: string[] = [];
  for (const [index, one] of value.entries()) {
    const glob = item.parse(one);
    if (glob === undefined) faults.push(itemFault(item, one, [...path, index]));
    else globs.push(glob);
  }
  return globs;
}

function unknownFieldFault(name: string, path: Path): Fault {
  const found = `an unknown key${hiddenRemark(name)}`;
  return { path, anchor: "key", found, want: FIELDS_WANT, suggestion: nearest(name, MATCH_FIELDS) };
}
