// Token buckets per scraper address (spec 13 section 5): integer milli-tokens in a bounded table. A
// rate or burst of 0 switches the limiter off, with no state. An IPv6 address is known by 32 bits
// of its hash; two addresses that share them share a bucket, which costs scrapes of these two
// alone.
import { SCRAPER_ADDRESSES_MAX, SCRAPER_SWEEP_NS, SCRAPER_TTL_NS } from "../base/limits.ts";
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_MS } from "../base/time.ts";
import { SLAB_INSERTED, Slab } from "../tables/slab.ts";
import { type CountHttp, HTTP } from "./counters.ts";

/** Milli-tokens of one request. */
const COST = 1000;

interface Scraper {
  milliTokens: number;
  /** Whole milliseconds up to which the refill was credited. */
  creditedMs: number;
  lastSeenNs: number;
}

export class IpLimiter {
  readonly #count: CountHttp;
  #ratePerSec: number;
  #burst: number;
  readonly #scrapers = new Slab<Scraper>(SCRAPER_ADDRESSES_MAX);
  #nextSweepNs = 0;

  constructor(ratePerSec: number, burst: number, count: CountHttp) {
    this.#ratePerSec = ratePerSec;
    this.#burst = burst;
    this.#count = count;
  }

  /** Other figures: the addresses that are known keep what they have used. */
  change(ratePerSec: number, burst: number): void {
    this.#ratePerSec = ratePerSec;
    this.#burst = burst;
  }

  /** Addresses remembered now. */
  get size(): number {
    return this.#scrapers.size;
  }

  /** Operations on the table that used up their probes. */
  get probeExhausted(): number {
    return this.#scrapers.probeExhausted;
  }

  /** Takes one token of `address`; false (counted) if the request must be refused. */
  allow(address: string, nowNs: number): boolean {
    if (this.#ratePerSec === 0 || this.#burst === 0) return true;
    if (nowNs >= this.#nextSweepNs) this.#sweep(nowNs);
    const key = addressKey(address);
    const scraper = this.#scrapers.get(key);
    const allowed = scraper === undefined ? this.#admit(key, nowNs) : this.#take(scraper, nowNs);
    return allowed;
  }

  #take(scraper: Scraper, nowNs: number): boolean {
    const nowMs = Math.floor(nowNs / NS_PER_MS);
    const refill = saturatingSub(nowMs, scraper.creditedMs) * this.#ratePerSec;
    scraper.milliTokens = Math.min(scraper.milliTokens + refill, this.#burst * COST);
    scraper.creditedMs = nowMs;
    scraper.lastSeenNs = nowNs;
    if (scraper.milliTokens < COST) {
      this.#count(HTTP.dropped.rate_limit);
      return false;
    }
    scraper.milliTokens -= COST;
    return true;
  }

  /** A new address starts with a full bucket, from which this request is already paid. */
  #admit(key: number, nowNs: number): boolean {
    const scrapers = this.#scrapers;
    if (scrapers.size === scrapers.capacity) this.#sweep(nowNs);
    if (scrapers.size === scrapers.capacity) {
      this.#count(HTTP.dropped.ip_table_full);
      this.#evictOldest();
    }
    const scraper = {
      milliTokens: (this.#burst - 1) * COST,
      creditedMs: Math.floor(nowNs / NS_PER_MS),
      lastSeenNs: nowNs,
    };
    if (scrapers.tryInsert(key, scraper) === SLAB_INSERTED) return true;
    this.#count(HTTP.dropped.ip_table_full);
    return false;
  }

  #sweep(nowNs: number): void {
    this.#nextSweepNs = nowNs + SCRAPER_SWEEP_NS;
    const expired: number[] = [];
    for (const [key, scraper] of this.#scrapers.entries()) {
      if (saturatingSub(nowNs, scraper.lastSeenNs) >= SCRAPER_TTL_NS) expired.push(key);
    }
    for (const key of expired) this.#scrapers.remove(key);
  }

  #evictOldest(): void {
    let oldestKey = -1;
    let oldestNs = Number.POSITIVE_INFINITY;
    for (const [key, scraper] of this.#scrapers.entries()) {
      if (scraper.lastSeenNs >= oldestNs) continue;
      oldestKey = key;
      oldestNs = scraper.lastSeenNs;
    }
    if (oldestKey >= 0) this.#scrapers.remove(oldestKey);
  }
}

/**
 * An IPv4 address itself, also in its IPv6-mapped form; else 32 bits of FNV-1a over the kernel's
 * canonical text.
 */
export function addressKey(address: string): number {
  const octets = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address);
  if (octets !== null) {
    return octets.slice(1).reduce((key, octet) => ((key << 8) | Number(octet)) >>> 0, 0);
  }
  let hash = 0x811c_9dc5;
  for (let i = 0; i < address.length; i++) {
    hash = Math.imul(hash ^ address.charCodeAt(i), 0x0100_0193);
  }
  return hash >>> 0;
}
