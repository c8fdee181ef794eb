// The forms that keys have: numbers, durations, words, paths, modes, accounts, lists (spec 07
// section 1).
import { SOCKET_PATH_BYTES_MAX } from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { alternatives, modeText, quoted } from "../problems/found.ts";
import { durationText, durationTextFromNs } from "../../base/duration_text.ts";
import { DURATION_MS_MAX, DURATION_PATTERN, parseDurationMs } from "./duration.ts";
import { type Form, type Item, type Remark, type SecretContent, scalar } from "./form.ts";

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

interface IntegerRange extends Range {
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

interface DurationRange extends Range {
  readonly minMs: number;
  readonly maxMs?: number;
}

/** A duration of the file, in nanoseconds. `milliseconds` is the form of its second spelling. */
interface DurationForm extends Form<number> {
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
  return pathForm("path", what, PATH, SOCKET_PATH_BYTES_MAX);
}

/**
 * What the service manager replaces in its own files, and the configuration in the paths of secret
 * files.
 */
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
