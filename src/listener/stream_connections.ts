// The connections of a stream listener, a row each (spec 05 section 10.2): who connected, and
// until when it may stay. Columns are made once; a beat writes two numbers. Times are those of the
// caller.
import { assert } from "../base/assert.ts";
import { NS_PER_S } from "../base/time.ts";
import { CLOSE_LATE_FRAME, CLOSE_PROCESS_ENDED, CLOSE_SILENCE } from "./stream_close.ts";

/** Time for the first frame of a connection, and for the rest of one that began to come. */
const FRAME_NS_MAX = 5 * NS_PER_S;
/** Silence after which a connection is given up: its client connects again at the next beat. */
const SILENCE_NS_MAX = 24 * 3_600 * NS_PER_S;
/**
 * Nothing is closed for its age while bytes of it may wait, but for so long: a flood of others must
 * not keep it open for ever.
 */
const READ_OUT_NS_MAX = NS_PER_S;

interface NewConnection {
  readonly fd: number;
  /** Of the process that connected; -1 = the kernel gives none. */
  readonly pidfd: number;
  readonly pid: number;
  readonly uid: number;
}

export class StreamConnections {
  readonly fd: Int32Array;
  readonly pidfd: Int32Array;
  readonly pid: Uint32Array;
  readonly uid: Uint32Array;
  /** When the frame that is awaited must be whole; Infinity = none is. */
  readonly #frameDueNs: Float64Array;
  readonly #heardNs: Float64Array;
  /** When its process was seen to have ended; NaN = it was not. */
  readonly #endedNs: Float64Array;
  readonly #free: Int32Array;
  #freeCount: number;
  #nextDueNs = Number.POSITIVE_INFINITY;
  #sweptNs = Number.NEGATIVE_INFINITY;
  /** Nothing is closed unread before. */
  #readOutUntilNs = Number.NEGATIVE_INFINITY;

  constructor(capacity: number) {
    this.fd = new Int32Array(capacity).fill(-1);
    this.pidfd = new Int32Array(capacity).fill(-1);
    this.pid = new Uint32Array(capacity);
    this.uid = new Uint32Array(capacity);
    this.#frameDueNs = new Float64Array(capacity);
    this.#heardNs = new Float64Array(capacity);
    this.#endedNs = new Float64Array(capacity);
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
  }

  get count(): number {
    return this.fd.length - this.#freeCount;
  }

  /** No connection is due before; one may be later, too. */
  get nextDueNs(): number {
    return this.#nextDueNs;
  }

  /** The row of a new connection. */
  open({ fd, pidfd, pid, uid }: NewConnection, nowNs: number): number {
    assert(this.#freeCount > 0, "the places were counted before");
    const row = this.#free[--this.#freeCount]!;
    this.fd[row] = fd;
    this.pidfd[row] = pidfd;
    this.pid[row] = pid;
    this.uid[row] = uid;
    this.#frameDueNs[row] = nowNs + FRAME_NS_MAX;
    this.#heardNs[row] = nowNs;
    this.#endedNs[row] = Number.NaN;
    this.#due(nowNs + FRAME_NS_MAX);
    return row;
  }

  /** The caller closes the descriptors. */
  close(row: number): void {
    assert(this.fd[row]! >= 0, "a connection is closed once");
    this.fd[row] = -1;
    this.pidfd[row] = -1;
    this.#free[this.#freeCount++] = row;
  }

  /** A whole frame came. */
  heard(row: number, nowNs: number): void {
    this.#heardNs[row] = nowNs;
    this.#frameDueNs[row] = Number.POSITIVE_INFINITY;
  }

  /** A part of a frame came: more parts do not give it more time. */
  heardPart(row: number, nowNs: number): void {
    if (this.#frameDueNs[row] !== Number.POSITIVE_INFINITY) return;
    this.#frameDueNs[row] = nowNs + FRAME_NS_MAX;
    this.#due(nowNs + FRAME_NS_MAX);
  }

  /** Its process has ended; what it sent before is still to be read. */
  ended(row: number, nowNs: number): void {
    if (!Number.isNaN(this.#endedNs[row]!)) return;
    this.#endedNs[row] = nowNs;
    this.#due(nowNs);
  }

  /**
   * Closes by `close` what is due. `nothingWaits` = every connection was just seen empty; else
   * those alone that are due for longer than reading out may take.
   */
  sweep(nowNs: number, nothingWaits: boolean, close: (row: number, reason: number) => void): void {
    // What came while the daemon stood still is not late because nobody read it.
    if (nowNs - this.#sweptNs > READ_OUT_NS_MAX) this.#readOutUntilNs = nowNs + READ_OUT_NS_MAX;
    this.#sweptNs = nowNs;
    if (nowNs < this.#nextDueNs) return;
    if (!nothingWaits && nowNs < this.#readOutUntilNs) return;
    const byNs = nothingWaits ? nowNs : nowNs - READ_OUT_NS_MAX;
    this.#nextDueNs = Number.POSITIVE_INFINITY;
    for (let row = 0; row < this.fd.length; row++) {
      if (this.fd[row]! < 0) continue;
      const reason = this.#reasonAt(row, byNs);
      if (reason >= 0) close(row, reason);
      else this.#due(this.#dueNs(row));
    }
  }

  #dueNs(row: number): number {
    const endedNs = this.#endedNs[row]!;
    const silentNs = this.#heardNs[row]! + SILENCE_NS_MAX;
    const dueNs = Math.min(this.#frameDueNs[row]!, silentNs);
    return Number.isNaN(endedNs) ? dueNs : Math.min(dueNs, endedNs);
  }

  #reasonAt(row: number, byNs: number): number {
    if (this.#endedNs[row]! <= byNs) return CLOSE_PROCESS_ENDED;
    if (this.#frameDueNs[row]! <= byNs) return CLOSE_LATE_FRAME;
    return this.#heardNs[row]! + SILENCE_NS_MAX <= byNs ? CLOSE_SILENCE : -1;
  }

  #due(ns: number): void {
    if (ns < this.#nextDueNs) this.#nextDueNs = ns;
  }
}
