// The hash chain of the audit log (spec 11 section 2): each row carries the SHA-256 of itself and
// of the chain before it, so no row can be changed, removed, inserted or moved without changing
// every chain after it. Without a key it proves something only to a reader who keeps a copy of the
// head elsewhere; with one it is HMAC-SHA256, which cannot be recomputed without the key.
import { createHash, createHmac } from "node:crypto";
import { assert } from "../base/assert.ts";

const CHAIN_BYTES = 32;

/** What the first row of a log continues from. */
export const CHAIN_START = new Uint8Array(CHAIN_BYTES);

/** Ends in the schema version: a row of another schema never has the same hash. */
const DOMAIN = "VARTA-AUDIT-v2";
const DOMAIN_KEYED = "VARTA-AUDIT-v2-HMAC";
const DOMAIN_KEY_ID = "VARTA-AUDIT-KEY-ID";
const KEY_ID_DIGITS = 16;

/** A key of the chain, and the name by which rows call it. */
export interface ChainKey {
  readonly bytes: Uint8Array;
  /** 16 hex digits that say nothing about the key. */
  readonly id: string;
}

export function chainKey(bytes: Uint8Array): ChainKey {
  const id = createHmac("sha256", bytes).update(DOMAIN_KEY_ID).digest("hex");
  return { bytes, id: id.slice(0, KEY_ID_DIGITS) };
}

/** True if `text` can be the id of a key. */
export function isKeyId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}

interface Link {
  readonly kind: string;
  readonly previous: Uint8Array;
  /** The line from seq up to, not including, the tab before the chain column. */
  readonly body: Uint8Array;
  /** Undefined = without a key. */
  readonly key: ChainKey | undefined;
}

/** The chain of a row. */
export function chainOf({ kind, previous, body, key }: Link): Buffer {
  assert(previous.length === CHAIN_BYTES, "a chain has 32 bytes");
  const hash = key === undefined ? createHash("sha256") : createHmac("sha256", key.bytes);
  return hash
    .update(`${key === undefined ? DOMAIN : DOMAIN_KEYED}\0${kind}\0`)
    .update(previous)
    .update("\0")
    .update(body)
    .digest();
}

/** The bytes of a chain column; undefined if it is not 64 lower-case hex digits. */
export function chainBytes(text: string): Buffer | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, "hex") : undefined;
}

/** The end of a log: numbers the next row and links it. */
export class ChainHead {
  /** Of the last row; 0 = none. */
  seq: number;
  readonly key: ChainKey | undefined;
  #chain: Uint8Array;

  constructor(seq: number, chain: Uint8Array, key: ChainKey | undefined) {
    this.seq = seq;
    this.key = key;
    this.#chain = chain;
  }

  /** The chain column of the last row. */
  get text(): string {
    return Buffer.from(this.#chain).toString("hex");
  }

  /**
   * The complete line of the next row, after `lostCount` rows that used up their seq and were never
   * written.
   */
  seal(kind: string, fields: string, lostCount: number): Buffer {
    this.seq += lostCount + 1;
    const body = Buffer.from(`${this.seq}\t${fields}`);
    this.#chain = chainOf({ kind, previous: this.#chain, body, key: this.key });
    return Buffer.concat([body, Buffer.from(`\t${this.text}\n`)]);
  }
}
