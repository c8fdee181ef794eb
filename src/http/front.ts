// The connections of the HTTP server. The runtime's own server answers all that a client has
// pipelined in one turn, accepts all that wait in one turn, and spins when there is no descriptor
// left; here each turn does a bounded piece: one request of a connection, a few connections, a
// millisecond. What is left is reported again by the kernel in the next turn (spec 13 section 2).
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../ffi/constants.ts";
import { SystemError } from "../../ffi/errno.ts";
import { openReadiness, type Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import * as limits from "../base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { Acceptor } from "./acceptor.ts";
import {
  type Answer,
  type Exchange,
  endsConnection,
  headBytes,
  isRefusal,
  textAnswer,
} from "./answer.ts";
import * as connection from "./connection.ts";
import type { Connection } from "./connection.ts";
import { ConnectionTable, isIdle } from "./connection_table.ts";
import { type CountHttp, HTTP, type HttpCell } from "./counters.ts";
import { connectionRoom } from "./descriptor_reserve.ts";
import { Places } from "./places.ts";
import { type HttpRequest, parseHead } from "./request.ts";
import { Streams } from "./streams.ts";

/**
 * A connection that the server ended is read for so long, so that its last answer is not lost by a
 * reset.
 */
const HTTP_LINGER_NS_MAX = NS_PER_S;
const HTTP_LINGER_BYTES_MAX = 32 * 1_024;
/** Time after which a turn serves no further connection. */
const HTTP_EXCHANGE_NS_MAX = NS_PER_MS;

interface FrontOptions {
  /** A socket that listens; the front closes it. */
  readonly listenFd: number;
  readonly count: CountHttp;
  readonly nowNs: () => number;
  /** For the Date field. */
  readonly wallMs: () => number;
  /** Answers a request, now or later. */
  readonly onRequest: (exchange: Exchange, request: HttpRequest) => void;
}

const NOTHING = new Uint8Array(0);

export class HttpFront {
  readonly #options: FrontOptions;
  readonly #readiness: Readiness;
  readonly #acceptor: Acceptor;
  readonly #connections = new ConnectionTable();
  readonly #places: Places;
  readonly #streams: Streams;
  /** Connections with bytes after the request that was answered. */
  #buffered: Connection[] = [];
  #turn = 0;
  /** Until then no client is served; 0 = it does not rest. */
  #restEndNs = 0;
  /**
   * True while an exchange runs, which is bounded; what is answered at other times waits for one.
   */
  #isExchanging = false;
  #isClosing = false;
  #isClosed = false;

  /**
   * Throws `SystemError` if the system has no descriptor for it; the listening socket is then still
   * open.
   */
  constructor(options: FrontOptions) {
    this.#options = options;
    const capacity = limits.HTTP_CONNECTIONS_MAX + 1;
    this.#readiness = openReadiness(capacity, limits.HTTP_EVENTS_PER_TURN_MAX);
    const { fd } = this.#readiness;
    if (fd < -1) throw new SystemError("cannot watch connections", -fd);
    this.#acceptor = new Acceptor(options.listenFd, {
      readiness: this.#readiness,
      count: options.count,
      nowNs: options.nowNs,
      admit: (accepted, address) => this.#admit(accepted, address),
    });
    this.#places = new Places({
      connections: this.#connections,
      readiness: this.#readiness,
      room: connectionRoom(Math.max(fd, options.listenFd) + 1),
      count: options.count,
      nowNs: options.nowNs,
      end: (open) => this.#end(open),
    });
    this.#streams = new Streams({
      nowNs: options.nowNs,
      send: (open) => this.#awaitRoom(open),
      rest: (open, deadlineNs) => this.#restQuietly(open, deadlineNs),
      sentAll: (open) => this.#sent(open),
    });
  }

  /** True if `fd` can be waited for; else `exchange` must be called in every turn. */
  get canBeWaitedFor(): boolean {
    return this.#readiness.fd >= 0;
  }

  /** Readable when `exchange` has something to do; -1 = not before `nextDeadlineNs`. */
  get fd(): number {
    return this.#restEndNs > 0 ? -1 : this.#readiness.fd;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** Requests have come whose turn is the next one. */
  get hasRequestsLeft(): boolean {
    return (this.#buffered.length > 0 || this.#streams.hasWork) && this.#restEndNs === 0;
  }

  /** When `exchange` is wanted although nothing comes. */
  get nextDeadlineNs(): number {
    const restNs = this.#restEndNs === 0 ? Number.POSITIVE_INFINITY : this.#restEndNs;
    return Math.min(this.#connections.earliestNs, this.#acceptor.nextDeadlineNs, restNs);
  }

  /** Accepts, reads, hands over requests and writes, all bounded; then rests. */
  exchange(): void {
    const startNs = this.#options.nowNs();
    if (this.#isClosed || startNs < this.#restEndNs) return;
    this.#restEndNs = 0;
    this.#turn++;
    this.#expire(startNs);
    this.#isExchanging = true;
    const didWork = this.#work(startNs + HTTP_EXCHANGE_NS_MAX);
    this.#isExchanging = false;
    const nowNs = this.#options.nowNs();
    if (didWork && nowNs > startNs)
      this.#restEndNs = nowNs + limits.HTTP_REST_PARTS * (nowNs - startNs);
  }

  /** False if there was nothing to do. */
  #work(endNs: number): boolean {
    const { nowNs } = this.#options;
    const hadBuffered = this.#buffered.length > 0;
    this.#serveBuffered(endNs);
    const hadStreams = this.#streams.serve(endNs);
    const ready = this.#readiness.look();
    let isLate = false;
    let mayAccept = false;
    for (let i = 0; i < ready; i++) {
      const fd = this.#readiness.readyFd(i);
      if (fd === this.#acceptor.fd) mayAccept = true;
      else if (!isLate) {
        this.#onReady(fd, this.#readiness.readyEvents(i));
        isLate = nowNs() >= endNs;
      }
    }
    // After the events: a descriptor that is closed and given out again must not be taken for the
    // old one.
    if (mayAccept && !this.#isClosing) this.#acceptor.acceptSome(endNs);
    return hadBuffered || hadStreams || ready > 0;
  }

  /** Accepts from another socket from now on; who had come to the one before is still served. */
  listenOn(fd: number): void {
    this.#acceptor.listenOn(fd, this.#options.nowNs() + HTTP_EXCHANGE_NS_MAX);
  }

  /** No more connections and requests; answers under way go on. */
  beginClose(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#acceptor.close();
    for (const open of this.#connections.all()) if (isIdle(open)) this.#end(open);
    this.endStreams();
  }

  /** Each has what has come for it, and ends. */
  endStreams(): void {
    for (const open of this.#connections.all()) this.#streams.end(open);
  }

  /** Ends every connection, whatever it waits for. */
  close(): void {
    this.beginClose();
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const open of this.#connections.all()) this.#end(open);
    this.#readiness.close();
  }

  // --- accepting

  #admit(accepted: number, address: string | undefined): void {
    const opened = this.#places.take(accepted, address);
    // Its request has mostly come with it.
    if (opened !== undefined) this.#read(opened);
  }

  // --- reading

  #onReady(fd: number, events: number): void {
    const found = this.#connections.get(fd);
    if (found === undefined) return;
    if (found.state === connection.READING) this.#read(found);
    else if (found.state === connection.LINGERING) this.#discard(found);
    else if ((events & (POLLERR | POLLHUP)) !== 0) this.#end(found);
    else if (found.state === connection.WRITING) this.#flush(found);
  }

  #read(open: Connection): void {
    if (open.servedTurn === this.#turn) return;
    const wasEmpty = open.buffered === 0;
    if (!open.isFull && !open.receive()) {
      this.#end(open);
      return;
    }
    // A connection that was kept has the time of a head from its first byte on.
    if (wasEmpty && open.buffered > 0 && open.requests > 0)
      this.#connections.setDeadline(open, this.#options.nowNs() + limits.HTTP_HEAD_NS_MAX);
    this.#takeRequest(open);
  }

  #serveBuffered(endNs: number): void {
    const waiting = this.#buffered;
    this.#buffered = [];
    for (let i = 0; i < waiting.length; i++) {
      if (this.#options.nowNs() >= endNs && i > 0) {
        this.#buffered.push(...waiting.slice(i));
        return;
      }
      const open = waiting[i]!;
      if (open.state === connection.READING && open.fd >= 0) this.#takeRequest(open);
    }
  }

  /** Takes one request if a whole one has come. */
  #takeRequest(open: Connection): void {
    if (open.servedTurn === this.#turn) return;
    const isWhole = open.scan();
    if (isWhole === undefined) {
      this.#refuse(open, HTTP.dropped.malformed, 400, "no HTTP request");
      return;
    }
    if (!isWhole) {
      if (open.hasEnded) this.#end(open);
      else if (open.isFull)
        this.#refuse(open, HTTP.dropped.head_size, 431, "request header too large");
      return;
    }
    open.servedTurn = this.#turn;
    open.requests++;
    const request = parseHead(open.takeHead());
    if ("problem" in request) {
      const isLarge = request.status === 431;
      const code = isLarge ? HTTP.dropped.head_size : HTTP.dropped.malformed;
      this.#refuse(open, code, request.status, request.problem);
      return;
    }
    const nowNs = this.#options.nowNs();
    open.state = connection.WAITING;
    open.answerEndNs = nowNs + limits.HTTP_ANSWER_NS_MAX;
    this.#options.onRequest(this.#exchangeOf(open, request), request);
    if (open.state !== connection.WAITING || open.fd < 0) return;
    // Nothing of it is read meanwhile: what it pipelines stays in the kernel, and then with the
    // client.
    this.#watch(open, 0);
    this.#connections.setDeadline(open, open.answerEndNs);
  }

  #discard(open: Connection): void {
    if (!open.discard() || open.lingeredBytes > HTTP_LINGER_BYTES_MAX) this.#end(open);
  }

  // --- answering

  #exchangeOf(open: Connection, request: HttpRequest): Exchange {
    const { serial, address } = open;
    return {
      address,
      answer: (answer) => {
        if (open.serial !== serial) answer.sent?.();
        else this.#answer(open, request, answer);
      },
      wake: () => this.#streams.wake(open, serial),
    };
  }

  #answer(open: Connection, request: HttpRequest, answer: Answer): void {
    const { stream } = answer;
    const mayGoOn = request.keepAlive && !endsConnection(answer) && !this.#isClosing;
    open.isLast = !mayGoOn || open.requests >= limits.HTTP_REQUESTS_PER_CONNECTION_MAX;
    const goesOnAs = request.minorVersion === 0 ? "keep-alive" : undefined;
    const head = headBytes(answer, this.#options.wallMs(), open.isLast ? "close" : goesOnAs);
    open.put(head, request.method === "HEAD" ? NOTHING : answer.body, answer.sent);
    if (stream !== undefined) this.#streams.begin(open, stream);
    // A client that said that it ends here, and sent nothing more, needs no farewell.
    open.endsAtOnce = !request.keepAlive && open.buffered === 0 && !isRefusal(answer);
    // All who waited for a page get it at once: they are written to in exchanges.
    if (this.#isExchanging) this.#flush(open);
    else this.#awaitRoom(open);
  }

  #refuse(open: Connection, cell: HttpCell, status: number, problem: string): void {
    this.#options.count(cell);
    open.isLast = true;
    open.answerEndNs = this.#options.nowNs() + limits.HTTP_ANSWER_NS_MAX;
    const answer = textAnswer(status, problem);
    open.put(headBytes(answer, this.#options.wallMs(), "close"), answer.body, undefined);
    this.#flush(open);
  }

  #flush(open: Connection): void {
    const result = open.flush();
    if (result === connection.FLUSH_FAILED) this.#end(open);
    else if (result === connection.FLUSH_DONE) this.#sent(open);
    else this.#awaitRoom(open);
  }

  #awaitRoom(open: Connection): void {
    open.state = connection.WRITING;
    this.#watch(open, POLLOUT);
    const isStream = open.stream !== undefined;
    const patienceNs = isStream ? limits.STREAM_UNREAD_NS_MAX : limits.HTTP_ANSWER_STALL_NS_MAX;
    const stallNs = this.#options.nowNs() + patienceNs;
    this.#connections.setDeadline(open, Math.min(stallNs, open.answerEndNs));
  }

  #restQuietly(open: Connection, deadlineNs: number): void {
    this.#watch(open, 0);
    this.#connections.setDeadline(open, deadlineNs);
  }

  #sent(open: Connection): void {
    if (open.stream !== undefined) {
      this.#streams.goOn(open);
      return;
    }
    const endsNow = this.#isClosing || open.endsAtOnce || open.hasEnded;
    if (open.isLast) {
      if (endsNow) this.#end(open);
      else this.#linger(open);
      return;
    }
    const nowNs = this.#options.nowNs();
    open.state = connection.READING;
    open.sinceNs = nowNs;
    this.#watch(open, POLLIN);
    const hasMore = open.buffered > 0;
    const patienceNs = hasMore ? limits.HTTP_HEAD_NS_MAX : limits.HTTP_IDLE_NS_MAX;
    this.#connections.setDeadline(open, nowNs + patienceNs);
    if (hasMore) this.#buffered.push(open);
  }

  // Closing with bytes unread would reset the connection, and the client might lose the answer.
  #linger(open: Connection): void {
    open.endWriting();
    open.state = connection.LINGERING;
    this.#watch(open, POLLIN);
    this.#connections.setDeadline(open, this.#options.nowNs() + HTTP_LINGER_NS_MAX);
  }

  // --- ending

  #expire(nowNs: number): void {
    this.#acceptor.maintain(nowNs);
    this.#connections.expire(nowNs, (open) => this.#expired(open));
  }

  #expired(open: Connection): void {
    if (open.state === connection.READING) {
      if (open.buffered > 0) {
        this.#refuse(open, HTTP.dropped.head_time, 408, "request took too long");
        return;
      }
      // Only one that never asked for anything is refused something.
      if (open.requests === 0) this.#options.count(HTTP.dropped.head_time);
    } else if (open.state === connection.QUIET) {
      this.#streams.keepAlive(open);
      return;
    } else if (open.state !== connection.LINGERING) this.#options.count(HTTP.dropped.unread);
    this.#end(open);
  }

  #end(open: Connection): void {
    const { fd } = open;
    this.#streams.left(open);
    this.#readiness.remove(fd);
    this.#connections.remove(open);
    close(fd);
  }

  #watch(open: Connection, events: number): void {
    if (open.events === events) return;
    open.events = events;
    this.#readiness.change(open.fd, events);
  }
}
