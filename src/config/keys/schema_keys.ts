// The kinds of value that a key may have, each with the words of its error message beside it. schema.ts puts keys
// together from these; check_table.ts turns what zod refuses into "found X; want Y" with the texts kept here.
import { z } from "zod";
import { SOCKET_PATH_BYTES_MAX } from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { ACCOUNT_ID_MAX } from "../accounts.ts";
import { DURATION_MS_MAX, DURATION_PATTERN, durationText, parseDurationMs } from "./duration.ts";
import { alternatives, quoted, type ValueKind } from "../problems/found.ts";

export interface KeyTexts {
  readonly kind: ValueKind;
  readonly want: string;
  /** For the items of an array and the values of a table. */
  readonly item?: ItemTexts;
  /** Better words for one particular wrong value. */
  readonly remark?: (value: unknown) => Remark | undefined;
  /** For an array of tables: the keys of each. */
  readonly keys?: Readonly<Record<string, z.ZodType>>;
}

export interface ItemTexts {
  readonly kind: ValueKind;
  readonly want: string;
  /** What an item that must not be empty should hold. */
  readonly wantInstead?: string;
  /** Its value is not shown. */
  readonly secret?: boolean;
  /** Better words for what was found. */
  readonly describe?: (item: unknown) => string | undefined;
}

export interface Remark {
  readonly found?: string;
  readonly want?: string;
}

const TEXTS = new WeakMap<z.ZodType, KeyTexts>();

/** Gives a key its one-line summary (shown by editors) and the words of its message. */
export function key<S extends z.ZodType>(schema: S, summary: string, texts: KeyTexts): S {
  const described = schema.describe(summary);
  TEXTS.set(described, texts);
  return described;
}

export function keyTexts(schema: z.ZodType): KeyTexts {
  const texts = TEXTS.get(schema);
  if (texts === undefined) throw new Error("a key of the schema has no texts");
  return texts;
}

/** Any string of the file: a NUL would end it early in every system call. */
export const textSchema = z.string().regex(/^[^\u0000]*$/);

const COMMAND_ITEMS_MAX = 64;

/** An argv array. */
export const commandSchema = z
  .tuple([textSchema.min(1)], textSchema)
  .refine((command) => command.length <= COMMAND_ITEMS_MAX);

export function commandTexts(): KeyTexts {
  return {
    kind: "array",
    want: 'an array of strings, such as ["systemctl", "restart", "app"]',
    item: { kind: "string", want: "a string", wantInstead: "the name or path of a program" },
    remark: (value) => {
      if (!Array.isArray(value)) return undefined;
      if (value.length > COMMAND_ITEMS_MAX) return { want: `at most ${COMMAND_ITEMS_MAX} strings` };
      return undefined;
    },
  };
}

export const booleanTexts: KeyTexts = { kind: "boolean", want: "true or false" };

export interface IntegerRange {
  readonly min: number;
  readonly max: number;
  /** What a value of 0 would do, when 0 is below the range. */
  readonly zeroWould?: string;
  /** How to get what a reader of 0 may have meant. */
  readonly offBy?: string;
}

export function integerSchema(range: IntegerRange) {
  return z.int().min(range.min).max(range.max);
}

export function integerTexts(range: IntegerRange, unit = ""): KeyTexts {
  const want = `an integer${unit} from ${range.min} to ${range.max}`;
  return { kind: "integer", want, remark: (value) => zeroRemark(value, want, range) };
}

function zeroRemark(value: unknown, want: string, range: IntegerRange): Remark | undefined {
  if (value !== 0 || range.zeroWould === undefined) return undefined;
  const wanted = range.offBy === undefined ? want : `${want}, or ${range.offBy}`;
  return { found: `0, which would ${range.zeroWould}`, want: wanted };
}

export interface DurationRange {
  readonly minMs: number;
  readonly maxMs?: number;
  readonly zeroWould?: string;
  readonly offBy?: string;
}

export function durationSchema(range: DurationRange) {
  return z
    .string()
    .regex(DURATION_PATTERN)
    .refine((text) => withinRange(parseDurationMs(text), range))
    .transform((text) => Number(parseDurationMs(text)) * NS_PER_MS);
}

/** The same duration as an integer of milliseconds, for the `_ms` alias. */
export function millisecondsSchema(range: DurationRange) {
  return z
    .int()
    .min(range.minMs)
    .max(range.maxMs ?? DURATION_MS_MAX)
    .transform((ms) => ms * NS_PER_MS);
}

export function durationTexts(range: DurationRange): KeyTexts {
  const want = `a duration such as "500ms", "5s" or "10m", ${rangeText(range)}`;
  return { kind: "string", want, remark: (value) => durationRemark(value, want, range) };
}

export function millisecondsTexts(range: DurationRange): KeyTexts {
  const integers = { ...range, min: range.minMs, max: range.maxMs ?? DURATION_MS_MAX };
  return integerTexts(integers, " of milliseconds");
}

function withinRange(ms: unknown, range: DurationRange): boolean {
  return typeof ms === "number" && ms >= range.minMs && ms <= (range.maxMs ?? DURATION_MS_MAX);
}

function rangeText(range: DurationRange): string {
  if (range.maxMs !== undefined) {
    return `from ${durationText(range.minMs)} to ${durationText(range.maxMs)}`;
  }
  return range.minMs === 0 ? "at most 90 days" : `at least ${durationText(range.minMs)}`;
}

