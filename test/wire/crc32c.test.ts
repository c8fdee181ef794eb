import { describe, expect, test } from "bun:test";
import { crc32c, crc32cFrame, crc32cWords } from "../../src/wire/crc32c.ts";
import { referenceCrc32c } from "../reference/frame.ts";
import { Xorshift32 } from "../reference/xorshift.ts";
import { bytesFromHex, loadVectors } from "../vectors/load_vectors.ts";

const vectors = await loadVectors();

describe("crc32c()", () => {
  for (const vector of vectors.crc32c_vectors)
    test(`gives the published value of ${vector.id}`, () => {
      const crc = crc32c(bytesFromHex(vector.input_hex));
      expect(crc.toString(16).padStart(8, "0")).toBe(vector.expected_crc_hex);
    });

  test("gives the trailer of a golden frame for its first 28 bytes", () => {
    const frame = "56410200 efbeadde efcdab8967452301 0100000000000000 42000000".replaceAll(
      " ",
      "",
    );
    expect(crc32c(bytesFromHex(frame))).toBe(0xb828b200);
  });
});

describe("crc32cFrame()", () => {
  test("equals the byte-wise and the bit-wise form on random frames at any word offset", () => {
    const random = new Xorshift32(0x5eed);
    const words = new Uint32Array(24);
    for (let run = 0; run < 20_000; run++) {
      const w = random.below(17);
      for (let word = w; word < w + 8; word++) words[word] = random.next();
      const bytes = new Uint8Array(words.buffer, w * 4, 28);
      const crc = crc32cFrame(words, w);
      expect(crc).toBe(crc32c(bytes));
      expect(crc).toBe(referenceCrc32c(bytes, 28));
    }
  });

  test("equals the byte-wise form when a single byte of the frame is set", () => {
    const words = new Uint32Array(8);
    const bytes = new Uint8Array(words.buffer);
    for (let position = 0; position < 28; position++)
      for (let value = 0; value < 256; value++) {
        bytes.fill(0);
        bytes[position] = value;
        expect(crc32cFrame(words, 0)).toBe(crc32c(bytes.subarray(0, 28)));
      }
  });

  test("ignores the stored checksum", () => {
    const words = new Uint32Array(8);
    const crc = crc32cFrame(words, 0);
    words[7] = 0xdead_beef;
    expect(crc32cFrame(words, 0)).toBe(crc);
  });
});

test("crc32cWords() equals the bit-wise form of every length at any word offset", () => {
  const random = new Xorshift32(0x5eed);
  const words = new Uint32Array(40);
  for (let run = 0; run < 2_000; run++) {
    const w = random.below(20);
    const wordCount = random.below(21);
    for (let word = 0; word < words.length; word++) words[word] = random.next();
    const bytes = new Uint8Array(words.buffer, w * 4, wordCount * 4);
    expect(crc32cWords(words, w, wordCount)).toBe(referenceCrc32c(bytes, bytes.length));
  }
});
