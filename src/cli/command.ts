// What the program knows of a command: the row that the parser, the help screens, the completions,
// the man page and the specification are made from (spec 07 section 3). A row loads the code of its
// command only when the command is run.
import type { RunCommand } from "./invocation.ts";

export interface Command<Name extends string = string> {
  readonly name: Name;
  readonly summary: string;
  /** Undefined = only options follow the name. */
  readonly operands?: Operands;
  /** Sentences below the usage line, one per line of at most 78 columns. */
  readonly about: readonly string[];
  readonly own: readonly OwnOption[];
  /** Whether the options that set configuration keys belong to it, too. */
  readonly takesConfigOptions?: true;
  /** Command line, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  readonly exits: readonly (readonly [string, string])[];
  readonly load: () => Promise<{ readonly run: RunCommand }>;
}

/** Positional words. A usage that says FILE takes files. */
export interface Operands {
  /** As the usage line shows them. */
  readonly usage: string;
  readonly max: number;
  /** What the first may be, if it is one of a few words. */
  readonly first?: readonly string[] | "commands";
}

export interface OwnOption {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Another long name, understood and not shown. */
  readonly alias?: string;
  /** The word for the value in help; undefined = a flag. */
  readonly value?: string;
  readonly form: OwnForm;
  readonly help: string;
}

type OwnForm =
  | { readonly is: "flag" | "text" | "duration" }
  | { readonly is: "integer"; readonly min: number; readonly max: number }
  | { readonly is: "word"; readonly words: readonly string[] };

export const FLAG: OwnForm = { is: "flag" };
export const TEXT: OwnForm = { is: "text" };
/** Of each command that reads the configuration. */
export const CONFIG_OPTION: OwnOption = {
  name: "config",
  short: "c",
  value: "FILE",
  form: TEXT,
  help: "configuration file (/etc/varta/varta.toml, if it exists)",
};
/** Of each command that asks the daemon. */
export const CONTROL_OPTION: OwnOption = {
  name: "control",
  value: "SOCKET",
  form: TEXT,
  help: "control socket of the daemon (the default path)",
};
/** Of commands that print what the daemon answers. */
export const JSON_OPTION: OwnOption = {
  name: "json",
  form: FLAG,
  help: "print the answer of the daemon as it is",
};
export const PLAIN_OPTION: OwnOption = {
  name: "plain",
  form: FLAG,
  help: "what a pipe gets: whole numbers, no space in a cell",
};
export const HUMAN_OPTION: OwnOption = {
  name: "human",
  form: FLAG,
  help: "what a terminal gets, also in a pipe",
};
export const ASCII_OPTION: OwnOption = {
  name: "ascii",
  form: FLAG,
  help: "no signs but those of ASCII",
};
export const UTC_OPTION: OwnOption = { name: "utc", form: FLAG, help: "all times in UTC" };
export const U32_MAX = 4_294_967_295;

/**
 * Keeps the name of a row as a type of its own: the names of all commands are a type without being
 * listed again.
 */
export function command<const Name extends string>(row: Command<Name>): Command<Name> {
  return row;
}
