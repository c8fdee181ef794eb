// The agent's end of the socket: one connected datagram socket, one frame, one nonce stream
// (spec 01 sections 3 and 8). It lives in other people's programs, so it never blocks, never throws
// after it was made, starts no timer and allocates nothing per plain beat. It reconnects on the
// caller's own beat, at most once per `reconnectMs`.
import { EAGAIN, ECONNREFUSED, ENOBUFS, ENOTSOCK, SOCK_DGRAM } from "../../ffi/constants.ts";
import {
  close,
  connect as connectSocket,
  openSocket,
  type SocketAddress,
  send,
} from "../../ffi/socket.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX, u64FromPair } from "../base/u64.ts";
import { encodeFrame } from "../wire/encode.ts";
import {
  PID_INIT,
  PID_MIN,
  type Status,
  STATUS_CRITICAL,
  STATUS_DEGRADED,
  STATUS_OK,
} from "../wire/frame.ts";
import type { AgentSystem } from "./agent_system.ts";
import {
  BAD_PAYLOAD,
  BAD_STATUS,
  type BeatResult,
  CLOSED,
  NO_OBSERVER,
  RESERVED_PID,
  resultOfErrno,
  SENT,
} from "./beat_result.ts";
import type { BeatStream } from "./beat_stream.ts";
import { installCrashBeat, removeCrashBeat } from "./crash_beat.ts";
import type { Endpoint } from "./endpoint.ts";
import type { SecureSession } from "./secure_session.ts";

/** What an agent may say of itself; only the observer says "stall". */
export type AgentStatus = Exclude<Status, "stall">;

/**
 * How often each result was returned since the client was made, and how often its socket was
 * connected.
 */
export interface ClientCounters {
  readonly sent: number;
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
  /** Least time between two attempts to connect. */
  readonly reconnectMs: number;
}

export class Client {
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
  readonly #counters = { sent: 0, queueFull: 0, noObserver: 0, failed: 0, connects: 0 };
  readonly #stream: BeatStream;
  readonly #session: SecureSession | undefined;
  readonly #system: AgentSystem;
  readonly #reconnectMs: number;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #to: Endpoint;
  #fd = -1;
  #pid = 0;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  /** Why there is no socket. */
  #unconnected: BeatResult = NO_OBSERVER;
  #closed = false;

