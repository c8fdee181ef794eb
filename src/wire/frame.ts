// The 32-byte VLP frame, wire version 2: its words, its constants and the four statuses (spec 01
// sections 1 and 7). On the hot path a frame is eight little-endian u32 words inside a receive
// arena, addressed by the offset of its first word; u64 fields are (hi, lo) pairs. `Frame` is the
// same thing at the public edge, with bigint fields.
import { assert } from "../base/assert.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX } from "../base/u64.ts";

export interface Frame {
  readonly status: Status;
  /** u32; the emitter's pid in its own pid namespace. */
  readonly pid: number;
  /** u64; emitter-local monotonic nanoseconds. */
  readonly timestamp: bigint;
  /** u64; `NONCE_TERMINAL` marks the last beat of a panicking agent. */
  readonly nonce: bigint;
  /** u32; opaque. */
  readonly payload: number;
}

export type Status = "ok" | "degraded" | "critical" | "stall";

export const FRAME_WORDS = 8;
/** Magic (16 bits), version (8), status (8). */
export const WORD_HEAD = 0;
export const WORD_PID = 1;
export const WORD_TIMESTAMP_LO = 2;
export const WORD_TIMESTAMP_HI = 3;
export const WORD_NONCE_LO = 4;
export const WORD_NONCE_HI = 5;
export const WORD_PAYLOAD = 6;
export const WORD_CRC = 7;

/** The bytes 56 41 ("VA") as the low half of the little-endian head word. */
export const MAGIC = 0x4156;
export const VERSION = 2;
/** Both halves of the terminal nonce and of the reserved timestamp are all-ones. */
export const NONCE_TERMINAL = 2n ** 64n - 1n;
/** Pids 0 (kernel) and 1 (init) are reserved: an observer never watches them. */
export const PID_MIN = 2;
/** But in a container this is the program that it was started for. */
export const PID_INIT = 1;

export const STATUS_OK = 0;
export const STATUS_DEGRADED = 1;
export const STATUS_CRITICAL = 2;
/** Made by the observer only; illegal on the wire. */
export const STATUS_STALL = 3;

/** Texts of the statuses in export, metrics, templates and the public API, indexed by code. */
export const STATUS_TEXTS = ["ok", "degraded", "critical", "stall"] as const;

export function statusText(code: number): string {
  return STATUS_TEXTS[code] ?? "unknown";
}

/** The code of a status text; -1 if it is none. */
export function statusCode(text: string): number {
  return (STATUS_TEXTS as readonly string[]).indexOf(text);
}

/** The status byte of the frame at word `w`. */
export function frameStatus(words: Uint32Array, w: number): number {
  return words[w + WORD_HEAD]! >>> 24;
}

/** True if the frame at word `w` carries the terminal nonce; after decode it is then Critical. */
export function frameIsTerminal(words: Uint32Array, w: number): boolean {
  return words[w + WORD_NONCE_HI]! === U32_MAX && words[w + WORD_NONCE_LO]! === U32_MAX;
}

assert(FRAME_WORDS * 4 === FRAME_BYTES, "a frame is eight words");
assert(
  new Uint8Array(Uint32Array.of(1).buffer)[0] === 1,
  "frames are read in place, which needs a little-endian machine",
);
