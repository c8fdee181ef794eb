// The hash chain of the audit log (spec 11 section 2): each row carries the SHA-256 of itself and of the chain before it, so
// no row can be changed, removed, inserted or moved without changing every chain after it. Keyless: it proves
// something only to who keeps a copy of the head elsewhere.
import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";

export const CHAIN_BYTES = 32;

/** What the first row of a log continues from. */
export const CHAIN_START = new Uint8Array(CHAIN_BYTES);

/** Ends in the schema version: a row of another schema never has the same hash. */
const DOMAIN = "VARTA-AUDIT-v2";

/** The chain of a row: `body` is the line from seq up to, not including, the tab before the chain column. */
export function chainOf(kind: string, previous: Uint8Array, body: Uint8Array): Buffer {
  assert(previous.length === CHAIN_BYTES, "a chain has 32 bytes");
  return createHash("sha256")
    .update(`${DOMAIN}\0${kind}\0`)
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
  #chain: Uint8Array;

  constructor(seq: number, chain: Uint8Array) {
    this.seq = seq;
    this.#chain = chain;
  }

  /** The chain column of the last row. */
  get text(): string {
    return Buffer.from(this.#chain).toString("hex");
  }

  /** The complete line of the next row, after `lostCount` rows that used up their seq and were never written. */
  seal(kind: string, fields: string, lostCount: number): Buffer {
    this.seq += lostCount + 1;
    const body = Buffer.from(`${this.seq}\t${fields}`);
    this.#chain = chainOf(kind, this.#chain, body);
    return Buffer.concat([body, Buffer.from(`\t${this.text}\n`)]);
  }
}
