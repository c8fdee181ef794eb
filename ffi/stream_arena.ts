// Frames of stream connections (spec 05 section 10): one ArrayBuffer with a slot for each frame of
// a batch, one message header and one control slot. Each read is told where in a slot it begins and
// how much the frame still wants, so a frame lies whole where it was read. The control slot of a
// message holds exactly one ucred: descriptors that a sender attaches are discarded by the kernel.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { BATCH_SIZE } from "../src/base/limits.ts";
import { EINTR, MSG_CMSG_CLOEXEC, MSG_DONTWAIT } from "./constants.ts";
import { errno } from "./errno.ts";
import { CMSGHDR, IOVEC, MSGHDR, UCRED_CMSG_SPACE } from "./layout.ts";
import { libcLinux } from "./libc.ts";

/** A slot has room for the longest frame, which is a control frame. */
export const SLOT_BYTES = 64;
export const SLOT_WORDS = SLOT_BYTES / 4;
const DATA_BYTES = BATCH_SIZE * SLOT_BYTES;
const HEADER_AT = DATA_BYTES;
const IOVEC_AT = HEADER_AT + 64;
const CONTROL_AT = IOVEC_AT + IOVEC.size;
const SIZE = CONTROL_AT + UCRED_CMSG_SPACE;
const U32_RANGE = 2 ** 32;

const BASE = (IOVEC_AT + IOVEC.iov_base) / 4;
const LENGTH = (IOVEC_AT + IOVEC.iov_len) / 4;
const CONTROL_LENGTH = (HEADER_AT + MSGHDR.msg_controllen) / 4;
const FLAGS = (HEADER_AT + MSGHDR.msg_flags) / 4;

assert(MSGHDR.size <= 64, "the header fits before the io vector");
assert(CONTROL_AT % 8 === 0, "control data is aligned");

export class StreamArena {
  /** The slots, then what the kernel is told and tells. */
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Word index of the control message of the last read. */
  readonly controlWord = CONTROL_AT / 4;
  /** Word index of its type and of what follows the header. */
  readonly controlTypeWord = (CONTROL_AT + CMSGHDR.cmsg_type) / 4;
  readonly controlDataWord = (CONTROL_AT + CMSGHDR.data) / 4;
  readonly #header: ReturnType<typeof ptr>;
  readonly #addressLow: number;
  readonly #addressHigh: number;

  constructor() {
    const buffer = new ArrayBuffer(SIZE);
    const address = Number(ptr(buffer));
    this.words = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#header = ptr(buffer, HEADER_AT);
    this.#addressLow = address % U32_RANGE;
    this.#addressHigh = Math.floor(address / U32_RANGE);
    const quads = new BigUint64Array(buffer);
    quads[(HEADER_AT + MSGHDR.msg_iov) / 8] = BigInt(address + IOVEC_AT);
    quads[(HEADER_AT + MSGHDR.msg_iovlen) / 8] = 1n;
    quads[(HEADER_AT + MSGHDR.msg_control) / 8] = BigInt(address + CONTROL_AT);
  }

  /**
   * Reads from `fd` at most `size` bytes to byte `at` of the slots, without blocking: the number of
   * bytes, 0 = the peer has ended, or -errno (-EAGAIN: nothing waits).
   */
  read(fd: number, at: number, size: number): number {
    const { words } = this;
    const low = this.#addressLow + at;
    words[BASE] = low;
    words[BASE + 1] = low < U32_RANGE ? this.#addressHigh : this.#addressHigh + 1;
    words[LENGTH] = size;
    for (;;) {
      // The kernel writes the length of what it found over it.
      words[CONTROL_LENGTH] = UCRED_CMSG_SPACE;
      const length = libcLinux!.recvmsg(fd, this.#header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (length >= 0) return length;
      const error = errno();
      if (error !== EINTR) return -error;
    }
  }

  /** Bytes of control data of the last read. */
  get controlBytes(): number {
    return this.words[CONTROL_LENGTH]!;
  }

  /** msg_flags of the last read. */
  get flags(): number {
    return this.words[FLAGS]!;
  }
}
