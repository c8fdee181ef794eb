import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { u64FromPair } from "../../src/base/u64.ts";
import { crc32cFrame } from "../../src/wire/crc32c.ts";
import { decode, decodeFrame, decodeInnerFrame } from "../../src/wire/decode.ts";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_BAD_VERSION,
  DECODE_OK,
  decodeErrorHi,
  decodeErrorLo,
  decodeErrorName,
  decodeErrorSecond,
} from "../../src/wire/decode_error.ts";
import { encode, encodeFrame } from "../../src/wire/encode.ts";
import { frameStatus, WORD_CRC } from "../../src/wire/frame.ts";
import {
  type ReferenceDecoded,
  referenceDecode,
  referenceDecodeInner,
  referenceEncode,
} from "../reference/frame.ts";
import { Xorshift32 } from "../reference/xorshift.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesFromHex, loadVectors } from "../vectors/load_vectors.ts";

setDefaultTimeout(TEST_MS_MAX);

const DIFFERENTIAL_RUNS = atLength(60_000, 1_000_000);
const vectors = await loadVectors();

describe("decode()", () => {
  for (const vector of vectors.frame_vectors) {
    if (vector.kind === "encode_decode_roundtrip") {
      test(`reads the fields of ${vector.id}`, () => {
        const { status, pid, timestamp, nonce, payload } = vector.inputs;
        const frame = { status, pid, timestamp: BigInt(timestamp), nonce: BigInt(nonce), payload };
        expect(decode(bytesFromHex(vector.expected_wire_hex))).toEqual({ ok: true, frame });
      });
    } else {
      test(`refuses ${vector.id} as ${vector.expected_decode_error}`, () => {
        const decoded = decode(bytesFromHex(vector.wire_hex));
        expect(decoded.ok ? "accepted" : (decoded.error.name as string)).toBe(
          vector.expected_decode_error,
        );
      });
    }
  }

  test("accepts the values next to the reserved ones", () => {
    const frame = {
      status: "critical",
      pid: 2 ** 32 - 1,
      timestamp: 2n ** 64n - 2n,
      nonce: 2n ** 64n - 2n,
      payload: 2 ** 32 - 1,
    } as const;
    expect(decode(encode(frame))).toEqual({ ok: true, frame });
  });

  test("reads a frame out of the middle of a larger buffer", () => {
    const bytes = new Uint8Array(70);
    bytes.set(encode({ status: "ok", pid: 2, timestamp: 0n, nonce: 1n, payload: 9 }), 3);
    const decoded = decode(bytes.subarray(3, 35));
    expect(decoded.ok && decoded.frame.payload).toBe(9);
  });

  test("says which length it wants when given another", () => {
    expect(() => decode(new Uint8Array(31))).toThrow(
      "Cannot decode frame: it must be 32 bytes long: current length is 31",
    );
  });

  test("describes a CRC mismatch with the recomputed value first", () => {
    const bytes = encode({ status: "ok", pid: 2, timestamp: 0n, nonce: 1n, payload: 0 });
    bytes[28]! ^= 0x01;
    const decoded = decode(bytes);
    if (decoded.ok) throw new Error("accepted");
    expect(decoded.error.message).toMatch(/expected 0xaa6b11e4, found 0xaa6b11e5/);
  });
});

describe("decodeInnerFrame()", () => {
  const U64_MAX = 2n ** 64n - 1n;
  test.each([0, 1, 2])(
    "says of pid %p with any other rule broken what the slow one says",
    (pid) => {
      for (const status of [0, 2, 3, 4])
        for (const timestamp of [1n, U64_MAX])
          for (const nonce of [1n, U64_MAX]) {
            const bytes = referenceEncode({ status, pid, timestamp, nonce, payload: 7 });
            const code = decodeInnerFrame(new Uint32Array(bytes.buffer), 0);
            const found = code === DECODE_OK ? undefined : decodeErrorName(code);
            const frame = `status ${status} timestamp ${timestamp} nonce ${nonce}`;
            expect([frame, found]).toEqual([frame, referenceDecodeInner(bytes).error]);
          }
    },
  );

  test("accepts pid 1 and no pid 0", () => {
    const codes = [0, 1, 2].map((pid) => {
      const words = new Uint32Array(8);
      encodeFrame(words, 0, 0, pid, 0, 1, 0, 1, 0);
      return decodeInnerFrame(words, 0);
    });
    expect(codes.map((code) => code === DECODE_OK)).toEqual([false, true, true]);
  });
});

