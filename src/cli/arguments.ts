// argv becomes an Invocation, or all usage problems at once (spec 07 section 3): `--opt value` and
// `--opt=value`, flags bare or with =true|false, the last occurrence of a scalar wins. Values of
// configuration options are only collected here; config/ holds them against the form of their key.
import { parseDurationMs } from "../config/keys/duration.ts";
import { alternatives, quoted } from "../config/problems/found.ts";
import type { GivenOption, Problem } from "../config/load_result.ts";
import type { ConfigOption, OptionsOfConfig } from "../config/options.ts";
import { nearest } from "../config/problems/suggestion.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { OwnOption } from "./command.ts";
import {
  COMMANDS,
  type CommandName,
  commandNamed,
  findCommand,
  GLOBAL_OPTIONS,
  type KnownCommand,
} from "./commands.ts";
import type { Invocation } from "./invocation.ts";

export interface ParsedArguments {
  readonly command: KnownCommand;
  /** Usable only if there are no problems. */
  readonly invocation: Invocation;
  readonly problems: readonly Problem[];
}

const NO_OPTIONS: OptionsOfConfig = { options: [], removed: new Map() };

/** Neither a command nor an option that says what to do. */
export function isBare(argv: readonly string[]): boolean {
  return argv.every((word) => word === "--no-color");
}

/**
 * Whether the options of configuration keys may be among `argv`. They come from the rows of all
 * keys, which `beat` and `version` need not load.
 */
export function mayHaveConfigOptions([first]: readonly string[]): boolean {
  const command = first === undefined ? undefined : findCommand(first);
  return command === undefined || command.takesConfigOptions === true;
}

/**
 * `argv` without the program itself. `--help` and `--version` win over everything else. `config` is
 * wanted where `mayHaveConfigOptions()`.
 */
export function parseArguments(
  argv: readonly string[],
  config: OptionsOfConfig = NO_OPTIONS,
): ParsedArguments {
  const [first] = argv;
  const named = first === undefined || first.startsWith("-") ? undefined : first;
  if (named === undefined) return parseFor(commandNamed("run"), argv, config, true);
  const command = findCommand(named);
  if (command !== undefined) return parseFor(command, argv.slice(1), config, false);
  const parsed = parseFor(commandNamed("run"), argv.slice(1), config, false);
  if (["help", "version"].includes(parsed.command.name)) return parsed;
  return { ...parsed, problems: [unknownCommand(named), ...parsed.problems] };
}

function parseFor(
  command: KnownCommand,
  words: readonly string[],
  config: OptionsOfConfig,
  mayBeNamed: boolean,
): ParsedArguments {
  const parser = new Parser(command, words, config, mayBeNamed);
  parser.parse();
  if (parser.renamed !== undefined) return parser.renamed;
  return parser.parsed();
}

class Parser {
  readonly problems: Problem[] = [];
  /** Set if the command was named after its options, as in `varta-watch -c F check`. */
  renamed: ParsedArguments | undefined;
  readonly #command: KnownCommand;
  readonly #words: readonly string[];
  readonly #config: OptionsOfConfig;
  readonly #mayBeNamed: boolean;
  readonly #given: GivenOption[] = [];
  readonly #own = new Map<string, string | number | boolean>();
  readonly #operands: string[] = [];
  #index = 0;
  /** The next word is likely the value of an option that is unknown: one report is enough. */
  #afterUnknown = false;

  constructor(
    command: KnownCommand,
    words: readonly string[],
    config: OptionsOfConfig,
    mayBeNamed: boolean,
  ) {
    this.#command = command;
    this.#words = words;
    this.#config = command.takesConfigOptions === true ? config : NO_OPTIONS;
    this.#mayBeNamed = mayBeNamed;
  }

  parse(): void {
    while (this.#index < this.#words.length && this.renamed === undefined) {
      const word = this.#words[this.#index++]!;
      const likelyValue = this.#afterUnknown;
      this.#afterUnknown = false;
      if (word === "--") {
        for (const operand of this.#words.slice(this.#index)) this.#operand(operand);
        return;
      }
      if (word.startsWith("--")) this.#long(word.slice(2));
      else if (word.startsWith("-") && word !== "-") this.#short(word);
      else if (!likelyValue || findCommand(word) !== undefined) this.#operand(word);
    }
  }

  parsed(): ParsedArguments {
    const own = this.#own;
    if (own.get("help") === true) {
      const operands = this.#command.name === "run" ? [] : [this.#command.name];
      return this.#instead("help", operands);
    }
    if (own.get("version") === true) return this.#instead("version", []);
    return {
      command: own.get("check") === true ? commandNamed("check") : this.#command,
      invocation: this.#invocation(this.#given, this.#operands),
      problems: this.problems,
    };
  }

  /** Another command, whatever else is on the command line. */
  #instead(name: CommandName, operands: readonly string[]): ParsedArguments {
    const invocation = this.#invocation([], operands);
    return { command: commandNamed(name), invocation, problems: [] };
  }

  #invocation(given: readonly GivenOption[], operands: readonly string[]): Invocation {
    const config = this.#own.get("config");
    const configFile = typeof config === "string" ? config : undefined;
    return { configFile, given, own: this.#own, operands };
  }

