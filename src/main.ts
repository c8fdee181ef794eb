#!/usr/bin/env bun
// argv -> command -> exit code. The only file whose import starts something. Each command is loaded
// when it is asked for, so that `beat` and `version` do not pay for the daemon.
import {
  isBare,
  mayHaveConfigOptions,
  type ParsedArguments,
  parseArguments,
} from "./cli/arguments.ts";
import { refuseColour } from "./cli/colour.ts";
import type { KnownCommand } from "./cli/commands.ts";
import { ownFlag } from "./cli/invocation.ts";
import { READ_NEXT_CONFIG } from "./cli/self_command.ts";
import {
  diagnosticLines,
  errorLine,
  hintLine,
  print,
  printBriefly,
  printLines,
} from "./cli/output.ts";
import { escapeUnprintable } from "./base/unprintable.ts";
import type { LogFormat } from "./config/config.ts";
import type { Problem } from "./config/load_result.ts";
import { problemsText } from "./config/problems/render.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;

process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  await setUpProcess();
  if (argv[0] === READ_NEXT_CONFIG) {
    const { answerNext } = await import("./cli/next_config.ts");
    return await answerNext();
  }
  const parsed = await parse(argv);
  if (ownFlag(parsed.invocation, "no-color")) refuseColour();
  const problems = [...parsed.problems, ...(await valueProblems(parsed))];
  if (problems.length > 0) return await refuse(parsed, problems);
  try {
    const { run } = await parsed.command.load();
    return await run(parsed.invocation);
  } catch (error) {
    await diagnose(parsed.command, await faultText(parsed, error));
    return EXIT_FAILURE;
  }
}

async function parse(argv: readonly string[]): Promise<ParsedArguments> {
  // Who types the name alone wants to know what it can do, and not to watch a host. What starts it
  // without a terminal, such as a supervisor, means the daemon as ever.
  if (isBare(argv) && process.stdout.isTTY === true) return parseArguments(["help", ...argv]);
  if (!mayHaveConfigOptions(argv)) return parseArguments(argv);
  const { OPTIONS_OF_CONFIG } = await import("./config/options.ts");
  return parseArguments(argv, OPTIONS_OF_CONFIG);
}

// Where the C library cannot be called, whatever needs it says so itself: `version` and `help` do
// not.
async function setUpProcess(): Promise<void> {
  try {
    const inherited = await import("../ffi/inherited.ts");
    inherited.setUpProcess();
  } catch (error) {
    if (!isPlatformError(error)) throw error;
  }
}

async function faultText(parsed: ParsedArguments, error: unknown): Promise<string> {
  if (isPlatformError(error)) {
    const format = chosenFormat(parsed);
    if (format === undefined) return errorLine(error.message) + hintLine(error.hint);
    const { faultReport } = await import("./cli/start_failure.ts");
    return faultReport(error.message, error.hint, format);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const hint = "this is a bug in varta-watch, not in its configuration: report it";
  return errorLine(text) + hintLine(hint);
}

// The daemon never waits for a reader; other commands do, so that a pager gets all of it.
async function diagnose(command: KnownCommand, text: string): Promise<void> {
  if (command.name === "run") await printBriefly(text);
  else printLines(text);
}

// The class itself cannot be imported here: the module that has it is the one that could not be
// loaded.
function isPlatformError(error: unknown): error is Error & { readonly hint: string } {
  return error instanceof Error && error.name === "PlatformError" && "hint" in error;
}

/** Wrong values of configuration options, to be reported together with the other usage errors. */
async function valueProblems({ invocation }: ParsedArguments): Promise<readonly Problem[]> {
  if (invocation.given.length === 0) return [];
  const { optionProblems, systemHost } = await import("./config/load.ts");
  return optionProblems(invocation.given, systemHost());
}

async function refuse(parsed: ParsedArguments, problems: readonly Problem[]): Promise<number> {
  const { command, invocation } = parsed;
  if (ownFlag(invocation, "json")) {
    const json = JSON.stringify({ ok: false, exit_code: EXIT_USAGE, problems });
    print(`${escapeUnprintable(json)}\n`);
    return EXIT_USAGE;
  }
  const format = chosenFormat(parsed);
  if (format !== undefined) {
    const { problemsReport } = await import("./cli/start_failure.ts");
    await diagnose(command, problemsReport(problems, EXIT_USAGE, format));
    return EXIT_USAGE;
  }
  const topic = command.name === "run" ? "" : ` ${command.name}`;
  const hint = `"varta-watch help${topic}" shows what is possible`;
  await diagnose(command, diagnosticLines(problemsText(problems)) + hintLine(hint));
  return EXIT_USAGE;
}

/**
 * The form that an option chooses for the log of a daemon; what its file says is not known here.
 */
function chosenFormat({ command, invocation }: ParsedArguments): LogFormat | undefined {
  const format = invocation.given.findLast(({ name }) => name === "log-format")?.value;
  const isFormat = format === "json" || format === "logfmt";
  return command.name === "run" && isFormat ? format : undefined;
}
