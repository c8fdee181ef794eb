// A start whose file has problems begins with the last configuration that worked, where a service
// manager would else have no daemon at all (spec 17 section 8). The secret files are read anew.
import { existsSync, readFileSync } from "node:fs";
import { type PlansInDoubt, plansInDoubt } from "../config/diff/plans_in_doubt.ts";
import { loadConfig } from "../config/load.ts";
import type { GivenOption, Host, LoadFailure, LoadSuccess } from "../config/load_result.ts";
import { parseToml, readTomlDocument, type TomlTree } from "../config/toml_document.ts";
import type { LastGood } from "../daemon/last_good.ts";
import type { RefusedFile } from "../daemon/last_good_wiring.ts";

const EX_CONFIG = 78;
/** A file that cannot be read to its end is read up to the line at fault, and again. */
const CUTS_MAX = 8;

interface Started {
  readonly loaded: LoadSuccess;
  readonly refused: RefusedFile;
}

interface Asked {
  readonly file: string;
  readonly given: readonly GivenOption[];
  readonly host: Host;
  readonly lastGood: LastGood | undefined;
}

/** Undefined = there is no other configuration for it, so it ends with its problems. */
export async function lastGoodStart(
  failed: LoadFailure,
  asked: Asked,
): Promise<Started | undefined> {
  const { file, given, host, lastGood } = asked;
  // A file that is not there was not edited: somebody means another one, or none.
  if (failed.exitCode !== EX_CONFIG || lastGood === undefined || !existsSync(file))
    return undefined;
  const copy = await lastGood.find();
  if (copy === undefined) return undefined;
  const document = readTomlDocument(copy);
  const loaded = await loadConfig({ configFile: file, given, host, document });
  if (!loaded.ok || !document.ok) return undefined;
  return { loaded, refused: { problems: failed.problems, inDoubt: inDoubt(document.tree, file) } };
}

function inDoubt(good: TomlTree, file: string): PlansInDoubt {
  const read = readTomlDocument(file);
  if (read.ok) return plansInDoubt(good, read.tree, true);
  const lines = read.line === undefined ? [] : readFileSync(file, "utf8").split("\n");
  let end = read.line ?? 1;
  for (let cut = 0; cut < CUTS_MAX && end > 1; cut++) {
    const part = parseToml(lines.slice(0, end - 1).join("\n"));
    if (part.ok) return plansInDoubt(good, part.tree, false);
    end = Math.min(end - 1, part.line ?? 1);
  }
  return plansInDoubt(good, {}, false);
}