  #operand(word: string): void {
    if (this.#mayBeNamed && this.#command.name === "run") {
      const command = findCommand(word);
      const rest = this.#words.filter((_, index) => index !== this.#index - 1);
      if (command !== undefined) this.renamed = parseFor(command, rest, this.#config, false);
      else this.problems.push(unknownCommand(word));
    } else if (this.#operands.length < (this.#command.operands?.max ?? 0))
      this.#operands.push(word);
    else this.#problem("", `the word ${quoted(word)}`, "no further words, only options");
  }

  #long(text: string): void {
    const end = text.indexOf("=");
    const name = end === -1 ? text : text.slice(0, end);
    const value = end === -1 ? undefined : text.slice(end + 1);
    const own = this.#findOwn(name);
    const config = this.#findConfig(name);
    if (own !== undefined) this.#setOwn(own, value);
    else if (config !== undefined) this.#collect(config, value);
    else {
      this.#unknown(name);
      this.#afterUnknown = value === undefined;
    }
  }

  /** -c FILE, -cFILE and flags. */
  #short(word: string): void {
    const option = this.#allOwn().find(({ short }) => short === word[1]);
    const rest = word.slice(2);
    if (option === undefined || (rest !== "" && option.value === undefined)) {
      const name = word.slice(1);
      const known = this.#findOwn(name) !== undefined || this.#findConfig(name) !== undefined;
      const suggestion = known ? `; did you mean "--${name}"?` : "";
      this.problems.push(
        problem(word, `found an unknown option; want ${this.#wanted()}${suggestion}`),
      );
    } else this.#setOwn(option, rest === "" ? undefined : rest);
  }

  #allOwn(): readonly OwnOption[] {
    return [...this.#command.own, ...GLOBAL_OPTIONS];
  }

  #findOwn(name: string): OwnOption | undefined {
    return this.#allOwn().find((option) => option.name === name || option.alias === name);
  }

  #findConfig(name: string): ConfigOption | undefined {
    return this.#config.options.find((option) => option.name === name);
  }

  #collect(option: ConfigOption, inline: string | undefined): void {
    if (option.value === undefined) {
      this.#given.push({ name: option.name, value: inline ?? "true" });
      return;
    }
    const value = inline ?? this.#nextValue(option.name, option.value);
    if (value !== undefined) this.#given.push({ name: option.name, value });
  }

  #setOwn(option: OwnOption, inline: string | undefined): void {
    if (option.value === undefined) {
      const text = inline ?? "true";
      if (text === "true" || text === "false") this.#own.set(option.name, text === "true");
      else this.#problem(option.name, quoted(text), "true or false");
      return;
    }
    const text = inline ?? this.#nextValue(option.name, option.value);
    if (text === undefined) return;
    const value = ownValue(option, text);
    if (value !== undefined) this.#own.set(option.name, value);
    else this.#problem(option.name, quoted(text), ownWant(option));
  }

  /** The next word, unless it is an option itself. */
  #nextValue(name: string, placeholder: string): string | undefined {
    const next = this.#words[this.#index];
    const isOption =
      next?.startsWith("--") || this.#allOwn().some(({ short }) => next === `-${short}`);
    if (next !== undefined && !isOption) {
      this.#index++;
      return next;
    }
    this.#problem(name, "no value", `--${name} ${placeholder}`);
    return undefined;
  }

  #unknown(name: string): void {
    const removed = this.#config.removed.get(name);
    if (removed !== undefined) {
      this.#problem(name, "an option that was removed", removed);
      return;
    }
    const known = [...this.#allOwn(), ...this.#config.options].map((option) => option.name);
    const near = nearest(name, known);
    const suggestion = near === undefined ? "" : `; did you mean "--${near}"?`;
    this.#problem(name, "an unknown option", `${this.#wanted()}${suggestion}`);
  }

  #wanted(): string {
    return `an option that "varta-watch help ${this.#command.name}" lists`;
  }

  #problem(name: string, found: string, want: string): void {
    this.problems.push(problem(name === "" ? "" : `--${name}`, `found ${found}; want ${want}`));
  }
}

function ownValue({ form }: OwnOption, text: string): string | number | undefined {
  switch (form.is) {
    case "flag":
    case "text":
      return text === "" ? undefined : text;
    case "word":
      return form.words.includes(text) ? text : undefined;
    case "integer": {
      const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
      return value >= form.min && value <= form.max ? value : undefined;
    }
    case "duration": {
      const ms = parseDurationMs(text);
      return typeof ms === "number" ? ms * NS_PER_MS : undefined;
    }
  }
}

function ownWant({ form, value }: OwnOption): string {
  if (form.is === "word") return alternatives(form.words.map((word) => `"${word}"`));
  if (form.is === "integer") return `an integer from ${form.min} to ${form.max}`;
  if (form.is === "duration") return 'a duration such as "500ms", "5s" or "10m"';
  return `${value ?? "a value"} that is not empty`;
}

export function unknownCommand(word: string): Problem {
  const names = COMMANDS.map((command) => command.name);
  const near = nearest(word, names);
  const suggestion = near === undefined ? "" : `; did you mean "${near}"?`;
  const want = `a command: ${alternatives(names)}${suggestion}`;
  return problem("", `found the word ${quoted(word)}; want ${want}`);
}

function problem(key: string, text: string): Problem {
  return { source: "command line", line: undefined, column: undefined, key, where: key, text };
}
