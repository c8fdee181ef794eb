// Two sinks meet here: what the HTTP server counts becomes metric series.
import * as counts from "../http/http_counts.ts";
import type { Metrics } from "../metrics/metrics.ts";
import * as series from "../metrics/series.ts";

const DROPPED = series.VARTA_PROM_CONNECTIONS_DROPPED;

const SERIES: Readonly<Record<number, number>> = {
  [counts.HTTP_SCRAPE_SKIPPED]: series.VARTA_SCRAPE_SKIPPED,
  [counts.HTTP_SLICE_EXHAUSTED]: series.VARTA_SCRAPE_BUDGET_EXHAUSTED,
  [counts.HTTP_SCRAPE_BUDGET_EXCEEDED]: series.VARTA_OBSERVER_SCRAPE_BUDGET_EXCEEDED,
  [counts.HTTP_AUTH_FAILURE]: series.VARTA_PROM_AUTH_FAILURES,
  [counts.HTTP_DROPPED_DRAIN]: DROPPED.drain,
  [counts.HTTP_DROPPED_RATE_LIMIT]: DROPPED.rate_limit,
  [counts.HTTP_DROPPED_IP_TABLE_FULL]: DROPPED.ip_table_full,
  [counts.HTTP_IP_PROBE_EXHAUSTED]: series.VARTA_PROM_IP_STATE_PROBE_EXHAUSTED,
};

/** The callback that counts what the HTTP server did. */
export function countHttpInto(metrics: Metrics): counts.CountHttp {
  return (code) => {
    const id = SERIES[code];
    if (id !== undefined) metrics.add(id, 1);
  };
}
