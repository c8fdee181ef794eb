// The frame of the state file (spec 18 section 2): a title with the version, then sections of
// records, then the end, which says how much there was. Each section has its number, its length and
// a checksum, so a file that was cut, mixed or changed is found out before a record is believed.
import { RECORD_BYTES_MAX } from "./records.ts";

export const MAGIC = "VARTASTA";
export const STATE_VERSION = 2;
/** The magic, the version, and the checksum of both. */
export const TITLE_BYTES = 16;
/** u32 each: checksum, kind, number, records, bytes after this head; and zero. */
export const SECTION_HEAD_BYTES = 24;
/** The checksum covers all of a section but itself. */
export const CHECKED_FROM = 4;
/** The kind of the last section, whose number is that of the sections before it. */
export const KIND_END = 0;

/** A section is closed when it has so much: about 150 members, which take 0.1 ms. */
export const SECTION_FULL_BYTES = 32 * 1_024;
export const SECTION_BYTES_MAX = SECTION_FULL_BYTES + RECORD_BYTES_MAX;

/** 2^20 members of 450 bytes, and the rest: what is larger was not written by a daemon. */
export const STATE_BYTES_MAX = 512 * 1_048_576;

/** CRC-32 of zlib: the runtime's own takes 0.1 ms for what ten thousand members are. */
export function checksumOf(bytes: Uint8Array): number {
  return Bun.hash.crc32(bytes as Uint8Array<ArrayBuffer>);
}
