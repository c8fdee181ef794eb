// The cipher library against RFC 8439 and against a literal twin (test/reference/aead.ts): the
// vectors of the RFC, the edge values of Poly1305 from its appendix A.3, and the ways in which a
// sealed text can be wrong.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import { chacha20, chacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { aeadOpen, aeadSeal, chachaBlock, poly1305Tag } from "../reference/aead.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesFromHex } from "../vectors/load_vectors.ts";

setDefaultTimeout(TEST_MS_MAX);

const IETF =
  'Any submission to the IETF intended by the Contributor for publication as all or part of an IETF Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an "IETF Contribution". Such statements include oral statements in IETF sessions, as well as written and electronic communications made at any time or place, which are addressed to';
const JABBERWOCKY =
  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\nAll mimsy were the borogoves,\nAnd the mome raths outgrabe.";
const SUNSCREEN =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
const KEY_80 = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);

describe("ChaCha20 blocks", () => {
  const cases = [
    {
      name: "RFC 8439 section 2.3.2",
      key: Uint8Array.from({ length: 32 }, (_, i) => i),
      counter: 1,
      nonce: "000000090000004a00000000",
      block:
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    },
    {
      name: "RFC 8439 appendix A.1, vector 1",
      key: new Uint8Array(32),
      counter: 0,
      nonce: "000000000000000000000000",
      block:
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    },
    {
      name: "RFC 8439 appendix A.1, vector 2",
      key: new Uint8Array(32),
      counter: 1,
      nonce: "000000000000000000000000",
      block:
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    },
  ];
  for (const { name, key, counter, nonce, block } of cases)
    test(name, () => {
      const stream = chacha20(key, bytesFromHex(nonce), new Uint8Array(64), undefined, counter);
      expect(stream.toHex()).toBe(block);
      expect(chachaBlock(key, counter, bytesFromHex(nonce)).toHex()).toBe(block);
    });
});

describe("Poly1305", () => {
  const zeros = "00".repeat(16);
  const ones = "ff".repeat(16);
  const s3 = "36e5f6b5c5e06070f0efca96227a863e";
  const r10 = `0100000000000000${"0400000000000000"}`;
  const cases: readonly (readonly [name: string, key: string, message: string, tag: string])[] = [
    [
      "section 2.5.2",
      "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
      hexOf("Cryptographic Forum Research Group"),
      "a8061dc1305136c6c22b8baf0c0127a9",
    ],
    ["A.3 vector 1: a zero key", zeros + zeros, "00".repeat(64), zeros],
    ["A.3 vector 2: r = 0", zeros + s3, hexOf(IETF), s3],
    ["A.3 vector 3: s = 0", s3 + zeros, hexOf(IETF), "f3477e7cd95417af89a6b8794c310cf0"],
    [
      "A.3 vector 4",
      "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
      hexOf(JABBERWOCKY),
      "4541669a7eaaee61e708dc7cbcc5eb62",
    ],
    ["A.3 vector 5: h reaches 2^130-2", `02${zeros.slice(2)}${zeros}`, ones, `03${zeros.slice(2)}`],
    [
      "A.3 vector 6: the sum with s passes 2^128",
      `02${zeros.slice(2)}${ones}`,
      `02${zeros.slice(2)}`,
      `03${zeros.slice(2)}`,
    ],
    [
      "A.3 vector 7: h needs the last carry",
      `01${zeros.slice(2)}${zeros}`,
      `${ones}f0${ones.slice(2)}11${zeros.slice(2)}`,
      `05${zeros.slice(2)}`,
    ],
    [
      "A.3 vector 8: h is 2^130-5, which is 0",
      `01${zeros.slice(2)}${zeros}`,
      `${ones}fb${"fe".repeat(15)}${"01".repeat(16)}`,
      zeros,
    ],
    [
      "A.3 vector 9: h is 2^130-6",
      `02${zeros.slice(2)}${zeros}`,
      `fd${ones.slice(2)}`,
      `fa${ones.slice(2)}`,
    ],
    [
      "A.3 vector 10: an intermediate carry",
      r10 + zeros,
      `e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000${zeros}01${zeros.slice(2)}`,
      "14000000000000005500000000000000",
    ],
    [
      "A.3 vector 11: an intermediate carry",
      r10 + zeros,
      `e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000${zeros}`,
      `13${zeros.slice(2)}`,
    ],
  ];
  for (const [name, key, message, tag] of cases)
    test(name, () => {
      expect(poly1305(bytesFromHex(message), bytesFromHex(key)).toHex()).toBe(tag);
      expect(poly1305Tag(bytesFromHex(key), bytesFromHex(message)).toHex()).toBe(tag);
    });
});

