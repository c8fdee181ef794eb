// The HTTP server of the metrics page and the health checks (spec 13). Connections live in the runtime; requests are
// answered here, and pages are rendered in slices that the daemon's turn drives with `serveSlice`. Nothing here runs
// between the receipt of a datagram and its verdict, and nothing here keeps a timer.
import {
  HTTP_BODY_BYTES_MAX,
  HTTP_DRAIN_NS_MAX,
  HTTP_IDLE_TIMEOUT_S,
  SCRAPES_IN_PROGRESS_MAX,
} from "../base/limits.ts";
import { type BoundSocket, unlinkBoundPath } from "../files/socket_path.ts";
import { bearerMatches } from "./bearer.ts";
import {
  type CountHttp,
  HTTP_AUTH_FAILURE,
  HTTP_DROPPED_DRAIN,
  HTTP_SCRAPE_BUDGET_EXCEEDED,
  HTTP_SCRAPE_SKIPPED,
  HTTP_SLICE_EXHAUSTED,
} from "./http_counts.ts";
import { IpLimiter } from "./ip_limiter.ts";
import { acceptsGzip, negotiateFormat } from "./negotiation.ts";
import { emptyResponse, landingPage, pageResponse, textResponse } from "./responses.ts";
import { compressed, type Page, ScrapeQueue, type ScrapeSource } from "./scrape_queue.ts";
import { bindUnix } from "./unix_bind.ts";

export type HttpAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** What a reload may change while the server runs. */
export interface HttpSettings {
  /** The 32 bytes of the bearer token; undefined = no token is asked for. */
  readonly token: Uint8Array | undefined;
  readonly rateLimitPerSec: number;
  readonly rateLimitBurst: number;
  readonly scrapeBudgetNs: number;
}

export interface HttpServerOptions extends HttpSettings {
  readonly listen: HttpAddress;
  /** Mode of a unix socket. */
  readonly socketMode: number;
  readonly source: ScrapeSource;
  readonly count: CountHttp;
  readonly nowNs: () => number;
  /** True while the loop is fresh (spec 12 section 2). */
  readonly isFresh: () => boolean;
  /** True from `READY=1` until shutdown begins. */
  readonly isReady: () => boolean;
  readonly version: string;
  /** A request that we failed to answer; the scraper got a 500. Must not throw. */
  readonly onError: (error: Error) => void;
}

const CONTENT_TYPES = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;

const ROUTES: ReadonlySet<string> = new Set([
  "/metrics",
  "/",
  "/-/healthy",
  "/healthz",
  "/-/ready",
]);
const RETRY = { "retry-after": "1" };
const VARY = { vary: "Accept, Accept-Encoding" };

export class HttpServer {
  /** "127.0.0.1:9469", "[::1]:9469" or "unix:/path". */
  readonly address: string;
  readonly #options: HttpServerOptions;
  readonly #queue: ScrapeQueue;
  readonly #limiter: IpLimiter;
  readonly #server: Bun.Server<undefined>;
  readonly #boundSocket: BoundSocket | undefined;
  #settings: HttpSettings;
  #drainDeadlineNs = Number.POSITIVE_INFINITY;
  #closing = false;
  #closed = false;

