// The agent's end of the socket: one line to the observer, one frame, one nonce stream (spec 01
// sections 3 and 8, spec 21). It lives in other people's programs, so it never blocks, never throws
// after it was made, starts no timer and allocates nothing per plain beat. It reconnects on the
// caller's own beat, at most once per `reconnectMs`.
import { ECONNREFUSED, EINPROGRESS } from "../../ffi/constants.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX, u64FromPair } from "../base/u64.ts";
import { encodeFrame } from "../wire/encode.ts";
import { PID_INIT, PID_MIN, STATUS_CRITICAL } from "../wire/frame.ts";
import { type AgentStatus, agentStatusCode } from "./agent_status.ts";
import type { AgentSystem } from "./agent_system.ts";
import {
  BAD_GREETING,
  BAD_PAYLOAD,
  BAD_STATUS,
  type BeatResult,
  CLOSED,
  CONNECTING,
  isForLater,
  NO_OBSERVER,
  RATE,
  RESERVED_PID,
  resultOfErrno,
  resultOfError,
  SENT,
} from "./beat_result.ts";
import type { BeatStream } from "./beat_stream.ts";
import { Complaints } from "./complaints.ts";
import { installCrashBeat, removeCrashBeat } from "./crash_beat.ts";
import type { Endpoint } from "./endpoint.ts";
import { byeBytes, type Greeting, greetingOf, helloBytes } from "./greeting.ts";
import type { Line, OpenLine } from "./platform.ts";
import { BEATS_PER_SECOND_MAX, RateLimit } from "./rate_limit.ts";
import { beatAfter, type Beating, type IsAlive, type Repeat, repeatBeat } from "./repeat.ts";
import type { SecureSession } from "./secure_session.ts";

/**
 * How often each result was returned since the client was made, and how often it was connected.
 * `dropped` is every kind of it.
 */
export interface ClientCounters {
  readonly sent: number;
  readonly dropped: number;
  readonly queueFull: number;
  readonly noObserver: number;
  readonly failed: number;
  readonly connects: number;
}

interface ClientParts {
  readonly stream: BeatStream;
  readonly system: AgentSystem;
  /** Seals the frames; undefined = they go as they are. The client wipes it. */
  readonly session?: SecureSession | undefined;
  /** Least time between two attempts to connect; up to half as much again is added. */
  readonly reconnectMs: number;
  /** 0 to 1, so that a thousand clients do not come back in the same millisecond. */
  readonly random?: () => number;
  /** Beats in a second at most; tests may send more. */
  readonly perSecond?: number;
  /** Warn of beats that were not sent. */
  readonly warn?: boolean;
  /** Said with each new connection; null = what was given cannot be said. */
  readonly greeting?: Greeting | null | undefined;
}

/** By UDP nothing says that the observer was restarted and has forgotten the name. */
const HELLO_AGAIN_MS = 60_000;

