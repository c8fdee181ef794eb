// Frames out of the bytes of stream connections (spec 05 section 10.1). A row is a connection; what
// came of a frame that is not whole yet is kept here, with its sender. A frame is made of the bytes
// of one sender alone: the kernel never joins two senders in one read, and neither does this. Its
// first two bytes say how long it is: that of a control frame is twice that of a beat. Nothing here
// reads a socket: the caller says what it read, and where it lies.
import { assert } from "../base/assert.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { CONTROL_BYTES, CONTROL_MAGIC } from "../wire/control_datagram.ts";
import { VERDICT_PASS } from "./received_batch.ts";

/** More of the frame has to come. */
export const FRAME_PART = 0;
/** It lies whole where the last part was read. */
export const FRAME_WHOLE = 1;
/** The part is another sender's: the connection is out of step for good. */
export const FRAME_MIXED = 2;

/** Who sent what was read, by the kernel's word; the caller has one, and fills it for each read. */
export class PartSender {
  pid = 0;
  uid = 0;
  gid = 0;
  /** VERDICT_PASS, or the reject reason of a frame with such a part. */
  verdict = VERDICT_PASS;
}

const MAGIC_0 = CONTROL_MAGIC & 0xff;
const MAGIC_1 = CONTROL_MAGIC >>> 8;

export class FrameAssembly {
  readonly #bytes: Uint8Array;
  readonly #have: Uint8Array;
  readonly #pid: Uint32Array;
  readonly #uid: Uint32Array;
  readonly #gid: Uint32Array;
  readonly #verdict: Uint8Array;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity * CONTROL_BYTES);
    this.#have = new Uint8Array(capacity);
    this.#pid = new Uint32Array(capacity);
    this.#uid = new Uint32Array(capacity);
    this.#gid = new Uint32Array(capacity);
    this.#verdict = new Uint8Array(capacity);
  }

  /** A new connection has the row. */
  begin(row: number): void {
    this.#have[row] = 0;
  }

  /** Bytes of the frame that have come; below its size. */
  have(row: number): number {
    return this.#have[row]!;
  }

  /**
   * Bytes that may be read next: what the frame is known to want, and never a byte of the one
   * behind it.
   */
  wants(row: number): number {
    const have = this.#have[row]!;
    if (have < 2) return FRAME_BYTES - have;
    return sizeAt(this.#bytes, row * CONTROL_BYTES) - have;
  }

  /** Puts what has come at byte `at` of `into`: the rest is to be read behind it. */
  lay(row: number, into: Uint8Array, at: number): void {
    const from = row * CONTROL_BYTES;
    const have = this.#have[row]!;
    for (let i = 0; i < have; i++) into[at + i] = this.#bytes[from + i]!;
  }

  /**
   * `length` bytes were read behind those that `lay` put at byte `at` of `from`. If they make the
   * frame whole, `sender.verdict` is that of all its parts.
   */
  take(
    row: number,
    { from, at, length }: { from: Uint8Array; at: number; length: number },
    sender: PartSender,
  ): number {
    const have = this.#have[row]!;
    assert(length > 0 && length <= this.wants(row), "no more is read than the frame wants");
    const came = have + length;
    if (have > 0) {
      if (!this.#isSame(row, sender)) return FRAME_MIXED;
      if (this.#verdict[row] !== VERDICT_PASS) sender.verdict = this.#verdict[row]!;
    }
    if (came >= FRAME_BYTES && came === sizeAt(from, at)) {
      this.#have[row] = 0;
      return FRAME_WHOLE;
    }
    const into = row * CONTROL_BYTES;
    for (let i = have; i < came; i++) this.#bytes[into + i] = from[at + i]!;
    this.#have[row] = came;
    this.#pid[row] = sender.pid;
    this.#uid[row] = sender.uid;
    this.#gid[row] = sender.gid;
    this.#verdict[row] = sender.verdict;
    return FRAME_PART;
  }

  #isSame(row: number, { pid, uid, gid }: PartSender): boolean {
    return this.#pid[row] === pid && this.#uid[row] === uid && this.#gid[row] === gid;
  }
}

/** Of the frame at byte `at`, of which two bytes are there at least. */
function sizeAt(bytes: Uint8Array, at: number): number {
  return bytes[at] === MAGIC_0 && bytes[at + 1] === MAGIC_1 ? CONTROL_BYTES : FRAME_BYTES;
}