  /**
   * Binds and starts to serve. Throws `SocketPathError` if the unix path, and an Error with the system's `code` if the
   * TCP address cannot be used.
   */
  constructor(options: HttpServerOptions) {
    const { listen, source, nowNs } = options;
    this.#options = options;
    this.#settings = options;
    this.#queue = new ScrapeQueue(source, nowNs);
    this.#limiter = new IpLimiter(options.rateLimitPerSec, options.rateLimitBurst, options.count);
    const handlers = {
      development: false,
      maxRequestBodySize: HTTP_BODY_BYTES_MAX,
      fetch: (request: Request) => this.#answer(request),
      error: (error: Error) => this.#fail(error),
    };
    if (listen.kind === "unix") {
      const serve = (unix: string) => Bun.serve({ ...handlers, unix });
      const { path } = listen;
      const { server, bound } = bindUnix({ path, mode: options.socketMode, serve });
      this.#server = server;
      this.#boundSocket = bound;
      this.address = `unix:${path}`;
    } else {
      this.#server = Bun.serve({
        ...handlers,
        hostname: listen.host,
        port: listen.port,
        idleTimeout: HTTP_IDLE_TIMEOUT_S,
        // Said aloud: with `development: false` alone the runtime shares the port, and a second daemon would take half
        // of our scrapes without a word (measured on 1.4.4).
        reusePort: false,
      });
      this.#boundSocket = undefined;
      const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
      this.address = `${host}:${this.#server.port}`;
    }
  }

  /** True while a scrape waits for a slice: the loop must not sleep. */
  get pending(): boolean {
    return this.#queue.pending;
  }

  /** When `serveSlice` is wanted next although nothing is pending: the end of the drain at shutdown. */
  get nextDeadlineNs(): number {
    return this.#closed ? Number.POSITIVE_INFINITY : this.#drainDeadlineNs;
  }

  /** True when a close is complete. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The HTTP work of one turn; true if work is left. */
  serveSlice(budgetNs: number): boolean {
    if (this.#closing && !this.#closed && this.#options.nowNs() >= this.#drainDeadlineNs) {
      void this.#server.stop(true);
      this.#closed = true;
    }
    const workLeft = this.#queue.serveSlice(budgetNs);
    if (workLeft) this.#options.count(HTTP_SLICE_EXHAUSTED);
    return workLeft;
  }

  /** Takes over the settings of a reload, all at once. */
  configure(settings: HttpSettings): void {
    this.#settings = settings;
    this.#limiter.configure(settings.rateLimitPerSec, settings.rateLimitBurst);
  }

  /**
   * Stops accepting; responses in flight get up to 1 s. The turns go on until `closed`, with `nextDeadlineNs` among the
   * deadlines of the loop.
   */
  beginClose(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#drainDeadlineNs = this.#options.nowNs() + HTTP_DRAIN_NS_MAX;
    if (this.#boundSocket !== undefined) unlinkBoundPath(this.#boundSocket);
    void this.#server.stop().then(() => {
      this.#closed = true;
    });
  }

  #answer(request: Request): Response | Promise<Response> {
    const arrivedNs = this.#options.nowNs();
    // The runtime refuses a long body itself, but only of methods that have one.
    if (Number(request.headers.get("content-length")) > HTTP_BODY_BYTES_MAX) {
      return textResponse(413, "request body too large");
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return emptyResponse(405, { allow: "GET, HEAD" });
    }
    const path = pathOf(request.url);
    if (!ROUTES.has(path)) return textResponse(404, "not found");
    if (path === "/-/ready") return this.#health(this.#options.isReady(), "ready", "not ready");
    if (path !== "/metrics" && path !== "/") {
      return this.#health(this.#options.isFresh(), "ok", "stale");
    }
    const address = this.#server.requestIP(request)?.address;
    if (address !== undefined && !this.#limiter.allow(address, arrivedNs)) {
      return textResponse(429, "too many requests", RETRY);
    }
    if (path === "/") return landingPage(this.#options.version);
    const { token } = this.#settings;
    if (token !== undefined && !bearerMatches(request.headers.get("authorization"), token)) {
      this.#options.count(HTTP_AUTH_FAILURE);
      return emptyResponse(401, { "www-authenticate": 'Bearer realm="varta"' });
    }
    return this.#scrape(request, arrivedNs);
  }

  #health(good: boolean, goodText: string, badText: string): Response {
    return good ? textResponse(200, goodText) : textResponse(503, badText);
  }

  #scrape(request: Request, arrivedNs: number): Response | Promise<Response> {
    // Requests that wait for a page or whose answer is still being written, with this one.
    if (this.#closing || this.#server.pendingRequests > SCRAPES_IN_PROGRESS_MAX) {
      this.#options.count(HTTP_DROPPED_DRAIN);
      return textResponse(503, this.#closing ? "shutting down" : "too many scrapes", RETRY);
    }
    const format = negotiateFormat(request.headers.get("accept"));
    const gzip = acceptsGzip(request.headers.get("accept-encoding"));
    const page = this.#queue.cached(format);
    if (page === undefined) {
      return this.#queue.wait(format).then((rendered) => this.#send(rendered, gzip, arrivedNs));
    }
    this.#options.count(HTTP_SCRAPE_SKIPPED);
    return this.#send(page, gzip, arrivedNs);
  }

  #send(page: Page, gzip: boolean, arrivedNs: number): Response | Promise<Response> {
    const packed = gzip ? compressed(page) : undefined;
    if (packed === undefined) return this.#handOver(page, page.body, VARY, arrivedNs);
    const headers = { ...VARY, "content-encoding": "gzip" };
    return packed.then((body) => this.#handOver(page, body, headers, arrivedNs));
  }

  #handOver(
    page: Page,
    body: Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>>,
    arrivedNs: number,
  ): Response {
    if (this.#options.nowNs() - arrivedNs > this.#settings.scrapeBudgetNs) {
      this.#options.count(HTTP_SCRAPE_BUDGET_EXCEEDED);
    }
    return pageResponse(body, CONTENT_TYPES[page.format], headers);
  }

  #fail(error: Error): Response {
    this.#options.onError(error);
    return textResponse(500, "internal error");
  }
}

/** The path of a request URL, without query. The host part comes from the client, so `URL` may refuse it. */
function pathOf(url: string): string {
  const authority = url.indexOf("://");
  const start = authority < 0 ? 0 : url.indexOf("/", authority + 3);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}
