// The long options that set configuration keys (spec 07 section 3): those of this program beside
// those of the Rust observer. How a value is written and what its default is come from the row of
// the key. No checks here; apply_options.ts holds each value against the form of its key.
import { parseDurationMs } from "./keys/duration.ts";
import { baseName, formOf, type Key, type Keys } from "./keys/key.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "./keys/listener_keys.ts";
import { TABLES } from "./keys/tables.ts";
import { LEGACY_OPTIONS, REMOVED_OPTIONS } from "./legacy_options.ts";
import { OPTION_GROUPS, type OptionRow, type OptionTarget, row, set } from "./option_row.ts";

/** How the text of an option becomes a value of its key. */
type OptionForm = "text" | "path" | "integer" | "seconds" | "flag" | "words" | "pair";

export interface ConfigOption extends OptionRow {
  /** The word for the value in help; undefined = a flag. */
  readonly value: string | undefined;
  readonly form: OptionForm;
}

// biome-ignore format: a table reads best with one row per option
const OWN_OPTIONS: readonly OptionRow[] = [
  row("Recovery", "dry-run", set("recovery", "dry_run"), "decide and log everything, start and signal nothing"),
  row("Log", "log-level", set("log", "level"), "debug, info, warn or error ({default})", "LEVEL"),
  row("Log", "log-format", set("log", "format"), "logfmt or json, errors of the start included ({default})", "FORMAT"),
];

/**
 * For each form of a key that is not plain text: how its options are written, and the word for the
 * value.
 */
const WRITTEN: Readonly<Record<string, readonly [form: OptionForm, value: string | undefined]>> = {
  flag: ["flag", undefined],
  path: ["path", "PATH"],
  integer: ["integer", "N"],
  milliseconds: ["integer", "MS"],
  mode: ["text", "MODE"],
  word: ["text", "NAME"],
  command: ["words", "COMMAND"],
  variables: ["pair", "KEY=VALUE"],
};

/** Of the options that take seconds, such as --shutdown-after-secs; keys have milliseconds. */
const SECONDS = "S";

export const CONFIG_OPTIONS: readonly ConfigOption[] = OPTION_GROUPS.flatMap((group) =>
  [...LEGACY_OPTIONS, ...OWN_OPTIONS].filter((option) => option.group === group).map(configOption),
);

/** What the command line needs to know of the options that set configuration keys. */
export interface OptionsOfConfig {
  readonly options: readonly ConfigOption[];
  /** What to do instead of each option that was removed. */
  readonly removed: ReadonlyMap<string, string>;
}

export const OPTIONS_OF_CONFIG: OptionsOfConfig = {
  options: CONFIG_OPTIONS,
  removed: REMOVED_OPTIONS,
};

function configOption(option: OptionRow): ConfigOption {
  const form = formOfOption(option);
  const [written, word] = WRITTEN[form?.name ?? "text"] ?? ["text", undefined];
  const value = option.value ?? word;
  return {
    ...option,
    value,
    form: value === SECONDS ? "seconds" : written,
    help: option.help.replace("{default}", () => defaultText(option)),
  };
}

/** The form of the key that an option sets; undefined = it sets none. */
export function formOfOption({ target }: OptionRow): Key["form"] | undefined {
  return target.to === "nothing" ? undefined : formOf(keysOf(target), target.key);
}

type KeyTarget = Exclude<OptionTarget, { readonly to: "nothing" }>;

/**
 * The keys among which the key of an option is; several kinds of listeners share it in one form.
 */
function keysOf(target: KeyTarget): Keys {
  if (target.to === "table") return TABLES[target.table];
  const kinds = target.to === "listeners" ? target.kinds : LISTENER_KINDS;
  return LISTENER_KEYS[kinds.find((kind) => formOf(LISTENER_KEYS[kind], target.key))!];
}

/** The default as the option would have it. */
function defaultText({ target }: OptionRow): string {
  if (target.to === "nothing") return "";
  const byDefault = String(keysOf(target)[baseName(target.key)]?.byDefault);
  return target.key.endsWith("_ms") ? String(parseDurationMs(byDefault)) : byDefault;
}
