// Two sinks meet here: what the HTTP server counts becomes metric series, and what it refuses is
// said in the log, once for each reason and then once a minute with the number in between.
import { NS_PER_S } from "../base/time.ts";
import * as counts from "../http/http_counts.ts";
import type { Metrics } from "../metrics/metrics.ts";
import * as series from "../metrics/series.ts";
import type { Log } from "./log.ts";

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
  [counts.HTTP_DROPPED_HEALTH_RATE]: DROPPED.health_rate_limit,
  [counts.HTTP_DROPPED_CONNECTIONS]: DROPPED.connections,
  [counts.HTTP_DROPPED_ADDRESS]: DROPPED.address_connections,
  [counts.HTTP_DROPPED_DESCRIPTORS]: DROPPED.descriptors,
  [counts.HTTP_DROPPED_ACCEPT]: DROPPED.accept_failed,
  [counts.HTTP_DROPPED_HEAD_TIME]: DROPPED.head_time,
  [counts.HTTP_DROPPED_HEAD_SIZE]: DROPPED.head_size,
  [counts.HTTP_DROPPED_MALFORMED]: DROPPED.malformed,
  [counts.HTTP_DROPPED_BODY]: DROPPED.body,
  [counts.HTTP_DROPPED_HOST]: DROPPED.host,
  [counts.HTTP_DROPPED_METHOD]: DROPPED.method,
  [counts.HTTP_DROPPED_PATH]: DROPPED.path,
  [counts.HTTP_DROPPED_UNREAD]: DROPPED.unread,
};

/** What was refused, and what can be done. */
const CAUSES: Readonly<Record<number, string>> = {
  [counts.HTTP_AUTH_FAILURE]: "a scrape without the right token, see metrics.token_file",
  [counts.HTTP_DROPPED_DRAIN]: "more scrapes at once than are served",
  [counts.HTTP_DROPPED_RATE_LIMIT]:
    "more scrapes of one address than metrics.rate_limit_per_sec allows",
  [counts.HTTP_DROPPED_IP_TABLE_FULL]: "more scraper addresses than are remembered",
  [counts.HTTP_DROPPED_HEALTH_RATE]: "more than 50 health checks per second of one address",
  [counts.HTTP_DROPPED_CONNECTIONS]: "more connections than are kept open",
  [counts.HTTP_DROPPED_ADDRESS]: "more than 32 connections of one address",
  [counts.HTTP_DROPPED_DESCRIPTORS]:
    "a connection would take a descriptor that children and files need, raise LimitNOFILE",
  [counts.HTTP_DROPPED_ACCEPT]: "the system has no descriptor or memory for a connection",
  [counts.HTTP_DROPPED_HEAD_TIME]: "a connection sent no whole request in 5 s",
  [counts.HTTP_DROPPED_HEAD_SIZE]: "a request header of more than 16 KiB or 100 fields",
  [counts.HTTP_DROPPED_MALFORMED]: "bytes that are no HTTP/1 request (TLS is not served here)",
  [counts.HTTP_DROPPED_BODY]: "a request with a body",
  [counts.HTTP_DROPPED_HOST]: "a request by a name that is not in metrics.hosts",
  [counts.HTTP_DROPPED_METHOD]: "a request that is neither GET nor HEAD",
  [counts.HTTP_DROPPED_PATH]: "a request for a page that does not exist",
  [counts.HTTP_DROPPED_UNREAD]: "a client that did not read its answer",
};

/** Between two lines about the same reason. */
const SAID_NS_MIN = 60 * NS_PER_S;

interface Said {
  atNs: number;
  /** Refusals since then. */
  since: number;
}

/** The callback that counts and tells what the HTTP server did. */
export function countHttp(
  metrics: Metrics,
  log: Pick<Log, "warn">,
  nowNs: () => number,
): counts.CountHttp {
  const said = new Map<number, Said>();
  return (code) => {
    metrics.add(SERIES[code]!, 1);
    const cause = CAUSES[code];
    if (cause === undefined) return;
    const now = nowNs();
    const last = said.get(code);
    if (last !== undefined && now - last.atNs < SAID_NS_MIN) {
      last.since++;
      return;
    }
    said.set(code, { atNs: now, since: 0 });
    const count = last === undefined ? 1 : last.since + 1;
    log.warn("http refused", { cause, count });
  };
}
