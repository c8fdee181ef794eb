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
import { WHAT_IS_RUN } from "./planned_values.ts";
import { recoveryScopes, refIn, saysOneOf } from "./recovery_rules.ts";
import { planSecret, type Secrets, secretCommand } from "../secrets.ts";
import { nearest } from "../problems/suggestion.ts";

/**
 * Reports each program of [recovery] and its plans that cannot be started, and a working directory
 * that is none.
 */
export function checkPrograms(
  document: CheckedDocument,
  secrets: Secrets,
  host: Host,
  faults: Fault[],
): void {
  for (const [number, scope] of recoveryScopes(document).entries()) {
    const secret = number === 0 ? undefined : planSecret(number - 1);
    const search = { document, scope, commandFile: secretCommand(secrets, secret), faults };
    if (saysOneOf(scope, [...WHAT_IS_RUN, "env", "inherit_env"])) checkScope(search, host);
    if (saysOneOf(scope, ["cwd"])) checkDirectory(search, host);
    if (saysOneOf(scope, WHAT_IS_RUN)) checkPlaceholders(search);
  }
}

/** What of [recovery] or a plan is looked at. */
interface Search {
  readonly document: CheckedDocument;
  readonly scope: ReturnType<typeof recoveryScopes>[number];
  /** The words of its command file. */
  readonly commandFile: readonly string[] | undefined;
  readonly faults: Fault[];
}

function checkScope({ document, scope, commandFile, faults }: Search, host: Host): void {
  const { values } = scope;
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
  check(values.command?.[0], refIn(scope, "command"), [0]);
  check(commandFile?.[0], refIn(scope, "command_file"), []);
  const steps = refIn(scope, "step");
  for (const [index, step] of (values.step ?? []).entries()) {
    check(step.exec?.[0], steps, [index, "exec", 0]);
    if (step.restart_unit !== undefined) check(UNIT_MANAGER, steps, [index, "restart_unit"]);
  }
}

/**
 * Reports each word in braces that the recovery does not know and would hand to the program as it
 * is.
 */
function checkPlaceholders({ document, scope, commandFile, faults }: Search): void {
  const { values } = scope;
  function check(ref: KeyRef, words: readonly string[] | undefined, at?: Path): void {
    for (const [index, word] of (words ?? []).entries()) {
      const found = placeholderFound(word, index === 0, at === undefined);
      if (found === undefined) continue;
      const fault = conflictFault(document, { at: ref, anchor: "value", ...found });
      const path = at === undefined ? fault.path : [...fault.path, ...at, index];
      faults.push({ ...fault, path, suggestion: found.suggestion });
    }
  }
  check(refIn(scope, "command"), values.command, []);
  check(refIn(scope, "command_file"), commandFile);
  for (const [index, step] of (values.step ?? []).entries()) {
    check(refIn(scope, "step"), step.exec, [index, "exec"]);
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

function checkDirectory({ document, scope, faults }: Search, host: Host): void {
  const { cwd } = scope.values;
  const fault = cwd === undefined ? undefined : host.directoryFault(cwd);
  if (cwd === undefined || fault === undefined) return;
  const at = refIn(scope, "cwd");
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
