import { describe, expect, test } from "bun:test";
import { encode, encodeFrame } from "../../src/wire/encode.ts";
import { NONCE_TERMINAL } from "../../src/wire/frame.ts";
import { loadVectors } from "../vectors/load_vectors.ts";

const vectors = await loadVectors();
const plain = { status: "ok", pid: 2, timestamp: 0n, nonce: 1n, payload: 0 } as const;

describe("encode()", () => {
  for (const vector of vectors.frame_vectors) {
    if (vector.kind !== "encode_decode_roundtrip") continue;
    test(`writes the golden bytes of ${vector.id}`, () => {
      const { status, pid, timestamp, nonce, payload } = vector.inputs;
      const frame = { status, pid, timestamp: BigInt(timestamp), nonce: BigInt(nonce), payload };
      expect(encode(frame).toHex()).toBe(vector.expected_wire_hex);
    });
  }

  test("does not judge: a stall, a reserved pid and a reserved timestamp can be written", () => {
    const bytes = encode({ ...plain, status: "stall", pid: 0, timestamp: NONCE_TERMINAL });
    expect(bytes.subarray(0, 16).toHex()).toBe("5641020300000000ffffffffffffffff");
  });

  test("refuses a value that does not fit its field, naming the field and the value", () => {
    expect(() => encode({ ...plain, pid: 2 ** 32 })).toThrow(
      "Cannot encode frame: pid must be an integer in 0..4294967295: current value is 4294967296",
    );
    expect(() => encode({ ...plain, payload: -1 })).toThrow("payload must be an integer");
    expect(() => encode({ ...plain, payload: 1.5 })).toThrow("current value is 1.5");
    expect(() => encode({ ...plain, nonce: -1n })).toThrow("nonce must be in 0..");
    expect(() => encode({ ...plain, timestamp: 2n ** 64n })).toThrow("timestamp must be in 0..");
  });
});

describe("encodeFrame()", () => {
  test("writes eight words at the given offset and nothing else", () => {
    const words = new Uint32Array(24).fill(0x1111_1111);
    encodeFrame(words, 8, 0, 0xdead_beef, 0x0123_4567, 0x89ab_cdef, 0, 1, 66);
    expect(new Uint8Array(words.buffer, 32, 32).toHex()).toBe(
      "56410200efbeaddeefcdab896745230101000000000000004200000000b228b8",
    );
    expect(words.subarray(0, 8).every((word) => word === 0x1111_1111)).toBe(true);
    expect(words.subarray(16).every((word) => word === 0x1111_1111)).toBe(true);
  });
});
