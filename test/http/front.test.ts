// The bounds on what a client may take of a turn, of the connections and of time, through real
// sockets. The clock stands until a test moves it, and a turn runs when a test says so.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { POLLIN } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import * as limits from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { HTTP } from "../../src/http/counters.ts";
import type { HttpServerOptions } from "../../src/http/http_server.ts";
import { withNoDescriptorLeft } from "../support/descriptor_limit.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ServerFixture } from "./fixture.ts";
import { RawClient, request } from "./raw_client.ts";

setDefaultTimeout(TEST_MS_MAX);

const clients: RawClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client[Symbol.dispose]();
});

/** The server with turns that the test drives. */
function openServer(changes: Partial<HttpServerOptions> = {}): Promise<ServerFixture> {
  return ServerFixture.open(changes, { drive: false });
}

async function connectTo(fixture: ServerFixture, from?: string): Promise<RawClient> {
  const { address } = fixture.server;
  const port = Number(address.split(":")[1]);
  const client = await RawClient.open(
    address.startsWith("unix:")
      ? { path: address.slice("unix:".length) }
      : { port, ...(from !== undefined && { from }) },
  );
  clients.push(client);
  return client;
}

/** Turns until `happened`. */
async function turnsUntil(fixture: ServerFixture, happened: () => boolean): Promise<void> {
  while (!happened()) await fixture.turn();
}

/** Connections from `count` addresses, as many of each as one may have, all of them accepted. */
async function fill(fixture: ServerFixture, addresses: number): Promise<RawClient[]> {
  const made: RawClient[] = [];
  for (let a = 0; a < addresses; a++)
    for (let i = 0; i < limits.HTTP_CONNECTIONS_PER_ADDRESS_MAX; i++) {
      const { connections } = fixture.server;
      made.push(await connectTo(fixture, `127.0.1.${a + 1}`));
      await turnsUntil(fixture, () => fixture.server.connections > connections);
      fixture.clock.ns += 1;
    }
  return made;
}

describe("a pipelining client", () => {
  test("gets one answer in a turn, and a hundred in all", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send(request("/-/healthy").repeat(300));
    let turns = 0;
    await turnsUntil(fixture, () => {
      // So that its bucket never runs out.
      fixture.clock.ns += NS_PER_S / limits.HTTP_HEALTH_PER_SEC;
      expect(client.statuses.length).toBeLessThanOrEqual(turns);
      turns++;
      return client.hasEnded;
    });
    const { statuses, received } = client;
    expect(statuses).toEqual(new Array(limits.HTTP_REQUESTS_PER_CONNECTION_MAX).fill(200));
    expect(received.match(/^Connection: close\r$/gm)).toHaveLength(1);
  });

  test("leaves every other client its answer in each turn", async () => {
    await using fixture = await openServer();
    const greedy = await connectTo(fixture);
    greedy.send(request("/-/healthy").repeat(40));
    const other = await connectTo(fixture, "127.0.0.2");
    other.send(request("/-/healthy"));
    await turnsUntil(fixture, () => other.statuses.length === 1);
    expect(greedy.statuses.length).toBeLessThan(40);
    await turnsUntil(fixture, () => greedy.statuses.length === 40);
    expect(greedy.statuses).toEqual(new Array(40).fill(200));
  });

  test("is read no further while its page is not made", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send(request("/metrics") + request("/-/healthy"));
    await fixture.untilScrapes(1);
    for (let i = 0; i < 3; i++) fixture.server.exchange();
    expect(client.statuses).toEqual([]);
    await turnsUntil(fixture, () => client.statuses.length === 2);
    expect(client.received.indexOf("ok\n")).toBeGreaterThan(client.received.indexOf("varta_"));
  });
});

