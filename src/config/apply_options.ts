// Lays the options of the command line over the checked file (spec 07 section 3): option > file >
// default. Each value is held against the form of its key, so that limits and words are the same
// as in the file.
import { isUnixKind } from "./keys/listener_keys.ts";
import { resolve } from "node:path";
import {
  type CheckedDocument,
  type CheckedListener,
  emptyListener,
} from "./checks/check_document.ts";
import { DURATION_MS_MAX } from "./keys/duration.ts";
import type { Fault } from "./problems/fault.ts";
import { alternatives, quoted } from "./problems/found.ts";
import type { GivenOption } from "./load_result.ts";
import type { OptionTarget } from "./option_row.ts";
import { CONFIG_OPTIONS, type ConfigOption, formOfOption } from "./options.ts";
import { baseName, formOf, type Key } from "./keys/key.ts";
import { LISTENER_KEYS } from "./keys/listener_keys.ts";
import { CLAMPED_OPTIONS, OLDER_OPTIONS } from "./legacy_options.ts";

const KEY_FILE_OPTIONS = ["key-file", "accepted-key-file", "master-key-file"] as const;

interface AppliedOptions {
  /** Sentences about options that do nothing here. */
  readonly warnings: readonly string[];
}

interface Application {
  readonly document: CheckedDocument;
  readonly cwd: string;
  readonly faults: Fault[];
  readonly warnings: string[];
  /** The last occurrence of each option. */
  readonly last: ReadonlyMap<string, string>;
}

/** Changes `document`. `defaultSocketPath` is where a listener is made if there is none at all. */
export function applyOptions(
  document: CheckedDocument,
  given: readonly GivenOption[],
  context: { readonly cwd: string; readonly defaultSocketPath: string; readonly faults: Fault[] },
): AppliedOptions {
  const last = new Map(given.map(({ name, value }) => [name, value]));
  const application: Application = { document, ...context, warnings: [], last };
  replaceUnixListeners(application);
  replaceUdpListeners(application);
  if (document.listeners.length === 0) {
    const listener = emptyListener("unix", undefined);
    listener.values.path = context.defaultSocketPath;
    document.listeners.push(listener);
  }
  for (const option of CONFIG_OPTIONS) {
    const values = given.filter(({ name }) => name === option.name).map(({ value }) => value);
    if (values.length === 0 || option.target.to === "listener") continue;
    const successors = OLDER_OPTIONS.get(option.name);
    if (successors !== undefined)
      application.warnings.push(
        `--${option.name} is an older name: use ${alternatives(successors, "and")}`,
      );
    if (option.form === "pair") for (const value of values) applyOne(option, value, application);
    else applyOne(option, values[values.length - 1]!, application);
  }
  return { warnings: application.warnings };
}

function applyOne(option: ConfigOption, text: string, application: Application): void {
  const { target } = option;
  if (target.to === "nothing") {
    applyToNothing(option.name, text, target.accepts, application);
    return;
  }
  const value = checkedValue(option, text, formOfOption(option)!, application);
  if (value === undefined) return;
  if (target.to === "table") setTableKey(option, target, value, application);
  else if (target.to === "listeners") setListenerKeys(option.name, target, value, application);
}

type Target<To extends OptionTarget["to"]> = Extract<OptionTarget, { readonly to: To }>;

function setTableKey(
  option: ConfigOption,
  { table, key }: Target<"table">,
  value: unknown,
  { document }: Application,
): void {
  const name = baseName(key);
  const values: Record<string, unknown> = document.tables[table].values;
  values[name] =
    option.form === "pair" ? { ...(values[name] as object), ...(value as object) } : value;
  document.tables[table].wrong.delete(name);
  document.options.set(`${table}.${name}`, option.name);
}

function setListenerKeys(
  option: string,
  { kinds, key }: Target<"listeners">,
  value: unknown,
  { document, warnings }: Application,
): void {
  const listeners = document.listeners.filter(
    ({ kind }) => kind !== undefined && kinds.includes(kind),
  );
  for (const listener of listeners) setListenerKey(listener, key, value, option);
  if (listeners.length === 0) {
    const words = alternatives(kinds);
    warnings.push(`--${option} has no effect: there is no ${words} listener`);
  }
}

function setListenerKey(
  listener: CheckedListener,
  key: string,
  value: unknown,
  option: string,
): void {
  (listener.values as Record<string, unknown>)[key] = value;
  listener.wrong.delete(key);
  listener.options.set(key, option);
}

function applyToNothing(
  option: string,
  text: string,
  accepts: Target<"nothing">["accepts"],
  { faults, warnings }: Application,
): void {
  const [min, max] = accepts;
  let want: string | undefined;
  if (typeof min === "number" && typeof max === "number") {
    const fits = /^[0-9]+$/.test(text) && Number(text) >= min && Number(text) <= max;
    if (!fits) want = `an integer from ${min} to ${max}`;
  } else if (!(accepts as readonly string[]).includes(text)) {
    want = alternatives(accepts.map((word) => `"${word}"`));
  }
  if (want === undefined) warnings.push(`--${option} has no effect here`);
  else faults.push(optionFault(option, quoted(text), want));
}

