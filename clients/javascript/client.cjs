// One client: a line, a numbering, and what became of each beat.
"use strict";
const { encodeFrame } = require("./frame.cjs");
const outcomes = require("./outcomes.cjs");

const { SENT, QUEUE_FULL, NO_OBSERVER, CONNECTING, CLOSED } = outcomes;
const { BAD_STATUS, BAD_PAYLOAD, RESERVED_PID, outcomeOf } = outcomes;

const STATUSES = new Map([
  ["ok", 0],
  ["degraded", 1],
  ["critical", 2],
]);
const CRITICAL = 2;
const NONCE_TERMINAL = 2n ** 64n - 1n;
/** Least time between two attempts to connect; up to half as much again is added at random. */
const RECONNECT_MS = 100;
/** A cause is told when it begins, and once a minute at most. */
const LOG_AGAIN_MS = 60_000;

class Client {
  /** Bound: `setInterval(client.beat, 1000)` works. */
  beat = (status = "ok", payload = 0) => this.#beat(status, payload);
  counters = { sent: 0, dropped: 0, failed: 0, connects: 0 };
  numbering;
  #name;
  #makeLine;
  #fault;
  #session;
  #line;
  #isOpen = false;
  #isClosed = false;
  #retryAtMs = 0;
  #unconnected = NO_OBSERVER;
  /** What a beat that was sent met later: told by the next one. */
  #refused;
  #told = new Map();
  #onCrash = () => {
    if (process.listenerCount("uncaughtException") === 0) this.crashBeat();
  };

  constructor({ name, makeLine, fault, numbering, session }) {
    this.numbering = numbering;
    this.#name = name;
    this.#makeLine = makeLine;
    this.#fault = fault;
    this.#session = session;
    // So that the first beat finds a connection.
    if (fault === undefined) this.#connect();
  }

  get isClosed() {
    return this.#isClosed;
  }

  /** Says that this process is about to die: status critical, the terminal nonce. */
  crashBeat(payload = 0) {
    if (!isU32(payload)) return this.#count(BAD_PAYLOAD);
    return this.#count(this.#emit(CRITICAL, payload, true));
  }

  /**
   * Beats each `intervalMs` while `isAlive()` is true, or says a status; it may be async. Without it
   * this shows only that the event loop turns.
   */
  every(intervalMs, isAlive = () => true) {
    if (!(intervalMs > 0)) throw new RangeError(`intervalMs must be above 0: ${intervalMs}`);
    let isAsking = false;
    const tick = async () => {
      if (isAsking) return;
      isAsking = true;
      try {
        const alive = await isAlive();
        if (alive) this.beat(typeof alive === "string" ? alive : "ok");
      } catch (error) {
        this.#tell("is_alive", `isAlive() failed, so no beat was sent: ${error}`);
      } finally {
        isAsking = false;
      }
    };
    const timer = setInterval(tick, intervalMs);
    timer.unref();
    void tick();
    return { stop: () => clearInterval(timer) };
  }

  /** `work` with a beat after each call that did not fail. */
  wrap(work) {
    const client = this;
    return function wrapped(...args) {
      const result = work.apply(this, args);
      if (typeof result?.then !== "function") {
        client.beat();
        return result;
      }
      return result.then((value) => {
        client.beat();
        return value;
      });
    };
  }

  /** An uncaught error sends a crash beat, and ends the process as without it. */
  installCrashBeat() {
    process.off("uncaughtExceptionMonitor", this.#onCrash);
    process.on("uncaughtExceptionMonitor", this.#onCrash);
  }

  /** Later beats are dropped with reason "closed". */
  close() {
    this.#isClosed = true;
    process.off("uncaughtExceptionMonitor", this.#onCrash);
    this.#line?.close();
    this.#line = undefined;
    this.#session?.wipe();
  }

  #beat(status, payload) {
    const code = STATUSES.get(status);
    if (code === undefined) return this.#count(BAD_STATUS);
    if (!isU32(payload)) return this.#count(BAD_PAYLOAD);
    return this.#count(this.#emit(code, payload, false));
  }

  #emit(status, payload, terminal) {
    try {
      if (this.#isClosed) return CLOSED;
      if (this.#fault !== undefined) return this.#fault;
      if (process.pid === 1 && this.#name.startsWith("udp")) return RESERVED_PID;
      if (this.#line === undefined && !this.#connect()) return this.#unconnected;
      if (!this.#isOpen) return CONNECTING;
      const refused = this.#refused;
      this.#refused = undefined;
      if (refused !== undefined && !terminal) return refused;
      if (this.#line.isFull()) return QUEUE_FULL;
      this.#line.send(this.#frame(status, payload, terminal));
      if (this.#line === undefined) return this.#unconnected;
      if (!terminal) this.#advance();
      return SENT;
    } catch (error) {
      // A fault of ours or of the runtime must not be one of our host.
      this.#ended(error);
      return outcomeOf(error);
    }
  }

  #frame(status, payload, terminal) {
    const { numbering } = this;
    const now = process.hrtime.bigint();
    const least = numbering.timestamp + (terminal ? 1n : 0n);
    numbering.timestamp = now > least ? now : least;
    const { pid } = process;
    const { timestamp } = numbering;
    const nonce = terminal ? NONCE_TERMINAL : numbering.nonce;
    const frame = encodeFrame({ status, pid, timestamp, nonce, payload });
    if (this.#session === undefined) return frame;
    return terminal ? this.#session.sealCrash(frame, pid, timestamp) : this.#session.seal(frame);
  }

  #advance() {
    const { numbering } = this;
    numbering.nonce = numbering.nonce >= NONCE_TERMINAL - 1n ? 0n : numbering.nonce + 1n;
  }

  #connect() {
    const nowMs = performance.now();
    if (nowMs < this.#retryAtMs) return false;
    this.#retryAtMs = nowMs + RECONNECT_MS * (1 + Math.random() / 2);
    this.#isOpen = false;
    let isOver = false;
    const line = this.#makeLine({
      onOpen: () => {
        this.#isOpen = true;
        this.counters.connects++;
      },
      onEnd: (error) => {
        if (isOver) return;
        isOver = true;
        if (this.#line === line || this.#line === undefined) this.#ended(error);
      },
      onRefused: (error) => {
        this.#refused = outcomeOf(error);
      },
    });
    this.#line = line;
    return true;
  }

  #ended(error) {
    this.#unconnected = error === undefined ? NO_OBSERVER : outcomeOf(error);
    const line = this.#line;
    this.#line = undefined;
    this.#isOpen = false;
    line?.drop();
  }

  #count(outcome) {
    this.counters[outcome.kind]++;
    if (outcome !== SENT && outcome !== CONNECTING) this.#tell(outcome.reason, outcome.text);
    return outcome;
  }

  #tell(cause, text) {
    const nowMs = performance.now();
    if (nowMs - (this.#told.get(cause) ?? Number.NEGATIVE_INFINITY) < LOG_AGAIN_MS) return;
    this.#told.set(cause, nowMs);
    process.emitWarning(`${text} [${this.#name}]`, { type: "VartaWatch", code: cause });
  }
}

function isU32(value) {
  return typeof value === "number" && value >>> 0 === value;
}

module.exports = { Client };