  constructor(endpoint: Endpoint, parts: ClientParts) {
    this.endpoint = endpoint.name;
    this.#to = endpoint;
    this.#stream = parts.stream;
    this.#session = parts.session;
    this.#system = parts.system;
    this.#reconnectMs = parts.reconnectMs;
    const frame = new ArrayBuffer(FRAME_BYTES);
    this.#words = new Uint32Array(frame);
    this.#bytes = new Uint8Array(frame);
    this.beat = this.#beat.bind(this);
    const { address } = endpoint;
    if (address === null) return;
    this.#enter(this.#system.pid());
    if (this.#mayConnect(this.#readClock())) this.#connect(address);
  }

  /** Live counters: the same object at every call. */
  get counters(): ClientCounters {
    return this.#counters;
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
    this.#triedAtMs = Number.NEGATIVE_INFINITY;
    return this.#count(this.#emit(STATUS_CRITICAL, payload, true));
  }

  /**
   * From now on an uncaught exception or unhandled rejection sends a crash beat; the process then
   * dies with the same output and exit code as without it. Errors that the program handles itself,
   * `process.exit` and signals send none.
   */
  installCrashBeat(): void {
    if (!this.#closed) installCrashBeat(this);
  }

  /**
   * Closes the socket, removes the crash beat and overwrites keys. Later beats give a `Failed`
   * result with code "closed".
   */
  close(): void {
    this.#closed = true;
    this.#disconnect();
    this.#session?.wipe();
    removeCrashBeat(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #beat(status: AgentStatus = "ok", payload = 0): BeatResult {
    const code = agentStatusCode(status);
    if (code < 0) return this.#count(BAD_STATUS);
    if (!isU32(payload)) return this.#count(BAD_PAYLOAD);
    return this.#count(this.#emit(code, payload, false));
  }

  #emit(status: number, payload: number, terminal: boolean): BeatResult {
    if (this.#closed) return CLOSED;
    const { address } = this.#to;
    if (address === null) return this.#to.fault;
    const pid = this.#system.pid();
    // By a Unix socket, a listener for containers takes pid 1; over a network it may be anybody.
    if (pid < (this.#to.transport === "unix" ? PID_INIT : PID_MIN)) return RESERVED_PID;
    this.#enter(pid);
    const nowMs = this.#readClock();
    if (this.#fd < 0 && !this.#mayConnect(nowMs)) return this.#unconnected;
    if (this.#fd < 0 && !this.#connect(address)) return this.#unconnected;
    if (terminal) this.#stream.stampAfter();
    this.#encode(status, payload, terminal);
    const datagram = this.#seal(terminal);
    let result = send(this.#fd, datagram);
    if (result === -ECONNREFUSED && this.#to.transport === "udp") {
      // What is refused is an earlier beat; the error took this one with it, and the socket is
      // good. A crash beat has no later one that could arrive in its place.
      if (!terminal) return NO_OBSERVER;
      result = send(this.#fd, datagram);
    }
    if (result < 0 && result !== -EAGAIN && result !== -ENOBUFS) {
      // The observer is gone, perhaps because it was restarted: one new socket, one new attempt.
      this.#forget(result);
      if (!this.#mayConnect(nowMs) || !this.#connect(address)) return this.#unconnected;
      result = send(this.#fd, datagram);
    }
    if (result < 0) return resultOfErrno(-result);
    if (!terminal) this.#stream.advance();
    return SENT;
  }

  /** Notices that this is a forked child: it needs nonces, a socket and a session of its own. */
  #enter(pid: number): void {
    this.#stream.enter(pid);
    this.#session?.enter(pid);
    if (this.#pid === pid) return;
    if (this.#pid !== 0) this.#disconnect();
    this.#pid = pid;
    this.#triedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Moves the stream's timestamp to now; milliseconds of the same clock. */
  #readClock(): number {
    const system = this.#system;
    if (system.readClock() === 0) this.#stream.stamp(system.seconds(), system.nanoseconds());
    return system.seconds() * 1_000 + system.nanoseconds() / 1_000_000;
  }

  #mayConnect(nowMs: number): boolean {
    if (nowMs - this.#triedAtMs < this.#reconnectMs) return false;
    this.#triedAtMs = nowMs;
    return true;
  }

  /** Opens and connects a socket; false if that failed, and `#unconnected` says why. */
  #connect(address: SocketAddress): boolean {
    const fd = openSocket(address.family, SOCK_DGRAM);
    const result = fd < 0 ? fd : connectSocket(fd, address);
    if (result < 0) {
      if (fd >= 0) close(fd);
      this.#unconnected = resultOfErrno(-result);
      return false;
    }
    this.#fd = fd;
    this.#counters.connects++;
    return true;
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

  /** Gives up the socket after `send` returned `result` (negative). */
  #forget(result: number): void {
    this.#unconnected = resultOfErrno(-result);
    // The host closed the descriptor and the number is now its own file, which must not be closed
    // here.
    if (result === -ENOTSOCK) this.#fd = -1;
    this.#disconnect();
  }

  #disconnect(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  #count(result: BeatResult): BeatResult {
    if (result.kind === "sent") this.#counters.sent++;
    else if (result.kind === "failed") this.#counters.failed++;
    else if (result.reason === "queue_full") this.#counters.queueFull++;
    else this.#counters.noObserver++;
    return result;
  }
}

/** The status byte, or -1 for anything that an agent may not send. */
function agentStatusCode(status: unknown): number {
  if (status === "ok") return STATUS_OK;
  if (status === "degraded") return STATUS_DEGRADED;
  if (status === "critical") return STATUS_CRITICAL;
  return -1;
}

function isU32(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}
