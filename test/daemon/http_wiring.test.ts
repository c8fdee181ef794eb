// What the HTTP server refuses is said once for each reason, then once a minute.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { logRefusals } from "../../src/daemon/http_wiring.ts";
import { HTTP } from "../../src/http/counters.ts";

function subject() {
  const said: string[] = [];
  const clock = { ns: 0 };
  const log = {
    warn: (message: string, fields: object = {}) => {
      said.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  return { said, clock, count: logRefusals(log, () => clock.ns) };
}

describe("logRefusals()", () => {
  test("says a reason at once, and again after a minute with the number in between", () => {
    const { said, clock, count } = subject();
    for (let i = 0; i < 5; i++) count(HTTP.dropped.host);
    count(HTTP.dropped.address_connections);
    clock.ns = 60 * NS_PER_S - 1;
    count(HTTP.dropped.host);
    expect(said).toEqual([
      'http refused {"cause":"a request by a name that is not in metrics.hosts","count":1}',
      'http refused {"cause":"more than 32 connections of one address","count":1}',
    ]);
    clock.ns += 1;
    count(HTTP.dropped.host);
    expect(said).toHaveLength(3);
    expect(said[2]).toEndWith('"count":6}');
  });

  test("says nothing of what is no refusal", () => {
    const { said, count } = subject();
    count(HTTP.scrapeSkipped);
    count(HTTP.sliceExhausted);
    expect(said).toEqual([]);
  });
});
