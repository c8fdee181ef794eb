// The HTTP server of the metrics page and the health checks (spec 13): who may ask for what, and
// what the answer is. Bytes and connections are its front's business; pages are rendered in slices.
// All of it runs in `serveSlice`, which the daemon's turn drives: nothing here runs between the
// receipt of a datagram and its verdict, and nothing keeps a timer.
import { hostname } from "node:os";
import { Counters } from "../base/counters.ts";
import { HTTP_DRAIN_NS_MAX, HTTP_HEALTH_PER_SEC } from "../base/limits.ts";
import { changeAccess, isInPlace, unlinkBoundPath } from "../sockets/socket_path.ts";
import { AllowedHosts } from "./allowed_hosts.ts";
import { type Answer, emptyAnswer, landingPage, textAnswer, type Exchange } from "./answer.ts";
import { bearerMatches } from "./bearer.ts";
import { type CountHttp, HTTP, type HttpCell, type HttpCounters } from "./counters.ts";
import { HttpFront } from "./front.ts";
import { bindHttp, type BoundHttp, type HttpPlace, releaseHttp } from "./http_address.ts";
import { IpLimiter } from "./ip_limiter.ts";
import { acceptsGzip, negotiateFormat, type PageFormat } from "./negotiation.ts";
import type { HttpRequest } from "./request.ts";
import {
  compressed,
  isWorthGzip,
  type Page,
  ScrapeQueue,
  type ScrapeSource,
} from "./scrape_queue.ts";
import { type HttpViews, ViewQueue } from "./view_queue.ts";

/** Scrapes that may wait for a body at once (spec 13). */
const SCRAPES_IN_PROGRESS_MAX = 64;
/**
 * A longer body is refused as such; a shorter one, which is not read either, as part of its method.
 */
const HTTP_BODY_BYTES_MAX = 4_096;
/** What another configuration changes of a server that goes on. */
export interface HttpSettings extends HttpPlace {
  /** The 32 bytes of the bearer token; undefined = no token is asked for. */
  readonly token: Uint8Array | undefined;
  /** Names that a request may use, besides those of the machine, localhost and IP addresses. */
  readonly hosts: readonly string[];
  readonly rateLimitPerSec: number;
  readonly rateLimitBurst: number;
  readonly scrapeBudgetNs: number;
  /** By path: what is known of the agents. */
  readonly views: HttpViews;
}

export interface HttpServerOptions extends HttpSettings {
  readonly source: ScrapeSource;
  /** Called for each thing that was counted. */
  readonly counted: CountHttp;
  readonly nowNs: () => number;
  /** Milliseconds since the epoch, for the Date field. */
  readonly wallMs: () => number;
  /** True while the loop is fresh (spec 12 section 2). */
  readonly isFresh: () => boolean;
  /** True from `READY=1` until shutdown begins. */
  readonly isReady: () => boolean;
  readonly version: string;
  /** A request that could not be answered; the scraper got a 500. Must not throw. */
  readonly onError: (error: Error) => void;
}

const CONTENT_TYPES = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;

const HEALTH_PATHS: ReadonlySet<string> = new Set(["/-/healthy", "/healthz", "/-/ready"]);
const ROUTES: ReadonlySet<string> = new Set(["/metrics", "/", ...HEALTH_PATHS]);
const RETRY = { "Retry-After": "1" };
const VARY = { Vary: "Accept, Accept-Encoding" };

/** The file keeps that of the process. */
const NO_GROUP = { gid: undefined };

/** A request on its way to its answer. */
interface Asked {
  readonly exchange: Exchange;
  readonly request: HttpRequest;
  readonly arrivedNs: number;
}

export class HttpServer {
  readonly counters: HttpCounters = new Counters(HTTP, this);
  #options: HttpServerOptions;
  readonly #queue: ScrapeQueue;
  readonly #views: ViewQueue;
  readonly #limiter: IpLimiter;
  /**
   * Health checks have a bucket of their own: a flood of scrapes must not make a supervisor think
   * that the daemon is dead.
   */
  readonly #healthLimiter: IpLimiter;
  readonly #front: HttpFront;
  #bound: BoundHttp;
  #hosts: AllowedHosts | undefined;
  #scrapes = 0;
  #drainDeadlineNs = Number.POSITIVE_INFINITY;
  #closing = false;

