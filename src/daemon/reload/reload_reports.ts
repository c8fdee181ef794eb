// What log and service manager hear of a reload (spec 17 section 6).
import type { Problem } from "../../config/load_result.ts";
import type { ReloadProblem, ReloadResult } from "../../view/reload_view.ts";
import type { Log } from "../log.ts";
import type { ShownChange } from "./shown_changes.ts";

export type ReloadLog = Pick<Log, "info" | "error">;

/** Lines of one reload in the log: a rewritten file has as many changes as keys. */
const LINES_MAX = 100;

export function logResult(
  log: ReloadLog,
  { took_ms, pause_ms, problems }: ReloadResult,
  changes: readonly ShownChange[],
): void {
  if (problems.length === 0) {
    log.info("reloaded", { changes: changes.length, took_ms, pause_ms });
    for (const { line } of changes.slice(0, LINES_MAX))
      log.info("configuration changed", { change: line });
    return;
  }
  log.error("reload failed", {
    problems: problems.length,
    pause_ms,
    effect: "the configuration of before stays in force",
    hint: problems.every((one) => one.takes_restart) ? "systemctl restart varta-watch" : undefined,
  });
  logProblems(log, problems);
}

export function logProblems(log: Pick<Log, "error">, problems: readonly ReloadProblem[]): void {
  for (const { place, text } of problems.slice(0, LINES_MAX))
    log.error("configuration problem", { at: place || undefined, problem: text });
}

export function shownProblem(problem: Problem, takes_restart: boolean): ReloadProblem {
  const { where, text } = problem;
  return {
    place: placeOf(problem),
    text: where === "" ? text : `${where}: ${text}`,
    takes_restart,
  };
}

/** In one clause: the first change or problem, and how many there are. */
export function eventText(
  problems: readonly ReloadProblem[],
  changes: readonly ShownChange[],
): string {
  const [problem] = problems;
  if (problem !== undefined) {
    const place = problem.place === "" ? "" : `${problem.place}: `;
    return `failed: ${place}${problem.text}${andMore(problems.length)}`;
  }
  return changes[0] === undefined ? "nothing changed" : changes[0].line + andMore(changes.length);
}

function andMore(count: number): string {
  return count > 1 ? `, and ${count - 1} more` : "";
}

/** For the status line of the service manager. */
export function troubleOf(problems: readonly ReloadProblem[]): string {
  const place = problems.find((one) => one.place !== "")?.place;
  return place === undefined ? "reload failed" : `reload failed: ${place}`;
}

/** "/etc/varta/varta.toml:31:13" */
export function placeOf({ source, line, column }: Problem): string {
  return line === undefined ? source : `${source}:${line}:${column}`;
}
