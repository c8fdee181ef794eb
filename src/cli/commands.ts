// All commands, in the order of the help screen. A new command is a row in one of the files in
// entries/, and the file that the row loads.
import { type Command, FLAG, type OwnOption } from "./command.ts";
import { ACTS_COMMANDS } from "./entries/acts.ts";
import { BEATS_COMMANDS } from "./entries/beats.ts";
import { CONTROL_COMMANDS } from "./entries/control.ts";
import { DAEMON_COMMANDS } from "./entries/daemon.ts";
import { PROGRAM_COMMANDS } from "./entries/program.ts";
import { RECORDS_COMMANDS } from "./entries/records.ts";

const ALL = [
  ...DAEMON_COMMANDS,
  ...CONTROL_COMMANDS,
  ...ACTS_COMMANDS,
  ...BEATS_COMMANDS,
  ...RECORDS_COMMANDS,
  ...PROGRAM_COMMANDS,
];

export type CommandName = (typeof ALL)[number]["name"];
export type KnownCommand = Command<CommandName>;

export const COMMANDS: readonly KnownCommand[] = ALL;

/** Understood by every command. */
export const GLOBAL_OPTIONS: readonly OwnOption[] = [
  { name: "help", short: "h", form: FLAG, help: "print help and exit" },
  { name: "version", short: "V", form: FLAG, help: "print the version and exit" },
  { name: "no-color", form: FLAG, help: "no colours, also on a terminal" },
];

export function findCommand(name: string): KnownCommand | undefined {
  return COMMANDS.find((command) => command.name === name);
}

export function commandNamed(name: CommandName): KnownCommand {
  return findCommand(name)!;
}