  /**
   * Binds and starts to serve. Throws `SocketPathError` if the unix path, and `SystemError` if the
   * TCP address cannot be used.
   */
  constructor(options: HttpServerOptions) {
    const { source, nowNs } = options;
    const count: CountHttp = (cell) => this.#count(cell);
    this.#options = options;
    this.#queue = new ScrapeQueue(source, nowNs);
    this.#views = new ViewQueue(nowNs);
    this.#limiter = new IpLimiter(options.rateLimitPerSec, options.rateLimitBurst, count);
    this.#healthLimiter = new IpLimiter(HTTP_HEALTH_PER_SEC, HTTP_HEALTH_PER_SEC, (code) =>
      count(code === HTTP.dropped.rate_limit ? HTTP.dropped.health_rate_limit : code),
    );
    this.#hosts = this.#allowedHosts(options);
    this.#bound = bindHttp(options);
    try {
      this.#front = new HttpFront({
        listenFd: this.#bound.fd,
        count,
        nowNs,
        wallMs: options.wallMs,
        onRequest: (exchange, request) => this.#onRequest(exchange, request),
      });
    } catch (error) {
      releaseHttp(this.#bound);
      throw error;
    }
  }

  /** "127.0.0.1:9469", "[::1]:9469" or "unix:/path". */
  get address(): string {
    return this.#bound.address;
  }

  /** True if `fd` can be waited for; else `serveSlice` must be called in every turn. */
  get canBeWaitedFor(): boolean {
    return this.#front.canBeWaitedFor;
  }

  /**
   * Becomes readable when a client wants something; -1 = no client is served before
   * `nextDeadlineNs`.
   */
  get fd(): number {
    return this.#front.fd;
  }

  /** True while a request waits for a slice: the loop must not sleep. */
  get pending(): boolean {
    return this.#queue.pending || this.#views.pending || this.#front.hasRequestsLeft;
  }

  /** When `serveSlice` is wanted next although nothing comes and nothing is pending. */
  get nextDeadlineNs(): number {
    if (this.closed) return Number.POSITIVE_INFINITY;
    return Math.min(this.#drainDeadlineNs, this.#front.nextDeadlineNs);
  }

  /** Scrapes that wait for a page or whose answer is still being written. */
  get scrapes(): number {
    return this.#scrapes;
  }

  /** Operations on the tables of scraper addresses that used up their probes. */
  get probeExhausted(): number {
    return this.#limiter.probeExhausted + this.#healthLimiter.probeExhausted;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#front.size;
  }

  /** True when a close is complete. */
  get closed(): boolean {
    return this.#closing && this.#front.size === 0;
  }

  #count(cell: HttpCell): void {
    this.counters.add(cell);
    this.#options.counted(cell);
  }

  /** The HTTP work of one turn; true if a page is not finished. */
  serveSlice(budgetNs: number): boolean {
    this.exchange();
    const workLeft = this.#queue.serveSlice(budgetNs);
    if (workLeft) this.#count(HTTP.sliceExhausted);
    return this.#views.serveSlice(budgetNs) || workLeft;
  }

  /** The part of it that talks to clients, without rendering. */
  exchange(): void {
    if (this.#closing && this.#options.nowNs() >= this.#drainDeadlineNs) this.#front.close();
    this.#front.exchange();
    if (this.closed) this.#front.close();
  }

  /** False if it has a Unix socket and the file at its path is not that socket any more. */
  get isInPlace(): boolean {
    const { file } = this.#bound;
    return this.#closing || file === undefined || isInPlace(file);
  }

  /**
   * Makes the Unix socket again at a path where it is gone; connections go on. Throws as the
   * constructor does, and then all is as before.
   */
  rebind(): void {
    this.#listenAt(bindHttp(this.#options));
  }

  /** Binds another place, for `change`; throws as the constructor does. */
  bindAt(place: HttpPlace): BoundHttp {
    return bindHttp(place, this.#bound);
  }

  /**
   * Goes by other settings from the next request on. `moved` = it listens there from now on, where
   * it was bound before by these settings; connections go on.
   */
  change(settings: HttpSettings, moved: BoundHttp | undefined): void {
    const { file } = this.#bound;
    const before = this.#options.socketMode;
    this.#options = { ...this.#options, ...settings };
    this.#hosts = this.#allowedHosts(settings);
    // Who follows something comes again, and is asked anew whether it may.
    this.#front.endStreams();
    this.#limiter.change(settings.rateLimitPerSec, settings.rateLimitBurst);
    if (moved !== undefined) {
      this.#listenAt(moved);
      if (file !== undefined) unlinkBoundPath(file);
    } else if (file !== undefined)
      changeAccess(file, { mode: before, ...NO_GROUP }, { mode: settings.socketMode, ...NO_GROUP });
  }

  #listenAt(bound: BoundHttp): void {
    this.#front.listenOn(bound.fd);
    this.#bound = bound;
  }

  /**
   * Stops accepting; responses in flight get up to 1 s. The turns go on until `closed`, with
   * `nextDeadlineNs` among the deadlines of the loop.
   */
  beginClose(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#drainDeadlineNs = this.#options.nowNs() + HTTP_DRAIN_NS_MAX;
    const { file } = this.#bound;
    if (file !== undefined) unlinkBoundPath(file);
    this.#front.beginClose();
  }

  /** Gives its descriptors back, once it is closed. */
  release(): void {
    this.#front.close();
  }

  // A client that reaches a Unix socket has the right to: no browser does.
  #allowedHosts({ hosts, listen }: HttpSettings): AllowedHosts | undefined {
    if (listen.kind === "unix") return undefined;
    const name = hostname();
    return new AllowedHosts([name, name.split(".")[0]!, ...hosts]);
  }

  #onRequest(exchange: Exchange, request: HttpRequest): void {
    const asked = { exchange, request, arrivedNs: this.#options.nowNs() };
    const refusal = this.#refusal(asked);
    const { path } = request;
    if (refusal !== undefined) exchange.answer(refusal);
    else if (path === "/metrics") this.#scrape(asked);
    else if (this.#options.views.has(path)) this.#view(asked);
    else if (path === "/") exchange.answer(landingPage(this.#options.version));
    else if (path === "/-/ready")
      exchange.answer(health(this.#options.isReady(), "ready", "not ready"));
    else exchange.answer(health(this.#options.isFresh(), "ok", "stale"));
  }

  #refusal({ exchange, request, arrivedNs }: Asked): Answer | undefined {
    const malformed = this.#formRefusal(request);
    if (malformed !== undefined) return malformed;
    const { token } = this.#options;
    // A client with the token is no page of a stranger, and no flood of strangers may keep it out.
    if (token !== undefined && bearerMatches(request.authorization, token)) return undefined;
    if (this.#hosts?.allows(request.authority) === false) {
      this.#count(HTTP.dropped.host);
      return textAnswer(421, "this name is not served here, see metrics.hosts");
    }
    const { address } = exchange;
    const limiter = HEALTH_PATHS.has(request.path) ? this.#healthLimiter : this.#limiter;
    if (address !== undefined && !limiter.allow(address, arrivedNs))
      return textAnswer(429, "too many requests", RETRY);
    const view = this.#options.views.get(request.path);
    if (token === undefined) {
      // A Unix address has a mode; at a loopback one everybody on the machine may ask.
      if (view?.isGuarded !== true || this.#options.listen.kind === "unix") return undefined;
      this.#count(HTTP.authFailures);
      return textAnswer(403, "this needs metrics.token_file");
    }
    if (view === undefined && request.path !== "/metrics") return undefined;
    this.#count(HTTP.authFailures);
    return emptyAnswer(401, { "WWW-Authenticate": 'Bearer realm="varta"' });
  }

  // A body would be the next request of the connection: none is read, so the connection ends.
  #formRefusal({ method, path, bodyBytes }: HttpRequest): Answer | undefined {
    const isRead = method === "GET" || method === "HEAD";
    if (bodyBytes > (isRead ? 0 : HTTP_BODY_BYTES_MAX)) {
      this.#count(HTTP.dropped.body);
      return textAnswer(413, isRead ? "no request body is taken" : "request body too large");
    }
    if (!isRead) {
      this.#count(HTTP.dropped.method);
      return emptyAnswer(405, { Allow: "GET, HEAD" });
    }
    if (ROUTES.has(path) || this.#options.views.has(path)) return undefined;
    this.#count(HTTP.dropped.path);
    return textAnswer(404, "not found");
  }

  #view({ exchange, request }: Asked): void {
    const view = this.#options.views.get(request.path)!;
    if (!this.#closing && this.#views.serve(view, exchange, request)) return;
    this.#count(HTTP.dropped.drain);
    exchange.answer(textAnswer(503, "too many wait for an answer", RETRY));
  }

  #scrape(asked: Asked): void {
    const { exchange, request } = asked;
    if (this.#closing || this.#scrapes >= SCRAPES_IN_PROGRESS_MAX) {
      this.#count(HTTP.dropped.drain);
      const text = this.#closing ? "shutting down" : "too many scrapes";
      exchange.answer(textAnswer(503, text, RETRY));
      return;
    }
    this.#scrapes++;
    const format = negotiateFormat(request.accept);
    const page = this.#queue.cached(format);
    if (page === undefined) this.#queue.wait(format, (made) => this.#send(asked, made));
    else {
      this.#count(HTTP.scrapeSkipped);
      this.#send(asked, page);
    }
  }

  #send(asked: Asked, page: Page): void {
    if (acceptsGzip(asked.request.acceptEncoding) && isWorthGzip(page)) {
      compressed(page, (packed) => this.#sendPacked(asked, page.format, packed));
      return;
    }
    page.readers++;
    this.#handOver(asked, pageAnswer(page.format, page.body, VARY), () => page.readers--);
  }

  #sendPacked(asked: Asked, format: PageFormat, packed: Uint8Array | Error): void {
    if (packed instanceof Error) {
      this.#options.onError(packed);
      this.#handOver(asked, textAnswer(500, "internal error"));
    } else {
      const fields = { ...VARY, "Content-Encoding": "gzip" };
      this.#handOver(asked, pageAnswer(format, packed, fields));
    }
  }

  #handOver({ exchange, arrivedNs }: Asked, answer: Answer, whenSent?: () => void): void {
    if (this.#options.nowNs() - arrivedNs > this.#options.scrapeBudgetNs)
      this.#count(HTTP.scrapeBudgetExceeded);
    const sent = () => {
      this.#scrapes--;
      whenSent?.();
    };
    exchange.answer({ ...answer, sent });
  }
}

function health(isGood: boolean, goodText: string, badText: string): Answer {
  return isGood ? textAnswer(200, goodText) : textAnswer(503, badText);
}

function pageAnswer(
  format: PageFormat,
  body: Uint8Array,
  fields: Readonly<Record<string, string>>,
): Answer {
  return { status: 200, contentType: CONTENT_TYPES[format], fields, body };
}
