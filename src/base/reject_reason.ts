// Why a consumed datagram was not accepted: exactly one reason each, in the order of the accounting
// identity (spec 08 section 4). The number is the column in the accounting table and the index of
// the label text.

export const REJECT_WRONG_SIZE = 0;
export const REJECT_CTRL_TRUNCATED = 1;
export const REJECT_NO_CREDENTIALS = 2;
export const REJECT_DECRYPT = 3;
export const REJECT_SENDER_TABLE_FULL = 4;
export const REJECT_REPLAY = 5;
export const REJECT_DECODE = 6;
export const REJECT_UID = 7;
export const REJECT_PID = 8;
export const REJECT_PID_ABOVE_MAX = 9;
export const REJECT_RATE_PER_PID = 10;
export const REJECT_RATE_GLOBAL = 11;
export const REJECT_CROSS_NAMESPACE = 12;
export const REJECT_ORIGIN_CONFLICT = 13;
export const REJECT_NAMESPACE_CONFLICT = 14;
export const REJECT_CAPACITY = 15;
export const REJECT_OUT_OF_ORDER = 16;
/** Of a notify listener: a text that is none, and a word for a process that is not its own. */
export const REJECT_TEXT = 17;
export const REJECT_MAINPID = 18;

/** Label values of `varta_datagrams_rejected_total{reason}`, indexed by reason. */
export const REJECT_REASONS = [
  "wrong_size",
  "ctrl_truncated",
  "no_credentials",
  "decrypt",
  "sender_table_full",
  "replay",
  "decode",
  "uid",
  "pid",
  "pid_above_max",
  "rate_per_pid",
  "rate_global",
  "cross_namespace",
  "origin_conflict",
  "namespace_conflict",
  "capacity",
  "out_of_order",
  "text",
  "mainpid",
] as const;

export const REJECT_REASON_COUNT = REJECT_REASONS.length;
