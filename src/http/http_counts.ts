// What the HTTP server counts. The daemon maps these codes to its metric series: two sinks do not know each other.

export const HTTP_SCRAPE_SKIPPED = 0;
export const HTTP_SLICE_EXHAUSTED = 1;
export const HTTP_SCRAPE_BUDGET_EXCEEDED = 2;
export const HTTP_AUTH_FAILURE = 3;
export const HTTP_DROPPED_DRAIN = 4;
export const HTTP_DROPPED_RATE_LIMIT = 5;
export const HTTP_DROPPED_IP_TABLE_FULL = 6;
export const HTTP_IP_PROBE_EXHAUSTED = 7;

/** Called with one of the codes above, once per occurrence. Must not throw. */
export type CountHttp = (code: number) => void;
