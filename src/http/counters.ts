// What the HTTP server counts (spec 08 section 3.6, spec 13).
import { block, type CountersOf, counter, gauge } from "../base/counters.ts";

/** Why the server refused a connection or a request; the first three are the Rust observer's. */
export const DROP_REASONS = [
  "drain",
  "rate_limit",
  "ip_table_full",
  "health_rate_limit",
  // Connections: one too many in all, or of its address; the one that waited longest was closed, or
  // the newcomer.
  "connections",
  "address_connections",
  // A connection would have taken one of the descriptors that are kept for children and files.
  "descriptors",
  // The system had no descriptor or memory for a connection.
  "accept_failed",
  "head_time",
  "head_size",
  "malformed",
  "body",
  "host",
  "method",
  "path",
  // An answer that its client did not read.
  "unread",
] as const;

interface AskedServer {
  readonly connections: number;
  readonly probeExhausted: number;
}

export const HTTP = block({
  scrapeSkipped: counter(
    "varta_scrape_skipped_total",
    "Scrapes answered from the cache of less than 1 s.",
  ),
  sliceExhausted: counter(
    "varta_scrape_budget_exhausted_total",
    "Turns whose 2 ms HTTP slice was used up with work left.",
  ),
  scrapeBudgetExceeded: counter(
    "varta_observer_scrape_budget_exceeded_total",
    "Scrapes whose body took longer than metrics.scrape_budget.",
  ),
  authFailures: counter(
    "varta_prom_auth_failures_total",
    "Scrapes with a missing or wrong bearer token.",
  ),
  dropped: counter(
    "varta_prom_connections_dropped_total",
    "Connections and requests that the HTTP server refused or gave up, by reason.",
    { label: "reason", values: DROP_REASONS },
  ),
  ipProbeExhausted: counter(
    "varta_prom_ip_state_probe_exhausted_total",
    "Operations on the table of scraper addresses that used up their probes.",
    { ask: (server: AskedServer) => server.probeExhausted },
  ),
  connections: gauge("varta_prom_connections", "Connections of the HTTP server that are open.", {
    ask: (server: AskedServer) => server.connections,
  }),
});

export type HttpCounters = CountersOf<typeof HTTP>;
export type HttpCell = Parameters<HttpCounters["add"]>[0];

/** Called once per occurrence. Must not throw. */
export type CountHttp = (cell: HttpCell) => void;
