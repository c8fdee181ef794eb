// Sealed frames: the conformance vectors, every bit that can be flipped, and the opener against the
// literal twin of the cipher (test/reference/aead.ts).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chacha20 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import {
  FrameOpener,
  MASTER_FRAME_BYTES,
  SHARED_FRAME_BYTES,
  sameKey,
  sealMaster,
  sealShared,
} from "../../src/wire/secure_frame.ts";
import { aeadOpen, aeadSeal } from "../reference/aead.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesFromHex, loadVectors, type SecureVector } from "../vectors/load_vectors.ts";

setDefaultTimeout(TEST_MS_MAX);

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, i) => 0xff - i);
const IV = bytesFromHex("1122334455667788");
const FRAME = bytesFromHex("5641020002000000e80300000000000001000000000000000000000055d0861c");
const SHARED_SEALED =
  "112233445566778800000000bcba1b202190b688a08e0a7ac909da44a2023cb7a421fd6428453fd12141c257b6fd638c55fddf5c621020de1327975a";
const MASTER_SEALED =
  "02000000112233445566778800000000efe8fd8c226106641e01fc8fe649f79475e19b4f2093e063987f1c663a5d2f0b73ba429fadc4c494e2723baff86af9cc";
const AGENT_KEY = deriveAgentKey(KEY, 2);
const NOTHING = "00".repeat(32);
const { secure_frame_vectors } = await loadVectors();

describe("conformance vectors", () => {
  test("shared_key_seal: sealing gives the wire bytes, opening gives the plaintext", () => {
    for (const vector of ofKind("shared_key_seal")) {
      const key = bytes(vector, "key_hex");
      const sealed = sealShared({
        key,
        ivRandom: bytes(vector, "iv_random_hex"),
        ivCounter: Number(vector["iv_counter"]),
        frame: bytes(vector, "plaintext_hex"),
      });
      expect(sealed.toHex()).toBe(String(vector["expected_wire_hex"]));
      expect(openShared(key, sealed)).toBe(String(vector["plaintext_hex"]));
    }
  });

  test("master_key_seal: the derived key, the wire bytes and the way back", () => {
    for (const vector of ofKind("master_key_seal")) {
      const pid = Number(vector["agent_pid"]);
      const key = deriveAgentKey(bytes(vector, "master_key_hex"), pid);
      expect(key.toHex()).toBe(String(vector["derived_agent_key_hex"]));
      const sealed = sealMaster(pid, {
        key,
        ivRandom: bytes(vector, "iv_random_hex"),
        ivCounter: Number(vector["iv_counter"]),
        frame: bytes(vector, "plaintext_hex"),
      });
      expect(sealed.toHex()).toBe(String(vector["expected_wire_hex"]));
      expect(openMaster(key, sealed)).toBe(String(vector["plaintext_hex"]));
    }
  });

  test("the goldens of the specification are the same frames", () => {
    expect(seal(0).toHex()).toBe(SHARED_SEALED);
    expect(sealedByMaster(0).toHex()).toBe(MASTER_SEALED);
    expect(SHARED_SEALED).toHaveLength(SHARED_FRAME_BYTES * 2);
    expect(MASTER_SEALED).toHaveLength(MASTER_FRAME_BYTES * 2);
  });

  test("the one-time Poly1305 keys of both frames are block 0", () => {
    const nonce = Uint8Array.from([...IV, 0, 0, 0, 0]);
    expect(chacha20(KEY, nonce, new Uint8Array(32)).toHex()).toBe(
      "5eba3ff8b174f013a8cf7ad4dd07e53e2eb9f34eec9f48d421abfd119e49bd7a",
    );
    expect(chacha20(AGENT_KEY, nonce, new Uint8Array(32)).toHex()).toBe(
      "e5abdcfbb83f657daba56f5669527e28295f37d8a0dd290983bf41e2cfef9da0",
    );
  });
});

describe("FrameOpener.tryShared()", () => {
  test("refuses another key", () => {
    expect(openShared(OTHER_KEY, seal(0))).toBe(NOTHING);
  });

  test("refuses a frame with any single bit flipped: nonce, ciphertext or tag", () => {
    for (const forged of withFlippedBits(seal(7))) expect(openShared(KEY, forged)).toBe(NOTHING);
  });

  test("refuses a frame that was sealed with additional data", () => {
    const sealed = sealedByMaster(0).subarray(4);
    expect(openShared(AGENT_KEY, sealed)).toBe(NOTHING);
  });

  test("opens counters up to 2^32-1, each to its own bytes", () => {
    const counters = [0, 1, 2 ** 31, 2 ** 32 - 1];
    const sealed = counters.map((counter) => seal(counter));
    expect(new Set(sealed.map((bytes) => bytes.toHex())).size).toBe(counters.length);
    for (const bytes of sealed) expect(openShared(KEY, bytes)).toBe(FRAME.toHex());
  });

  test("opens the same frame again and again", () => {
    const opener = new FrameOpener();
    const words = wordsOf(seal(1));
    for (let i = 0; i < 3; i++) expect(opener.tryShared(KEY, words, 0)).toBe(-1);
  });

  test("opens nothing after a trial that opened something", () => {
    const opener = new FrameOpener();
    expect(opener.tryShared(KEY, wordsOf(seal(1)), 0)).toBe(-1);
    expect(opener.tryShared(OTHER_KEY, wordsOf(seal(1)), 0)).toBe(0);
  });
});