export class Client implements Beating {
  /** Where the beats go: the path of the observer's socket, or HOST:PORT. */
  readonly endpoint: string;
  /**
   * Sends one beat and returns at once with what became of it. A beat that was not sent is not
   * queued: send the next one at its time.
   *
   * `status` is "ok" (default), "degraded" (making progress but in trouble) or "critical" (an
   * alarm). `payload` is an integer in 0..4294967295 that the observer passes on without reading
   * it. Wrong arguments give a `Failed` result. The function is bound:
   * `setInterval(client.beat, 1000)` works.
   */
  readonly beat: (status?: AgentStatus, payload?: number) => BeatResult;
  readonly #counters = {
    sent: 0,
    dropped: 0,
    queueFull: 0,
    noObserver: 0,
    failed: 0,
    connects: 0,
  };
  readonly #stream: BeatStream;
  readonly #session: SecureSession | undefined;
  readonly #system: AgentSystem;
  readonly #reconnectMs: number;
  readonly #random: () => number;
  readonly #rate: RateLimit;
  readonly #complaints: Complaints | undefined;
  #greeting: Greeting | null | undefined;
  /** Process that made this client: it alone says bye. */
  readonly #maker: number;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #to: Endpoint;
  #line: Line | undefined;
  #pid = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #helloAtMs = Number.NEGATIVE_INFINITY;
  /** This process has sent a beat. */
  #hasBegun = false;
  /** Why there is no line. */
  #unconnected: BeatResult = NO_OBSERVER;
  /** How the line before this one ended, until this one is connected. */
  #ended: BeatResult = CONNECTING;
  #closed = false;

  constructor(endpoint: Endpoint, parts: ClientParts) {
    this.endpoint = endpoint.name;
    this.#to = endpoint;
    this.#stream = parts.stream;
    this.#session = parts.session;
    this.#system = parts.system;
    this.#reconnectMs = parts.reconnectMs;
    this.#random = parts.random ?? Math.random;
    this.#rate = new RateLimit(parts.perSecond ?? BEATS_PER_SECOND_MAX);
    this.#complaints = parts.warn === true ? new Complaints(endpoint.name) : undefined;
    this.#maker = parts.system.pid();
    this.#introduce(parts.greeting);
    const frame = new ArrayBuffer(FRAME_BYTES);
    this.#words = new Uint32Array(frame);
    this.#bytes = new Uint8Array(frame);
    this.beat = this.#beat.bind(this);
    if (endpoint.open === null) return;
    // So that the first beat finds a connection.
    this.#enter(this.#maker);
    this.#reach(endpoint.open, this.#readClock());
  }

  /** Live counters: the same object at every call. */
  get counters(): ClientCounters {
    return this.#counters;
  }

  /** Says hello with the next beat: somebody connected again, and gave a name or an interval. */
  introduce(name?: string, intervalMs?: number): void {
    const greeting = greetingOf(name, intervalMs);
    if (greeting !== undefined) this.#introduce(greeting);
  }

  #introduce(greeting: Greeting | null | undefined): void {
    if (greeting === null) this.#complaints?.say("bad_name", BAD_GREETING);
    this.#greeting = greeting;
    this.#helloAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Pid of the last beat, or of the process that made the client. */
  get pid(): number {
    return this.#pid;
  }

  /** Nonce of the next beat. */
  get nextNonce(): bigint {
    return u64FromPair(this.#stream.nonceHi, this.#stream.nonceLo);
  }

  /**
   * Sends the crash beat now: status Critical with the terminal nonce, which says that this process
   * is about to die. For programs that handle uncaught errors themselves; the others call
   * `installCrashBeat` once.
   */
  crashBeat(payload = 0): BeatResult {
    if (!isU32(payload)) return this.#count(BAD_PAYLOAD);
    // The last chance: it does not wait for its turn to connect.
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    return this.#count(this.#emitted(STATUS_CRITICAL, payload, true));
  }

  /**
   * Beats at once and each `intervalMs` while `isAlive()` is true or says a status; it may be
   * async. Without it this shows only that the event loop turns.
   */
  every(intervalMs: number, isAlive: IsAlive = () => true): Repeat {
    const complain = (cause: string, text: string) => this.#complaints?.say(cause, text);
    return repeatBeat(this, { intervalMs, isAlive, complain });
  }

  /** `work` with a beat after each call that did not fail. */
  wrap<This, Args extends unknown[], Result>(
    work: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result {
    return beatAfter(this, work);
  }

  /**
   * From now on an uncaught exception or unhandled rejection sends a crash beat; the process then
   * dies with the same output and exit code as without it. Errors that the program handles itself,
   * `process.exit` and signals send none.
   */
  installCrashBeat(): void {
    if (!this.#closed) installCrashBeat(this);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Says bye, ends the connection, removes the crash beat and overwrites keys. Later beats are
   * dropped with reason "closed". After a bye this process owes no beats, and its end is a clean
   * one: call it where the work is done, and not where it failed.
   */
  close(): void {
    if (this.#mayPart()) this.#line?.send(this.#sealed(byeBytes(this.#stream)));
    this.#end();
  }

  /** Without a bye: the end of a block is not known to be a good one. */
  [Symbol.dispose](): void {
    this.#end();
  }

  /** Once, of a process that beats, and never of a forked child. */
  #mayPart(): boolean {
    return !this.#closed && this.#counters.sent > 0 && this.#system.pid() === this.#maker;
  }

  #end(): void {
    this.#closed = true;
    this.#line?.end();
    this.#line = undefined;
    this.#session?.wipe();
    removeCrashBeat(this);
  }

  #beat(status: AgentStatus = "ok", payload = 0): BeatResult {
    const code = agentStatusCode(status);
    if (code < 0) return this.#count(BAD_STATUS);
    if (!isU32(payload)) return this.#count(BAD_PAYLOAD);
    return this.#count(this.#emitted(code, payload, false));
  }

  // An error that nobody expected must not become one of the host.
  #emitted(status: number, payload: number, terminal: boolean): BeatResult {
    try {
      return this.#emit(status, payload, terminal);
    } catch (error) {
      return resultOfError(error);
    }
  }

  #emit(status: number, payload: number, terminal: boolean): BeatResult {
    if (this.#closed) return CLOSED;
    const { open, transport } = this.#to;
    if (open === null) return this.#to.fault;
    const pid = this.#system.pid();
    // By a Unix socket, a listener for containers takes pid 1; over a network it may be anybody.
    if (pid < (transport === "unix" ? PID_INIT : PID_MIN)) return RESERVED_PID;
    this.#enter(pid);
    const nowMs = this.#readClock();
    if (!terminal && !this.#rate.tryTake(nowMs)) return RATE;
    if (this.#line === undefined && !this.#reach(open, nowMs)) return this.#unconnected;
    this.#greet(nowMs);
    if (terminal) this.#stream.stampAfter();
    this.#encode(status, payload, terminal);
    const datagram = this.#seal(terminal);
    let result = this.#line!.send(datagram);
    if (result === -ECONNREFUSED && transport === "udp") {
      // What is refused is an earlier beat; the error took this one with it, and the socket is
      // good. A crash beat has no later one that could arrive in its place.
      this.#helloAtMs = Number.NEGATIVE_INFINITY;
      if (!terminal) return NO_OBSERVER;
      result = this.#line!.send(datagram);
    }
    if (result < 0 && !isForLater(result)) {
      // The observer is gone, perhaps because it was restarted: one new line, one new attempt.
      this.#forget(result);
      if (!this.#reach(open, nowMs)) return this.#unconnected;
      // A hello ahead of it would take the number that this frame has.
      result = this.#line!.send(datagram);
    }
    if (result === -EINPROGRESS) return this.#ended;
    if (result < 0) return resultOfErrno(-result);
    if (terminal) return SENT;
    this.#stream.advance();
    this.#hasBegun = true;
    this.#greet(nowMs);
    return SENT;
  }

  /** Notices that this is a forked child: it needs nonces, a line and a session of its own. */
  #enter(pid: number): void {
    this.#stream.enter(pid);
    this.#session?.enter(pid);
    if (this.#pid === pid) return;
    if (this.#pid !== 0) this.#line?.drop();
    this.#line = undefined;
    this.#pid = pid;
    this.#hasBegun = false;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Moves the stream's timestamp to now; milliseconds of the same clock. */
  #readClock(): number {
    const system = this.#system;
    if (system.readClock() === 0) this.#stream.stamp(system.seconds(), system.nanoseconds());
    return system.seconds() * 1_000 + system.nanoseconds() / 1_000_000;
  }

  /** Opens a line if it is time to; false if there is none, and `#unconnected` says why. */
  #reach(open: OpenLine, nowMs: number): boolean {
    if (nowMs < this.#retryAtMs) return false;
    this.#retryAtMs = nowMs + this.#reconnectMs * (1 + this.#random() / 2);
    const line = open(() => {
      this.#counters.connects++;
      this.#ended = CONNECTING;
    });
    if (typeof line === "number") {
      this.#unconnected = resultOfErrno(-line);
      return false;
    }
    this.#line = line;
    this.#helloAtMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  /**
   * Says hello if it is time to; one that is not taken is said again with the next beat. A sealed
   * one of a pid that the observer knows begins no session: a beat goes first.
   */
  #greet(nowMs: number): void {
    const greeting = this.#greeting;
    if (!greeting || nowMs < this.#helloAtMs) return;
    if (this.#session !== undefined && !this.#hasBegun) return;
    if (this.#line!.send(this.#sealed(helloBytes(greeting, this.#stream))) < 0) return;
    this.#stream.advance();
    const isUdp = this.#to.transport === "udp";
    this.#helloAtMs = isUdp ? nowMs + HELLO_AGAIN_MS : Number.POSITIVE_INFINITY;
  }

  #sealed(datagram: Uint8Array): Uint8Array {
    return this.#session === undefined ? datagram : this.#session.seal(datagram);
  }

  #encode(status: number, payload: number, terminal: boolean): void {
    const { timestampHi, timestampLo, nonceHi, nonceLo } = this.#stream;
    encodeFrame(
      this.#words,
      0,
      status,
      this.#pid,
      timestampHi,
      timestampLo,
      terminal ? U32_MAX : nonceHi,
      terminal ? U32_MAX : nonceLo,
      payload,
    );
  }

  /** The datagram of the frame that was just encoded. */
  #seal(terminal: boolean): Uint8Array {
    const session = this.#session;
    if (session === undefined) return this.#bytes;
    if (!terminal) return session.seal(this.#bytes);
    const { timestampHi, timestampLo } = this.#stream;
    return session.sealCrash(this.#bytes, u64FromPair(timestampHi, timestampLo));
  }

  /** Gives up the line after it said `result` (negative). */
  #forget(result: number): void {
    this.#unconnected = resultOfErrno(-result);
    this.#ended = this.#unconnected;
    this.#line?.drop();
    this.#line = undefined;
  }

  #count(result: BeatResult): BeatResult {
    const counters = this.#counters;
    if (result.kind === "sent") {
      counters.sent++;
      return result;
    }
    if (result.kind === "failed") counters.failed++;
    else counters.dropped++;
    if (result.reason === "queue_full") counters.queueFull++;
    if (result.reason === "no_observer") counters.noObserver++;
    if (result !== CONNECTING) this.#complaints?.say(result.reason, result.text);
    return result;
  }
}

function isU32(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}
