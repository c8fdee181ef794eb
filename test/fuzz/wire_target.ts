// Frames against the slow codec: valid ones, damaged ones, and damaged ones whose CRC was made
// right again, at every place of a larger arena. Both must say the same, and nothing around the
// frame may change.
import { decode, decodeFrame, decodeInnerFrame } from "../../src/wire/decode.ts";
import { DECODE_OK, decodeErrorName } from "../../src/wire/decode_error.ts";
import { encode } from "../../src/wire/encode.ts";
import { type Frame, STATUS_TEXTS } from "../../src/wire/frame.ts";
import {
  referenceCrc32c,
  referenceDecode,
  referenceDecodeInner,
  referenceEncode,
} from "../reference/frame.ts";
import type { Random } from "../simulation/random.ts";
import { damage, randomBytes } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const FRAMES_PER_ROUND = 64;
const ARENA_WORDS = 24;
const U64_EDGES = [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n];
const U32_EDGES = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export class WireTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #words = new Uint32Array(ARENA_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  round(random: Random): void {
    for (let frame = 0; frame < FRAMES_PER_ROUND; frame++) this.#one(random);
  }

  [Symbol.dispose](): void {}

  #one(random: Random): void {
    const w = random.below(ARENA_WORDS - 7);
    this.#bytes.set(randomBytes(random, this.#bytes.length));
    const bytes = this.#bytes.subarray(w * 4, w * 4 + 32);
    bytes.set(candidate(random));
    const before = this.#bytes.toHex();
    const code = decodeFrame(this.#words, w);
    same("the arena after decodeFrame()", this.#bytes.toHex(), before);
    const found = code === DECODE_OK ? "ok" : decodeErrorName(code);
    count(this, found);
    const hex = bytes.toHex();
    const wanted = referenceDecode(bytes);
    same(`decodeFrame() of ${hex}`, found, wanted.error ?? "ok");
    const innerCode = decodeInnerFrame(this.#words, w);
    const inner = innerCode === DECODE_OK ? "ok" : decodeErrorName(innerCode);
    same(`decodeInnerFrame() of ${hex}`, inner, referenceDecodeInner(bytes).error ?? "ok");
    if (inner !== found) count(this, `inner ${inner}`);
    const decoded = decode(bytes);
    same(`decode() of ${hex}`, decoded.ok ? "ok" : decoded.error.name, found);
    if (!decoded.ok || wanted.error !== undefined) return;
    const { status, pid, timestamp, nonce, payload } = decoded.frame;
    const statusCode = STATUS_TEXTS.indexOf(status);
    same(
      `the fields of ${hex}`,
      [statusCode, BigInt(pid), timestamp, nonce, BigInt(payload)],
      [wanted.status, wanted.pid, wanted.timestamp, wanted.nonce, wanted.payload],
    );
    same(`encode() of the fields of ${hex}`, encode(decoded.frame).toHex(), hex);
  }
}

function candidate(random: Random): Uint8Array {
  if (random.chance(0.03)) return randomBytes(random, 32);
  const bytes = referenceEncode({ ...anyFrame(random), status: random.below(5) });
  if (random.chance(0.5)) damage(random, bytes);
  if (random.chance(0.7)) {
    // Foreign traffic is known by its first bytes: let most of the damage be elsewhere, and the CRC
    // be right.
    bytes.set([0x56, 0x41, 2]);
    new DataView(bytes.buffer).setUint32(28, referenceCrc32c(bytes, 28), true);
  }
  return bytes;
}

function anyFrame(random: Random): Omit<Frame, "status"> {
  const u64 = () =>
    random.chance(0.4)
      ? random.pick(U64_EDGES)
      : (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const u32 = () => (random.chance(0.3) ? random.pick(U32_EDGES) : random.u32());
  return { pid: u32(), timestamp: u64(), nonce: u64(), payload: u32() };
}
