#!/usr/bin/env bun
// argv -> command -> exit code. The only file whose import starts something. Each command is loaded when it is asked
// for, so that `beat` and `version` do not pay for the daemon.
import { type ParsedArguments, parseArguments } from "./cli/arguments.ts";
import { refuseColour } from "./cli/colour.ts";
import type { CommandName, Invocation, RunCommand } from "./cli/invocation.ts";
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
  const parsed = parseArguments(argv);
  if (parsed.invocation.own.get("no-color") === true) refuseColour();
  const problems = [...parsed.problems, ...(await valueProblems(parsed))];
  if (problems.length > 0) return await refuse(parsed, problems);
  try {
    const run = await loadCommand(parsed.invocation.command);
    return await run(parsed.invocation);
  } catch (error) {
    await diagnose(parsed.invocation, await faultText(parsed.invocation, error));
    return EXIT_FAILURE;
  }
}

// Where the C library cannot be called, whatever needs it says so itself: `version` and `help` do not.
async function setUpProcess(): Promise<void> {
  try {
    const inherited = await import("../ffi/inherited.ts");
    inherited.setUpProcess();
  } catch (error) {
    if (!isPlatformError(error)) throw error;
  }
}

async function faultText(invocation: Invocation, error: unknown): Promise<string> {
  if (isPlatformError(error)) {
    const format = chosenFormat(invocation);
    if (format === undefined) return errorLine(error.message) + hintLine(error.hint);
    const { faultReport } = await import("./cli/start_failure.ts");
    return faultReport(error.message, error.hint, format);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const hint = "this is a bug in varta-watch, not in its configuration; please report it";
  return errorLine(text) + hintLine(hint);
}

// The daemon never waits for a reader; other commands do, so that a pager gets all of it.
async function diagnose({ command }: Invocation, text: string): Promise<void> {
  if (command === "run") await printBriefly(text);
  else printLines(text);
}

// The class itself cannot be imported here: the module that has it is the one that could not be loaded.
function isPlatformError(error: unknown): error is Error & { readonly hint: string } {
  return error instanceof Error && error.name === "PlatformError" && "hint" in error;
}

/** Wrong values of configuration options, to be reported together with the other usage errors. */
async function valueProblems({ invocation }: ParsedArguments): Promise<readonly Problem[]> {
  if (invocation.given.length === 0) return [];
  const { optionProblems, systemHost } = await import("./config/load.ts");
  return optionProblems(invocation.given, systemHost());
}

async function refuse(
  { invocation }: ParsedArguments,
  problems: readonly Problem[],
): Promise<number> {
  const { command, own } = invocation;
  if (own.get("json") === true) {
    const json = JSON.stringify({ ok: false, exit_code: EXIT_USAGE, problems });
    print(`${escapeUnprintable(json)}\n`);
    return EXIT_USAGE;
  }
  const format = chosenFormat(invocation);
  if (format !== undefined) {
    const { problemsReport } = await import("./cli/start_failure.ts");
    await diagnose(invocation, problemsReport(problems, EXIT_USAGE, format));
    return EXIT_USAGE;
  }
  const hint = `"varta-watch help${command === "run" ? "" : ` ${command}`}" shows what is possible`;
  await diagnose(invocation, diagnosticLines(problemsText(problems)) + hintLine(hint));
  return EXIT_USAGE;
}

/** The form that an option chooses for the log of a daemon; what its file says is not known here. */
function chosenFormat({ command, given }: Invocation): LogFormat | undefined {
  const format = given.findLast(({ name }) => name === "log-format")?.value;
  return command === "run" && (format === "json" || format === "logfmt") ? format : undefined;
}

async function loadCommand(name: CommandName): Promise<RunCommand> {
  switch (name) {
    case "run":
      return (await import("./cli/run.ts")).run;
    case "check":
      return (await import("./cli/check.ts")).run;
    case "beat":
      return (await import("./cli/beat.ts")).run;
    case "keygen":
      return (await import("./cli/keygen.ts")).run;
    case "decode":
      return (await import("./cli/decode.ts")).run;
    case "audit":
      return (await import("./cli/audit.ts")).run;
    case "demo":
      return (await import("./cli/demo.ts")).run;
    case "completions":
      return (await import("./cli/completions.ts")).run;
    case "version":
      return (await import("./cli/version.ts")).run;
    case "help":
      return (await import("./cli/help.ts")).run;
  }
}
