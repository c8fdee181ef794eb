// Faults become the problems that people read: sorted by position, at most 50, each on one line
// (spec 07 section 4).
import { type Fault, type ItemNames, pathKey, pathLabel } from "./fault.ts";
import type { LogFormat } from "../config.ts";
import type { LoadFailure, Problem } from "../load_result.ts";

const PROBLEMS_SHOWN_MAX = 50;

const COMMAND_LINE = "command line";

interface FaultSource {
  /** The configuration file; undefined = none was read, and all faults are of options. */
  readonly file: string | undefined;
  /** Its text, for positions. */
  readonly text: string;
  /**
   * Names of listeners, agents and plans in the file; undefined = none, or not only of this one.
   */
  readonly names: ItemNames;
  readonly logFormat: LogFormat | undefined;
}

/** The failure for a non-empty list of faults. */
export async function renderFaults(
  faults: readonly Fault[],
  source: FaultSource,
): Promise<LoadFailure> {
  const inFile = faults.filter((fault) => fault.option === undefined);
  const problems = faults.filter((fault) => fault.option !== undefined).map(optionProblem);
  if (inFile.length > 0) {
    const { Positions } = await import("./positions.ts");
    const positions = new Positions(source.text);
    const placed = inFile.map((fault) => fileProblem(fault, source, positions));
    problems.push(...placed.sort(byPosition));
  }
  const onlyOptions = faults.every((fault) => fault.onlyOptions === true);
  return failure(problems, onlyOptions ? 64 : 78, source.logFormat);
}

/** One line for each fault of the file, for what is only said and refuses nothing. */
export async function faultLines(
  faults: readonly Fault[],
  source: Omit<FaultSource, "logFormat">,
): Promise<string[]> {
  if (faults.length === 0) return [];
  const { Positions } = await import("./positions.ts");
  const positions = new Positions(source.text);
  const placed = faults.map((fault) => fileProblem(fault, source, positions));
  return placed.sort(byPosition).map(problemLine);
}

export function failure(
  problems: readonly Problem[],
  exitCode: 64 | 78,
  logFormat: LogFormat | undefined,
): LoadFailure {
  return { ok: false, problems, exitCode, text: problemsText(problems), logFormat };
}

/** One line per problem and a closing line, each with its newline. */
export function problemsText(problems: readonly Problem[]): string {
  const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map(problemLine);
  const rest = problems.length - lines.length;
  if (rest > 0) lines.push(`... and ${rest} more`);
  const sources = [...new Set(problems.map((problem) => problem.source))];
  const count = `${problems.length} problem${problems.length === 1 ? "" : "s"}`;
  lines.push(`varta-watch: ${count} ${sources.map(sourcePhrase).join(" and ")}`);
  return `${lines.join("\n")}\n`;
}

function problemLine(problem: Problem): string {
  const place = problem.line === undefined ? "" : `:${problem.line}:${problem.column}`;
  const where = problem.where === "" ? "" : `${problem.where}: `;
  return `${problem.source}${place}: ${where}${problem.text}`;
}

function sourcePhrase(source: string): string {
  return source === COMMAND_LINE ? "on the command line" : `in ${source}`;
}

export function optionProblem(fault: Fault): Problem {
  return {
    source: COMMAND_LINE,
    line: undefined,
    column: undefined,
    key: `--${fault.option}`,
    where: `--${fault.option}`,
    text: faultText(fault),
  };
}

function fileProblem(
  fault: Fault,
  { file, names }: Pick<FaultSource, "file" | "names">,
  positions: {
    find(path: Fault["path"], anchor: Fault["anchor"]): { line: number; column: number };
  },
): Problem {
  const { line, column } = positions.find(fault.path, fault.anchor);
  const key = pathKey(fault.path);
  const where = pathLabel(fault.path, names);
  return { source: file ?? "defaults", line, column, key, where, text: faultText(fault) };
}

function faultText(fault: Fault): string {
  const suggestion = fault.suggestion === undefined ? "" : `; did you mean "${fault.suggestion}"?`;
  return `found ${fault.found}; want ${fault.want}${suggestion}`;
}

function byPosition(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