describe("decodeFrame()", () => {
  test("reports the first rule that a frame breaks, for any two rules broken at once", () => {
    const breaks: [name: string, apply: (bytes: Uint8Array) => void][] = [
      ["BadMagic", (bytes) => bytes.set([0x00], 0)],
      ["BadVersion", (bytes) => bytes.set([0x01], 2)],
      ["BadCrc", () => {}],
      ["BadStatus", (bytes) => bytes.set([0x04], 3)],
      ["StallOnWire", (bytes) => bytes.set([0x03], 3)],
      ["BadPid", (bytes) => bytes.set([1, 0, 0, 0], 4)],
      ["BadTimestamp", (bytes) => bytes.fill(0xff, 8, 16)],
      ["BadNonce", (bytes) => bytes.fill(0xff, 16, 24)],
    ];
    for (let first = 0; first < breaks.length; first++)
      for (let second = first; second < breaks.length; second++) {
        const [a, b] = [breaks[first]!, breaks[second]!];
        const words = new Uint32Array(8);
        const bytes = new Uint8Array(words.buffer);
        encodeFrame(words, 0, 0, 2, 0, 100, 0, 1, 0);
        // The later rule is broken first: a stall overwrites a bad status, not the other way round.
        b[1](bytes);
        a[1](bytes);
        words[WORD_CRC] = crc32cFrame(words, 0);
        if (a[0] === "BadCrc" || b[0] === "BadCrc") words[WORD_CRC]! ^= 0x8000_0000;
        expect(`${a[0]}+${b[0]}: ${decodeErrorName(decodeFrame(words, 0))}`).toBe(
          `${a[0]}+${b[0]}: ${a[0]}`,
        );
      }
  });

  test("accepts the terminal nonce with Critical only", () => {
    const words = new Uint32Array(8);
    const codes = [0, 1, 2].map((status) => {
      encodeFrame(words, 0, status, 2, 0, 999, 0xffff_ffff, 0xffff_ffff, 0);
      return decodeFrame(words, 0);
    });
    expect(codes.map((code) => (code === DECODE_OK ? "ok" : decodeErrorName(code)))).toEqual([
      "BadNonce",
      "BadNonce",
      "ok",
    ]);
  });

  test("rejects each of the 256 single-bit flips of 1000 random frames as what it looks like", () => {
    const random = new Xorshift32(0xb17f11b5);
    const words = new Uint32Array(8);
    const bytes = new Uint8Array(words.buffer);
    for (let run = 0; run < 1_000; run++) {
      const pid = Math.max(2, random.next());
      const nonceLo = random.next() >>> 1;
      encodeFrame(
        words,
        0,
        random.below(3),
        pid,
        random.next() >>> 1,
        random.next(),
        0,
        nonceLo,
        random.next(),
      );
      expect(decodeFrame(words, 0)).toBe(DECODE_OK);
      for (let bit = 0; bit < 256; bit++) {
        const mask = 1 << (bit & 7);
        const position = bit >> 3;
        bytes[position]! ^= mask;
        const code = decodeFrame(words, 0);
        bytes[position]! ^= mask;
        const wanted =
          position < 2 ? DECODE_BAD_MAGIC : position === 2 ? DECODE_BAD_VERSION : DECODE_BAD_CRC;
        if (code !== wanted)
          throw new Error(`flip of bit ${bit} of ${bytes.toHex()}: code ${code}`);
      }
    }
  });

  test("agrees with the slow codec on random and near-valid inputs", () => {
    const random = new Xorshift32(0x0dec0de5);
    const words = new Uint32Array(16);
    const seen = new Map<string, number>();
    for (let run = 0; run < DIFFERENTIAL_RUNS; run++) {
      const w = run & 7;
      const bytes = new Uint8Array(words.buffer, w * 4, 32);
      scribble(random, words, w);
      const want = referenceDecode(bytes);
      const difference = compare(want, words, w);
      if (difference !== "") throw new Error(`${bytes.toHex()}: ${difference}`);
      seen.set(want.error ?? "ok", (seen.get(want.error ?? "ok") ?? 0) + 1);
    }
    // Every outcome must be common, or the comparison says little.
    expect([...seen.keys()].sort()).toEqual([
      "BadCrc",
      "BadMagic",
      "BadNonce",
      "BadPid",
      "BadStatus",
      "BadTimestamp",
      "BadVersion",
      "StallOnWire",
      "ok",
    ]);
    for (const count of seen.values()) expect(count).toBeGreaterThan(DIFFERENTIAL_RUNS / 1_000);
  });

  test("gives back every field of a frame written by either codec", () => {
    const random = new Xorshift32(0xf1e1d5);
    for (let run = 0; run < 5_000; run++) {
      const status = random.below(3);
      const frame = {
        status: (["ok", "degraded", "critical"] as const)[status]!,
        pid: Math.max(2, random.next()),
        timestamp:
          u64FromPair(random.next() >>> random.below(32), random.next()) % (2n ** 64n - 1n),
        nonce: u64FromPair(random.next() >>> random.below(32), random.next()) % (2n ** 64n - 1n),
        payload: random.next(),
      };
      const bytes = encode(frame);
      expect(bytes).toEqual(referenceEncode({ ...frame, status }));
      expect(decode(bytes)).toEqual({ ok: true, frame });
    }
  });
});

