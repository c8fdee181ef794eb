// Sealed frames (spec 02 section 1): a 32-byte frame under ChaCha20-Poly1305, with a shared key (60
// bytes) or a key of its own per agent (64 bytes, the pid first as additional data); and in the
// same way the 64 bytes of a hello or a bye (92 or 96). Opening is put together from the library's
// cipher and MAC as RFC 8439 section 2.8 says, and not from its AEAD: that one throws on a forged
// frame, while here every trial is the same straight line, whatever the key, the tag or the
// plaintext. Sealing uses the AEAD, so each checks the other.
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import { chacha20, chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { assert } from "../base/assert.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { CONTROL_BYTES } from "./control_datagram.ts";
import { FRAME_WORDS, WORD_PID } from "./frame.ts";

export const KEY_BYTES = 32;
export const IV_RANDOM_BYTES = 8;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const AGENT_PID_BYTES = 4;
/** iv_random[8], iv_counter, ciphertext[32], tag[16]. */
export const SHARED_FRAME_BYTES = NONCE_BYTES + FRAME_BYTES + TAG_BYTES;
/** agent_pid, then the same. */
export const MASTER_FRAME_BYTES = AGENT_PID_BYTES + SHARED_FRAME_BYTES;
/** The same of a hello or a bye. */
export const SHARED_CONTROL_BYTES = NONCE_BYTES + CONTROL_BYTES + TAG_BYTES;
export const MASTER_CONTROL_BYTES = AGENT_PID_BYTES + SHARED_CONTROL_BYTES;

/**
 * Word offsets from the first word of the nonce; the agent pid of a master frame is the word before
 * it.
 */
export const SEALED_IV_LOW = 0;
export const SEALED_IV_HIGH = 1;
export const SEALED_IV_COUNTER = 2;
const SEALED_CIPHERTEXT = 3;

/** One-time MAC key from cipher block 0, keystream from block 1. */
const BLOCK_BYTES = 64;
const KEYSTREAM_WORD = BLOCK_BYTES / 4;
const ZEROS = new Uint8Array(new ArrayBuffer(2 * BLOCK_BYTES));

/** Opens sealed frames; holds one candidate plaintext, which is not read unless its tag matched. */
export class FrameOpener {
  readonly #blocks = alignedBytes(2 * BLOCK_BYTES);
  readonly #keystream = wordsOf(this.#blocks);
  readonly #macKey = this.#blocks.subarray(0, KEY_BYTES);
  readonly #nonce = alignedBytes(NONCE_BYTES);
  readonly #nonceWords = wordsOf(this.#nonce);
  /** Of what is sealed: a frame, or a hello or a bye. */
  readonly plainWords: number;
  readonly #bare: MacText;
  readonly #withPid: MacText;
  readonly #candidate: Uint32Array;

  constructor(plainWords = FRAME_WORDS) {
    assert(plainWords * 4 <= BLOCK_BYTES, "one block of keystream is enough");
    this.plainWords = plainWords;
    this.#bare = new MacText(0, plainWords);
    this.#withPid = new MacText(AGENT_PID_BYTES, plainWords);
    this.#candidate = new Uint32Array(plainWords);
  }

  /**
   * One trial of a shared key on the frame whose nonce begins at word `at`: all ones if it opened,
   * else 0. The plaintext is then the candidate.
   */
  tryShared(key: Uint8Array, words: Uint32Array, at: number): number {
    return this.#open(key, words, at, this.#bare);
  }

  /**
   * The same with the key of the agent that the frame names, which must also be the pid of the
   * plaintext.
   */
  tryMaster(agentKey: Uint8Array, words: Uint32Array, at: number): number {
    const agentPid = words[at - 1]!;
    this.#withPid.words[0] = agentPid;
    const opened = this.#open(agentKey, words, at, this.#withPid);
    return opened & allOnesIfZero(this.#candidate[WORD_PID]! ^ agentPid);
  }

  /** Puts the candidate at word `to` of `out` where `mask` has ones, and leaves the rest. */
  select(mask: number, out: Uint32Array, to: number): void {
    const candidate = this.#candidate;
    for (let i = 0; i < this.plainWords; i++)
      out[to + i] = (out[to + i]! & ~mask) | (candidate[i]! & mask);
  }

  /** Forgets the last keystream and plaintext. */
  wipe(): void {
    this.#blocks.fill(0);
    this.#candidate.fill(0);
  }

  #open(key: Uint8Array, words: Uint32Array, at: number, text: MacText): number {
    const nonce = this.#nonceWords;
    for (let i = 0; i < 3; i++) nonce[i] = words[at + i]!;
    chacha20(key, this.#nonce, ZEROS, this.#blocks, 0);
    const { words: mac, ciphertextWord } = text;
    const keystream = this.#keystream;
    const candidate = this.#candidate;
    const { plainWords } = this;
    for (let i = 0; i < plainWords; i++) {
      const sealed = words[at + SEALED_CIPHERTEXT + i]!;
      mac[ciphertextWord + i] = sealed;
      candidate[i] = sealed ^ keystream[KEYSTREAM_WORD + i]!;
    }
    const tag = poly1305(text.bytes, this.#macKey);
    let difference = 0;
    for (let i = 0; i < TAG_BYTES / 4; i++)
      difference |= wordAt(tag, i) ^ words[at + SEALED_CIPHERTEXT + plainWords + i]!;
    return allOnesIfZero(difference);
  }
}

/**
 * What the MAC covers: the padded additional data, the ciphertext, and the lengths of both
 * (RFC 8439 section 2.8).
 */
class MacText {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array;
  readonly ciphertextWord: number;

  constructor(additionalBytes: number, plainWords: number) {
    const paddedBytes = additionalBytes === 0 ? 0 : 16;
    this.bytes = alignedBytes(paddedBytes + plainWords * 4 + 16);
    this.words = wordsOf(this.bytes);
    this.ciphertextWord = paddedBytes / 4;
    const lengths = this.ciphertextWord + plainWords;
    this.words[lengths] = additionalBytes;
    this.words[lengths + 2] = plainWords * 4;
  }
}

/** ChaCha20-Poly1305 (RFC 8439): the ciphertext of `text`, and its tag. */
export type Aead = (input: {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additional: Uint8Array | undefined;
  readonly text: Uint8Array;
}) => Uint8Array;

interface SealOptions {
  readonly key: Uint8Array;
  /** 8 bytes that no other session under the key uses. */
  readonly ivRandom: Uint8Array;
  /** u32; never twice with the same key and `ivRandom`. */
  readonly ivCounter: number;
  /** The 32 bytes of a frame, or the 64 of a hello or a bye. */
  readonly frame: Uint8Array;
  /** Instead of our own. */
  readonly aead?: Aead | undefined;
}

/** The 60 bytes of a frame under a shared key; 92 of a hello or a bye. */
export function sealShared(options: SealOptions): Uint8Array {
  const sealed = new Uint8Array(NONCE_BYTES + options.frame.length + TAG_BYTES);
  sealInto(sealed, options, undefined);
  return sealed;
}

/**
 * The 64 bytes of a frame under the derived key of agent `agentPid`, which is the pid in the frame;
 * 96 of a hello or a bye.
 */
export function sealMaster(agentPid: number, options: SealOptions): Uint8Array {
  const sealed = new Uint8Array(AGENT_PID_BYTES + NONCE_BYTES + options.frame.length + TAG_BYTES);
  new DataView(sealed.buffer).setUint32(0, agentPid, true);
  sealInto(sealed.subarray(AGENT_PID_BYTES), options, sealed.slice(0, AGENT_PID_BYTES));
  return sealed;
}

function sealInto(out: Uint8Array, options: SealOptions, additional: Uint8Array | undefined): void {
  const { key, ivRandom, ivCounter, frame: text, aead = ownAead } = options;
  assert(ivRandom.length === IV_RANDOM_BYTES, "an IV prefix has 8 bytes");
  const isFrame = text.length === FRAME_BYTES;
  assert(isFrame || text.length === CONTROL_BYTES, "a frame has 32 bytes, a hello has 64");
  out.set(ivRandom);
  new DataView(out.buffer, out.byteOffset).setUint32(IV_RANDOM_BYTES, ivCounter, true);
  const nonce = out.slice(0, NONCE_BYTES);
  out.set(aead({ key, nonce, additional, text }), NONCE_BYTES);
}

function ownAead({ key, nonce, additional, text }: Parameters<Aead>[0]): Uint8Array {
  return chacha20poly1305(key, nonce, additional).encrypt(text);
}

/** True if two keys are the same; the time depends on their lengths only. */
export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** All ones for 0 and 0 for anything else, without a branch. */
function allOnesIfZero(value: number): number {
  return ~((value | -value) >> 31);
}

function wordAt(bytes: Uint8Array, index: number): number {
  const at = index * 4;
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

// The library works on words only where the bytes lie on a word boundary.
function alignedBytes(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}

function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(bytes.buffer);
}

assert(SHARED_FRAME_BYTES === 60, "nonce, ciphertext and tag are 60 bytes");
assert(MASTER_FRAME_BYTES === 64, "the agent pid makes it 64");
assert(SHARED_CONTROL_BYTES === 92, "nonce, ciphertext and tag of a hello are 92 bytes");
assert(MASTER_CONTROL_BYTES === 96, "the agent pid makes it 96");
