// A small, strict reader of the text format: what Prometheus would take from a page. It throws on
// anything odd.

export interface Page {
  readonly types: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
  /** Values by the sample's full name with labels, in page order. */
  readonly samples: ReadonlyMap<string, number>;
}

const SAMPLE =
  /^([a-z_]+(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})?) (\S+)$/;

export function parsePage(text: string): Page {
  const types = new Map<string, string>();
  const helps = new Map<string, string>();
  const samples = new Map<string, number>();
  if (!text.endsWith("\n")) throw new Error("a page ends with a line feed");
  for (const line of text.slice(0, -1).split("\n")) {
    const header = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (header !== null) {
      const target = header[1] === "TYPE" ? types : helps;
      if (target.has(header[2]!)) throw new Error(`header twice: ${line}`);
      target.set(header[2]!, header[3]!);
      continue;
    }
    if (line === "# EOF") continue;
    const sample = SAMPLE.exec(line);
    if (sample === null) throw new Error(`not a sample: ${line}`);
    if (samples.has(sample[1]!)) throw new Error(`sample twice: ${line}`);
    samples.set(sample[1]!, Number(sample[2]));
  }
  return { types, helps, samples };
}

/** Sum over every sample whose name starts with `prefix`. */
export function sumOf(page: Page, prefix: string): number {
  let sum = 0;
  for (const [name, value] of page.samples) {
    if (name === prefix || name.startsWith(`${prefix}{`)) sum += value;
  }
  return sum;
}

/** One labelled or plain sample; throws if it is not on the page. */
export function sampleAt(page: Page, name: string): number {
  const value = page.samples.get(name);
  if (value === undefined) throw new Error(`no sample ${name}`);
  return value;
}

/** The samples whose name contains `part`, as lines. */
export function linesWith(text: string, part: string): string[] {
  return text.split("\n").filter((line) => line.includes(part) && !line.startsWith("#"));
}