function replaceUnixListeners(application: Application): void {
  const { document, last } = application;
  const text = last.get("socket");
  if (text === undefined) return;
  const listener = emptyListener("unix", "socket");
  setFromOption(listener, "path", "socket", text, application);
  document.listeners = [listener, ...document.listeners.filter(({ kind }) => kind !== "unix")];
}

function replaceUdpListeners(application: Application): void {
  const { document, last } = application;
  const port = last.get("udp-port");
  const address = last.get("udp-bind-addr");
  if (port === undefined) {
    if (address !== undefined) checkLoneAddress(address, application);
    return;
  }
  const secure = KEY_FILE_OPTIONS.some((name) => last.has(name));
  const listener = emptyListener(secure ? "secure-udp" : "udp", "udp-port");
  setFromOption(listener, "port", "udp-port", port, application);
  if (address !== undefined) {
    setFromOption(listener, "address", "udp-bind-addr", address, application);
  }
  const others = document.listeners.filter(({ kind }) => isUnixKind(kind) || kind === undefined);
  document.listeners = [...others, listener];
}

/**
 * An address without a port opens nothing: said, and no reason to stay down. A wrong one is a
 * mistake all the same.
 */
function checkLoneAddress(text: string, application: Application): void {
  const option = CONFIG_OPTIONS.find(({ name }) => name === "udp-bind-addr")!;
  const value = checkedValue(option, text, LISTENER_KEYS.udp.address.form, application);
  if (value === undefined) return;
  application.warnings.push("--udp-bind-addr has no effect: there is no --udp-port");
}

function setFromOption(
  listener: CheckedListener,
  key: string,
  name: string,
  text: string,
  application: Application,
): void {
  const option = CONFIG_OPTIONS.find((one) => one.name === name)!;
  const form = formOf(LISTENER_KEYS[listener.kind!], key)!;
  const value = checkedValue(option, text, form, application);
  if (value !== undefined) setListenerKey(listener, key, value, name);
  else {
    listener.wrong.add(key);
    delete (listener.values as Record<string, unknown>)[key];
  }
}

/** The value in internal units; undefined after a fault was reported. */
function checkedValue(
  option: ConfigOption,
  text: string,
  form: Key["form"],
  { cwd, faults, warnings }: Application,
): unknown {
  let raw = rawValue(option, text, cwd);
  const limit = CLAMPED_OPTIONS.get(option.name);
  if (limit !== undefined && isAbove(raw, limit)) {
    warnings.push(`--${option.name}: found ${text}; ${limit}, the most there is, is used instead`);
    raw = limit;
  }
  if (raw === undefined) {
    faults.push(optionFault(option.name, refusedText(option, text), wantOf(option, form.want)));
    return undefined;
  }
  const refused: Fault[] = [];
  const value = form.check(raw, [], refused);
  const [fault] = refused;
  if (fault === undefined) return value;
  const found = option.form === "seconds" ? text : fault.found;
  faults.push(optionFault(option.name, found, wantOf(option, fault.want)));
  return undefined;
}

function isAbove(value: unknown, limit: number): boolean {
  return (typeof value === "number" || typeof value === "bigint") && value > limit;
}

/** The value as it would stand in the file; undefined if the text has the wrong form. */
function rawValue(option: ConfigOption, text: string, cwd: string): unknown {
  switch (option.form) {
    case "text":
      return text;
    case "path":
      return text === "" ? text : resolve(cwd, text);
    case "integer":
      return integerOf(text, 1);
    case "seconds":
      return integerOf(text, 1_000);
    case "flag":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "words": {
      const words = text.split(/\s+/).filter((word) => word !== "");
      return words.length === 0 ? undefined : words;
    }
    case "pair": {
      const end = text.indexOf("=");
      return end === -1 ? undefined : { [text.slice(0, end)]: text.slice(end + 1) };
    }
  }
}

function integerOf(text: string, scale: number): number | bigint | undefined {
  if (!/^-?[0-9]+$/.test(text)) return undefined;
  const value = Number(text) * scale;
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** What was found, for a text of the wrong form. The value of a variable may be a secret. */
function refusedText(option: ConfigOption, text: string): string {
  return option.form === "pair" ? 'a text without "="' : quoted(text);
}

function wantOf(option: ConfigOption, want: string): string {
  if (option.form === "pair") return "KEY=VALUE, the KEY not empty";
  if (option.form === "words") return 'a command, such as "systemctl restart app"';
  if (option.form !== "seconds") return want;
  const min = option.name === "self-watchdog-secs" ? 1 : 0;
  return `an integer of seconds from ${min} to ${DURATION_MS_MAX / 1_000}`;
}

function optionFault(option: string, found: string, want: string): Fault {
  return { path: [], anchor: "value", found, want, option, onlyOptions: true };
}
