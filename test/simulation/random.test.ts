import { expect, test } from "bun:test";
import { Random } from "./random.ts";
import { TraceHash } from "./trace_hash.ts";

test("Random gives the same numbers for the same seed and others for the next seed", () => {
  const numbers = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 8 }, () => random.u32());
  };
  expect(numbers(0)).toEqual(numbers(0));
  expect(numbers(0)).not.toEqual(numbers(1));
  expect(numbers(2 ** 40)).not.toEqual(numbers(0));
});

test("Random.below() and between() reach both ends and nothing beyond", () => {
  const random = new Random(3);
  const below = Array.from({ length: 1_000 }, () => random.below(7));
  const between = Array.from({ length: 1_000 }, () => random.between(-2, 2));
  expect([Math.min(...below), Math.max(...below)]).toEqual([0, 6]);
  expect([Math.min(...between), Math.max(...between)]).toEqual([-2, 2]);
  expect(new Set(between).size).toBe(5);
});

test("Random.chance() is never true at 0 and always at 1", () => {
  const random = new Random(4);
  const draws = Array.from({ length: 500 }, () => [random.chance(0), random.chance(1)]);
  expect(draws.every(([never, always]) => !never && always)).toBe(true);
});

test("TraceHash tells values, orders and borders apart", () => {
  const hashOf = (fill: (hash: TraceHash) => void) => {
    const hash = new TraceHash();
    fill(hash);
    return hash.digest();
  };
  const digests = [
    hashOf(() => {}),
    hashOf((hash) => hash.number(0)),
    hashOf((hash) => hash.number(2 ** 40)),
    hashOf((hash) => hash.number(Number.NaN)),
    hashOf((hash) => hash.text("ab")),
    hashOf((hash) => {
      hash.text("a");
      hash.text("b");
    }),
    hashOf((hash) => {
      hash.number(1);
      hash.number(2);
    }),
    hashOf((hash) => {
      hash.number(2);
      hash.number(1);
    }),
    hashOf((hash) => hash.bytes(Uint8Array.of(1, 2))),
  ];
  expect(new Set(digests).size).toBe(digests.length);
  expect(digests.every((digest) => /^[0-9a-f]{16}$/.test(digest))).toBe(true);
});
