// Why 32 bytes are not a frame: codes for the hot path, names and sentences for the cold side
// (spec 01 section 4.1). A code is 1 + the index of its metric label. The operands of an error (hi,
// lo, second) are three u32 that an event row carries; they are read from the frame only after it
// was refused.
import { u64FromPair } from "../base/u64.ts";
import { crc32cFrame } from "./crc32c.ts";
import {
  frameStatus,
  STATUS_STALL,
  WORD_CRC,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_PID,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "./frame.ts";

export const DECODE_OK = 0;
export const DECODE_BAD_MAGIC = 1;
export const DECODE_BAD_VERSION = 2;
export const DECODE_BAD_STATUS = 3;
export const DECODE_BAD_PID = 4;
export const DECODE_BAD_TIMESTAMP = 5;
export const DECODE_BAD_NONCE = 6;
export const DECODE_STALL_ON_WIRE = 7;
export const DECODE_BAD_CRC = 8;

/** Label values of `varta_decode_errors_total{kind}`, indexed by code - 1. */
export const DECODE_ERROR_KINDS = [
  "bad_magic",
  "bad_version",
  "bad_status",
  "bad_pid",
  "bad_timestamp",
  "bad_nonce",
  "stall_on_wire",
  "bad_crc",
] as const;

export type DecodeErrorName =
  | "BadMagic"
  | "BadVersion"
  | "BadStatus"
  | "BadPid"
  | "BadTimestamp"
  | "BadNonce"
  | "StallOnWire"
  | "BadCrc";

const NAMES: readonly DecodeErrorName[] = [
  "BadMagic",
  "BadVersion",
  "BadStatus",
  "BadPid",
  "BadTimestamp",
  "BadNonce",
  "StallOnWire",
  "BadCrc",
];

/** Variant names of the statuses, as the errors spell them (spec 01 section 1.1). */
const STATUS_NAMES = ["Ok", "Degraded", "Critical", "Stall"] as const;

/** First operand: the recomputed CRC, or the upper half of the timestamp or nonce; else 0. */
export function decodeErrorHi(code: number, words: Uint32Array, w: number): number {
  if (code === DECODE_BAD_CRC) return crc32cFrame(words, w);
  if (code === DECODE_BAD_TIMESTAMP) return words[w + WORD_TIMESTAMP_HI]!;
  if (code === DECODE_BAD_NONCE) return words[w + WORD_NONCE_HI]!;
  return 0;
}

/**
 * Second operand: the stored CRC, the status byte, the pid, or the lower half of the timestamp or
 * nonce; else 0.
 */
export function decodeErrorLo(code: number, words: Uint32Array, w: number): number {
  if (code === DECODE_BAD_CRC) return words[w + WORD_CRC]!;
  if (code === DECODE_BAD_STATUS) return frameStatus(words, w);
  if (code === DECODE_BAD_PID) return words[w + WORD_PID]!;
  if (code === DECODE_BAD_TIMESTAMP) return words[w + WORD_TIMESTAMP_LO]!;
  if (code === DECODE_BAD_NONCE) return words[w + WORD_NONCE_LO]!;
  return 0;
}

/** Third operand: the status byte of a bad nonce; else 0. */
export function decodeErrorSecond(code: number, words: Uint32Array, w: number): number {
  return code === DECODE_BAD_NONCE ? frameStatus(words, w) : 0;
}

/** The variant name, "BadMagic" and so on. */
export function decodeErrorName(code: number): DecodeErrorName {
  const name = NAMES[code - 1];
  if (name === undefined)
    throw new RangeError(
      `Cannot name decode error: code must be in 1..8: current value is ${code}`,
    );
  return name;
}

/** The sentence for logs and library users. */
export function decodeErrorText(code: number, hi: number, lo: number, second: number): string {
  return `varta-vlp: ${sentence(code, hi, lo, second)}`;
}

/** The compact form of the event export. */
export function decodeErrorExportText(
  code: number,
  hi: number,
  lo: number,
  second: number,
): string {
  const name = decodeErrorName(code);
  switch (code) {
    case DECODE_BAD_STATUS:
      return `${name}(${hexByte(lo)})`;
    case DECODE_BAD_PID:
      return `${name}(${lo})`;
    case DECODE_BAD_TIMESTAMP:
      return `${name}(${hexU64(hi, lo)})`;
    case DECODE_BAD_NONCE:
      return `${name}(${hexU64(hi, lo)},${statusName(second)})`;
    case DECODE_BAD_CRC:
      return `${name}(expected=${hexU32(hi)},actual=${hexU32(lo)})`;
    default:
      return name;
  }
}

function sentence(code: number, hi: number, lo: number, second: number): string {
  switch (code) {
    case DECODE_BAD_MAGIC:
      return 'magic bytes are not "VA"';
    case DECODE_BAD_VERSION:
      return "unsupported protocol version; this observer speaks version 2";
    case DECODE_BAD_STATUS:
      return `unknown status byte ${hexByte(lo)}`;
    case DECODE_BAD_PID:
      return `pid ${lo} is reserved`;
    case DECODE_BAD_TIMESTAMP:
      return `timestamp ${hexU64(hi, lo)} is reserved`;
    case DECODE_BAD_NONCE:
      return `terminal nonce ${hexU64(hi, lo)} needs status Critical, found ${statusName(second)}`;
    case DECODE_STALL_ON_WIRE:
      return `status Stall (${hexByte(STATUS_STALL)}) is made by the observer only and is illegal on the wire`;
    case DECODE_BAD_CRC:
      return `CRC-32C mismatch: expected ${hexU32(hi)}, found ${hexU32(lo)}`;
    default:
      throw new RangeError(
        `Cannot describe decode error: code must be in 1..8: current value is ${code}`,
      );
  }
}

function statusName(status: number): string {
  return STATUS_NAMES[status] ?? hexByte(status);
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

function hexU32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

function hexU64(hi: number, lo: number): string {
  return `0x${u64FromPair(hi, lo).toString(16)}`;
}
