// What the HTTP server refuses is counted every time, and said once for each reason, then once a minute.
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { countHttp } from "../../src/daemon/http_wiring.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import * as counts from "../../src/http/http_counts.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { renderPage } from "../metrics/fixture.ts";
import { parsePage } from "../metrics/page.ts";

function subject() {
  const metrics = new Metrics({
    blocks: METRIC_BLOCKS,
    capacity: 4,
    listeners: [{ name: "local", kind: "unix" }],
    accounting: new DatagramAccounting(),
    perPid: true,
    build: { version: "1", revision: "r", runtime: "bun", target: "t" },
  });
  const said: string[] = [];
  const clock = { ns: 0 };
  const log = {
    warn: (message: string, fields: object = {}) => {
      said.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  return { metrics, said, clock, count: countHttp(metrics, log, () => clock.ns) };
}

describe("countHttp()", () => {
  test("counts every code under a series of its own", () => {
    const { metrics, count } = subject();
    for (const code of Object.values(counts)) for (let i = 0; i <= code; i++) count(code);
    const { samples } = parsePage(renderPage(metrics));
    const found = [...samples].filter(([name]) =>
      /varta_prom|varta_scrape|scrape_budget/.test(name),
    );
    const values = found.map(([, value]) => value).filter((value) => value > 0);
    expect(values.sort((a, b) => a - b)).toEqual(
      Object.values(counts)
        .map((code) => code + 1)
        .sort((a, b) => a - b),
    );
  });

  test("says a reason at once, and again after a minute with the number in between", () => {
    const { said, clock, count } = subject();
    for (let i = 0; i < 5; i++) count(counts.HTTP_DROPPED_HOST);
    count(counts.HTTP_DROPPED_ADDRESS);
    clock.ns = 60 * NS_PER_S - 1;
    count(counts.HTTP_DROPPED_HOST);
    expect(said).toEqual([
      'http refused {"cause":"a request by a name that is not in metrics.hosts","count":1}',
      'http refused {"cause":"more than 32 connections of one address","count":1}',
    ]);
    clock.ns += 1;
    count(counts.HTTP_DROPPED_HOST);
    expect(said).toHaveLength(3);
    expect(said[2]).toEndWith('"count":6}');
  });

  test("says nothing of what is no refusal", () => {
    const { said, count } = subject();
    count(counts.HTTP_SCRAPE_SKIPPED);
    count(counts.HTTP_SLICE_EXHAUSTED);
    expect(said).toEqual([]);
  });
});
