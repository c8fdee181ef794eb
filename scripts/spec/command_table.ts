// The table of commands in the specification, between two lines of its page that say where it
// begins and ends.
import type { Command, OwnOption } from "../../src/cli/command.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../../src/cli/commands.ts";

export const PAGE = "docs/spec/07-config.md";

const BEGIN = '<!-- commands: "npm run commands" writes this table -->';
const END = "<!-- end of commands -->";

/** `page` with the table of today; throws if it has no place for it. */
export function withCommandTable(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no lines ${BEGIN} and ${END}`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${table()}\n\n${page.slice(end)}`;
}

function table(): string {
  return [
    "| command | own options | what it does |",
    "|---|---|---|",
    ...COMMANDS.map((command) => row(usage(command), command.own, command.summary)),
    row("every command", GLOBAL_OPTIONS, "print help, print the version; without colours"),
  ].join("\n");
}

function row(name: string, options: readonly OwnOption[], meaning: string): string {
  return `| ${name} | ${options.map(spelt).join(", ")} | ${meaning} |`;
}

function usage({ name, operands }: Command): string {
  const command = name === "run" ? "varta-watch [run]" : `varta-watch ${name}`;
  const forms = operands?.usage.split(" | ") ?? [""];
  return forms.map((form) => `\`${`${command} ${form}`.trim()}\``).join(", ");
}

function spelt({ name, short, alias, value }: OwnOption): string {
  const long = value === undefined ? `\`--${name}\`` : `\`--${name} ${value}\``;
  const others = [short && `\`-${short}\``, alias && `\`--${alias}\``].filter(Boolean);
  return others.length === 0 ? long : `${long} (${others.join(", ")})`;
}
