// Reads vlp-test-vectors.json, the conformance suite shared with the Rust observer (spec 01 section
// 6). Its timestamps and nonces are JSON integers above 2^53, which JSON.parse would round, so long
// integer literals become strings first.
import { join } from "node:path";
import type { Status } from "../../src/wire/frame.ts";

export interface CrcVector {
  readonly id: string;
  readonly input_hex: string;
  readonly expected_crc_hex: string;
}

export interface RoundTripVector {
  readonly id: string;
  readonly kind: "encode_decode_roundtrip";
  readonly inputs: {
    readonly status: Status;
    readonly pid: number;
    readonly timestamp: number | string;
    readonly nonce: number | string;
    readonly payload: number;
  };
  readonly expected_wire_hex: string;
}

export interface DecodeErrorVector {
  readonly id: string;
  readonly kind: "decode_error";
  readonly expected_decode_error: string;
  readonly wire_hex: string;
}

export interface SecureVector {
  readonly id: string;
  readonly kind: string;
  readonly [field: string]: string | number;
}

export interface Vectors {
  readonly spec_version: string;
  readonly magic_hex: string;
  readonly version_byte: number;
  readonly nonce_terminal_hex: string;
  readonly crc32c_vectors: readonly CrcVector[];
  readonly frame_vectors: readonly (RoundTripVector | DecodeErrorVector)[];
  readonly secure_frame_vectors: readonly SecureVector[];
}

export async function loadVectors(): Promise<Vectors> {
  return parseExact(await Bun.file(join(import.meta.dir, "vlp-test-vectors.json")).text());
}

/** JSON.parse, with integer literals of more than 15 digits as strings. */
export function parseExact(text: string): Vectors {
  const stringOrInteger = /"(?:[^"\\]|\\.)*"|\d{16,}/g;
  return JSON.parse(
    text.replace(stringOrInteger, (token) => (token.startsWith('"') ? token : `"${token}"`)),
  );
}

export function bytesFromHex(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}
