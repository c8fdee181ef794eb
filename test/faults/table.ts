// The fault table as it is printed: a line for each row, what was found below it, and whether a row
// is what it has to be. All counts are zero, or within a bound that is stated with its reason.
import type { CountName, Counts } from "./counting.ts";

export interface Bound {
  readonly max: number;
  readonly because: string;
}

export type Bounds = Partial<Record<CountName, Bound>>;

export interface Outcome {
  readonly faults: number;
  readonly counts: Counts;
  readonly findings: readonly string[];
  /** Those that depend on how long something took. */
  readonly bounds?: Bounds;
}

/** What became of a row. */
export type RowResult =
  | { readonly kind: "ran"; readonly outcome: Outcome; readonly bounds: Bounds }
  | { readonly kind: "skipped"; readonly why: string }
  | { readonly kind: "broken"; readonly why: string };

const COUNT_NAMES: readonly CountName[] = [
  "falseStalls",
  "missedStalls",
  "falseRecoveries",
  "lostRows",
  "leakedDescriptors",
  "failedBeats",
];
const TITLES: readonly string[] = [
  ...["row", "load", "faults", "false stalls", "missed stalls"],
  ...["false recoveries", "lost rows", "leaked descriptors", "failed beats", ""],
];
/** Where they begin among the titles. */
const COUNTS_AT = 3;
const NAME_WIDTH = 24;
const LOAD_WIDTH = 29;

export function headLine(): string {
  return line(TITLES);
}

/** A row, its findings and its bounds, each on a line of its own. */
export function rowLines(name: string, load: string, result: RowResult): string[] {
  if (result.kind === "skipped") return [line([name, load]), `    skipped: ${result.why}`];
  if (result.kind === "broken") {
    const noCounts = ["", ...COUNT_NAMES.map(() => "")];
    return [line([name, load, ...noCounts, "FAILS"]), `    could not run: ${result.why}`];
  }
  const { outcome, bounds } = result;
  const counts = COUNT_NAMES.map((count) => countText(outcome.counts[count], bounds[count]));
  const verdict = isAsRequired(result) ? "ok" : "FAILS";
  return [
    line([name, load, `${outcome.faults}`, ...counts, verdict]),
    ...outcome.findings.map((finding) => `    ${finding}`),
    ...COUNT_NAMES.flatMap((name, at) => boundLines(TITLES[at + COUNTS_AT]!, bounds[name])),
  ];
}

export function isAsRequired(result: RowResult): boolean {
  if (result.kind !== "ran") return result.kind === "skipped";
  const { outcome, bounds } = result;
  return COUNT_NAMES.every((name) => outcome.counts[name] <= (bounds[name]?.max ?? 0));
}

function boundLines(title: string, bound: Bound | undefined): string[] {
  return bound === undefined ? [] : [`    ${title}, at most ${bound.max}: ${bound.because}`];
}

function countText(count: number, bound: Bound | undefined): string {
  return bound === undefined ? `${count}` : `${count} of ${bound.max}`;
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, column) => {
      if (column === 0) return cell.padEnd(NAME_WIDTH);
      if (column === 1) return cell.padEnd(LOAD_WIDTH);
      return cell.padStart(TITLES[column]!.length);
    })
    .join("  ")
    .trimEnd();
}
