// Secret files in the directory that the service manager makes for its unit (LoadCredential=): the configuration may name
// one as ${CREDENTIALS_DIRECTORY}/NAME, because the directory has another path in each unit.
import { isAbsolute, join } from "node:path";
import type { CheckedDocument } from "./check_document.ts";
import type { Fault } from "./fault.ts";
import { quoted } from "./found.ts";
import { conflictFault, type KeyRef } from "./key_ref.ts";
import { CREDENTIALS_PREFIX } from "./schema_keys.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Puts the directory into the paths of all secret files; one that cannot be is a fault, and its key counts as wrong. */
export function expandCredentialPaths(
  document: CheckedDocument,
  env: Environment,
  faults: Fault[],
): void {
  const { metrics, recovery } = document.tables;
  const expand = (ref: KeyRef, checked: Checked) =>
    expandPath({ document, env, faults, ref, checked });
  for (const listener of document.listeners)
    for (const key of ["key_file", "accepted_key_file", "master_key_file"])
      expand({ listener, key }, listener);
  expand({ table: "metrics", key: "token_file" }, metrics);
  expand({ table: "recovery", key: "command_file" }, recovery);
}

/** A table or a listener. */
interface Checked {
  readonly values: object;
  readonly wrong: Set<string>;
}

interface PathToExpand {
  readonly document: CheckedDocument;
  readonly env: Environment;
  readonly faults: Fault[];
  readonly ref: KeyRef;
  readonly checked: Checked;
}

function expandPath({ document, env, faults, ref, checked }: PathToExpand): void {
  const values = checked.values as Record<string, unknown>;
  const path = values[ref.key];
  if (typeof path !== "string" || !path.startsWith(CREDENTIALS_PREFIX)) return;
  const name = path.slice(CREDENTIALS_PREFIX.length);
  const problem = problemOf(name, env["CREDENTIALS_DIRECTORY"]);
  if (problem === undefined) {
    values[ref.key] = join(env["CREDENTIALS_DIRECTORY"]!, name);
    return;
  }
  const [found, want] = problem;
  const fault = conflictFault(document, {
    at: ref,
    anchor: "value",
    found: `${quoted(path)}, ${found}`,
    want,
  });
  faults.push(fault);
  checked.wrong.add(ref.key);
  delete values[ref.key];
}

/** What was found and what is wanted instead. */
function problemOf(name: string, directory: string | undefined): [string, string] | undefined {
  if (!/^[^/]+$/.test(name) || name === "." || name === "..")
    return ["which names no file of that directory", `${CREDENTIALS_PREFIX}NAME`];
  if (directory === undefined || !isAbsolute(directory))
    return [
      "but CREDENTIALS_DIRECTORY is not set",
      "LoadCredential= or SetCredential= in the unit, which sets it",
    ];
  return undefined;
}
