// Records what Prometheus would have got of a real daemon: a scrape a second while a scenario
// makes its situation, written as series of promtool. Only the families that alert rules look at
// are kept.
import { parsePage } from "../../metrics/page.ts";
import type { DaemonProcess } from "../../support/daemon_process.ts";
import { until } from "../../support/until.ts";

/** What a fixture file holds. */
export interface Recording {
  /** How to make it anew. */
  readonly madeBy: string;
  /** Number of the first scrape after something happened, by its name. */
  readonly marks: Readonly<Record<string, number>>;
  /** Values by the series' full name, one per second, in the notation of promtool. */
  readonly series: Readonly<Record<string, string>>;
}

/** What scrape.yml calls it. */
const TARGET = 'job="varta-watch",instance="mill-2:9469"';

/** A page is rendered once a second at most: so long from one scrape to the next, at least. */
const SCRAPE_MS = 1_020;

type Sample = number | undefined;

export class Recorder {
  readonly #families: ReadonlySet<string>;
  readonly #marks: Record<string, number> = {};
  readonly #samples = new Map<string, Sample[]>();
  #daemon: DaemonProcess | undefined;
  #count = 0;
  #over = false;

  constructor(families: ReadonlySet<string>) {
    this.#families = families;
  }

  /** Begins to scrape `daemon`; undefined = the machine cannot be reached. */
  from(daemon: DaemonProcess | undefined): void {
    this.#daemon = daemon;
  }

  /** What just happened will be seen in the next scrape. */
  mark(name: string): void {
    this.#marks[name] = this.#count;
  }

  /** Lets `count` more scrapes pass. */
  async scrapes(count: number): Promise<void> {
    const end = this.#count + count;
    await until(`${count} scrapes`, () => this.#count >= end, (count + 10) * SCRAPE_MS);
  }

  /** Scrapes until `stop` is called. */
  async run(): Promise<void> {
    while (!this.#over) {
      const [page] = await Promise.all([this.#scrape(), Bun.sleep(SCRAPE_MS)]);
      this.#take(page);
    }
  }

  stop(): void {
    this.#over = true;
  }

  recording(madeBy: string): Recording {
    const series = [...this.#samples].map(([name, values]) => [name, notation(values)]);
    return { madeBy, marks: this.#marks, series: Object.fromEntries(series) };
  }

  async #scrape(): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      return this.#daemon === undefined ? undefined : parsePage(await this.#daemon.body()).samples;
    } catch {
      return undefined;
    }
  }

  #take(page: ReadonlyMap<string, number> | undefined): void {
    this.#put("up", page === undefined ? 0 : 1);
    for (const [sample, value] of page ?? []) {
      if (this.#families.has(sample.split("{")[0]!)) this.#put(sample, value);
    }
    this.#count += 1;
    for (const values of this.#samples.values()) values.length = this.#count;
  }

  #put(sample: string, value: number): void {
    const [family, labels = "}"] = sample.split(/\{(.*)/s);
    const name = `${family}{${TARGET}${labels === "}" ? "}" : `,${labels}`}`;
    const values = this.#samples.get(name) ?? new Array<Sample>(this.#count);
    values[this.#count] = value;
    this.#samples.set(name, values);
  }
}

/** Equal values one after the other are written once; a series that ends is marked as stale. */
function notation(values: readonly Sample[]): string {
  const words: string[] = [];
  for (let at = 0; at < values.length; ) {
    const value = values[at];
    let end = at + 1;
    while (end < values.length && values[end] === value) end += 1;
    const isEnd = value === undefined && at > 0;
    if (isEnd) words.push("stale");
    const times = end - at - (isEnd ? 1 : 0);
    if (value === undefined) {
      if (times > 0) words.push(`_x${times}`);
    } else words.push(times > 1 ? `${value}x${times - 1}` : `${value}`);
    at = end;
  }
  return words.join(" ");
}
