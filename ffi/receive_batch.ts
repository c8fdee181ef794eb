// The receive arena (spec 05 section 3): one ArrayBuffer with 64 message headers, io vectors, data
// and control slots. The addresses in the headers are written once; one recvmmsg fills up to 64
// slots. The control buffer holds exactly one ucred, so a descriptor that a sender attaches is
// discarded by the kernel and never enters this process. A wide one that holds a pidfd, too, is
// only for sockets that take no descriptors from senders.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { BATCH_SIZE } from "../src/base/limits.ts";
import { EAGAIN, EINTR, MSG_CMSG_CLOEXEC, MSG_DONTWAIT } from "./constants.ts";
import { errno } from "./errno.ts";
import {
  CMSGHDR,
  IOVEC,
  MMSGHDR,
  MSGHDR,
  PIDFD_CMSG_SPACE,
  SOCKADDR_IN6,
  UCRED,
  UCRED_CMSG_SPACE,
} from "./layout.ts";
import { libc, libcLinux } from "./libc.ts";

const IOVECS_AT = BATCH_SIZE * MMSGHDR.size;
const DATA_AT = IOVECS_AT + BATCH_SIZE * IOVEC.size;
/** One ucred, one pidfd, and eight bytes to the next power of two. */
const WIDE_CONTROL_SPACE = 64;
assert(UCRED_CMSG_SPACE + PIDFD_CMSG_SPACE <= WIDE_CONTROL_SPACE, "a wide slot holds both");
const U32_RANGE = 2 ** 32;

/** Word indices of the parts of slot i in `ReceiveBatch.words`; multiply the stride by i. */
export const HEADER_STRIDE = MMSGHDR.size / 4;
const HEADER_CONTROL = MSGHDR.msg_control / 4;
export const HEADER_CONTROLLEN = MSGHDR.msg_controllen / 4;
export const HEADER_FLAGS = MSGHDR.msg_flags / 4;
export const HEADER_LENGTH = MMSGHDR.msg_len / 4;
export const CONTROL_STRIDE = UCRED_CMSG_SPACE / 4;
export const WIDE_CONTROL_STRIDE = WIDE_CONTROL_SPACE / 4;
export const CONTROL_LENGTH = CMSGHDR.cmsg_len / 4;
export const CONTROL_LEVEL = CMSGHDR.cmsg_level / 4;
export const CONTROL_TYPE = CMSGHDR.cmsg_type / 4;
export const CONTROL_PID = (CMSGHDR.data + UCRED.pid) / 4;
export const CONTROL_UID = (CMSGHDR.data + UCRED.uid) / 4;
export const CONTROL_GID = (CMSGHDR.data + UCRED.gid) / 4;

/** Room for the larger of both addresses. */
const NAME_BYTES = 32;
export const NAME_STRIDE = NAME_BYTES / 4;

interface ReceiveBatchOptions {
  /**
   * Largest datagram that is read; one more than the longest valid size, so that an overlong one
   * shows.
   */
  readonly iovBytes: number;
  /** Distance of the data slots in bytes, a multiple of 4. */
  readonly stride: number;
  /** Ask the kernel for credentials (a Unix socket on Linux). */
  readonly credentials: boolean;
  /**
   * Ask the kernel where each datagram comes from: the address of an internet socket; Linux only.
   */
  readonly sources?: boolean;
  /** In place of recvmmsg(2), for tests of what it may say. */
  readonly receiveMany?: ReceiveMany;
}

/** recvmmsg(2) without its timeout: the number of datagrams, or -1 and errno. */
export type ReceiveMany = (
  fd: number,
  headers: ReturnType<typeof ptr>,
  countMax: number,
  flags: number,
) => number;

export class ReceiveBatch {
  /**
   * The whole arena as u32 words: headers, then data from `dataWord`, then control from
   * `controlWord`.
   */
  readonly words: Uint32Array;
  /** The same memory as bytes, for lengths that are no multiple of 4. */
  readonly bytes: Uint8Array;
  /** Word index of data slot 0, and the distance of two slots. */
  readonly dataWord = DATA_AT / 4;
  readonly dataStride: number;
  /** Word index of control slot 0, and of the wide one. */
  readonly controlWord: number;
  readonly wideControlWord: number;
  /**
   * Word index of name slot 0, a `sockaddr_in` or `sockaddr_in6` each NAME_STRIDE words; -1 = there
   * are none.
   */
  readonly nameWord: number;
  readonly #address: ReturnType<typeof ptr>;
  readonly #iovBytes: number;
  readonly #receiveMany: ReceiveMany | null;
  #controlLength: number;

