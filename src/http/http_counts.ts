// What the HTTP server counts. The daemon maps these codes to its metric series: two sinks do not
// know each other.

export const HTTP_SCRAPE_SKIPPED = 0;
export const HTTP_SLICE_EXHAUSTED = 1;
export const HTTP_SCRAPE_BUDGET_EXCEEDED = 2;
export const HTTP_AUTH_FAILURE = 3;
export const HTTP_DROPPED_DRAIN = 4;
export const HTTP_DROPPED_RATE_LIMIT = 5;
export const HTTP_DROPPED_IP_TABLE_FULL = 6;
export const HTTP_IP_PROBE_EXHAUSTED = 7;
export const HTTP_DROPPED_HEALTH_RATE = 8;
/**
 * Connections: one too many in all, or of its address; the one that waited longest was closed, or
 * the newcomer.
 */
export const HTTP_DROPPED_CONNECTIONS = 9;
export const HTTP_DROPPED_ADDRESS = 10;
/** A connection would have taken one of the descriptors that are kept for children and files. */
export const HTTP_DROPPED_DESCRIPTORS = 11;
/** The system had no descriptor or memory for a connection. */
export const HTTP_DROPPED_ACCEPT = 12;
export const HTTP_DROPPED_HEAD_TIME = 13;
export const HTTP_DROPPED_HEAD_SIZE = 14;
export const HTTP_DROPPED_MALFORMED = 15;
export const HTTP_DROPPED_BODY = 16;
export const HTTP_DROPPED_HOST = 17;
export const HTTP_DROPPED_METHOD = 18;
export const HTTP_DROPPED_PATH = 19;
/** An answer that its client did not read. */
export const HTTP_DROPPED_UNREAD = 20;

/** Called with one of the codes above, once per occurrence. Must not throw. */
export type CountHttp = (code: number) => void;