function durationRemark(value: unknown, want: string, range: DurationRange): Remark | undefined {
  if (typeof value !== "string") return undefined;
  const ms = parseDurationMs(value);
  if (ms === 0 && range.zeroWould !== undefined) {
    const wanted = range.offBy === undefined ? want : `${want}, or ${range.offBy}`;
    return { found: `${quoted(value)}, which would ${range.zeroWould}`, want: wanted };
  }
  return typeof ms === "string" ? { found: `${quoted(value)} (${ms})` } : undefined;
}

export const PATH_PATTERN = /^\/[^\u0000]*$/;

export const pathSchema = z.string().regex(PATH_PATTERN);

/** What the service manager replaces in its own files, and we in the paths of secret files. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is looked for in a text
export const CREDENTIALS_PREFIX = "${CREDENTIALS_DIRECTORY}/";

const secretPathSchema = z.string().regex(/^(?:\/|\$\{CREDENTIALS_DIRECTORY\}\/)[^\u0000]*$/);

export const socketPathSchema = pathSchema.refine(
  (path) => Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX,
);

export function pathTexts(what: string): KeyTexts {
  return { kind: "string", want: `the absolute path of ${what}`, remark: pathRemark };
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

/** "600", "0600", "0o600" and "0O600" are the same mode. */
export const modeSchema = z
  .string()
  .regex(/^(0[oO])?0*[0-7]{1,3}$/)
  .transform((text) => Number.parseInt(text.replace(/^0[oO]/, ""), 8));

export const modeTexts: KeyTexts = {
  kind: "string",
  want: 'octal digits in a string, such as "0600"',
  remark: (value) =>
    typeof value === "string" && /^(0[oO])?[0-7]+$/.test(value)
      ? { want: 'octal digits in a string, at most "0777"' }
      : undefined,
};

export function wordsTexts(words: readonly string[]): KeyTexts {
  return { kind: "string", want: alternatives(words.map((word) => `"${word}"`)) };
}

/** A name of the account file, or a number. Resolved to an id after the shape is checked. */
export const accountSchema = z.union([z.int().min(0).max(ACCOUNT_ID_MAX), textSchema.min(1)]);

export function accountTexts(account: "user" | "group"): KeyTexts {
  return { kind: "string or integer", want: accountWant(account) };
}

export function accountListTexts(account: "user" | "group"): KeyTexts {
  const id = account === "user" ? "uid" : "gid";
  return {
    kind: "array",
    want: `an array of ${account} names and ${id}s`,
    item: { kind: "string or integer", want: accountWant(account) },
  };
}

export function accountWant(account: "user" | "group"): string {
  const id = account === "user" ? "uid" : "gid";
  return `a ${account} name in a string, or a ${id} from 0 to ${ACCOUNT_ID_MAX}`;
}

export function flagKey(summary: string, byDefault: boolean) {
  return key(z.boolean().default(byDefault), summary, booleanTexts);
}

export function integerKey(summary: string, range: IntegerRange, byDefault: number) {
  return key(integerSchema(range).default(byDefault), summary, integerTexts(range));
}

export function optionalIntegerKey(summary: string, range: IntegerRange) {
  return key(integerSchema(range).optional(), summary, integerTexts(range));
}

export function wordKey<const W extends readonly [string, ...string[]]>(
  summary: string,
  byDefault: W[number],
  words: W,
) {
  const schema: z.ZodEnum<{ [P in W[number]]: P }> = z.enum(words);
  return key(schema.default(byDefault as never), summary, wordsTexts(words));
}

export function pathKey(summary: string, what: string) {
  return key(pathSchema.optional(), summary, { ...pathTexts(what) });
}

/** A file that holds a secret. */
export function secretPathKey(summary: string, what: string) {
  const schema = key(secretPathSchema.optional(), summary, { ...pathTexts(what) });
  SECRET_PATHS.add(schema);
  return schema;
}

const SECRET_PATHS = new WeakSet<z.ZodType>();

/** Whether a key with this schema names a secret file, and may name one of the credentials directory. */
export function isSecretPath(schema: z.ZodType): boolean {
  return SECRET_PATHS.has(schema);
}

type DurationSchema = ReturnType<typeof durationSchema>;
type MillisecondsKey<K extends string> = {
  [P in `${K}_ms`]: z.ZodOptional<ReturnType<typeof millisecondsSchema>>;
};

/** A duration and its alias in milliseconds. */
export function durationKeys<K extends string>(
  name: K,
  summary: string,
  byDefault: string,
  range: DurationRange,
): { [P in K]: z.ZodPrefault<DurationSchema> } & MillisecondsKey<K> {
  const duration = key(durationSchema(range).prefault(byDefault), summary, durationTexts(range));
  return { [name]: duration, ...millisecondsKey(name, summary, range) } as never;
}

export function optionalDurationKeys<K extends string>(
  name: K,
  summary: string,
  range: DurationRange,
): { [P in K]: z.ZodOptional<DurationSchema> } & MillisecondsKey<K> {
  const duration = key(durationSchema(range).optional(), summary, durationTexts(range));
  return { [name]: duration, ...millisecondsKey(name, summary, range) } as never;
}

function millisecondsKey(name: string, summary: string, range: DurationRange) {
  const schema = millisecondsSchema(range).optional();
  return { [`${name}_ms`]: key(schema, `${summary}, in milliseconds`, millisecondsTexts(range)) };
}
