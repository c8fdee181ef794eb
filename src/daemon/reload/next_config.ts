// What the file holds now, beside the configuration in force (spec 17 section 2, phases 2 and 3):
// read and checked by the very code of the start, and compared key by key. It takes tens of
// milliseconds, so it is done by a process of its own (next_reader.ts).
import type { Config } from "../../config/config.ts";
import { type Change, diffConfigs } from "../../config/diff/diff.ts";
import { restartFailure } from "../../config/diff/restart_problems.ts";
import { loadConfig } from "../../config/load.ts";
import type { LoadOptions, LoadSuccess, Problem } from "../../config/load_result.ts";
import { filePlaces } from "../explained_process.ts";
import type { FilePlaces } from "../live_config.ts";

export type NextResult = NextConfig | NotApplied;

export interface NextConfig {
  readonly ok: true;
  readonly loaded: LoadSuccess;
  readonly changes: readonly Change[];
  /** Where its rules and listeners stand. */
  readonly places: FilePlaces;
}

/** Why nothing of it is taken over. */
export interface NotApplied {
  readonly ok: false;
  readonly problems: readonly Problem[];
  /** They are keys that take a restart. */
  readonly takesRestart: boolean;
}

export async function readNext(before: Config, options: LoadOptions): Promise<NextResult> {
  const loaded = await loadConfig(options);
  if (!loaded.ok) return { ok: false, problems: loaded.problems, takesRestart: false };
  if (loaded.text.trim() === "")
    return notApplied("found an empty file; want a configuration", loaded.file);
  const changes = diffConfigs(before, loaded.config);
  const refused = await restartFailure(changes, loaded);
  if (refused !== undefined) return { ok: false, problems: refused.problems, takesRestart: true };
  return { ok: true, loaded, changes, places: await filePlaces(loaded) };
}

/** A problem of no line; without a file it is one of the daemon. */
export function notApplied(text: string, file = ""): NotApplied {
  const place = { line: undefined, column: undefined, key: "", where: "" };
  return { ok: false, problems: [{ source: file, ...place, text }], takesRestart: false };
}
