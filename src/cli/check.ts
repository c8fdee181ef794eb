// `varta-watch check`: everything a start would check, and nothing that a start would open for writing (spec 07
// section 3). The result goes to stdout, problems and warnings to stderr; with --json all of it is one object on stdout.
import { effectiveKeys, effectiveText } from "../config/effective.ts";
import { loadConfig, systemHost } from "../config/load.ts";
import type { LoadResult, LoadSuccess } from "../config/load_result.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { print, printDiagnostics } from "./output.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { configFile, given } = invocation;
  const result = await loadConfig({ configFile, given, host: systemHost() });
  if (ownFlag(invocation, "json")) {
    print(`${JSON.stringify(jsonOf(result, ownFlag(invocation, "print")))}\n`);
  } else if (result.ok) printSuccess(result, ownFlag(invocation, "print"));
  else printDiagnostics(result.text);
  return result.ok ? 0 : result.exitCode;
}

function printSuccess(result: LoadSuccess, withValues: boolean): void {
  for (const warning of result.warnings) printDiagnostics(`varta-watch: warning: ${warning}\n`);
  if (withValues) print(effectiveText(result));
  else print(`varta-watch: no problems in ${result.file ?? "the options and defaults"}\n`);
}

function jsonOf(result: LoadResult, withValues: boolean): object {
  if (!result.ok) return { ok: false, exit_code: result.exitCode, problems: result.problems };
  const { file = null, warnings } = result;
  return { ok: true, file, warnings, ...(withValues ? { keys: effectiveKeys(result) } : {}) };
}