describe("ChaCha20-Poly1305", () => {
  test("RFC 8439 section 2.8.2", () => {
    const nonce = bytesFromHex("070000004041424344454647");
    const additional = bytesFromHex("50515253c0c1c2c3c4c5c6c7");
    const plaintext = new TextEncoder().encode(SUNSCREEN);
    const expected =
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";
    expect(chacha20poly1305(KEY_80, nonce, additional).encrypt(plaintext).toHex()).toBe(expected);
    expect(aeadSeal({ key: KEY_80, nonce, additional }, plaintext).toHex()).toBe(expected);
  });

  test("a frame's worth of that text without additional data", () => {
    const nonce = bytesFromHex("070000004041424344454647");
    const plaintext = new TextEncoder().encode(SUNSCREEN.slice(0, 32));
    expect(chacha20poly1305(KEY_80, nonce).encrypt(plaintext).toHex()).toBe(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6e28a1be5817779a8a5aeee8c1ecfef33",
    );
  });

  test("takes no nonce but one of 12 bytes, no key but one of 32, and no text shorter than a tag", () => {
    for (const size of [0, 8, 11, 13, 16, 24])
      expect(() => chacha20poly1305(KEY_80, new Uint8Array(size))).toThrow();
    for (const size of [0, 16, 31, 33, 64])
      expect(() =>
        chacha20poly1305(new Uint8Array(size), new Uint8Array(12)).encrypt(new Uint8Array(1)),
      ).toThrow();
    for (const size of [0, 1, 15])
      expect(() =>
        chacha20poly1305(KEY_80, new Uint8Array(12)).decrypt(new Uint8Array(size)),
      ).toThrow();
  });

  test("is its literal twin for any key, nonce, additional data and text", () => {
    fc.assert(
      fc.property(sealInputs(), ({ plaintext, ...input }) => {
        const cipher = chacha20poly1305(input.key, input.nonce, input.additional);
        const sealed = cipher.encrypt(plaintext);
        expect(sealed.toHex()).toBe(aeadSeal(input, plaintext).toHex());
        expect(aeadOpen(input, sealed)!.toHex()).toBe(plaintext.toHex());
      }),
      { numRuns: atLength(15, 120) },
    );
  });

  test("is its literal twin for texts and keys of all zeros and all ones", () => {
    for (const key of [0x00, 0xff])
      for (const nonce of [0x00, 0xff])
        for (const text of [0x00, 0xff])
          for (const length of [0, 1, 16, 31, 32, 33, 64, 65]) {
            const input = {
              key: new Uint8Array(32).fill(key),
              nonce: new Uint8Array(12).fill(nonce),
              additional: new Uint8Array(0),
            };
            const plaintext = new Uint8Array(length).fill(text);
            const sealed = chacha20poly1305(input.key, input.nonce).encrypt(plaintext);
            expect(sealed.toHex()).toBe(aeadSeal(input, plaintext).toHex());
          }
  });
});

function sealInputs() {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  return fc.record({
    key: bytes(32),
    nonce: bytes(12),
    additional: fc.uint8Array({ maxLength: 20 }),
    plaintext: fc.uint8Array({ maxLength: 70 }),
  });
}

function hexOf(text: string): string {
  return new TextEncoder().encode(text).toHex();
}
