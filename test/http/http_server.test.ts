import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { hostname } from "node:os";
import { gunzipSync } from "node:zlib";
import { Counters } from "../../src/base/counters.ts";
import { FILES } from "../../src/files/counters.ts";
import { HTTP } from "../../src/http/counters.ts";
import { beat } from "../metrics/fixture.ts";
import { parsePage } from "../metrics/page.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { LISTEN, ServerFixture } from "./fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

const TOKEN_HEX = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TOKEN = Buffer.from(TOKEN_HEX, "hex");

describe("GET /metrics", () => {
  test("serves the page with its type, its length and no-store", async () => {
    await using fixture = await ServerFixture.open();
    beat(fixture.metrics, [12]);
    const response = await fixture.get("/metrics?x=1");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("vary")).toBe("Accept, Accept-Encoding");
    const text = await response.text();
    expect(Number(response.headers.get("content-length"))).toBe(text.length);
    expect(parsePage(text).samples.get('varta_beats_total{pid="12"}')).toBe(1);
  });

  test("serves OpenMetrics to those who ask for it", async () => {
    await using fixture = await ServerFixture.open();
    const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    const response = await fixture.get("/metrics", { headers: { accept } });
    expect(response.headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    expect((await response.text()).endsWith("\n# EOF\n")).toBe(true);
  });

  test("serves the same bytes compressed", async () => {
    await using fixture = await ServerFixture.open();
    const init = { headers: { "accept-encoding": "gzip" }, decompress: false };
    const packed = await fixture.get("/metrics", init);
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    const bytes = await packed.bytes();
    expect(Number(packed.headers.get("content-length"))).toBe(bytes.length);
    const plain = await fixture.get("/metrics", { headers: { "accept-encoding": "identity" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(gunzipSync(bytes).toString()).toBe(await plain.text());
    expect((await fixture.get("/metrics", init)).headers.get("content-length")).toBe(
      packed.headers.get("content-length"),
    );
  });

  test("serves a page again for less than a second, and counts that", async () => {
    await using fixture = await ServerFixture.open();
    const files = new Counters(FILES, undefined);
    fixture.metrics.show(files);
    const reopened = async () => {
      const text = await (await fixture.get("/metrics")).text();
      return parsePage(text).samples.get('varta_file_reopened_total{file="export"}');
    };
    expect(await reopened()).toBe(0);
    files.add(FILES.reopened.export);
    fixture.clock.ns += 999_999_999;
    expect(await reopened()).toBe(0);
    expect(fixture.counted).toEqual([HTTP.scrapeSkipped]);
    fixture.clock.ns += 1;
    expect(await reopened()).toBe(1);
    expect(fixture.counted).toEqual([HTTP.scrapeSkipped]);
  });

  test("shares one render among the scrapes that wait for it", async () => {
    await using fixture = await ServerFixture.open({}, { drive: false });
    const responses = [fixture.get("/metrics"), fixture.get("/metrics")];
    await fixture.untilScrapes(2);
    expect(fixture.server.serveSlice(2e6)).toBe(false);
    void fixture.drive();
    const texts = await Promise.all(responses.map(async (response) => (await response).text()));
    expect(texts[0]).toBe(texts[1]!);
    expect(fixture.counted).toEqual([]);
  });

  test("renders many agents in slices and counts the turns that were cut off", async () => {
    const clock = { ns: 1e9 };
    await using fixture = await ServerFixture.open(
      { nowNs: () => (clock.ns += 100_000) },
      { drive: false },
    );
    beat(
      fixture.metrics,
      Array.from({ length: 4096 }, (_, i) => 2 + i),
    );
    const response = fixture.get("/metrics");
    await fixture.untilScrapes(1);
    let turns = 1;
    while (fixture.server.serveSlice(2e6)) turns += 1;
    expect(turns).toBeGreaterThan(2);
    expect(fixture.counted).toEqual(new Array(turns - 1).fill(HTTP.sliceExhausted));
    void fixture.drive();
    expect(await (await response).text()).toContain('varta_beats_total{pid="4097"} 1\n');
    clock.ns += 1e10;
  });

  test("counts a body that took longer than the scrape budget", async () => {
    await using fixture = await ServerFixture.open({ scrapeBudgetNs: 250e6 }, { drive: false });
    const response = fixture.get("/metrics");
    await fixture.untilScrapes(1);
    fixture.clock.ns += 250e6 + 1;
    void fixture.drive();
    expect((await response).status).toBe(200);
    expect(fixture.counted).toEqual([HTTP.scrapeBudgetExceeded]);
  });

  test("refuses the 65th scrape in progress", async () => {
    // On a Unix socket: no one address has as many connections.
    using directory = new TemporaryDirectory();
    const unix = directory.at("metrics.sock");
    await using fixture = await ServerFixture.open(
      { listen: { kind: "unix", path: unix } },
      { drive: false },
    );
    const get = () => fetch("http://localhost/metrics", { unix, keepalive: false });
    const requests = Array.from({ length: 64 }, get);
    await fixture.untilScrapes(64);
    const last = get();
    requests.push(last);
    let refused: Response | undefined;
    void last.then((response) => {
      refused = response;
    });
    while (refused === undefined) {
      fixture.server.exchange();
      await nextTurnOfTheRuntime();
    }
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.text()).toBe("too many scrapes\n");
    expect(fixture.counted).toEqual([HTTP.dropped.drain]);
    void fixture.drive();
    const statuses = (await Promise.all(requests)).map((response) => response.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(64);
  });
});

describe("checks before the page", () => {
  test.each(["POST", "PUT", "DELETE", "OPTIONS"])("405 for %s, with Allow", async (method) => {
    await using fixture = await ServerFixture.open();
    const response = await fixture.get("/metrics", { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
    expect(response.headers.get("content-length")).toBe("0");
    expect(await response.text()).toBe("");
  });

  test.each(["/metric", "/metrics/", "/-/reload", "/%6detrics"])("404 for %s", async (path) => {
    await using fixture = await ServerFixture.open();
    const response = await fixture.get(path);
    expect(response.status).toBe(404);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toBe("not found\n");
  });

  test.each([
    ["GET //metrics HTTP/1.1\r\nHost: x", "404"],
    ["GET /metrics?a=/b HTTP/1.1\r\nHost: x", "200"],
    ["GET /metrics?a=/b HTTP/1.1\r\nHost: x/y?z", "400"],
    ["GET http://elsewhere/metrics HTTP/1.1\r\nHost: x", "200"],
  ])("the path of %j is found: %s", async (head, status) => {
    await using fixture = await ServerFixture.open();
    const answer = await raw(fixture, `${head}\r\nConnection: close\r\n\r\n`);
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("413 for a body of more than 4096 bytes, whatever the method", async () => {
    await using fixture = await ServerFixture.open();
    const body = "x".repeat(4097);
    expect((await fixture.get("/metrics", { method: "POST", body })).status).toBe(413);
    const head = `GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4097\r\n`;
    expect(await raw(fixture, `${head}\r\n${body}`)).toStartWith("HTTP/1.1 413 ");
  });

  test("400 for what is no request", async () => {
    await using fixture = await ServerFixture.open();
    expect(await raw(fixture, "GARBAGE\r\n\r\n")).toStartWith("HTTP/1.1 400 ");
  });

  test("HTTP/1.0 is answered", async () => {
    await using fixture = await ServerFixture.open();
    const answer = await raw(fixture, "GET /healthz HTTP/1.0\r\n\r\n");
    expect(answer).toStartWith("HTTP/1.1 200 ");
    expect(answer).toEndWith("\r\n\r\nok\n");
  });

  test.each(["/metrics", "/", "/-/healthy", "/-/ready"])(
    "HEAD %s has the headers of GET and no body",
    async (path) => {
      await using fixture = await ServerFixture.open();
      const get = await fixture.get(path);
      const head = await fixture.get(path, { method: "HEAD" });
      expect(head.status).toBe(get.status);
      for (const name of ["content-type", "content-length", "cache-control", "vary"]) {
        expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)]);
      }
      expect(Number(get.headers.get("content-length"))).toBe((await get.bytes()).length);
      expect(await head.text()).toBe("");
    },
  );
});

describe("the bearer token", () => {
  test.each([
    ["missing", undefined],
    ["wrong", `Bearer ${TOKEN_HEX.replace("0", "1")}`],
    ["short", `Bearer ${TOKEN_HEX.slice(1)}`],
    ["long", `Bearer ${TOKEN_HEX}0`],
    ["garbage", "Bearer zz"],
    ["of another scheme", `Basic ${TOKEN_HEX}`],
    ["followed by something", `Bearer ${TOKEN_HEX} x`],
  ])("401 for a token that is %s", async (_what, authorization) => {
    await using fixture = await ServerFixture.open({ token: TOKEN });
    const headers = authorization === undefined ? {} : { authorization };
    const response = await fixture.get("/metrics", { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="varta"');
    expect(await response.text()).toBe("");
    expect(fixture.counted).toEqual([HTTP.authFailures]);
    expect(fixture.server.pending).toBe(false);
  });

  test.each([
    ["authorization", `Bearer ${TOKEN_HEX}`],
    ["AUTHORIZATION", `bearer \t ${TOKEN_HEX.toUpperCase()}`],
    ["Authorization", `BEARER ${TOKEN_HEX}`],
  ])("200 for %s: %s", async (name, value) => {
    await using fixture = await ServerFixture.open({ token: TOKEN });
    const padding = `X-Padding: ${"x".repeat(600)}\r\n`;
    const head = `GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${padding}`;
    expect(await raw(fixture, `${head}${name}: ${value}\r\n\r\n`)).toStartWith("HTTP/1.1 200 ");
    expect(fixture.counted).toEqual([]);
  });

  test("is not asked for on the landing page and the health checks", async () => {
    await using fixture = await ServerFixture.open({ token: TOKEN });
    for (const path of ["/", "/-/healthy", "/healthz", "/-/ready"]) {
      expect((await fixture.get(path)).status).toBe(200);
    }
  });
});

describe("the name in a request", () => {
  test.each([
    ["/metrics", "evil.example", 421],
    ["/", "evil.example", 421],
    ["/-/healthy", "evil.example:9469", 421],
    ["/metrics", "127.0.0.1", 200],
    ["/metrics", "[::1]:9469", 200],
    ["/metrics", "LOCALHOST", 200],
    ["/metrics", hostname(), 200],
    ["/metrics", "watch.example.org", 200],
  ])("%s by %s: %d", async (path, host, status) => {
    await using fixture = await ServerFixture.open({ hosts: ["watch.example.org"] });
    const answer = await raw(
      fixture,
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    expect(fixture.counted).toEqual(status === 421 ? [HTTP.dropped.host] : []);
  });

  test("is that of the target, if it has one", async () => {
    await using fixture = await ServerFixture.open();
    const head = "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost";
    expect(await raw(fixture, `${head}\r\n\r\n`)).toStartWith("HTTP/1.1 421 ");
  });

  test("is not asked of those who show the token", async () => {
    await using fixture = await ServerFixture.open({ token: TOKEN });
    const head = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n";
    expect(await raw(fixture, `${head}\r\n`)).toStartWith("HTTP/1.1 421 ");
    const shown = `${head}Authorization: Bearer ${TOKEN_HEX}\r\n\r\n`;
    expect(await raw(fixture, shown)).toStartWith("HTTP/1.1 200 ");
  });
});

describe("the limiter", () => {
  test("lets the right token through, whatever others of its address do", async () => {
    const limits = { token: TOKEN, rateLimitPerSec: 1, rateLimitBurst: 1 };
    await using fixture = await ServerFixture.open(limits);
    const authorization = `Bearer ${TOKEN_HEX}`;
    for (let i = 0; i < 4; i++) {
      await fixture.get("/metrics");
      expect((await fixture.get("/metrics", { headers: { authorization } })).status).toBe(200);
    }
    expect((await fixture.get("/metrics")).status).toBe(429);
  });

  test("429 after the burst, counted, also for a wrong token", async () => {
    const limits = { token: TOKEN, rateLimitPerSec: 1, rateLimitBurst: 2 };
    await using fixture = await ServerFixture.open(limits);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await fixture.get("/metrics")).status);
    expect(statuses).toEqual([401, 401, 429]);
    expect(fixture.counted.at(-1)).toBe(HTTP.dropped.rate_limit);
    const refused = await fixture.get("/");
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    fixture.clock.ns += 1e9;
    expect((await fixture.get("/metrics")).status).toBe(401);
  });

  test("takes no token for health checks", async () => {
    await using fixture = await ServerFixture.open({ rateLimitPerSec: 1, rateLimitBurst: 1 });
    for (let i = 0; i < 5; i++) expect((await fixture.get("/-/healthy")).status).toBe(200);
    expect((await fixture.get("/")).status).toBe(200);
    expect((await fixture.get("/")).status).toBe(429);
  });
});

describe("health", () => {
  test("/-/healthy and /healthz follow the freshness of the loop", async () => {
    await using fixture = await ServerFixture.open();
    for (const path of ["/-/healthy", "/healthz"]) {
      fixture.health.fresh = true;
      expect(await (await fixture.get(path)).text()).toBe("ok\n");
      fixture.health.fresh = false;
      const stale = await fixture.get(path);
      expect(stale.status).toBe(503);
      expect(await stale.text()).toBe("stale\n");
    }
  });

  test("/-/ready follows readiness", async () => {
    await using fixture = await ServerFixture.open();
    expect(await (await fixture.get("/-/ready")).text()).toBe("ready\n");
    fixture.health.ready = false;
    expect((await fixture.get("/-/ready")).status).toBe(503);
  });

  test("/ names the program, its version and its pages", async () => {
    await using fixture = await ServerFixture.open({ version: "0.1.0 <x>" });
    const response = await fixture.get("/");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const html = await response.text();
    expect(html).toContain("<h1>varta-watch</h1>");
    expect(html).toContain("0.1.0 &lt;x>");
    expect(html).toContain('href="/metrics"');
  });
});

describe("HttpServer.rebind()", () => {
  test("makes a removed Unix socket again, and answers on connections that were open before", async () => {
    using directory = new TemporaryDirectory();
    const unix = directory.at("metrics.sock");
    await using fixture = await ServerFixture.open({ listen: { kind: "unix", path: unix } });
    const open = connect(unix);
    open.setEncoding("latin1");
    let answered = "";
    open.on("data", (text: string) => {
      answered += text;
    });
    const ask = () => open.write("GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n");
    ask();
    await until("the first answer", () => answered.includes("ok"));
    expect(fixture.server.isInPlace).toBe(true);
    unlinkSync(unix);
    expect(fixture.server.isInPlace).toBe(false);
    fixture.server.rebind();
    expect(fixture.server.isInPlace).toBe(true);
    answered = "";
    ask();
    await until("an answer to the old connection", () => answered.includes("ok"));
    open.destroy();
    const response = await fetch("http://localhost/-/healthy", { unix, keepalive: false });
    expect(response.status).toBe(200);
    expect(readdirSync(directory.path).sort()).toEqual(["metrics.sock", "metrics.sock.lock"]);
  });

  test("leaves the living socket of another server alone, and goes on", async () => {
    using directory = new TemporaryDirectory();
    const listen = { kind: "unix", path: directory.at("metrics.sock") } as const;
    await using fixture = await ServerFixture.open({ listen });
    unlinkSync(listen.path);
    await using other = await ServerFixture.open({ listen });
    const before = openDescriptors();
    expect(() => fixture.server.rebind()).toThrow("another varta-watch is already running");
    expect(openedSince(before)).toEqual([]);
    expect(other.server.isInPlace).toBe(true);
  });

  test("is never needed for an address", async () => {
    await using fixture = await ServerFixture.open();
    expect(fixture.server.isInPlace).toBe(true);
  });
});

describe("HttpServer", () => {
  test("says where it listens, also on IPv6", async () => {
    await using four = await ServerFixture.open();
    expect(four.server.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    await using six = await ServerFixture.open({ listen: { ...LISTEN, host: "::1" } });
    expect(six.server.address).toMatch(/^\[::1\]:[1-9]\d*$/);
    expect((await six.get("/healthz")).status).toBe(200);
  });

  test("open() fails with the system's code if the port is taken", async () => {
    await using fixture = await ServerFixture.open();
    const port = Number(fixture.server.address.split(":")[1]);
    const opening = ServerFixture.open({ listen: { ...LISTEN, port } });
    await expect(opening).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  test("beginClose() lets a scrape in flight finish and takes no new ones", async () => {
    const fixture = await ServerFixture.open({}, { drive: false });
    const response = fixture.get("/metrics");
    await fixture.untilScrapes(1);
    fixture.server.beginClose();
    expect(fixture.server.nextDeadlineNs).toBe(fixture.clock.ns + 1e9);
    await expect(fixture.get("/metrics")).rejects.toThrow();
    // One turn makes the page, the next one sends it.
    await fixture.turn();
    await fixture.turn();
    expect((await response).status).toBe(200);
    while (!fixture.server.closed) await fixture.turn();
    expect(fixture.server.nextDeadlineNs).toBe(Number.POSITIVE_INFINITY);
  });

  test("beginClose() gives up a scrape after a second", async () => {
    const stuck = { begin() {}, step: () => false, parts: () => [] };
    const fixture = await ServerFixture.open({ source: stuck }, { drive: false });
    const failure = fixture.get("/metrics").catch((error) => error.code);
    await fixture.untilScrapes(1);
    fixture.server.beginClose();
    fixture.clock.ns += 1e9 - 1;
    await fixture.turn();
    expect(fixture.server.closed).toBe(false);
    fixture.clock.ns += 1;
    await fixture.turn();
    expect(fixture.server.closed).toBe(true);
    expect(await failure).toBe("ECONNRESET");
  });

  test("answers while eight half-open requests are pending", async () => {
    await using fixture = await ServerFixture.open();
    const port = Number(fixture.server.address.split(":")[1]);
    const sockets = Array.from({ length: 8 }, () => connect(port, "127.0.0.1"));
    for (const socket of sockets) socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n");
    expect((await fixture.get("/metrics")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

/** Sends bytes as they are and returns the whole answer. */
function raw(fixture: ServerFixture, request: string): Promise<string> {
  const port = Number(fixture.server.address.split(":")[1]);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (data) => {
      answer += data.toString();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

function nextTurnOfTheRuntime(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