describe("a turn that had work", () => {
  test("is followed by a rest three times as long, in which nothing wakes the loop", async () => {
    // Every reading of the clock takes a microsecond.
    const clock = { ns: NS_PER_S, stepNs: 0 };
    const nowNs = () => (clock.ns += clock.stepNs);
    await using fixture = await openServer({ nowNs });
    expect(fixture.server.fd).toBeGreaterThan(-1);
    const client = await connectTo(fixture);
    client.send(request("/-/healthy").repeat(2));
    await turnsUntil(fixture, () => fixture.server.connections === 1);
    await turnsUntil(fixture, () => client.statuses.length === 2);
    client.send(request("/-/healthy").repeat(2));
    const before = clock.ns;
    clock.stepNs = 1_000;
    await turnsUntil(fixture, () => fixture.server.fd === -1);
    const restEndNs = fixture.server.nextDeadlineNs;
    expect(fixture.server.pending).toBe(false);
    expect(restEndNs - clock.ns).toBeGreaterThan(0);
    expect(restEndNs).toBeLessThan(clock.ns + limits.HTTP_REST_PARTS * (clock.ns - before));
    fixture.server.exchange();
    expect(fixture.server.fd).toBe(-1);
    clock.ns = restEndNs;
    await turnsUntil(fixture, () => client.statuses.length === 4);
    // The fixture closes by a clock of its own.
    fixture.server.beginClose();
    clock.ns += 10 * NS_PER_S;
    fixture.server.exchange();
    expect(fixture.server.closed).toBe(true);
  });
});

describe("connections", () => {
  test("one address has 32 of them: one more takes the place of the one that waited longest", async () => {
    await using fixture = await openServer();
    const [first, second] = await fill(fixture, 1);
    const next = await connectTo(fixture, "127.0.1.1");
    next.send(request("/-/healthy"));
    await turnsUntil(fixture, () => next.statuses.length === 1 && first!.hasEnded);
    expect(fixture.counted).toEqual([HTTP.dropped.address_connections]);
    expect(fixture.server.connections).toBe(limits.HTTP_CONNECTIONS_PER_ADDRESS_MAX);
    expect(second!.hasEnded).toBe(false);
  });

  test("there are 256 of them in all, and a scraper still gets in", async () => {
    await using fixture = await openServer();
    const idle = await fill(fixture, 8);
    expect(fixture.server.connections).toBe(limits.HTTP_CONNECTIONS_MAX);
    expect(fixture.counted).toEqual([]);
    const scraper = await connectTo(fixture);
    scraper.send(request("/metrics"));
    await turnsUntil(fixture, () => scraper.statuses.length === 1 && idle[0]!.hasEnded);
    expect(scraper.statuses).toEqual([200]);
    expect(fixture.counted).toEqual([HTTP.dropped.connections]);
    expect(fixture.server.connections).toBe(limits.HTTP_CONNECTIONS_MAX);
  });

  test("one that waits for its page is not closed for another", async () => {
    await using fixture = await openServer();
    const waiting: RawClient[] = [];
    for (let i = 0; i < limits.HTTP_CONNECTIONS_PER_ADDRESS_MAX; i++) {
      const client = await connectTo(fixture);
      client.send(request("/metrics"));
      waiting.push(client);
    }
    await fixture.untilScrapes(waiting.length);
    const next = await connectTo(fixture);
    while (!next.hasEnded) {
      fixture.server.exchange();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(next.received).toBe("");
    expect(fixture.counted).toEqual([HTTP.dropped.address_connections]);
    await turnsUntil(fixture, () => waiting.every(({ statuses }) => statuses.length === 1));
  });

  test("a turn accepts sixteen of them", async () => {
    await using fixture = await openServer();
    for (let i = 0; i < 20; i++) await connectTo(fixture);
    fixture.server.exchange();
    expect(fixture.server.connections).toBe(limits.HTTP_ACCEPTS_PER_TURN_MAX);
    fixture.server.exchange();
    expect(fixture.server.connections).toBe(20);
  });

  test("are told to a loop that waits by one descriptor", async () => {
    await using fixture = await openServer();
    const set = new PollSet(1);
    set.add(fixture.server.fd, POLLIN);
    expect(set.wait(0)).toBe(0);
    const client = await connectTo(fixture);
    expect(set.wait(10_000)).toBe(1);
    fixture.server.exchange();
    expect(set.wait(0)).toBe(0);
    client.send(request("/-/healthy"));
    expect(set.wait(10_000)).toBe(1);
    await turnsUntil(fixture, () => client.statuses.length === 1);
    expect(set.wait(0)).toBe(0);
  });
});

describe("without a descriptor left", () => {
  test("accepting waits for 100 ms and does not spin, is counted, and goes on", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send(request("/-/healthy"));
    const set = new PollSet(1);
    set.add(fixture.server.fd, POLLIN);
    expect(set.wait(10_000)).toBe(1);
    withNoDescriptorLeft(() => {
      fixture.server.exchange();
      expect(fixture.counted).toEqual([HTTP.dropped.accept_failed]);
      // Nothing wakes the loop, although the connection still waits.
      expect(set.wait(0)).toBe(0);
      fixture.server.exchange();
      expect(fixture.counted).toHaveLength(1);
    });
    expect(fixture.server.nextDeadlineNs).toBe(fixture.clock.ns + limits.HTTP_ACCEPT_RETRY_NS);
    fixture.clock.ns += limits.HTTP_ACCEPT_RETRY_NS;
    await turnsUntil(fixture, () => client.statuses.length === 1);
    expect(client.statuses).toEqual([200]);
  });
});

