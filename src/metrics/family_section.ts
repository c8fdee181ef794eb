// One family on the page: its two headers, and a line for each number that the instances of its
// block count. The lines know where their cells are, so a page is written by reading the columns in
// place (spec 08 section 1).
import { cellWidth, type Family } from "../base/counters.ts";
import { saturatingAdd } from "../base/saturating.ts";
import type { TextBuffer } from "../base/text_buffer.ts";

export type PageFormat = "text" | "openmetrics";

export type Labels = Readonly<Record<string, string>>;

/** Whether a sample of a family can ever be anything but 0. */
export type IsPossible = (name: string, labels: Labels) => boolean;

/**
 * Everything up to the number is made once; the number is the sum of `count` cells from `first` on,
 * in all columns.
 */
interface Line {
  readonly prefix: Uint8Array;
  readonly columns: readonly Float64Array[];
  readonly first: number;
  readonly count: number;
  readonly decimals: number;
  readonly scale: number;
  /** It is left out: always, or as long as it is 0. */
  readonly isHidden?: boolean;
  readonly isQuiet?: boolean;
}

const LF = 0x0a;

export class FamilySection {
  readonly family: Family;
  readonly #textHead: Uint8Array;
  readonly #openMetricsHead: Uint8Array;
  readonly #isPossible: IsPossible | undefined;
  #lines: Line[] = [];
  /** Of instances without a label of their own: they are added up. */
  readonly #columns: Float64Array[] = [];
  /** What those counted that are read no more. */
  #past: Float64Array | undefined;

  /** `isPossible`: what cannot be is left out; without it everything is there. */
  constructor(family: Family, isPossible?: IsPossible) {
    const { name, type, help, instanceLabels } = family;
    // OpenMetrics names the family of a counter without the suffix of its samples.
    const familyName = type === "counter" ? name.replace(/_total$/, "") : name;
    this.family = family;
    this.#isPossible = isPossible;
    this.#textHead = bytesOf(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    this.#openMetricsHead = bytesOf(`# HELP ${familyName} ${help}\n# TYPE ${familyName} ${type}\n`);
    // Also without an instance, a series stands at 0.
    if (instanceLabels.length === 0) this.#lines = this.#linesOf({}, this.#columns);
  }

  /** Reads one more instance; `labels` are those of the instance. */
  show(column: Float64Array, labels: Labels): void {
    if (this.family.instanceLabels.length === 0) this.#columns.push(column);
    else this.#lines.push(...this.#linesOf(labels, [column]));
  }

  /** Reads an instance no more; in a sum over all of them it stays. */
  hide(column: Float64Array): void {
    if (this.family.instanceLabels.length > 0)
      this.#lines = this.#lines.filter(({ columns }) => !columns.includes(column));
    else if (this.#columns.includes(column)) this.#keep(column);
  }

  #keep(column: Float64Array): void {
    this.#columns.splice(this.#columns.indexOf(column), 1);
    if (this.#past === undefined) {
      this.#past = new Float64Array(column.length);
      this.#columns.push(this.#past);
    }
    for (const [cell, value] of column.entries()) this.#past[cell]! += value;
  }

  writeHead(text: TextBuffer, format: PageFormat): void {
    text.copy(format === "text" ? this.#textHead : this.#openMetricsHead);
  }

  write(text: TextBuffer, format: PageFormat): void {
    let hasHead = this.#isPossible === undefined;
    if (hasHead) this.writeHead(text, format);
    for (const line of this.#lines) {
      if (line.isHidden === true) continue;
      const value = sumOf(line);
      // What cannot be said is left out.
      if (Number.isNaN(value) || (value === 0 && line.isQuiet === true)) continue;
      if (!hasHead) this.writeHead(text, format);
      hasHead = true;
      text.copy(line.prefix);
      if (line.decimals === 0) text.decimal(value);
      else text.fixed(Math.round(value * line.scale), line.decimals);
      text.byte(LF);
    }
  }

  /** Of a histogram that cannot be, a bucket that is not 0 says nothing. */
  #linesOf(labels: Labels, columns: readonly Float64Array[]): Line[] {
    const { family } = this;
    return linesOf(family, labels, columns, (all, lines) => {
      if (this.#isPossible?.(family.name, all) !== false) return lines;
      const left = family.type === "histogram" ? { isHidden: true } : { isQuiet: true };
      return lines.map((line) => ({ ...line, ...left }));
    });
  }
}

function sumOf({ columns, first, count }: Line): number {
  let sum = 0;
  for (const column of columns)
    for (let i = 0; i < count; i++) sum = saturatingAdd(sum, column[first + i]!);
  return sum;
}

function linesOf(
  family: Family,
  labels: Labels,
  columns: readonly Float64Array[],
  marked: (labels: Labels, lines: Line[]) => Line[],
): Line[] {
  const values = family.values.length === 0 ? [undefined] : family.values;
  return values.flatMap((value, index) => {
    const all = value === undefined ? labels : { ...labels, [family.label]: value };
    const first = index * cellWidth(family);
    if (family.type === "histogram")
      return marked(all, histogramLines(family, all, columns, first));
    const { decimals } = family;
    const prefix = prefixOf(family.name, all);
    return marked(all, [{ prefix, columns, first, count: 1, decimals, scale: 10 ** decimals }]);
  });
}

/** Buckets are stored each by itself and written with those below them. */
function histogramLines(
  { name, bounds }: Family,
  labels: Labels,
  columns: readonly Float64Array[],
  sumCell: number,
): Line[] {
  const first = sumCell + 1;
  const whole = { columns, decimals: 0, scale: 1 };
  const all = bounds.length + 1;
  const buckets = [...bounds, "+Inf"].map((le, bucket) => {
    const prefix = prefixOf(`${name}_bucket`, { ...labels, le });
    return { prefix, first, count: bucket + 1, ...whole };
  });
  // The sum is in whole nanoseconds.
  const sum = { columns, first: sumCell, count: 1, decimals: 9, scale: 1 };
  return [
    ...buckets,
    { prefix: prefixOf(`${name}_sum`, labels), ...sum },
    { prefix: prefixOf(`${name}_count`, labels), first, count: all, ...whole },
  ];
}

function prefixOf(name: string, labels: Labels): Uint8Array {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return bytesOf(pairs.length === 0 ? `${name} ` : `${name}{${pairs.join(",")}} `);
}

/** `value` as it stands between the quotes of a label. */
export function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
