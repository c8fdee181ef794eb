// Renders pages for the scrapes that wait for them, in slices that the daemon's turn drives (spec 13 section 4). One page
// at a time; scrapes that arrive while their page is rendered share it, and a page younger than a second is served
// again. A page lies in memory that the next one takes over, and a response is a copy that dies when it was sent: what the
// collector has to find, such as a Blob per page, adds 40 MiB to a daemon with 10,000 agents before it is found (a copy
// of their 1.6 MB takes 75 us). Compression runs on the runtime's thread pool.
import { gzip } from "node:zlib";
import { GZIP_BYTES_MIN, SCRAPE_CACHE_NS_MAX } from "../base/limits.ts";
import type { PageFormat } from "./negotiation.ts";

/** Where the text of a page comes from; the metrics registry has this shape. */
export interface ScrapeSource {
  /** Starts a new page, and drops an older one. */
  begin(format: PageFormat, nowNs: number): void;
  /** Goes on until the page is finished (true) or `budgetNs` is used up (false). */
  step(budgetNs: number, nowNs: () => number): boolean;
  /** The finished page in pieces, valid until the next `begin`. */
  parts(): Uint8Array<ArrayBuffer>[];
}

/** Room for the next pages to be longer: counters grow, and agents come. */
const PAGE_GROWTH = 1.125;

export interface Page {
  readonly format: PageFormat;
  /** Valid until the next page of the same format. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly renderedNs: number;
  /** The compressed body, made when the first scraper asks for it. */
  gzipped: Promise<Uint8Array<ArrayBuffer>> | undefined;
  /** True while the thread pool reads `body`: its memory may not be taken over. */
  isRead: boolean;
}

type Waiter = (page: Page) => void;

export class ScrapeQueue {
  readonly #source: ScrapeSource;
  readonly #nowNs: () => number;
  readonly #cached: Record<PageFormat, Page | undefined> = {
    text: undefined,
    openmetrics: undefined,
  };
  readonly #waiters: Record<PageFormat, Waiter[]> = { text: [], openmetrics: [] };
  /** The format under way, or undefined. */
  #rendering: PageFormat | undefined;
  #startedNs = 0;

  constructor(source: ScrapeSource, nowNs: () => number) {
    this.#source = source;
    this.#nowNs = nowNs;
  }

  /** True while a scrape waits for a slice. */
  get pending(): boolean {
    return this.#waiters.text.length > 0 || this.#waiters.openmetrics.length > 0;
  }

  /** The page of less than a second ago, or undefined. */
  cached(format: PageFormat): Page | undefined {
    const page = this.#cached[format];
    if (page === undefined || this.#nowNs() - page.renderedNs >= SCRAPE_CACHE_NS_MAX) {
      return undefined;
    }
    return page;
  }

  /** Resolves with the next finished page of `format`. */
  wait(format: PageFormat): Promise<Page> {
    return new Promise((resolve) => this.#waiters[format].push(resolve));
  }

  /** Renders for at most `budgetNs`; true if work is left. */
  serveSlice(budgetNs: number): boolean {
    const endNs = this.#nowNs() + budgetNs;
    while (this.pending) {
      const leftNs = endNs - this.#nowNs();
      if (leftNs <= 0) return true;
      if (this.#rendering === undefined) this.#begin();
      if (!this.#source.step(leftNs, this.#nowNs)) return true;
      this.#finish();
    }
    return false;
  }

  #begin(): void {
    const format = this.#waiters.text.length > 0 ? "text" : "openmetrics";
    this.#rendering = format;
    this.#startedNs = this.#nowNs();
    this.#source.begin(format, this.#startedNs);
  }

  #finish(): void {
    const format = this.#rendering!;
    const page: Page = {
      format,
      body: joined(this.#source.parts(), this.#cached[format]),
      renderedNs: this.#startedNs,
      gzipped: undefined,
      isRead: false,
    };
    this.#rendering = undefined;
    this.#cached[format] = page;
    const waiters = this.#waiters[format];
    this.#waiters[format] = [];
    for (const resolve of waiters) resolve(page);
  }
}

/** The compressed body of `page`, shared by all who ask; undefined if it is too short to gain anything. */
export function compressed(page: Page): Promise<Uint8Array<ArrayBuffer>> | undefined {
  if (page.body.length < GZIP_BYTES_MIN) return undefined;
  page.gzipped ??= compress(page);
  return page.gzipped;
}

function compress(page: Page): Promise<Uint8Array<ArrayBuffer>> {
  page.isRead = true;
  return new Promise((resolve, reject) => {
    // Level 1: a page is repetitive, so higher levels cost far more time than they save bytes.
    gzip(page.body, { level: 1 }, (error, packed) => {
      page.isRead = false;
      if (error === null) resolve(packed);
      else reject(error);
    });
  });
}

/** The parts one after the other, in the memory of the page before if it is free and large enough. */
function joined(parts: readonly Uint8Array[], before: Page | undefined): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const reusable = before !== undefined && !before.isRead ? before.body.buffer : undefined;
  const fits = reusable !== undefined && reusable.byteLength >= size;
  const memory = fits ? reusable : new ArrayBuffer(Math.ceil(size * PAGE_GROWTH));
  const body = new Uint8Array(memory, 0, size);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}
