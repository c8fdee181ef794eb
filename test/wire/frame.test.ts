import { describe, expect, test } from "bun:test";
import { encodeFrame } from "../../src/wire/encode.ts";
import { frameIsTerminal, frameStatus, statusCode, statusText } from "../../src/wire/frame.ts";
import { loadVectors, parseExact } from "../vectors/load_vectors.ts";

describe("the vector file", () => {
  test("has the counts and constants of the published suite", async () => {
    const vectors = await loadVectors();
    const ofKind = (kind: string) => vectors.frame_vectors.filter((v) => v.kind === kind).length;
    expect(vectors.spec_version).toBe("0.2");
    expect(vectors.magic_hex).toBe("5641");
    expect(vectors.version_byte).toBe(2);
    expect(vectors.nonce_terminal_hex).toBe("ffffffffffffffff");
    expect(vectors.crc32c_vectors.length).toBe(5);
    expect(ofKind("encode_decode_roundtrip")).toBe(6);
    expect(ofKind("decode_error")).toBe(9);
    expect(vectors.secure_frame_vectors.map((v) => v.kind)).toEqual([
      "shared_key_seal",
      "master_key_seal",
      "kdf_agent_key",
      "kdf_iv_prefix",
      "kdf_epoch_key",
    ]);
  });

  test("keeps integers above 2^53 exact and digits inside strings untouched", () => {
    const parsed: unknown = parseExact(
      '{"a":18446744073709551615,"b":"\\"1234567890123456789","c":7}',
    );
    expect(parsed).toEqual({ a: "18446744073709551615", b: '"1234567890123456789', c: 7 });
  });
});

describe("status", () => {
  test("has a text for every code and a code for every text", () => {
    expect([0, 1, 2, 3].map(statusText)).toEqual(["ok", "degraded", "critical", "stall"]);
    expect(["ok", "degraded", "critical", "stall"].map(statusCode)).toEqual([0, 1, 2, 3]);
    expect(statusText(4)).toBe("unknown");
    expect(statusCode("OK")).toBe(-1);
  });

  test("is read from the top byte of the head, up to 255", () => {
    const words = new Uint32Array(8);
    encodeFrame(words, 0, 255, 2, 0, 0, 0, 1, 0);
    expect(frameStatus(words, 0)).toBe(255);
  });
});

describe("frameIsTerminal()", () => {
  test("needs both halves of the nonce to be all-ones", () => {
    const terminal = (hi: number, lo: number) => {
      const words = new Uint32Array(8);
      encodeFrame(words, 0, 2, 2, 0, 0, hi, lo, 0);
      return frameIsTerminal(words, 0);
    };
    expect(terminal(0xffff_ffff, 0xffff_ffff)).toBe(true);
    expect(terminal(0xffff_ffff, 0xffff_fffe)).toBe(false);
    expect(terminal(0xffff_fffe, 0xffff_ffff)).toBe(false);
  });
});
