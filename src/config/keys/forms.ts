// The forms that keys have: numbers, durations, words, paths, modes, accounts, lists (spec 07
// section 1).
import { SOCKET_PATH_BYTES_MAX } from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { ACCOUNT_ID_MAX } from "../accounts.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives, modeText, quoted } from "../problems/found.ts";
import {
  DURATION_MS_MAX,
  DURATION_PATTERN,
  durationText,
  durationTextFromNs,
  parseDurationMs,
} from "./duration.ts";
import {
  type AccountKind,
  type Form,
  type Item,
  itemFault,
  type Remark,
  type SecretContent,
  scalar,
  tableOf,
  valueFault,
} from "./form.ts";

export const flag: Form<boolean> = scalar({
  name: "flag",
  kind: "boolean",
  want: "true or false",
  json: { type: "boolean" },
  parse: (value) => (typeof value === "boolean" ? value : undefined),
});

interface Range {
  /** What a value of 0 would do, when 0 is below the range. */
  readonly zeroWould?: string;
  /** How to get what a reader of 0 may have meant. */
  readonly offBy?: string;
}

export interface IntegerRange extends Range {
  readonly min: number;
  readonly max: number;
}

export function integer(range: IntegerRange): Form<number> {
  return integerForm("integer", range, "", (value) => value);
}

function integerForm(
  name: string,
  range: IntegerRange,
  unit: string,
  convert: (value: number) => number,
): Form<number> {
  const { min, max } = range;
  const want = `an integer${unit} from ${min} to ${max}`;
  return scalar({
    name,
    kind: "integer",
    want,
    takes: max === Number.MAX_SAFE_INTEGER ? `an integer, at least ${min}` : want,
    json: { type: "integer", minimum: min, maximum: max },
    remark: (value) => (value === 0 ? zeroRemark("0", want, range) : undefined),
    parse: (value) =>
      Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
        ? convert(Number(value))
        : undefined,
  });
}

function zeroRemark(zero: string, want: string, { zeroWould, offBy }: Range): Remark | undefined {
  if (zeroWould === undefined) return undefined;
  return {
    found: `${zero}, which would ${zeroWould}`,
    want: offBy === undefined ? want : `${want}, or ${offBy}`,
  };
}

export interface DurationRange extends Range {
  readonly minMs: number;
  readonly maxMs?: number;
}

/** A duration of the file, in nanoseconds. `milliseconds` is the form of its second spelling. */
export interface DurationForm extends Form<number> {
  readonly milliseconds: Form<number>;
}

export function duration(range: DurationRange): DurationForm {
  const { minMs, maxMs = DURATION_MS_MAX } = range;
  const bounds = rangeText(range);
  const want = `a duration such as "500ms", "5s" or "10m", ${bounds}`;
  const form = scalar<number>({
    name: "duration",
    kind: "string",
    want,
    takes: `a duration, ${bounds}`,
    json: { type: "string", pattern: DURATION_PATTERN.source },
    remark: (value) => durationRemark(value, want, range),
    parse(value) {
      const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
      return typeof ms === "number" && ms >= minMs && ms <= maxMs ? ms * NS_PER_MS : undefined;
    },
    shown: durationTextFromNs,
  });
  const integers = { ...range, min: minMs, max: maxMs };
  const milliseconds = integerForm(
    "milliseconds",
    integers,
    " of milliseconds",
    (ms) => ms * NS_PER_MS,
  );
  return { ...form, milliseconds };
}

function rangeText({ minMs, maxMs }: DurationRange): string {
  if (maxMs !== undefined) return `from ${durationText(minMs)} to ${durationText(maxMs)}`;
  return minMs === 0 ? "at most 90 days" : `at least ${durationText(minMs)}`;
}

function durationRemark(value: unknown, want: string, range: DurationRange): Remark | undefined {
  if (typeof value !== "string") return undefined;
  const ms = parseDurationMs(value);
  if (typeof ms === "string") return { found: `${quoted(value)} (${ms})` };
  return ms === 0 ? zeroRemark(quoted(value), want, range) : undefined;
}

export function word<const W extends string>(words: readonly W[]): Form<W> {
  return oneOf(words, words);
}

/** The one of several words that is right here. */
export function literal<const W extends string, const One extends W>(
  words: readonly W[],
  one: One,
): Form<One> {
  return oneOf(words, [one]);
}

