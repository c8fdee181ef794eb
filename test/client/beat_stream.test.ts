// Nonces and timestamps of one process, compared with bigint arithmetic.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { u64FromPair } from "../../src/base/u64.ts";
import { BeatStream, beatStreamFor } from "../../src/client/beat_stream.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const U64_MAX = 2n ** 64n - 1n;

function nonce(stream: BeatStream): bigint {
  return u64FromPair(stream.nonceHi, stream.nonceLo);
}

function timestamp(stream: BeatStream): bigint {
  return u64FromPair(stream.timestampHi, stream.timestampLo);
}

describe("BeatStream nonces", () => {
  test("start at 1 and go up by one", () => {
    const stream = new BeatStream();
    expect(nonce(stream)).toBe(1n);
    stream.advance();
    stream.advance();
    expect(nonce(stream)).toBe(3n);
  });

  test("carry from the low word into the high word", () => {
    const stream = new BeatStream(0, 0xffff_ffff);
    stream.advance();
    expect(nonce(stream)).toBe(0x1_0000_0000n);
  });

  test("wrap from 2^64-2 to 0 and are never all-ones", () => {
    const stream = new BeatStream(0xffff_ffff, 0xffff_fffd);
    const seen: bigint[] = [];
    for (let i = 0; i < 4; i++) {
      seen.push(nonce(stream));
      stream.advance();
    }
    expect(seen).toEqual([U64_MAX - 2n, U64_MAX - 1n, 0n, 1n]);
  });

  test("begin again at 1 for another pid, and go on for the same", () => {
    const stream = new BeatStream(0, 7);
    stream.enter(100);
    expect(nonce(stream)).toBe(7n);
    stream.enter(100);
    expect(nonce(stream)).toBe(7n);
    stream.enter(101);
    expect(nonce(stream)).toBe(1n);
  });

  test("are shared by all clients of the process that beat to one path", () => {
    const stream = beatStreamFor("/nowhere/one.sock");
    expect(beatStreamFor("/nowhere/one.sock")).toBe(stream);
    expect(beatStreamFor("/nowhere/two.sock")).not.toBe(stream);
  });
});

describe("BeatStream timestamps", () => {
  test("are the exact nanoseconds of a clock reading, after any uptime", () => {
    const reading = [
      fc.integer({ min: 0, max: 18_446_744_072 }),
      fc.integer({ max: 999_999_999, min: 0 }),
    ] as const;
    fc.assert(
      fc.property(...reading, (seconds, nanoseconds) => {
        const stream = new BeatStream();
        stream.stamp(seconds, nanoseconds);
        expect(timestamp(stream)).toBe(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
      }),
      { numRuns: 300 },
    );
  });

  test("never step back when the clock does", () => {
    const stream = new BeatStream();
    stream.stamp(5, 7);
    stream.stamp(5, 6);
    expect(timestamp(stream)).toBe(5_000_000_007n);
    stream.stamp(4, 999_999_999);
    expect(timestamp(stream)).toBe(5_000_000_007n);
    stream.stamp(5, 8);
    expect(timestamp(stream)).toBe(5_000_000_008n);
  });

  test("grow by one for a crash beat, across the word boundary", () => {
    const stream = new BeatStream();
    stream.timestampLo = 0xffff_ffff;
    stream.stampAfter();
    expect(timestamp(stream)).toBe(0x1_0000_0000n);
  });

  test("stop at 2^64-2, since all-ones is reserved", () => {
    const stream = new BeatStream();
    stream.stamp(18_446_744_073, 709_551_615);
    expect(timestamp(stream)).toBe(U64_MAX - 1n);
    stream.stampAfter();
    expect(timestamp(stream)).toBe(U64_MAX - 1n);
    stream.stamp(90_000_000_000, 0);
    expect(timestamp(stream)).toBe(U64_MAX - 1n);
  });
});
