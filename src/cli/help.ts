// `varta-watch help [COMMAND]`: the first page of the product, made from the command table so that
// it cannot lie about an option. At most 100 columns wide, on stdout.
import { problemsText } from "../config/problems/render.ts";
import { CONFIG_OPTIONS } from "../config/options.ts";
import { unknownCommand } from "./arguments.ts";
import type { Command, OwnOption } from "./command.ts";
import { COMMANDS, commandNamed, findCommand, GLOBAL_OPTIONS } from "./commands.ts";
import type { Invocation } from "./invocation.ts";
import { print, printDiagnostics } from "./output.ts";

/** Column at which the explanation of a row begins. */
const EXPLANATION_COLUMN = 34;

export async function run(invocation: Invocation): Promise<number> {
  const [name] = invocation.operands;
  if (name === undefined) {
    print(overviewText());
    return 0;
  }
  const command = findCommand(name);
  if (command === undefined) {
    printDiagnostics(problemsText([unknownCommand(name)]));
    return 64;
  }
  print(commandText(command));
  return 0;
}

/** The screen of `varta-watch --help`. */
export function overviewText(): string {
  const daemon = commandNamed("run");
  return sections([
    ["varta-watch hears the heartbeats of processes, says who fell silent, and recovers them."],
    ["Usage:", "  varta-watch run [-c FILE] [OPTION...]", "  varta-watch COMMAND [OPTION...]"],
    ["Commands:", ...COMMANDS.map(({ name, summary }) => row(`  ${name}`, summary))],
    [
      "Options:",
      ...[...daemon.own, ...GLOBAL_OPTIONS].map(optionRow),
      row(
        "      --socket, --threshold-ms, ...",
        `${CONFIG_OPTIONS.length} options that set configuration keys:`,
      ),
      row("", '"varta-watch help run" lists them all'),
    ],
    ["Examples:", ...daemon.examples.flatMap(exampleRows)],
    exitRows(daemon),
    ["varta.toml.example explains every key of the configuration file."],
  ]);
}

/** The screen of `varta-watch help COMMAND`. */
export function commandText(command: Command): string {
  const operands = command.operands === undefined ? "" : ` ${command.operands.usage}`;
  const name = command.name === "run" ? "[run]" : command.name;
  const hasOptions = command.own.length > 0 || command.takesConfigOptions === true;
  return sections([
    [`Usage: varta-watch ${name}${operands}${hasOptions ? " [OPTION...]" : ""}`],
    command.about,
    ["Options:", ...[...command.own, ...GLOBAL_OPTIONS].map(optionRow)],
    ...(command.takesConfigOptions ? configOptionSections() : []),
    command.examples.length === 0 ? [] : ["Examples:", ...command.examples.flatMap(exampleRows)],
    exitRows(command),
  ]);
}

function configOptionSections(): string[][] {
  const groups = [...new Set(CONFIG_OPTIONS.map((option) => option.group))];
  const intro = [
    "The options below set keys of the configuration and win over the file.",
    "Defaults are in parentheses. A flag may be written --flag=true or --flag=false.",
  ];
  const parts = groups.map((group) => {
    const members = CONFIG_OPTIONS.filter((option) => option.group === group);
    return [`${group}:`, ...members.map((option) => row(`      ${long(option)}`, option.help))];
  });
  return [intro, ...parts];
}

function optionRow(option: OwnOption): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  return row(`  ${short}${long(option)}`, option.help);
}

function long(option: { readonly name: string; readonly value?: string | undefined }): string {
  return option.value === undefined ? `--${option.name}` : `--${option.name} ${option.value}`;
}

function exampleRows([line, effect]: readonly [string, string]): string[] {
  return [`  ${line}`, `      ${effect}`];
}

function exitRows({ exits }: Command): string[] {
  return ["Exit codes:", ...exits.map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`)];
}

/** A term and its explanation, on two lines if the term is long. */
function row(term: string, explanation: string): string {
  const indent = " ".repeat(EXPLANATION_COLUMN);
  if (term.length > EXPLANATION_COLUMN - 2) return `${term}\n${indent}${explanation}`;
  return `${term.padEnd(EXPLANATION_COLUMN)}${explanation}`;
}

function sections(parts: readonly (readonly string[])[]): string {
  const texts = parts.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"));
  return `${texts.join("\n\n")}\n`;
}
