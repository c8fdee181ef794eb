// A line of the control socket, and the query of an HTTP request, as a request with checked
// arguments (spec 16 section 3). Nothing that comes in throws here.
import { durationText } from "../base/duration_text.ts";
import { parseDurationMs } from "../config/keys/duration.ts";
import { didYouMean } from "../config/problems/suggestion.ts";
import { type Argument, type Arguments, PROTOCOL, type Refusal, type Request } from "./request.ts";

type ParsedRequest =
  | { readonly request: Request; readonly args: Arguments }
  | { readonly refusal: Refusal };

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Longest piece of a line that an error repeats. */
const SHOWN_CHARS_MAX = 64;

/** `bytes` are a line without its end. */
export function parseRequestLine(bytes: Uint8Array, table: readonly Request[]): ParsedRequest {
  const object = objectOf(bytes);
  if (object === undefined)
    return refused("bad_line", 'want one JSON object per line, such as {"v":1,"do":"status"}');
  const { v: version, do: name, ...fields } = object;
  if (version !== PROTOCOL) {
    const found = version === undefined ? "no v" : `v ${shown(version)}`;
    return refused("bad_version", `found ${found}; this daemon speaks ${PROTOCOL}`);
  }
  if (typeof name !== "string") {
    const found = name === undefined ? "no do" : `do ${shown(name)}`;
    return refused("unknown_request", `found ${found}; want the name of a request`);
  }
  return checkedRequest(name, fields, table);
}

/** A request by HTTP: every value of a query is a text. */
export function parseRequestQuery(
  name: string,
  query: URLSearchParams,
  table: readonly Request[],
): ParsedRequest {
  const request = table.find((one) => one.name === name);
  const fields: Record<string, unknown> = Object.create(null);
  for (const [field, text] of query) fields[field] = queryValue(request?.args[field], text);
  return checkedRequest(name, fields, table);
}

function objectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function checkedRequest(
  name: string,
  fields: Readonly<Record<string, unknown>>,
  table: readonly Request[],
): ParsedRequest {
  const request = table.find((one) => one.name === name);
  if (request === undefined) {
    const names = table.map((one) => one.name);
    const text = `no request is called ${shown(name)}`;
    return refused("unknown_request", text, didYouMean(name, names));
  }
  const args = new Map<string, string | number | boolean>();
  for (const [field, value] of Object.entries(fields)) {
    const argument = Object.hasOwn(request.args, field) ? request.args[field] : undefined;
    if (argument === undefined) {
      const hint = didYouMean(field, Object.keys(request.args));
      return refused("unknown_field", `${name} has no field ${shown(field)}`, hint);
    }
    const checked = checkedValue(argument, value);
    if (checked === undefined)
      return refused("bad_field", `${field}: found ${shown(value)}; want ${wanted(argument)}`);
    args.set(field, checked);
  }
  for (const [field, argument] of Object.entries(request.args))
    if (argument.required === true && !args.has(field))
      return refused("bad_field", `${name} needs ${field}; want ${wanted(argument)}`);
  return { request, args };
}

function checkedValue(argument: Argument, value: unknown): string | number | boolean | undefined {
  switch (argument.is) {
    case "flag":
      return typeof value === "boolean" ? value : undefined;
    case "text": {
      if (typeof value !== "string" || value === "") return undefined;
      return value.length <= argument.charsMax ? value : undefined;
    }
    case "integer": {
      if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
      return value >= argument.min && value <= argument.max ? value : undefined;
    }
    case "word":
      return argument.words.find((word) => word === value);
    case "duration": {
      const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
      return typeof ms === "number" && ms > 0 && ms <= argument.msMax ? ms : undefined;
    }
    case "words": {
      if (typeof value !== "string") return undefined;
      return value.split(",").every((word) => argument.words.includes(word)) ? value : undefined;
    }
  }
}

/** What the JSON of a line would have for it. */
function queryValue(argument: Argument | undefined, text: string): unknown {
  if (argument?.is === "flag" && (text === "" || text === "true")) return true;
  if (argument?.is === "integer" && /^-?[0-9]{1,15}$/.test(text)) return Number(text);
  return text;
}

export function wanted(argument: Argument): string {
  switch (argument.is) {
    case "flag":
      return "true or false";
    case "text":
      return `a text of 1 to ${argument.charsMax} characters`;
    case "integer":
      return `an integer from ${argument.min} to ${argument.max}`;
    case "word":
      return argument.words.map((word) => `"${word}"`).join(" or ");
    case "duration":
      return `a duration such as "30m", at most ${durationText(argument.msMax)}`;
    case "words":
      return `some of ${argument.words.join(", ")}, with commas in between`;
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}...`;
}

function refused(error: Refusal["error"], text: string, hint?: string): ParsedRequest {
  return { refusal: { error, text, hint } };
}

const SPACES: readonly number[] = [0x20, 0x09, 0x0d];

/** It is no request, and nothing is wrong with it. */
export function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => SPACES.includes(byte));
}