describe("FrameOpener.tryMaster()", () => {
  test("refuses the key of another agent and the master key itself", () => {
    expect(openMaster(deriveAgentKey(KEY, 3), sealedByMaster(0))).toBe(NOTHING);
    expect(openMaster(KEY, sealedByMaster(0))).toBe(NOTHING);
  });

  test("refuses a frame with any single bit flipped: agent pid, nonce, ciphertext or tag", () => {
    for (const forged of withFlippedBits(sealedByMaster(7)))
      expect(openMaster(AGENT_KEY, forged)).toBe(NOTHING);
  });

  test("refuses an authentic frame whose pid is not the one in front", () => {
    // The agent with key 3 says that it is 3 and seals a frame of pid 2.
    const key = deriveAgentKey(KEY, 3);
    const sealed = sealMaster(3, { key, ivRandom: IV, ivCounter: 0, frame: FRAME });
    expect(openMaster(key, sealed)).toBe(NOTHING);
    const input = { key, nonce: sealed.slice(4, 16), additional: sealed.slice(0, 4) };
    expect(aeadOpen(input, sealed.subarray(16))!.toHex()).toBe(FRAME.toHex());
  });

  test("refuses the bytes of a frame without additional data", () => {
    const bare = sealShared({ key: AGENT_KEY, ivRandom: IV, ivCounter: 0, frame: FRAME });
    expect(openMaster(AGENT_KEY, Uint8Array.from([2, 0, 0, 0, ...bare]))).toBe(NOTHING);
  });
});

describe("FrameOpener.select()", () => {
  test("takes the candidate for a mask of ones and leaves the place alone for 0", () => {
    const opener = new FrameOpener();
    opener.tryShared(KEY, wordsOf(seal(0)), 0);
    const out = new Uint32Array(10).fill(7);
    opener.select(0, out, 1);
    expect([...out]).toEqual(new Array(10).fill(7));
    opener.select(-1, out, 1);
    expect([out[0], out[9]]).toEqual([7, 7]);
    expect(new Uint8Array(out.buffer, 4, 32).toHex()).toBe(FRAME.toHex());
  });

  test("has nothing left after wipe()", () => {
    const opener = new FrameOpener();
    opener.tryShared(KEY, wordsOf(seal(0)), 0);
    opener.wipe();
    const out = new Uint32Array(8).fill(7);
    opener.select(-1, out, 0);
    expect([...out]).toEqual(new Array(8).fill(0));
  });
});

test("the opener and the literal twin agree on any frame, damaged or not", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const damage = fc.option(fc.record({ at: fc.nat(63), bit: fc.nat(7) }), { nil: undefined });
  fc.assert(
    fc.property(
      bytes(32),
      bytes(12),
      bytes(32),
      fc.nat(2 ** 32 - 1),
      fc.boolean(),
      damage,
      (key, nonce, frame, pid, byMaster, flip) => {
        const prefix = Uint8Array.of(
          pid & 0xff,
          (pid >>> 8) & 0xff,
          (pid >>> 16) & 0xff,
          pid >>> 24,
        );
        if (byMaster) frame.set(prefix, 4);
        const additional = byMaster ? prefix : new Uint8Array(0);
        const body = aeadSeal({ key, nonce, additional }, frame);
        const sealed = Uint8Array.from([...additional, ...nonce, ...body]);
        if (flip !== undefined && flip.at < sealed.length) sealed[flip.at]! ^= 1 << flip.bit;
        const at = additional.length;
        const wire = { key, nonce: sealed.slice(at, at + 12), additional: sealed.slice(0, at) };
        const expected = aeadOpen(wire, sealed.subarray(at + 12))?.toHex() ?? NOTHING;
        expect(byMaster ? openMaster(key, sealed) : openShared(key, sealed)).toBe(expected);
      },
    ),
    { numRuns: atLength(30, 300) },
  );
});

test("sameKey() compares every byte and refuses another length", () => {
  expect(sameKey(KEY, KEY.slice())).toBe(true);
  expect(sameKey(KEY, KEY.subarray(0, 31))).toBe(false);
  expect(sameKey(KEY.subarray(0, 31), KEY)).toBe(false);
  for (let i = 0; i < 32; i++) {
    const other = KEY.slice();
    other[i]! ^= 0x80;
    expect(sameKey(KEY, other)).toBe(false);
  }
});

function seal(ivCounter: number): Uint8Array {
  return sealShared({ key: KEY, ivRandom: IV, ivCounter, frame: FRAME });
}

function sealedByMaster(ivCounter: number): Uint8Array {
  return sealMaster(2, { key: AGENT_KEY, ivRandom: IV, ivCounter, frame: FRAME });
}

/** The plaintext that comes out, in hex; zeros if the frame does not open. */
function openShared(key: Uint8Array, sealed: Uint8Array): string {
  const opener = new FrameOpener();
  return released(opener, opener.tryShared(key, wordsOf(sealed), 0));
}

function openMaster(key: Uint8Array, sealed: Uint8Array): string {
  const opener = new FrameOpener();
  return released(opener, opener.tryMaster(key, wordsOf(sealed), 1));
}

function released(opener: FrameOpener, mask: number): string {
  expect([0, -1]).toContain(mask);
  const out = new Uint32Array(8);
  opener.select(mask, out, 0);
  return new Uint8Array(out.buffer).toHex();
}

function wordsOf(sealed: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(sealed).buffer);
}

function* withFlippedBits(sealed: Uint8Array): IterableIterator<Uint8Array> {
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const forged = sealed.slice();
    forged[bit >>> 3]! ^= 1 << (bit & 7);
    yield forged;
  }
}

function ofKind(kind: string): SecureVector[] {
  const vectors = secure_frame_vectors.filter((vector) => vector.kind === kind);
  expect(vectors).not.toBeEmpty();
  return vectors;
}

function bytes(vector: SecureVector, field: string): Uint8Array {
  return bytesFromHex(String(vector[field]));
}
