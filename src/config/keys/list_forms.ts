// The forms of keys that hold several values: lists, commands, variables; and accounts, of which
// there is one or a list (spec 07 section 1). Each wrong item is a problem of its own.
import { ACCOUNT_ID_MAX } from "../accounts.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives } from "../problems/found.ts";
import {
  type AccountKind,
  type Form,
  type Item,
  itemFault,
  scalar,
  tableOf,
  valueFault,
} from "./form.ts";
import { integer, textItem } from "./forms.ts";

const OPERATORS_MAX = 64;

/** Any string of the file: a NUL would end it early in every system call. */
const TEXT = /^[^\u0000]*$/;

/** A name of the account file, or a number: resolved to an id once all of the file is checked. */
export function account(kind: AccountKind): Form<string | number, number> {
  return scalar<string | number, number>({
    ...accountItem(kind),
    name: "account",
    account: kind,
    resolved: (name, accounts) => accounts[kind].resolve(name)!,
  });
}

export function accounts(kind: AccountKind): Form<(string | number)[], number[]> {
  const id = kind === "user" ? "uid" : "gid";
  return {
    ...list({ want: `an array of ${kind} names and ${id}s`, item: accountItem(kind) }),
    account: kind,
    resolved: (names, files) => names.map((name) => files[kind].resolve(name)!),
  };
}

/** Of the control socket: names of users, and of groups with "@" before them. */
export const operators: Form<string[], { readonly uids: number[]; readonly gids: number[] }> = {
  ...list({
    want: 'an array of users and groups, such as ["dana", "@oncall"]',
    countMax: OPERATORS_MAX,
    item: textItem('a user, or a group with "@"', /^@?[^@\u0000-\u0020]{1,64}$/),
  }),
  name: "operators",
  accountOf: (word) =>
    word.startsWith("@") ? { kind: "group", name: word.slice(1) } : { kind: "user", name: word },
  resolved(wordsOfFile, files) {
    const ids = { user: [] as number[], group: [] as number[] };
    for (const word of wordsOfFile) {
      const { kind, name } = operators.accountOf!(word);
      ids[kind].push(files[kind].resolve(name)!);
    }
    return { uids: ids.user, gids: ids.group };
  },
  shown: ({ uids, gids }) => [...uids.map(String), ...gids.map((gid) => `@${gid}`)],
};

export function accountWant(kind: AccountKind): string {
  const id = kind === "user" ? "uid" : "gid";
  return `a ${kind} name in a string, or a ${id} from 0 to ${ACCOUNT_ID_MAX}`;
}

function accountItem(kind: AccountKind): Item<string | number> {
  const number = integer({ min: 0, max: ACCOUNT_ID_MAX });
  return {
    kind: "string or integer",
    want: accountWant(kind),
    json: { anyOf: [number.json, { type: "string", minLength: 1, pattern: TEXT.source }] },
    parse: (value) =>
      typeof value === "string" && value !== "" && TEXT.test(value)
        ? value
        : number.check(value, [], []),
  };
}

/** An array of integers: "an array of at most 64 exit statuses from 0 to 255". */
export function integers(
  { min, max, countMax }: { readonly min: number; readonly max: number; readonly countMax: number },
  what: string,
): Form<number[]> {
  const { kind, json, want, check } = integer({ min, max });
  const item = { kind, json, want, parse: (value: unknown) => check(value, [], []) };
  return list({
    want: `an array of at most ${countMax} ${what} from ${min} to ${max}`,
    countMax,
    item,
  });
}

/** An array of some of `known`, at least one. */
export function words<const W extends string>(
  known: readonly W[],
  what: string,
): Form<W[], readonly W[]> {
  const want = alternatives(known.map((one) => `"${one}"`));
  const item: Item<W> = {
    kind: "string",
    want,
    words: known,
    json: { type: "string", enum: known },
    parse: (value) => known.find((one) => one === value),
  };
  const form = list({ want: `an array of ${what}: ${want}`, countMax: known.length, item });
  return {
    ...form,
    json: { ...form.json, minItems: 1 },
    check(value, path, faults) {
      if (!Array.isArray(value) || value.length > 0) return form.check(value, path, faults);
      faults.push(valueFault({ kind: "array", want: form.want }, value, path));
      return undefined;
    },
  };
}

