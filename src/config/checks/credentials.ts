// Secret files in the directory that the service manager makes for its unit (LoadCredential=): the
// configuration may name one as ${CREDENTIALS_DIRECTORY}/NAME, because the directory has another
// path in each unit.
import { isAbsolute, join } from "node:path";
import type { CheckedDocument } from "./check_document.ts";
import { type Fault, pathLabel } from "../problems/fault.ts";
import { quoted } from "../problems/found.ts";
import { conflictFault, type KeyRef, refPath } from "./key_ref.ts";
import { CREDENTIALS_PREFIX } from "../keys/forms.ts";
import type { Keys } from "../keys/key.ts";
import { LISTENER_KEYS } from "../keys/listener_keys.ts";
import { PLAN_KEYS } from "../keys/plan_keys.ts";
import { TABLE_NAMES, TABLES } from "../keys/tables.ts";
import type { UnitSettings } from "./unit_file.ts";

interface CredentialPaths {
  readonly document: CheckedDocument;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The unit that will make the directory; undefined = this is its process, or there is none. */
  readonly unit: UnitSettings | undefined;
  readonly faults: Fault[];
  readonly warnings: string[];
}

/**
 * Puts the directory into the paths of all secret files; one that cannot be is a fault, and its key
 * counts as wrong.
 */
export function expandCredentialPaths(paths: CredentialPaths): void {
  const { document } = paths;
  for (const listener of document.listeners) {
    if (listener.kind === undefined) continue;
    for (const key of secretKeys(LISTENER_KEYS[listener.kind]))
      expandPath(paths, { listener, key }, listener);
  }
  for (const table of TABLE_NAMES) {
    for (const key of secretKeys(TABLES[table]))
      expandPath(paths, { table, key }, document.tables[table]);
  }
  for (const row of document.plans)
    for (const key of secretKeys(PLAN_KEYS)) expandPath(paths, { row, key }, row);
}

function secretKeys(keys: Keys): string[] {
  return Object.keys(keys).filter((name) => keys[name]!.form.secret !== undefined);
}

/** A table or a listener. */
interface Checked {
  readonly values: object;
  readonly wrong: Set<string>;
}

function expandPath(paths: CredentialPaths, ref: KeyRef, checked: Checked): void {
  const { document, env, unit, faults, warnings } = paths;
  const values = checked.values as Record<string, unknown>;
  const path = values[ref.key];
  if (typeof path !== "string" || !path.startsWith(CREDENTIALS_PREFIX)) return;
  const name = path.slice(CREDENTIALS_PREFIX.length);
  const directory = env["CREDENTIALS_DIRECTORY"];
  const problem = problemOf(name, directory, unit);
  if (problem === undefined && directory !== undefined) {
    values[ref.key] = join(directory, name);
    return;
  }
  if (problem === undefined) {
    const where = pathLabel(refPath(ref));
    warnings.push(`${where} was not checked: ${unit?.name} has the credential when it runs`);
  } else {
    const [found, want] = problem;
    const at = { at: ref, anchor: "value", found: `${quoted(path)}, ${found}`, want } as const;
    faults.push(conflictFault(document, at));
  }
  checked.wrong.add(ref.key);
  delete values[ref.key];
}

/** What was found and what is wanted instead. */
function problemOf(
  name: string,
  directory: string | undefined,
  unit: UnitSettings | undefined,
): [string, string] | undefined {
  if (!/^[^/]+$/.test(name) || name === "." || name === "..")
    return ["which names no file of that directory", `${CREDENTIALS_PREFIX}NAME`];
  if (directory === undefined && unit?.credentials.includes(name) === true) return undefined;
  if (directory === undefined && unit !== undefined && unit.credentials.length > 0)
    return [`which ${unit.name} does not load`, `LoadCredential=${name} in the unit`];
  if (directory === undefined || !isAbsolute(directory))
    return [
      "but CREDENTIALS_DIRECTORY is not set",
      "LoadCredential= or SetCredential= in the unit, which sets it; by hand: CREDENTIALS_DIRECTORY=DIRECTORY varta-watch check",
    ];
  return undefined;
}
