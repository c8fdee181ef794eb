// Renders pages for the scrapes that wait for them, in slices that the daemon's turn drives
// (spec 13 section 4). One page at a time; scrapes that arrive while their page is rendered share
// it, and a page younger than a second is served again. A page lies in memory that the next one
// takes over when no client reads it any more: what the collector has to find, such as a copy per
// answer, adds 40 MiB to a daemon with 10,000 agents before it is found. Compression runs on the
// runtime's thread pool.
import { gzip } from "node:zlib";
import type { PageFormat } from "./negotiation.ts";
import { NS_PER_S } from "../base/time.ts";

/** Age up to which a rendered page is served again: two Prometheus servers cost one page. */
const SCRAPE_CACHE_NS_MAX = NS_PER_S;
/** Below this size compression saves no packet. */
const GZIP_BYTES_MIN = 1_024;

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
  /** Valid until the next page of the same format, and while it has readers. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly renderedNs: number;
  /** The compressed body, made when the first scraper asks for it. */
  gzipped: Uint8Array | undefined;
  /** Who waits for `gzipped` while it is made. */
  gzipWaiters: GzipWaiter[];
  /** Answers and the thread pool that read `body`: its memory may not be taken over. */
  readers: number;
}

type Waiter = (page: Page) => void;
/** Gets the compressed body, or why there is none. */
type GzipWaiter = (packed: Uint8Array | Error) => void;

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

  /** `take` is called with the next finished page of `format`. */
  wait(format: PageFormat, take: (page: Page) => void): void {
    this.#waiters[format].push(take);
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
      gzipWaiters: [],
      readers: 0,
    };
    this.#rendering = undefined;
    this.#cached[format] = page;
    const waiters = this.#waiters[format];
    this.#waiters[format] = [];
    for (const take of waiters) take(page);
  }
}

/** True if compressing `page` saves a packet. */
export function isWorthGzip(page: Page): boolean {
  return page.body.length >= GZIP_BYTES_MIN;
}

/** `take` is called with the compressed body of `page`, which all who ask for it share. */
export function compressed(page: Page, take: GzipWaiter): void {
  if (page.gzipped !== undefined) {
    take(page.gzipped);
    return;
  }
  page.gzipWaiters.push(take);
  if (page.gzipWaiters.length > 1) return;
  page.readers++;
  // Level 1: a page is repetitive, so higher levels cost far more time than they save bytes.
  gzip(page.body, { level: 1 }, (error, packed) => {
    page.readers--;
    if (error === null) page.gzipped = packed;
    const waiters = page.gzipWaiters;
    page.gzipWaiters = [];
    for (const waiter of waiters) waiter(error ?? packed);
  });
}

/**
 * The parts one after the other, in the memory of the page before if it is free and large enough.
 */
function joined(parts: readonly Uint8Array[], before: Page | undefined): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const reusable = before !== undefined && before.readers === 0 ? before.body.buffer : undefined;
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
