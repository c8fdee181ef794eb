// `varta-watch completions SHELL`: the completion script of a shell. What can be completed is
// gathered here from the command table, the options and the keys of the configuration; the files
// beside this one only put it into the words of their shell, so a new command or option completes
// without a line written for it.
import { alternatives, quoted } from "../config/problems/found.ts";
import { CONFIG_OPTIONS, type ConfigOption, formOfOption } from "../config/options.ts";
import { bashScript } from "./bash_completion.ts";
import type { Operands, OwnOption } from "./command.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
import {
  type Completable,
  type CompletedCommand,
  type CompletedOption,
  isShell,
  SHELLS,
  type Shell,
} from "./completable.ts";
import { fishScript } from "./fish_completion.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { zshScript } from "./zsh_completion.ts";

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const EXIT_USAGE = 64;
const NOTHING: Completable = { is: "nothing" };
const FILE: Completable = { is: "file" };
const AGENT: Completable = { is: "agent" };

export async function run(invocation: Invocation): Promise<number> {
  if (ownFlag(invocation, "names")) {
    const { printAgentNames } = await import("./agent_names.ts");
    printAgentNames(invocation);
    return 0;
  }
  const [shell] = invocation.operands;
  const script = shell === undefined ? undefined : completionScript(shell);
  if (script === undefined) {
    const found = shell === undefined ? "no shell" : `the shell ${quoted(shell)}`;
    printError(`found ${found}; want ${alternatives(SHELLS)}`);
    printHint('"varta-watch help completions" shows how the script is used');
    return EXIT_USAGE;
  }
  print(script);
  return 0;
}

/** The script of `shell`, or undefined for an unknown shell. */
export function completionScript(shell: string): string | undefined {
  return isShell(shell) ? SCRIPTS[shell](completedCommands()) : undefined;
}

function completedCommands(): readonly CompletedCommand[] {
  return COMMANDS.map((command) => ({
    name: command.name,
    summary: command.summary,
    options: [
      ...command.own.map(fromOwn),
      ...GLOBAL_OPTIONS.map(fromOwn),
      ...(command.takesConfigOptions === true ? CONFIG_OPTIONS.map(fromConfig) : []),
    ],
    ...operandsOf(command.operands),
  }));
}

function operandsOf(
  operands: Operands | undefined,
): Pick<CompletedCommand, "firstOperand" | "nextOperand"> {
  const usage = operands?.usage ?? "";
  const nextOperand = usage.includes("FILE") ? FILE : NOTHING;
  const first = operands?.first;
  const words = first === "commands" ? COMMANDS.map(({ name }) => name) : first;
  if (words !== undefined) return { firstOperand: { is: "words", words }, nextOperand };
  return { firstOperand: usage.includes("AGENT") ? AGENT : nextOperand, nextOperand };
}

function fromOwn({ name, short, help, value, form }: OwnOption): CompletedOption {
  const may = form.is === "word" ? { is: "words" as const, words: form.words } : byName(value);
  return {
    name,
    short,
    help,
    repeats: false,
    value: value === undefined ? value : { name: value, may },
  };
}

function fromConfig(option: ConfigOption): CompletedOption {
  const { name, help, value, form } = option;
  const words = wordsOf(option);
  const may: Completable = words === undefined ? byName(value) : { is: "words", words };
  return {
    name,
    short: undefined,
    help,
    repeats: form === "pair",
    value: value === undefined ? undefined : { name: value, may },
  };
}

function byName(value = ""): Completable {
  if (value === "AGENT") return AGENT;
  return ["FILE", "PATH", "SOCKET"].includes(value) ? FILE : NOTHING;
}

/** The words that the key of an option takes, if they are a fixed set. */
function wordsOf(option: ConfigOption): readonly string[] | undefined {
  const { target } = option;
  if (target.to === "nothing") {
    const words = target.accepts.filter((word) => typeof word === "string");
    return words.length > 0 ? words : undefined;
  }
  return formOfOption(option)?.words;
}
