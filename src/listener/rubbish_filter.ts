// The filter of one listener's socket: it knows what its listener would refuse at first sight, as a
// program for the kernel and as code, and counts what came in of it. Whether it is on is decided by
// rubbish_watch.ts.
import { ENOMEM } from "../../ffi/constants.ts";
import { HEADER_LENGTH, HEADER_STRIDE, type ReceiveBatch } from "../../ffi/receive_batch.ts";
import { attachFilter, detachFilter } from "../../ffi/socket_filter.ts";
import { BATCH_SIZE, FRAME_BYTES } from "../base/limits.ts";
import { CONTROL_BYTES, CONTROL_OK, decodeControl } from "../wire/control_datagram.ts";
import { decodeFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import {
  MASTER_CONTROL_BYTES,
  MASTER_FRAME_BYTES,
  SHARED_CONTROL_BYTES,
  SHARED_FRAME_BYTES,
} from "../wire/secure_frame.ts";
import type { KernelFilter } from "./kernel_filter.ts";
import type { FilterProgram } from "./rubbish_program.ts";

export interface RubbishFilterOptions {
  /** The socket of the listener at this moment. */
  readonly fd: () => number;
  /**
   * In the order in which they are tried: the kernel may have no room for a long one. Made when
   * needed.
   */
  readonly programs: (sample: number) => readonly FilterProgram[];
  /** The datagrams of the listener are sealed frames. */
  readonly sealed: boolean;
  /** It takes hellos and byes, too. */
  readonly takesControl?: () => boolean;
  /** Called directly before the filter is put on; not when it is changed. */
  readonly onAttach?: () => void;
}

const NONE = -1;

export class RubbishFilter implements KernelFilter {
  isCounting = false;
  /** Datagrams dropped since the filter was put on, estimated, and the variance of that. */
  dropped = 0;
  droppedVariance = 0;
  readonly #options: RubbishFilterOptions;
  #attachedTo = NONE;
  #sample = 1;
  /**
   * The sample by which what is received now was let through: what waited in the queue is older
   * than a change.
   */
  #receivedSample = 1;
  #counted = 0;
  #droppedBefore = 0;

  constructor(options: RubbishFilterOptions) {
    this.#options = options;
  }

  get isAttached(): boolean {
    return this.#attachedTo !== NONE;
  }

  takeCounted(): number {
    const counted = this.#counted;
    this.#counted = 0;
    return counted;
  }

  takeDropped(): number {
    const since = this.dropped - this.#droppedBefore;
    this.#droppedBefore = this.dropped;
    return since;
  }

  attach(sample: number): number {
    const { fd, programs, onAttach } = this.#options;
    const isNew = !this.isAttached;
    if (isNew) onAttach?.();
    let result = -ENOMEM;
    for (const program of programs(sample)) {
      result = attachFilter(fd(), program);
      if (result !== -ENOMEM) break;
    }
    if (result < 0) return result;
    this.#attachedTo = fd();
    this.#sample = sample;
    if (!isNew) return 0;
    this.dropped = 0;
    this.droppedVariance = 0;
    this.#droppedBefore = 0;
    return 0;
  }

  renew(): void {
    if (this.isAttached && this.#attachedTo !== this.#options.fd()) this.attach(this.#sample);
  }

  detach(): void {
    if (this.isAttached) detachFilter(this.#attachedTo);
    this.#attachedTo = NONE;
    this.#sample = 1;
    this.#receivedSample = 1;
  }

  /**
   * Counts the rubbish among the `count` received datagrams in the arena, before its lengths are
   * reset.
   */
  count(from: ReceiveBatch, count: number, countMax: number = BATCH_SIZE): void {
    let rubbish = 0;
    for (let i = 0; i < count; i++) if (this.#isRubbish(from, i)) rubbish++;
    const sample = this.#receivedSample;
    this.#counted += rubbish;
    this.dropped += rubbish * (sample - 1);
    this.droppedVariance += rubbish * sample * sample;
    if (count < countMax) this.#receivedSample = this.#sample;
  }

  #isRubbish(from: ReceiveBatch, i: number): boolean {
    const { words, dataWord, dataStride } = from;
    const size = words[i * HEADER_STRIDE + HEADER_LENGTH]!;
    const takesControl = this.#options.takesControl?.() === true;
    if (this.#options.sealed) return !isSealedSize(size, takesControl);
    if (takesControl && size === CONTROL_BYTES)
      return decodeControl(from, dataWord + i * dataStride) !== CONTROL_OK;
    return size !== FRAME_BYTES || decodeFrame(words, dataWord + i * dataStride) !== DECODE_OK;
  }
}

function isSealedSize(size: number, takesControl: boolean): boolean {
  if (size === SHARED_FRAME_BYTES || size === MASTER_FRAME_BYTES) return true;
  return takesControl && (size === SHARED_CONTROL_BYTES || size === MASTER_CONTROL_BYTES);
}