/**
 * Random words, then most of the time a plausible frame with a few reserved values and a good CRC.
 */
function scribble(random: Xorshift32, words: Uint32Array, w: number): void {
  for (let word = w; word < w + 8; word++) words[word] = random.next();
  const shape = random.next();
  if ((shape & 0x1f) === 0) return;
  const status = (shape >>> 5) & 7;
  words[w] = (words[w]! & 0xf8000000) | (status << 24) | 0x00024156;
  if (((shape >>> 8) & 7) !== 0) words[w]! &= 0x07ffffff;
  if (((shape >>> 11) & 15) === 0) words[w]! ^= 1 << (shape >>> 27);
  if (((shape >>> 15) & 7) === 0) words[w + 1] = random.below(3);
  if (((shape >>> 18) & 7) === 0) words.fill(0xffff_ffff, w + 2, w + 4);
  if (((shape >>> 21) & 3) === 0) words.fill(0xffff_ffff, w + 4, w + 6);
  if (((shape >>> 23) & 15) !== 0) words[w + 7] = crc32cFrame(words, w);
}

/** What differs between the verdict of the slow codec and the fast one; empty if nothing does. */
function compare(want: ReferenceDecoded, words: Uint32Array, w: number): string {
  const code = decodeFrame(words, w);
  if (want.error === undefined) {
    if (code !== DECODE_OK) return `want a frame, found code ${code}`;
    const same =
      frameStatus(words, w) === want.status &&
      BigInt(words[w + 1]!) === want.pid &&
      u64FromPair(words[w + 3]!, words[w + 2]!) === want.timestamp &&
      u64FromPair(words[w + 5]!, words[w + 4]!) === want.nonce &&
      BigInt(words[w + 6]!) === want.payload;
    return same ? "" : "the fields differ";
  }
  if (code === DECODE_OK) return `want ${want.error}, found a frame`;
  const name = decodeErrorName(code);
  if (name !== want.error) return `want ${want.error}, found ${name}`;
  const hi = decodeErrorHi(code, words, w);
  const lo = decodeErrorLo(code, words, w);
  const second = decodeErrorSecond(code, words, w);
  const found = operandsOf(name, hi, lo, second);
  return found.join() === want.operands.join() ? "" : `operands ${found} of ${want.operands}`;
}

function operandsOf(name: string, hi: number, lo: number, second: number): bigint[] {
  if (name === "BadCrc") return [BigInt(hi), BigInt(lo)];
  if (name === "BadStatus" || name === "BadPid") return [BigInt(lo)];
  if (name === "BadTimestamp") return [u64FromPair(hi, lo)];
  if (name === "BadNonce") return [u64FromPair(hi, lo), BigInt(second)];
  return [];
}