  constructor(options: ReceiveBatchOptions) {
    const { iovBytes, stride, credentials } = options;
    assert(iovBytes <= stride, "a data slot holds the longest datagram that is read");
    assert(stride % 8 === 0, "the data slots are aligned");
    const controlAt = DATA_AT + BATCH_SIZE * stride;
    const wideControlAt = controlAt + (credentials ? BATCH_SIZE * UCRED_CMSG_SPACE : 0);
    const namesAt = wideControlAt + (credentials ? BATCH_SIZE * WIDE_CONTROL_SPACE : 0);
    const hasNames = options.sources === true && libcLinux !== null;
    const size = namesAt + (hasNames ? BATCH_SIZE * NAME_BYTES : 0);
    const buffer = new ArrayBuffer(size);
    this.words = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.dataStride = stride / 4;
    this.controlWord = controlAt / 4;
    this.wideControlWord = wideControlAt / 4;
    this.nameWord = hasNames ? namesAt / 4 : -1;
    this.#address = ptr(buffer);
    this.#iovBytes = iovBytes;
    this.#receiveMany = options.receiveMany ?? recvmmsg;
    this.#controlLength = 0;
    this.#writeHeaders(new BigUint64Array(buffer), stride);
    if (credentials) this.setWide(false);
  }

  /**
   * Points every header at its control slot, the narrow or the wide one, which the next receive
   * then fills.
   */
  setWide(isWide: boolean): void {
    const { words } = this;
    const space = isWide ? WIDE_CONTROL_SPACE : UCRED_CMSG_SPACE;
    const first = Number(this.#address) + (isWide ? this.wideControlWord : this.controlWord) * 4;
    for (let i = 0; i < BATCH_SIZE; i++) {
      const address = first + i * space;
      words[i * HEADER_STRIDE + HEADER_CONTROL] = address % U32_RANGE;
      words[i * HEADER_STRIDE + HEADER_CONTROL + 1] = Math.floor(address / U32_RANGE);
    }
    this.#controlLength = space;
    this.reset(BATCH_SIZE);
  }

  #writeHeaders(quads: BigUint64Array, stride: number): void {
    const base = BigInt(this.#address);
    for (let i = 0; i < BATCH_SIZE; i++) {
      const header = (i * MMSGHDR.size) / 8;
      const iovec = IOVECS_AT + i * IOVEC.size;
      quads[iovec / 8] = base + BigInt(DATA_AT + i * stride);
      quads[(iovec + IOVEC.iov_len) / 8] = BigInt(this.#iovBytes);
      quads[header + MSGHDR.msg_iov / 8] = base + BigInt(iovec);
      quads[header + MSGHDR.msg_iovlen / 8] = 1n;
      if (this.nameWord < 0) continue;
      quads[header + MSGHDR.msg_name / 8] = base + BigInt(this.nameWord * 4 + i * NAME_BYTES);
      // The kernel writes the length of what it found over it: the same for every sender of one
      // socket.
      this.words[i * HEADER_STRIDE + MSGHDR.msg_namelen / 4] = SOCKADDR_IN6.size;
    }
  }

  /**
   * Receives up to `countMax` datagrams without blocking: their number, 0 if there is none, or
   * -errno.
   */
  receive(fd: number, countMax: number = BATCH_SIZE): number {
    const receiveMany = this.#receiveMany;
    if (receiveMany === null) return this.#receiveOneByOne(fd);
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    for (;;) {
      const count = receiveMany(fd, this.#address, countMax, flags);
      if (count >= 0) return count;
      const error = errno();
      if (error === EAGAIN) return 0;
      if (error !== EINTR) return -error;
    }
  }

  /**
   * Makes the headers of slots 0..count-1 ready for the next receive: the kernel overwrote the
   * control lengths. The caller has read what it needs.
   */
  reset(count: number): void {
    const { words } = this;
    const length = this.#controlLength;
    for (let i = 0; i < count; i++) words[i * HEADER_STRIDE + HEADER_CONTROLLEN] = length;
  }

  // Without recvmmsg the slots are filled one by one into the same layout.
  #receiveOneByOne(fd: number): number {
    const { bytes, words, dataStride, dataWord } = this;
    for (let i = 0; i < BATCH_SIZE; ) {
      const at = (dataWord + i * dataStride) * 4;
      const slot = bytes.subarray(at, at + this.#iovBytes);
      const length = libc.recv(fd, slot, slot.length, MSG_DONTWAIT);
      if (length >= 0) {
        words[i * HEADER_STRIDE + HEADER_FLAGS] = 0;
        words[i * HEADER_STRIDE + HEADER_LENGTH] = length;
        i++;
        continue;
      }
      const error = errno();
      if (error === EINTR) continue;
      if (error === EAGAIN || i > 0) return i;
      return -error;
    }
    return BATCH_SIZE;
  }
}

/** Null where there is none. */
const recvmmsg: ReceiveMany | null =
  libcLinux === null
    ? null
    : (fd, headers, countMax, flags) => libcLinux!.recvmmsg(fd, headers, countMax, flags, null);
