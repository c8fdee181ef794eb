// A real server on a free port with a real metrics registry, and turns that the test
// drives as the daemon would.
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import type { HttpCell } from "../../src/http/counters.ts";
import { HttpServer, type HttpServerOptions } from "../../src/http/http_server.ts";
import type { ScrapeSource } from "../../src/http/scrape_queue.ts";
import { Metrics } from "../../src/metrics/metrics.ts";

export const LISTEN = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** A page of `source` at a free port, without limits, for who is fresh and ready. */
export function serverOptions(source: ScrapeSource, nowNs: () => number): HttpServerOptions {
  return {
    listen: LISTEN,
    socketMode: 0o600,
    token: undefined,
    hosts: ["x", "elsewhere"],
    rateLimitPerSec: 0,
    rateLimitBurst: 0,
    scrapeBudgetNs: 1e9,
    source,
    views: new Map(),
    counted: () => {},
    nowNs,
    wallMs: () => 0,
    isFresh: () => true,
    isReady: () => true,
    version: "0.1.0",
    onError: () => {},
  };
}

export class ServerFixture implements AsyncDisposable {
  readonly metrics: Metrics;
  readonly server: HttpServer;
  /** Every cell that the server counted in, in order. */
  readonly counted: HttpCell[];
  readonly clock: { ns: number };
  readonly health: { fresh: boolean; ready: boolean };
  #driving = true;

  private constructor(
    server: HttpServer,
    metrics: Metrics,
    counted: HttpCell[],
    clock: { ns: number },
    health: { fresh: boolean; ready: boolean },
  ) {
    this.server = server;
    this.metrics = metrics;
    this.counted = counted;
    this.clock = clock;
    this.health = health;
  }

  /** `drive: false` leaves the turns to the test. The clock stands until the test moves it. */
  static async open(
    changes: Partial<HttpServerOptions> = {},
    { drive } = { drive: true },
  ): Promise<ServerFixture> {
    const clock = { ns: 1e9 };
    const counted: HttpCell[] = [];
    const health = { fresh: true, ready: true };
    const metrics = new Metrics({
      blocks: METRIC_BLOCKS,
      capacity: 4096,
      listeners: [{ name: "local" }],
      accounting: new DatagramAccounting(),
      perPid: true,
      build: { version: "0.1.0", revision: "abc", runtime: "bun", target: "linux-x64" },
    });
    const server = new HttpServer({
      ...serverOptions(metrics.exposition, () => clock.ns),
      scrapeBudgetNs: 250e6,
      counted: (cell) => counted.push(cell),
      isFresh: () => health.fresh,
      isReady: () => health.ready,
      onError: (error) => {
        throw error;
      },
      ...changes,
    });
    metrics.show(server.counters);
    const fixture = new ServerFixture(server, metrics, counted, clock, health);
    if (drive) void fixture.drive();
    return fixture;
  }

  /** Turns until the fixture is disposed of. */
  async drive(): Promise<void> {
    while (this.#driving) await this.turn();
  }

  async turn(): Promise<void> {
    this.server.serveSlice(2e6);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets `count` scrapes come in, and renders nothing. */
  async untilScrapes(count: number): Promise<void> {
    while (this.server.scrapes < count) {
      this.server.exchange();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get url(): string {
    return `http://${this.server.address}`;
  }

  get(path: string, init: RequestInit & { decompress?: boolean } = {}): Promise<Response> {
    const headers = { "accept-encoding": "identity", ...(init.headers as Record<string, string>) };
    return fetch(`${this.url}${path}`, { ...init, headers, keepalive: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.beginClose();
    // The clock stands in a test: the drain ends because its deadline is reached, not because a
    // second passed.
    this.clock.ns += 2e9;
    while (!this.server.closed) await this.turn();
    this.#driving = false;
  }
}
