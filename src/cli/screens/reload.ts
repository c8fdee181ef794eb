// `reload`: what has changed, or every problem of the file with its place. On a terminal what is
// too wide is folded at a word; in a pipe it is one line. Nothing is cut: the new value stands at
// the end of its line.
import type { ReloadChange, ReloadResult } from "../../view/reload_view.ts";
import { foldLines, left, linesText, printable, widthOf } from "./cells.ts";
import { duration, plural } from "./figures.ts";
import type { Outcome, Screen } from "./screen.ts";
import { Times } from "./times.ts";

const INDENT = 4;
const GAP = "  ";
const WHERE_CELLS = 14;
const KEY_CELLS = 10;
const HOW_CELLS = 16;

/** A view has its times in UTC. */
const TIME = /\b\d{4}-\d\d-\d\dT[\d:.]+Z/g;

const EX_CONFIG = 78;

export function reloadScreen(given: ReloadResult, screen: Screen, isPipe = false): Outcome {
  const result = printable(given);
  if (!result.applied && result.problems.length > 0) return refused(result, screen, isPipe);
  return { stdout: changed(result, screen, isPipe), error: "", hint: "", exitCode: 0 };
}

function changed(result: ReloadResult, screen: Screen, isPipe: boolean): string {
  const { file, took_ms, dry_run } = result;
  const times = new Times(result.time, screen.zone);
  const changes = result.changes.map((change) => {
    return { ...change, effect: change.effect.replace(TIME, (time) => times.at(time)) };
  });
  const verb = dry_run ? "Read" : "Loaded";
  const head = `${verb} ${file} in ${duration(took_ms)}.`;
  const none = dry_run ? "Nothing would change." : "Nothing changed.";
  const count = `${plural(changes.length, "change")}:`;
  if (changes.length === 0) return linesText(foldLines(`${head} ${none}`, screen.width, INDENT));
  const end = dry_run ? "Nothing was applied." : "No beat was lost, no member forgotten.";
  return linesText([
    ...foldLines(`${head} ${count}`, screen.width, INDENT),
    "",
    ...changeLines(changes).flatMap((line) =>
      isPipe ? [line] : foldLines(line, screen.width, INDENT),
    ),
    "",
    ...foldLines(end, screen.width, INDENT),
  ]);
}

function changeLines(changes: readonly ReloadChange[]): string[] {
  const cells = (least: number, text: (change: ReloadChange) => string) =>
    Math.max(least, ...changes.map((change) => widthOf(text(change))));
  const where = cells(WHERE_CELLS, (change) => change.where);
  const key = cells(KEY_CELLS, (change) => change.key);
  const how = cells(HOW_CELLS, (change) => change.how);
  return changes.map((change) => {
    const line = [left(change.where, where), left(change.key, key), left(change.how, how)];
    return `  ${[...line, change.effect].join(GAP)}`.trimEnd();
  });
}

function refused(result: ReloadResult, screen: Screen, isPipe: boolean): Outcome {
  const { problems } = result;
  const restarts = problems.filter(({ takes_restart }) => takes_restart).length;
  const lines = problems.flatMap(({ place, text }) => {
    const line = place === "" ? text : `${place}: ${text}`;
    return isPipe ? [line] : foldLines(line, screen.width, INDENT);
  });
  const isAllRestart = restarts === problems.length;
  const what = isAllRestart
    ? `${plural(restarts, "key takes", "keys take")} a restart`
    : plural(problems.length, "problem");
  return {
    stdout: linesText(lines),
    error: `${what}: nothing was applied`,
    hint: isAllRestart ? "systemctl restart varta-watch" : "",
    exitCode: EX_CONFIG,
  };
}