function oneOf<W extends string>(words: readonly string[], accepted: readonly W[]): Form<W> {
  return scalar({
    name: "word",
    kind: "string",
    want: alternatives(words.map((one) => `"${one}"`)),
    json: {
      type: "string",
      ...(accepted.length > 1 ? { enum: accepted } : { const: accepted[0] }),
    },
    words,
    parse: (value) => accepted.find((one) => one === value),
  });
}

/** A string that `isRight` takes; with a pattern for editors, if it is one. */
export function text(want: string, isRight: RegExp | ((text: string) => boolean)): Form<string> {
  const { json, parse } = textItem(want, isRight);
  return scalar({ name: "text", kind: "string", want, json, parse });
}

/** The same as an item of a list. */
export function textItem(
  want: string,
  isRight: RegExp | ((text: string) => boolean),
): Item<string> {
  const test = typeof isRight === "function" ? isRight : (value: string) => isRight.test(value);
  const json = {
    type: "string",
    ...(typeof isRight === "function" ? {} : { pattern: isRight.source }),
  };
  return {
    kind: "string",
    want,
    json,
    parse: (value) => (typeof value === "string" && test(value) ? value : undefined),
  };
}

const PATH = /^\/[^\u0000]*$/;

export function path(what: string): Form<string> {
  return pathForm("path", what, PATH);
}

/** The path of a socket, which the kernel wants short. */
export function socketPath(what: string): Form<string> {
  const form = pathForm("path", what, PATH, SOCKET_PATH_BYTES_MAX);
  return { ...form, takes: `an absolute path of at most ${SOCKET_PATH_BYTES_MAX} bytes` };
}

/** What the service manager replaces in its own files, and we in the paths of secret files. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is looked for in a text
export const CREDENTIALS_PREFIX = "${CREDENTIALS_DIRECTORY}/";

const SECRET_PATH = /^(?:\/|\$\{CREDENTIALS_DIRECTORY\}\/)[^\u0000]*$/;

/** A file that holds a secret. */
export function secretFile<const S extends SecretContent>(
  secret: S,
  what: string,
): Form<string> & { readonly secret: S } {
  return { ...pathForm("path", what, SECRET_PATH), takes: "the path of a secret file", secret };
}

function pathForm(name: string, what: string, pattern: RegExp, bytesMax = Infinity): Form<string> {
  return scalar({
    name,
    kind: "string",
    want: `the absolute path of ${what}`,
    takes: "an absolute path",
    json: { type: "string", pattern: pattern.source },
    remark: pathRemark,
    parse: (value) =>
      typeof value === "string" && pattern.test(value) && Buffer.byteLength(value) <= bytesMax
        ? value
        : undefined,
  });
}

function pathRemark(value: unknown): Remark | undefined {
  if (typeof value !== "string" || value.includes("\0")) return undefined;
  if (value.startsWith("/")) {
    const bytes = Buffer.byteLength(value);
    if (bytes <= SOCKET_PATH_BYTES_MAX) return undefined;
    const want = `at most ${SOCKET_PATH_BYTES_MAX} bytes, the limit of the kernel`;
    return { found: `a path of ${bytes} bytes`, want };
  }
  return { found: `${quoted(value)} (${value === "" ? "empty" : "not absolute"})` };
}

const MODE = /^(0[oO])?0*[0-7]{1,3}$/;

/** "600", "0600", "0o600" and "0O600" are the same mode. */
export const mode: Form<number> = scalar({
  name: "mode",
  kind: "string",
  want: 'octal digits in a string, such as "0600"',
  takes: "octal digits in a string",
  json: { type: "string", pattern: MODE.source },
  remark: (value) =>
    typeof value === "string" && /^(0[oO])?[0-7]+$/.test(value)
      ? { want: 'octal digits in a string, at most "0777"' }
      : undefined,
  parse: (value) =>
    typeof value === "string" && MODE.test(value)
      ? Number.parseInt(value.replace(/^0[oO]/, ""), 8)
      : undefined,
  shown: modeText,
});

/** Any string of the file: a NUL would end it early in every system call. */
const TEXT = /^[^\u0000]*$/;

/** A name of the account file, or a number: its id, once the shape is checked. */
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
