// varta-watch(8): commands and options from their tables, the rest from the template.
import type { Command, OwnOption } from "../../src/cli/command.ts";
import { COMMANDS, commandNamed, GLOBAL_OPTIONS } from "../../src/cli/commands.ts";
import { CONFIG_OPTIONS, type ConfigOption } from "../../src/config/options.ts";
import { argument, textLines } from "./mdoc.ts";
import { fillTemplate } from "./template.ts";

export function programPage(): string {
  return fillTemplate("varta-watch.8", {
    SYNOPSIS: COMMANDS.flatMap(synopsis).join("\n"),
    GLOBAL_OPTIONS: GLOBAL_OPTIONS.flatMap(ownItem).join("\n"),
    COMMANDS: COMMANDS.flatMap(commandSection).join("\n"),
    CONFIG_OPTIONS: configOptions().join("\n"),
    EXIT_STATUS: commandNamed("run").exits.map(exitItem).join("\n"),
    EXAMPLES: COMMANDS.flatMap(({ examples }) => examples)
      .map(([line, effect]) => `${textLines(sentence(effect))}\n.Dl ${argument(line)}`)
      .join("\n.Pp\n"),
  });
}

function synopsis({ name, operands, own, takesConfigOptions }: Command): string[] {
  const flags = own.map((option) => `.Op ${spelt(option, false)}`);
  const more = takesConfigOptions === true ? [".Op Ar OPTION ..."] : [];
  const command = name === "run" ? ".Op Cm run" : `.Cm ${name}`;
  const words = operands === undefined ? [] : [`.Ar ${argument(operands.usage)}`];
  return [".Nm", command, ...flags, ...more, ...words];
}

function commandSection(command: Command): string[] {
  const { name, summary, about, own, exits } = command;
  return [
    `.Ss ${name}`,
    textLines(sentence(summary)),
    textLines(about.join(" ")),
    ...(own.length > 0 ? [".Bl -tag -width Ds", ...own.flatMap(ownItem), ".El"] : []),
    ".Pp",
    "Exit status:",
    ".Bl -tag -width Ds -compact",
    ...exits.map(exitItem),
    ".El",
  ];
}

function ownItem(option: OwnOption): string[] {
  return [`.It ${spelt(option, true)}`, textLines(option.help)];
}

function configOptions(): string[] {
  const groups = Map.groupBy(CONFIG_OPTIONS, ({ group }) => group);
  return [...groups].flatMap(([group, members]) => [
    `.Ss ${group}`,
    ".Bl -tag -width Ds",
    ...members.flatMap((option) => [
      `.It ${spelt(option, false)}`,
      textLines(option.help),
      ...keyOf(option),
    ]),
    ".El",
  ]);
}

function keyOf({ target }: ConfigOption): string[] {
  switch (target.to) {
    case "nothing":
      return [];
    case "table":
      return [".br", `Sets\n.Ic ${target.table}.${target.key} .`];
    case "listeners":
      return [".br", `Sets\n.Ic ${target.key}\nof every ${target.kinds.join(" or ")} listener.`];
    case "listener":
      return [
        ".br",
        `Sets\n.Ic ${target.key}\nof one listener that takes the place of those in the file.`,
      ];
  }
}

type Spelt = Pick<OwnOption, "name"> & {
  readonly short?: string;
  readonly value?: string | undefined;
};

/** `Fl c Ar FILE , Fl -config Ar FILE`, or the long form alone. */
function spelt({ name, short, value }: Spelt, withShort: boolean): string {
  const operand = value === undefined ? "" : ` Ar ${argument(value)}`;
  const long = `Fl -${name}${operand}`;
  return withShort && short !== undefined ? `Fl ${short}${operand} , ${long}` : long;
}

function exitItem([code, meaning]: readonly [string, string]): string {
  return `.It ${code}\n${textLines(sentence(meaning))}`;
}

/** Table texts begin small and end open; a page has sentences. */
function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended[0]!.toUpperCase() + ended.slice(1);
}
