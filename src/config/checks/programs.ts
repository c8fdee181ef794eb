// Looks for the programs and the directory that a recovery will need (spec 10 section 1): a command
// that is missing is reported at the start, with its line, and not at night by the first stall; so
// is a placeholder that nothing will replace. Nothing is run and nothing is kept: what is found now
// may be gone later, and then the spawn reports it.
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { childPath, UNIT_MANAGER } from "../../base/child_path.ts";
import { PLACEHOLDER_LIKE, PLACEHOLDERS } from "../../base/placeholders.ts";
import type { CheckedDocument } from "./check_document.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { alternatives, pathText, quoted } from "../problems/found.ts";
import { conflictFault, type KeyRef } from "./key_ref.ts";
import type { Host } from "../load_result.ts";
import { type Secrets, secretCommand } from "../secrets.ts";
import { nearest } from "../problems/suggestion.ts";

/**
 * Reports each program of [recovery] that cannot be started, and a working directory that is none.
 */
export function checkPrograms(
  document: CheckedDocument,
  secrets: Secrets,
  host: Host,
  faults: Fault[],
): void {
  const { values } = document.tables.recovery;
  const inherited = values.inherit_env === true ? host.env : undefined;
  const path = childPath(values.env ?? {}, inherited);
  function check(program: string | undefined, ref: KeyRef, at: readonly (string | number)[]): void {
    const found = program === undefined ? undefined : programFound(program, path, host);
    if (found === undefined) return;
    const want = "a program that this user can execute";
    const fault = conflictFault(document, { at: ref, anchor: "value", found, want });
    // Even if an option named it, the host is at fault: exit 78.
    faults.push({ ...fault, path: [...fault.path, ...at], onlyOptions: false });
  }
  const command: KeyRef = { table: "recovery", key: "command" };
  check(values.command?.[0], command, [0]);
  check(secretCommand(secrets)?.[0], { table: "recovery", key: "command_file" }, []);
  const steps: KeyRef = { table: "recovery", key: "step" };
  for (const [index, step] of (values.step ?? []).entries()) {
    check(step.exec?.[0], steps, [index, "exec", 0]);
    if (step.restart_unit !== undefined) check(UNIT_MANAGER, steps, [index, "restart_unit"]);
  }
  checkDirectory(document, host, faults);
  checkPlaceholders(document, secrets, faults);
}

/**
 * Reports each word in braces that the recovery does not know and would hand to the program as it
 * is.
 */
function checkPlaceholders(document: CheckedDocument, secrets: Secrets, faults: Fault[]): void {
  const { values } = document.tables.recovery;
  function check(ref: KeyRef, words: readonly string[] | undefined, at?: Path): void {
    for (const [index, word] of (words ?? []).entries()) {
      const found = placeholderFound(word, index === 0, at === undefined);
      if (found === undefined) continue;
      const fault = conflictFault(document, { at: ref, anchor: "value", ...found });
      const path = at === undefined ? fault.path : [...fault.path, ...at, index];
      faults.push({ ...fault, path, suggestion: found.suggestion });
    }
  }
  check({ table: "recovery", key: "command" }, values.command, []);
  check({ table: "recovery", key: "command_file" }, secretCommand(secrets));
  for (const [index, step] of (values.step ?? []).entries()) {
    check({ table: "recovery", key: "step" }, step.exec, [index, "exec"]);
  }
}

interface PlaceholderFound {
  readonly found: string;
  readonly want: string;
  readonly suggestion?: string | undefined;
}

/**
 * What is wrong with the first placeholder of `word` that is wrong. The words of a command file are
 * not shown.
 */
function placeholderFound(
  word: string,
  isProgram: boolean,
  isSecret: boolean,
): PlaceholderFound | undefined {
  const known: readonly string[] = PLACEHOLDERS;
  for (const [text, name] of word.matchAll(PLACEHOLDER_LIKE)) {
    const what = isSecret ? "a placeholder" : `the placeholder ${text}`;
    if (isProgram) {
      return { found: `${what} in the name of a program`, want: "placeholders in arguments only" };
    }
    if (known.includes(name!)) continue;
    const found = isSecret ? "an unknown placeholder" : `the unknown placeholder ${text}`;
    const want = `one of ${alternatives(
      known.map((one) => `{${one}}`),
      "and",
    )}`;
    const near = nearest(name!.toLowerCase(), known);
    return { found, want, suggestion: near === undefined ? undefined : `{${near}}` };
  }
  return undefined;
}

function checkDirectory(document: CheckedDocument, host: Host, faults: Fault[]): void {
  const { cwd } = document.tables.recovery.values;
  const fault = cwd === undefined ? undefined : host.directoryFault(cwd);
  if (cwd === undefined || fault === undefined) return;
  const at: KeyRef = { table: "recovery", key: "cwd" };
  const found = `${pathText(cwd)}, ${fault}`;
  const want = "a directory that this user can enter";
  faults.push(conflictFault(document, { at, anchor: "value", found, want }));
}

/** The words for a program that cannot be started; undefined if it can. */
function programFound(program: string, path: string, host: Host): string | undefined {
  if (program.includes("/")) {
    const fault = host.programFault(program);
    return fault === undefined ? undefined : `${pathText(program)}, ${fault}`;
  }
  const places = path.split(":").filter((directory) => directory !== "");
  for (const directory of places) {
    if (host.programFault(join(directory, program)) === undefined) return undefined;
  }
  return `${quoted(program)}, which is not in ${pathText(path)}, the PATH of the command`;
}

/** Why `path` cannot be executed by this process; undefined if it can. */
export function programFault(path: string): string | undefined {
  const status = statusOf(path);
  if (typeof status === "string") return status;
  if (!status.isFile()) return "which is not a file";
  return isAccessible(path) ? undefined : "which is not executable by this user";
}

/** Why `path` is no directory to work in; undefined if it is one. */
export function directoryFault(path: string): string | undefined {
  const status = statusOf(path);
  if (typeof status === "string") return status;
  if (!status.isDirectory()) return "which is not a directory";
  return isAccessible(path) ? undefined : "which this user cannot enter";
}

/** What is at `path`, or why it cannot be read, in words. */
function statusOf(path: string): Stats | string {
  try {
    return statSync(path);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return "which does not exist";
    return `which cannot be read (${code})`;
  }
}

function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
