// What a benchmark prints: one line per figure, with what is required of it. A figure without a
// requirement is there to be compared with. Lines are printed as they come, so that a long run
// shows where it is.

export interface Figure {
  readonly what: string;
  readonly value: string;
  /** What must hold, in words; undefined = nothing. */
  readonly required?: string;
  readonly holds?: boolean;
}

const WIDTHS = { what: 58, value: 24, required: 36 } as const;

export class Report {
  failed = 0;
  #part = "";

  /** Starts the lines of one part. */
  begin(part: string, title: string): void {
    this.#part = part;
    process.stdout.write(`\n${part}: ${title}\n`);
  }

  add(figure: Figure): void {
    const { what, value, required, holds } = figure;
    if (holds === false) this.failed += 1;
    const verdict = holds === undefined ? "" : holds ? "PASS" : "FAIL";
    const columns = [
      `  ${what}`.padEnd(WIDTHS.what),
      value.padStart(WIDTHS.value),
      `  ${required ?? ""}`.padEnd(WIDTHS.required + 2),
      verdict,
    ];
    process.stdout.write(`${columns.join("").trimEnd()}\n`);
  }

  /** A part, or a line of it, that cannot be measured here. */
  skip(reason: string): void {
    process.stdout.write(`  skipped ${this.#part}: ${reason}\n`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function ns(value: number): string {
  return `${value.toFixed(1)} ns`;
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(3)} %`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}
