// The daemon and the last good configuration (spec 17 section 8): keeps each one that works, and
// says loudly that it runs with it where the file has problems.
import type { PlansInDoubt } from "../config/diff/plans_in_doubt.ts";
import type { Problem } from "../config/load_result.ts";
import type { LastGood } from "./last_good.ts";
import { countLastGood } from "./loaded_config.ts";
import type { Log } from "./log.ts";
import type { Parts } from "./parts.ts";
import { logProblems, placeOf, shownProblem } from "./reload/reload_reports.ts";
import { errorText } from "./start_error.ts";

/** Why the configuration of the file is not in force. */
export interface RefusedFile {
  readonly problems: readonly Problem[];
  readonly inDoubt: PlansInDoubt;
}

/** For the status line of the service manager; undefined = the file is in force. */
export function lastGoodTrouble(refused: RefusedFile | undefined): string | undefined {
  return refused === undefined ? undefined : `last good configuration: ${placeIn(refused)}`;
}

/** Before the first turn: nothing of it must be missed. */
export function beginWithLastGood(
  { log, loaded, live }: Pick<Parts, "log" | "loaded" | "live">,
  refused: RefusedFile,
): void {
  const { problems, inDoubt } = refused;
  countLastGood(loaded);
  live.refusedAt = placeIn(refused);
  const plans = inDoubt.hasAll ? "all" : [...inDoubt.names].join(",");
  log.error("last good configuration", {
    problems: problems.length,
    plans_held: plans || undefined,
    effect: "the configuration that worked last is in force, and not that of the file",
    hint: "varta-watch check, then varta-watch reload",
  });
  logProblems(
    log,
    problems.map((problem) => shownProblem(problem, false)),
  );
}

/** `text` is in force: the next start can begin with it. */
export function keepLastGood(
  lastGood: LastGood | undefined,
  log: Pick<Log, "warn">,
  text: string,
): void {
  lastGood?.keep(text).catch((error: unknown) => {
    log.warn("configuration not kept, ignoring", { error: errorText(error) });
  });
}

function placeIn({ problems }: RefusedFile): string {
  return problems.map(placeOf).find((place) => place !== "") ?? "";
}
