// Answers without an end (spec 13 section 3), with the kernel's sockets and the test's time: what
// comes is sent as it comes, and a client that takes nothing or is gone costs little and not for
// long.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { HTTP } from "../../src/http/counters.ts";
import type { HttpStream } from "../../src/http/view_queue.ts";
import { until } from "../support/until.ts";
import { ServerFixture } from "./fixture.ts";
import { RawClient, request } from "./raw_client.ts";

const PLACES = 3;

/** A stream that a test adds to. */
class Feed implements HttpStream {
  readonly isGuarded = false;
  readonly askedWith: (string | undefined)[] = [];
  open = 0;
  /** Pieces that were made. */
  made = 0;
  readonly #lines: string[] = [];
  readonly #wakes = new Set<() => void>();

  follow(query: URLSearchParams, { lastEventId, wake }: Parameters<HttpStream["follow"]>[1]) {
    if (query.has("wrong")) return { problem: "it is wrong" };
    if (this.open >= PLACES) return undefined;
    this.askedWith.push(lastEventId);
    this.open += 1;
    this.#wakes.add(wake);
    let at = 0;
    return {
      keepAlive: "still here\n",
      next: () => {
        if (at >= this.#lines.length) return null;
        this.made += 1;
        return this.#lines[at++]!;
      },
      end: () => {
        this.open -= 1;
        this.#wakes.delete(wake);
      },
    };
  }

  add(line: string): void {
    this.#lines.push(line);
    for (const wake of this.#wakes) wake();
  }
}

async function opened(feed: Feed): Promise<ServerFixture> {
  return await ServerFixture.open({ views: new Map([["/v1/events", feed]]) });
}

async function following({ server }: ServerFixture, fields = ""): Promise<RawClient> {
  const client = await RawClient.open({ port: Number(server.address.split(":")[1]) });
  client.send(request("/v1/events", fields));
  await until("the head", () => client.received.includes("\r\n\r\n"));
  return client;
}

function bodyOf({ received }: RawClient): string {
  return received.slice(received.indexOf("\r\n\r\n") + 4);
}

describe("a stream by HTTP", () => {
  test("has no length, is told what comes as it comes, and what its client had", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    feed.add("one\n");
    using client = await following(fixture, "Last-Event-ID: abc-7\r\n");
    await until("the first", () => bodyOf(client) === "one\n");
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream/);
    expect(client.received).toContain("Connection: close\r\n");
    expect(client.received).not.toContain("Content-Length");
    feed.add("two\n");
    feed.add("");
    feed.add("three\n");
    await until("the rest", () => bodyOf(client) === "one\ntwo\nthree\n");
    expect(feed.askedWith).toEqual(["abc-7"]);
    client[Symbol.dispose]();
    feed.add("four\n");
    await until("its place to be free", () => feed.open === 0);
  });

  test("says every 2 s that there is nothing, and a client that is gone is found by that", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    const client = await following(fixture);
    for (let count = 1; count <= 40; count++) {
      fixture.clock.ns += 2 * NS_PER_S;
      await until("a word", () => bodyOf(client) === "still here\n".repeat(count));
    }
    client[Symbol.dispose]();
    await until("its place to be free", () => {
      fixture.clock.ns += 2 * NS_PER_S;
      return feed.open === 0;
    });
  });

  test("that is one too many gets 503 at once, and the places of others are kept", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    const clients = [];
    for (let at = 0; at < PLACES; at++) clients.push(await following(fixture));
    using late = await following(fixture);
    expect(late.statuses).toEqual([503]);
    expect(fixture.server.counters.get(HTTP.dropped.drain)).toBe(1);
    feed.add("one\n");
    for (const client of clients) await until("a line", () => bodyOf(client) === "one\n");
    for (const client of clients) client[Symbol.dispose]();
  });

  test("that takes nothing is closed after 30 s, and no piece is made for it meanwhile", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    using client = await following(fixture);
    client.pause();
    const made = () => feed.made;
    let before = -1;
    // The buffers of the kernel are filled.
    while (made() > before) {
      before = made();
      for (let at = 0; at < 50; at++) feed.add("x".repeat(65_536));
      for (let turns = 0; turns < 100; turns++) await fixture.turn();
    }
    // What the kernel holds, and one piece.
    expect(before * 65_536).toBeLessThan(8 * 1_048_576);
    fixture.clock.ns += 29 * NS_PER_S;
    await fixture.turn();
    expect(feed.open).toBe(1);
    fixture.clock.ns += 2 * NS_PER_S;
    await until("its end", () => feed.open === 0);
    expect(fixture.server.counters.get(HTTP.dropped.unread)).toBe(1);
  });

  test("ends with the server, with what came last", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    using client = await following(fixture);
    feed.add("last\n");
    fixture.server.beginClose();
    await until("the end", () => client.hasEnded);
    expect(bodyOf(client)).toBe("last\n");
    expect(feed.open).toBe(0);
  });

  test("has its head alone for HEAD, and 400 for a wrong query", async () => {
    const feed = new Feed();
    await using fixture = await opened(feed);
    const head = await fixture.get("/v1/events", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    expect(feed.open).toBe(0);
    const wrong = await fixture.get("/v1/events?wrong");
    expect([wrong.status, await wrong.text()]).toEqual([400, "it is wrong\n"]);
  });
});
