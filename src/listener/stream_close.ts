// Why a connection of a stream listener was closed (spec 05 section 10.3): exactly one reason each.
// The number is the column in the counters and the index of the label text.

/** The client closed it, between two frames. */
export const CLOSE_BY_CLIENT = 0;
/** It closed it within a frame. */
export const CLOSE_HALF_FRAME = 1;
export const CLOSE_MAGIC = 2;
export const CLOSE_VERSION = 3;
export const CLOSE_CRC = 4;
/** Bytes of another sender came within a frame. */
export const CLOSE_MIXED_SENDERS = 5;
export const CLOSE_LATE_FRAME = 6;
export const CLOSE_SILENCE = 7;
export const CLOSE_PROCESS_ENDED = 8;
/** By the allow list. */
export const CLOSE_UID = 9;
export const CLOSE_LIMIT = 10;
export const CLOSE_LIMIT_UID = 11;
export const CLOSE_LIMIT_PID = 12;
/** The process, or the system, had none left for it. */
export const CLOSE_DESCRIPTORS = 13;
export const CLOSE_ERROR = 14;

/** Label values of `varta_stream_closed_total{reason}`, indexed by reason. */
export const CLOSE_REASONS = [
  "by_client",
  "half_frame",
  "magic",
  "version",
  "crc",
  "mixed_senders",
  "late_frame",
  "silence",
  "process_ended",
  "uid",
  "limit",
  "limit_uid",
  "limit_pid",
  "descriptors",
  "error",
] as const;
