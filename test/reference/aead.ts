// ChaCha20-Poly1305 as RFC 8439 describes it, slow and literal: plain loops and bigint arithmetic,
// nothing shared with the library that the program uses.

const U32 = 2 ** 32;
const PRIME = 2n ** 130n - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** One keystream block (RFC 8439 section 2.3). */
export function chachaBlock(key: Uint8Array, counter: number, nonce: Uint8Array): Uint8Array {
  const start = [
    ...wordsOf(new TextEncoder().encode("expand 32-byte k")),
    ...wordsOf(key),
    counter,
    ...wordsOf(nonce),
  ];
  const state = [...start];
  for (let round = 0; round < 10; round++) {
    for (let column = 0; column < 4; column++)
      quarterRound(state, column, column + 4, column + 8, column + 12);
    for (let diagonal = 0; diagonal < 4; diagonal++)
      quarterRound(
        state,
        diagonal,
        4 + ((diagonal + 1) % 4),
        8 + ((diagonal + 2) % 4),
        12 + ((diagonal + 3) % 4),
      );
  }
  const block = new DataView(new ArrayBuffer(64));
  for (let i = 0; i < 16; i++) block.setUint32(i * 4, (state[i]! + start[i]!) % U32, true);
  return new Uint8Array(block.buffer);
}

/** The tag of `message` under a one-time key of 32 bytes (RFC 8439 section 2.5). */
export function poly1305Tag(oneTimeKey: Uint8Array, message: Uint8Array): Uint8Array {
  const r = littleEndian(oneTimeKey.subarray(0, 16)) & CLAMP;
  const s = littleEndian(oneTimeKey.subarray(16));
  let accumulator = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    accumulator += littleEndian(block) + 2n ** BigInt(8 * block.length);
    accumulator = (accumulator * r) % PRIME;
  }
  return bytesOf(accumulator + s, 16);
}

export interface AeadInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additional: Uint8Array;
}

/** Ciphertext and tag (RFC 8439 section 2.8). */
export function aeadSeal(input: AeadInput, plaintext: Uint8Array): Uint8Array {
  const ciphertext = xorKeystream(input, plaintext);
  return Uint8Array.from([...ciphertext, ...tagOf(input, ciphertext)]);
}

/** The plaintext, or undefined if the tag does not match. */
export function aeadOpen(input: AeadInput, sealed: Uint8Array): Uint8Array | undefined {
  const ciphertext = sealed.subarray(0, -16);
  const tag = tagOf(input, ciphertext);
  if (!sealed.subarray(-16).every((byte, i) => byte === tag[i])) return undefined;
  return xorKeystream(input, ciphertext);
}

function tagOf({ key, nonce, additional }: AeadInput, ciphertext: Uint8Array): Uint8Array {
  const oneTimeKey = chachaBlock(key, 0, nonce).subarray(0, 32);
  const message = Uint8Array.from([
    ...padded(additional),
    ...padded(ciphertext),
    ...bytesOf(BigInt(additional.length), 8),
    ...bytesOf(BigInt(ciphertext.length), 8),
  ]);
  return poly1305Tag(oneTimeKey, message);
}

function xorKeystream({ key, nonce }: AeadInput, bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => byte ^ chachaBlock(key, 1 + Math.floor(i / 64), nonce)[i % 64]!);
}

function quarterRound(state: number[], a: number, b: number, c: number, d: number): void {
  for (const [x, y, z, bits] of [
    [a, b, d, 16],
    [c, d, b, 12],
    [a, b, d, 8],
    [c, d, b, 7],
  ] as const) {
    state[x] = (state[x]! + state[y]!) % U32;
    const mixed = (state[z]! ^ state[x]!) >>> 0;
    state[z] = ((mixed << bits) | (mixed >>> (32 - bits))) >>> 0;
  }
}

function padded(bytes: Uint8Array): number[] {
  return [...bytes, ...new Uint8Array((16 - (bytes.length % 16)) % 16)];
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.slice().buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function bytesOf(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
