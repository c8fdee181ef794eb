// Writes frames (spec 01 section 3). `encodeFrame` is the hot form over words in place; `encode` is
// the public edge. Neither refuses a Stall status or a reserved pid: tests need such frames, and
// the client refuses them before it sends.
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX, u64Hi, u64Lo } from "../base/u64.ts";
import { crc32cFrame } from "./crc32c.ts";
import {
  FRAME_WORDS,
  type Frame,
  MAGIC,
  NONCE_TERMINAL,
  statusCode,
  VERSION,
  WORD_CRC,
  WORD_HEAD,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_PAYLOAD,
  WORD_PID,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "./frame.ts";

/** Writes a frame with its CRC at word `w`. All values are u32 in a number; `status` is a byte. */
export function encodeFrame(
  words: Uint32Array,
  w: number,
  status: number,
  pid: number,
  timestampHi: number,
  timestampLo: number,
  nonceHi: number,
  nonceLo: number,
  payload: number,
): void {
  words[w + WORD_HEAD] = MAGIC | (VERSION << 16) | (status << 24);
  words[w + WORD_PID] = pid;
  words[w + WORD_TIMESTAMP_LO] = timestampLo;
  words[w + WORD_TIMESTAMP_HI] = timestampHi;
  words[w + WORD_NONCE_LO] = nonceLo;
  words[w + WORD_NONCE_HI] = nonceHi;
  words[w + WORD_PAYLOAD] = payload;
  words[w + WORD_CRC] = crc32cFrame(words, w);
}

/**
 * The 32 bytes of `frame`. Throws RangeError if a field does not fit its width: a truncated pid
 * names another process.
 */
export function encode(frame: Frame): Uint8Array {
  const status = statusCode(frame.status);
  if (status < 0)
    throw new RangeError(
      `Cannot encode frame: status must be "ok", "degraded", "critical" or "stall": current value is "${frame.status}"`,
    );
  checkU32("pid", frame.pid);
  checkU32("payload", frame.payload);
  checkU64("timestamp", frame.timestamp);
  checkU64("nonce", frame.nonce);
  const words = new Uint32Array(FRAME_WORDS);
  encodeFrame(
    words,
    0,
    status,
    frame.pid,
    u64Hi(frame.timestamp),
    u64Lo(frame.timestamp),
    u64Hi(frame.nonce),
    u64Lo(frame.nonce),
    frame.payload,
  );
  return new Uint8Array(words.buffer, 0, FRAME_BYTES);
}

function checkU32(field: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= U32_MAX) return;
  throw new RangeError(
    `Cannot encode frame: ${field} must be an integer in 0..${U32_MAX}: current value is ${value}`,
  );
}

function checkU64(field: string, value: bigint): void {
  // The terminal nonce happens to be the largest u64.
  if (value >= 0n && value <= NONCE_TERMINAL) return;
  throw new RangeError(
    `Cannot encode frame: ${field} must be in 0..${NONCE_TERMINAL}: current value is ${value}`,
  );
}