describe("time", () => {
  test("a head that is not whole after 5 s gets 408, at whatever pace it comes", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
    await turnsUntil(fixture, () => fixture.server.connections === 1);
    for (let second = 1; second < 5; second++) {
      fixture.clock.ns += NS_PER_S;
      client.send("X-Slow: 1\r\n");
      await fixture.turn();
    }
    fixture.clock.ns += NS_PER_S - 1;
    await fixture.turn();
    expect(client.statuses).toEqual([]);
    fixture.clock.ns += 1;
    await turnsUntil(fixture, () => client.hasEnded);
    expect(client.statuses).toEqual([408]);
    expect(fixture.counted).toEqual([HTTP.dropped.head_time]);
  });

  test("a connection that asks for nothing is closed after 5 s, and counted", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    await turnsUntil(fixture, () => fixture.server.connections === 1);
    expect(fixture.server.nextDeadlineNs).toBe(fixture.clock.ns + limits.HTTP_HEAD_NS_MAX);
    fixture.clock.ns += limits.HTTP_HEAD_NS_MAX;
    await turnsUntil(fixture, () => client.hasEnded);
    expect(client.received).toBe("");
    expect(fixture.counted).toEqual([HTTP.dropped.head_time]);
  });

  test("one that got an answer is kept for 10 s, and then closed without a word", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send(request("/-/healthy"));
    await turnsUntil(fixture, () => client.statuses.length === 1);
    fixture.clock.ns += limits.HTTP_IDLE_NS_MAX - 1;
    await fixture.turn();
    expect(client.hasEnded).toBe(false);
    fixture.clock.ns += 1;
    await turnsUntil(fixture, () => client.hasEnded);
    expect(client.statuses).toEqual([200]);
    expect(fixture.counted).toEqual([]);
  });

  test("an answer that is not read is given up, and its page can be made again", async () => {
    // More than the kernel takes for a client that does not read.
    const page = new Uint8Array(32 * 1_048_576).fill(0x61);
    const source = { begin() {}, step: () => true, parts: () => [page] };
    await using fixture = await openServer({ source });
    const client = await connectTo(fixture);
    client.pause();
    client.send(request("/metrics"));
    await fixture.untilScrapes(1);
    let quiet = 0;
    // Until the kernel takes nothing more: the server waits for room to write.
    const set = new PollSet(1);
    set.add(fixture.server.fd, POLLIN);
    while (quiet < 20) {
      await fixture.turn();
      quiet = set.wait(0) === 0 ? quiet + 1 : 0;
    }
    fixture.clock.ns += limits.HTTP_ANSWER_STALL_NS_MAX;
    await fixture.turn();
    expect(fixture.counted).toEqual([HTTP.dropped.unread]);
    expect(fixture.server.connections).toBe(0);
    expect(fixture.server.scrapes).toBe(0);
  });
});

describe("a long answer", () => {
  test("arrives whole and unchanged at a client that reads slowly", async () => {
    const page = new Uint8Array(8 * 1_048_576);
    for (let i = 0; i < page.length; i++) page[i] = 0x20 + ((i * 7) % 95);
    const source = { begin() {}, step: () => true, parts: () => [page] };
    await using fixture = await openServer({ source });
    const client = await connectTo(fixture);
    client.pause();
    client.send(request("/metrics", "Connection: close\r\n"));
    for (let i = 0; i < 50; i++) await fixture.turn();
    client.resume();
    await turnsUntil(fixture, () => client.hasEnded);
    const body = client.received.slice(client.received.indexOf("\r\n\r\n") + 4);
    expect(body.length).toBe(page.length);
    expect(Buffer.from(body, "latin1").equals(page)).toBe(true);
  });
});