interface ListParts<Value> {
  readonly want: string;
  readonly countMax?: number;
  readonly item: Item<Value>;
}

export function list<Value>({ want, countMax, item }: ListParts<Value>): Form<Value[]> {
  const words = { kind: "array", want } as const;
  return {
    ...words,
    name: "list",
    takes: want,
    json: {
      type: "array",
      items: item.json,
      ...(countMax === undefined ? {} : { maxItems: countMax }),
    },
    check(value, path, faults) {
      if (!Array.isArray(value) || value.length > (countMax ?? Infinity)) {
        faults.push(valueFault(words, value, path));
        return undefined;
      }
      return checkedItems(value, () => item, path, faults);
    },
  };
}

/** The items as they are checked; undefined if one was refused. */
function checkedItems<Value>(
  values: readonly unknown[],
  itemAt: (index: number) => Item<Value>,
  path: Path,
  faults: Fault[],
): Value[] | undefined {
  const checked: Value[] = [];
  for (const [index, value] of values.entries()) {
    const item = itemAt(index);
    const parsed = item.parse(value);
    if (parsed === undefined) faults.push(itemFault(item, value, [...path, index]));
    else checked.push(parsed);
  }
  return checked.length === values.length ? checked : undefined;
}

const COMMAND_ITEMS_MAX = 64;

const WORD: Item<string> = textItem("a string", TEXT);

const PROGRAM: Item<string> = {
  ...textItem("a string", /^[^\u0000]+$/),
  wantInstead: "the name or path of a program",
  json: { type: "string", minLength: 1, pattern: TEXT.source },
};

/** An argv array: the program is not empty. */
export const command: Form<readonly string[]> = {
  name: "command",
  kind: "array",
  want: 'an array of strings, such as ["systemctl", "restart", "app"]',
  takes: `an array of 1 to ${COMMAND_ITEMS_MAX} strings`,
  json: { type: "array", prefixItems: [PROGRAM.json], items: WORD.json, minItems: 1 },
  check(value, path, faults) {
    if (!Array.isArray(value) || value.length === 0) {
      faults.push(valueFault(command, value, path));
      return undefined;
    }
    const words = checkedItems(value, (index) => (index === 0 ? PROGRAM : WORD), path, faults);
    if (value.length <= COMMAND_ITEMS_MAX) return words;
    const want = `at most ${COMMAND_ITEMS_MAX} strings`;
    faults.push(valueFault({ kind: "array", want }, value, path));
    return undefined;
  },
};

const VARIABLE_NAME = /^[^=\u0000]+$/;

const VARIABLE: Item<string> = { ...WORD, isHidden: true };

/** Environment variables; what they hold is never shown. */
export const variables: Form<Readonly<Record<string, string>>> = {
  name: "variables",
  kind: "table",
  want: 'a table of strings, such as { LANG = "C.UTF-8" }',
  takes: "a table of strings",
  json: {
    type: "object",
    propertyNames: { type: "string", pattern: VARIABLE_NAME.source },
    additionalProperties: VARIABLE.json,
  },
  check(value, path, faults) {
    const table = tableOf(value);
    if (table === undefined) {
      faults.push(valueFault(variables, value, path));
      return undefined;
    }
    const faultsBefore = faults.length;
    for (const [name, held] of Object.entries(table)) {
      if (!VARIABLE_NAME.test(name)) faults.push(variableNameFault(name, [...path, name]));
      else if (VARIABLE.parse(held) === undefined)
        faults.push(itemFault(VARIABLE, held, [...path, name]));
    }
    if (faults.length > faultsBefore) return undefined;
    return Object.fromEntries(Object.entries(table)) as Record<string, string>;
  },
  shown: (table) => Object.fromEntries(Object.keys(table).map((name) => [name, "(set)"])),
};

function variableNameFault(name: string, path: Path): Fault {
  const found = name === "" ? "an empty name" : "a name with = or a NUL in it";
  return { path, anchor: "key", found, want: "the name of an environment variable" };
}
