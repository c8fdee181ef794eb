// What the HTTP server refuses is said in the log, once for each reason and then once a minute with
// the number in between.
import { NS_PER_S } from "../base/time.ts";
import { type CountHttp, HTTP } from "../http/counters.ts";
import type { Log } from "./log.ts";

/** What was refused, and what can be done. */
const CAUSES: Readonly<Record<number, string>> = {
  [HTTP.authFailures]: "a scrape without the right token, see metrics.token_file",
  [HTTP.dropped.drain]: "more scrapes or streams at once than are served",
  [HTTP.dropped.rate_limit]: "more scrapes of one address than metrics.rate_limit_per_sec allows",
  [HTTP.dropped.ip_table_full]: "more scraper addresses than are remembered",
  [HTTP.dropped.health_rate_limit]: "more than 50 health checks per second of one address",
  [HTTP.dropped.connections]: "more connections than are kept open",
  [HTTP.dropped.address_connections]: "more than 32 connections of one address",
  [HTTP.dropped.descriptors]:
    "a connection would take a descriptor that children and files need, raise LimitNOFILE",
  [HTTP.dropped.accept_failed]: "the system has no descriptor or memory for a connection",
  [HTTP.dropped.head_time]: "a connection sent no whole request in 5 s",
  [HTTP.dropped.head_size]: "a request header of more than 16 KiB or 100 fields",
  [HTTP.dropped.malformed]: "bytes that are no HTTP/1 request (TLS is not served here)",
  [HTTP.dropped.body]: "a request with a body",
  [HTTP.dropped.host]: "a request by a name that is not in metrics.hosts",
  [HTTP.dropped.method]: "a request that is neither GET nor HEAD",
  [HTTP.dropped.path]: "a request for a page that does not exist",
  [HTTP.dropped.unread]: "a client that did not read its answer",
};

/** Between two lines about the same reason. */
const SAID_NS_MIN = 60 * NS_PER_S;

interface Said {
  atNs: number;
  /** Refusals since then. */
  since: number;
}

/** The callback that logs what the HTTP server refused. */
export function logRefusals(log: Pick<Log, "warn">, nowNs: () => number): CountHttp {
  const said = new Map<number, Said>();
  return (code) => {
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
