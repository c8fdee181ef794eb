import { describe, expect, test } from "bun:test";
import { SCRAPER_ADDRESSES_MAX } from "../../src/base/limits.ts";
import { HTTP } from "../../src/http/counters.ts";
import { addressKey, IpLimiter } from "../../src/http/ip_limiter.ts";
import { BoundedIndex, hashU32 } from "../../src/tables/bounded_index.ts";

function limiterWith(ratePerSec: number, burst: number) {
  const counted: number[] = [];
  return { counted, limiter: new IpLimiter(ratePerSec, burst, (code) => counted.push(code)) };
}

function addressOf(key: number): string {
  return [key >>> 24, (key >>> 16) & 255, (key >>> 8) & 255, key & 255].join(".");
}

describe("IpLimiter", () => {
  test("allows the burst, denies, and refills at the rate", () => {
    const { limiter, counted } = limiterWith(5, 2);
    const at = (ms: number) => limiter.allow("192.0.2.1", ms * 1e6);
    expect([at(0), at(0), at(0)]).toEqual([true, true, false]);
    expect([at(199), at(200), at(200)]).toEqual([false, true, false]);
    expect([at(600), at(600), at(600)]).toEqual([true, true, false]);
    expect(counted).toEqual(new Array(4).fill(HTTP.dropped.rate_limit));
  });

  test("never saves up more than the burst", () => {
    const { limiter } = limiterWith(5, 2);
    limiter.allow("192.0.2.1", 0);
    const later = [1, 2, 3].map(() => limiter.allow("192.0.2.1", 50e9));
    expect(later).toEqual([true, true, false]);
  });

  test("keeps addresses apart, and an IPv4 address together with its IPv6-mapped form", () => {
    const { limiter } = limiterWith(1, 1);
    expect(limiter.allow("192.0.2.1", 0)).toBe(true);
    expect(limiter.allow("192.0.2.2", 0)).toBe(true);
    expect(limiter.allow("2001:db8::1", 0)).toBe(true);
    expect(limiter.allow("::ffff:192.0.2.1", 0)).toBe(false);
    expect(limiter.size).toBe(3);
  });

  test.each([
    [0, 10],
    [5, 0],
  ])("rate %d with burst %d is unlimited and keeps no state", (rate, burst) => {
    const { limiter, counted } = limiterWith(rate, burst);
    for (let i = 0; i < 100; i++) expect(limiter.allow("192.0.2.1", 0)).toBe(true);
    expect(limiter.size).toBe(0);
    expect(counted).toEqual([]);
  });

  test("forgets an address 60 s after it was last seen, denials included", () => {
    const { limiter } = limiterWith(1, 1);
    limiter.allow("192.0.2.1", 0);
    limiter.allow("192.0.2.1", 5e8);
    limiter.allow("192.0.2.2", 60e9);
    expect(limiter.size).toBe(2);
    limiter.allow("192.0.2.2", 70e9);
    expect(limiter.size).toBe(1);
  });

  test("a full table drops its oldest address for the newcomer, and counts that", () => {
    const { limiter, counted } = limiterWith(1, 1);
    for (let i = 0; i < SCRAPER_ADDRESSES_MAX; i++) limiter.allow(addressOf(i + 1), i);
    expect(counted).toEqual([]);
    expect(limiter.allow("192.0.2.1", 5_000)).toBe(true);
    expect(counted).toEqual([HTTP.dropped.ip_table_full]);
    expect(limiter.size).toBe(SCRAPER_ADDRESSES_MAX);
    expect(limiter.allow(addressOf(2), 5_000)).toBe(false);
    expect(limiter.allow(addressOf(1), 5_000)).toBe(true);
  });

  test("a full table whose addresses have expired takes newcomers without a loss", () => {
    const { limiter, counted } = limiterWith(1, 1);
    for (let i = 0; i < SCRAPER_ADDRESSES_MAX; i++) limiter.allow(addressOf(i + 1), 55e9);
    expect(limiter.allow("192.0.2.1", 115e9)).toBe(true);
    expect(counted).toEqual([]);
    expect(limiter.size).toBe(1);
  });

  test("an address that the index cannot store is refused and counted", () => {
    const { limiter, counted } = limiterWith(1, 1);
    const mask = new BoundedIndex(SCRAPER_ADDRESSES_MAX).bucketCount - 1;
    const colliding: string[] = [];
    for (let key = 1; colliding.length < 65; key++) {
      if ((hashU32(key) & mask) === 7) colliding.push(addressOf(key));
    }
    const allowed = colliding.map((address) => limiter.allow(address, 0));
    expect(allowed).toEqual([...new Array(64).fill(true), false]);
    expect([counted, limiter.probeExhausted]).toEqual([[HTTP.dropped.ip_table_full], 1]);
  });
});

test("addressKey() is the IPv4 address itself", () => {
  expect(addressKey("127.0.0.1")).toBe(0x7f00_0001);
  expect(addressKey("::ffff:255.255.255.255")).toBe(0xffff_ffff);
  expect(addressKey("::1")).not.toBe(addressKey("::2"));
});