describe("conventions of a connection", () => {
  test("a client that has ended its side still gets its answers", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.end(request("/-/healthy") + request("/-/ready"));
    await turnsUntil(fixture, () => client.hasEnded);
    expect(client.statuses).toEqual([200, 200]);
    expect(fixture.server.connections).toBe(0);
  });

  test("a page is still made for a client that has ended its side, on a Unix socket as well", async () => {
    using directory = new TemporaryDirectory();
    const listen = { kind: "unix", path: directory.at("metrics.sock") } as const;
    for (const changes of [{}, { listen }]) {
      await using fixture = await openServer(changes);
      const client = await connectTo(fixture);
      client.end(request("/metrics"));
      await turnsUntil(fixture, () => client.hasEnded);
      expect(client.statuses).toEqual([200]);
      expect(client.received).toEndWith("\n");
    }
  });

  test("a client that is gone leaves nothing behind, whatever it waited for", async () => {
    await using fixture = await openServer();
    const waiting = await connectTo(fixture);
    waiting.send(request("/metrics"));
    await fixture.untilScrapes(1);
    waiting[Symbol.dispose]();
    await turnsUntil(fixture, () => fixture.server.connections === 0);
    expect(fixture.server.scrapes).toBe(0);
  });

  test.each([
    ["HTTP/1.1", "", undefined],
    ["HTTP/1.1", "Connection: close\r\n", "close"],
    ["HTTP/1.1", "Connection: Keep-Alive, X-Y\r\n", undefined],
    ["HTTP/1.0", "", "close"],
    ["HTTP/1.0", "Connection: keep-alive\r\n", "keep-alive"],
  ])("%s with %j is answered with Connection: %s", async (version, fields, said) => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    client.send(`GET /healthz ${version}\r\nHost: localhost\r\n${fields}\r\n`);
    await turnsUntil(fixture, () => client.statuses.length === 1);
    expect(/^Connection: (.*)\r$/m.exec(client.received)?.[1]).toBe(said);
    if (said === "close") await turnsUntil(fixture, () => client.hasEnded);
    else {
      client.send(request("/healthz"));
      await turnsUntil(fixture, () => client.statuses.length === 2);
    }
  });

  test("a refusal is read by a client that has more to send, and ends the connection", async () => {
    await using fixture = await openServer();
    const client = await connectTo(fixture);
    const body = "x".repeat(20_000);
    client.send(
      `POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n${body}`,
    );
    client.send(request("/healthz"));
    await turnsUntil(fixture, () => client.hasEnded);
    expect(client.statuses).toEqual([413]);
    expect(fixture.counted).toEqual([HTTP.dropped.body]);
  });

  test("what cannot become a request is refused at its first byte, not after its time", async () => {
    for (const bytes of ["\x16\x03\x01\x02\x00", "GET / HTTP/1.1\n", "\r\n", "GET /\0"]) {
      await using fixture = await openServer();
      const client = await connectTo(fixture);
      client.send(bytes);
      await turnsUntil(fixture, () => client.hasEnded);
      expect(client.statuses).toEqual([400]);
      expect(fixture.counted).toEqual([HTTP.dropped.malformed]);
    }
  });

  test("a head of 16 KiB is read, one byte more is not", async () => {
    await using fixture = await openServer();
    const start = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ";
    const padding = "a".repeat(limits.HTTP_HEAD_BYTES_MAX - start.length - 4);
    const fits = await connectTo(fixture);
    fits.send(`${start}${padding}\r\n\r\n`);
    await turnsUntil(fixture, () => fits.statuses.length === 1);
    const large = await connectTo(fixture);
    large.send(`${start}${padding}a\r\n\r\n`);
    await turnsUntil(fixture, () => large.hasEnded);
    expect([...fits.statuses, ...large.statuses]).toEqual([200, 431]);
    expect(fixture.counted).toEqual([HTTP.dropped.head_size]);
  });
});

describe("buckets", () => {
  test("an address has 50 health checks per second, and they are not taken from its scrapes", async () => {
    await using fixture = await openServer({ rateLimitPerSec: 1, rateLimitBurst: 1 });
    const ask = async (path: string, from?: string) => {
      const client = await connectTo(fixture, from);
      client.send(request(path, "Connection: close\r\n"));
      await turnsUntil(fixture, () => client.hasEnded);
      return client.statuses[0];
    };
    for (let i = 0; i < limits.HTTP_HEALTH_PER_SEC; i++) expect(await ask("/-/healthy")).toBe(200);
    expect(await ask("/-/ready")).toBe(429);
    expect(fixture.counted).toEqual([HTTP.dropped.health_rate_limit]);
    expect(await ask("/metrics")).toBe(200);
    expect(await ask("/-/healthy", "127.0.0.2")).toBe(200);
    fixture.clock.ns += 20 * NS_PER_MS;
    expect(await ask("/-/healthy")).toBe(200);
  });
});
