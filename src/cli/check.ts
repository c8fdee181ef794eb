// `varta-watch check`: everything a start would check and find, as the user that the start will
// have, and nothing that a start would open for writing (spec 07 section 3). The result goes to
// stdout, problems and warnings to stderr; with --json all of it is one object on stdout.
import { escapeUnprintable } from "../base/unprintable.ts";
import { effectiveKeys, effectiveText } from "../config/effective.ts";
import { chooseFile, loadConfig, systemHost } from "../config/load.ts";
import type { LoadResult, LoadSuccess } from "../config/load_result.ts";
import { SocketHolders } from "../config/checks/socket_holders.ts";
import { readTomlDocument } from "../config/toml_document.ts";
import { becomeCheckedUser, type CheckedUser, chooseUser } from "./checked_user.ts";
import { explainedProcess, explanationOf } from "../daemon/explained_process.ts";
import { explanationJson, explanationText } from "./explanation_text.ts";
import { type Invocation, ownFlag, ownNumber, ownText } from "./invocation.ts";
import { holdsOther } from "./own_content.ts";
import {
  diagnosticLines,
  print,
  printDiagnostics,
  printError,
  printHint,
  printWarning,
} from "./output.ts";
import { isDaemonOfOurs } from "./self_command.ts";

const EXIT_GONE = 1;

export async function run(invocation: Invocation): Promise<number> {
  const { configFile, given } = invocation;
  const host = systemHost();
  const file = chooseFile(configFile, given, host);
  const chosen = chooseUser({ host, file, asked: ownText(invocation, "user") });
  if (!chosen.ok) return refuse(chosen.message, chosen.hint, chosen.exitCode);
  const holders = new SocketHolders({ isOurs: isDaemonOfOurs });
  // A draft need not be readable for the user who will read the file of the unit.
  const isDraft = chosen.isByUnit && file !== chosen.unit?.configFile;
  const document = file !== undefined && isDraft ? readTomlDocument(file) : undefined;
  const changed = await becomeCheckedUser(chosen, holders);
  if (changed !== undefined) return refuse(changed.message, changed.hint, changed.exitCode);
  const { user, unit, env } = chosen;
  const result = await loadConfig({
    configFile,
    given,
    host: { ...host, uid: user.uid, env },
    machine: { user, unit, holders, holdsOther },
    document,
  });
  const pid = ownNumber(invocation, "explain");
  const asJson = ownFlag(invocation, "json");
  if (pid !== undefined && result.ok) return await explain(pid, result, chosen, asJson);
  if (asJson) printJson(jsonOf(result, chosen, ownFlag(invocation, "print")));
  else if (result.ok) printSuccess(result, chosen, ownFlag(invocation, "print"));
  else printDiagnostics(result.text);
  return result.ok ? 0 : result.exitCode;
}

async function explain(
  pid: number,
  result: LoadSuccess,
  chosen: CheckedUser,
  asJson: boolean,
): Promise<number> {
  const facts = explainedProcess(pid, result.config);
  if (facts === undefined)
    return refuse(
      `pid ${pid} does not run, or is hidden from this user`,
      `ps -p ${pid}`,
      EXIT_GONE,
    );
  const explanation = await explanationOf(facts, result);
  if (asJson) {
    printJson({ ...jsonOf(result, chosen, false), explained: explanationJson(explanation) });
    return 0;
  }
  for (const warning of result.warnings) printWarning(warning);
  print(diagnosticLines(explanationText(explanation)));
  return 0;
}

function printJson(value: object): void {
  print(`${escapeUnprintable(JSON.stringify(value))}\n`);
}

function refuse(message: string, hint: string, exitCode: number): number {
  printError(message);
  printHint(hint);
  return exitCode;
}

function printSuccess(
  result: LoadSuccess,
  { user, isOther }: CheckedUser,
  withValues: boolean,
): void {
  for (const warning of result.warnings) printWarning(warning);
  const forWhom = isOther ? `, checked for user ${user.name}` : "";
  if (withValues) print(effectiveText(result));
  else
    print(`varta-watch: no problems in ${result.file ?? "the options and defaults"}${forWhom}\n`);
}

function jsonOf(result: LoadResult, { user }: CheckedUser, withValues: boolean): object {
  const checkedFor = { user: user.name };
  if (!result.ok) {
    return { ok: false, exit_code: result.exitCode, ...checkedFor, problems: result.problems };
  }
  const { file = null, warnings } = result;
  const keys = withValues ? { keys: effectiveKeys(result) } : {};
  return { ok: true, file, ...checkedFor, warnings, ...keys };
}
