// What a recovery command prints, as far as it is kept (spec 10 section 5): the last bytes of each
// stream, read without blocking in small pieces when the loop has time. Memory is bounded by what
// is kept, never by what is written. A command whose output is audited and that floods is cut off
// and gets SIGPIPE; of another one, which nobody asked to keep, the rest is read slowly and
// forgotten.
import { EAGAIN, EINTR } from "../../../ffi/constants.ts";
import { closeFd, openPipe, type Pipe, readPipe } from "../../../ffi/pipe.ts";
import { CAPTURE_BYTES_PER_TURN_MAX, CAPTURE_READ_BYTES_MAX } from "../../base/limits.ts";
import type { CapturedOutput } from "../../events/captured_output.ts";

export interface CaptureSetting {
  /** Of each stream. */
  readonly keptBytesMax: number;
  /** The whole of it is awaited for the audit log; else its end is for the log alone. */
  readonly isAudited: boolean;
}

/** The output of one child on its way. */
export interface ChildOutput {
  /**
   * What the child left in the background may go on writing: else it is cut off when the child is
   * over.
   */
  readonly mayLinger: boolean;
  /** Takes what is there, within the budget of a turn: bytes taken. */
  pump(): number;
  /** True once both streams are over or closed: `pump()` has nothing to do any more. */
  readonly isDone: boolean;
  /** No more is read. */
  close(): void;
  captured(): CapturedOutput;
}

/** Half of the budget for each stream: neither starves the other. */
const PIECE_BYTES = CAPTURE_BYTES_PER_TURN_MAX / 2;
/** The first buffer of a tail; most commands print a line or none. */
const TAIL_BYTES_MIN = 512;
const piece = new Uint8Array(new ArrayBuffer(PIECE_BYTES));

export class PipeOutput implements ChildOutput {
  readonly #streams: readonly [CapturedStream, CapturedStream];
  readonly #isAudited: boolean;
  #isCutOff = false;

  private constructor(stdout: Pipe, stderr: Pipe, { keptBytesMax, isAudited }: CaptureSetting) {
    this.#isAudited = isAudited;
    this.#streams = [
      new CapturedStream(stdout, keptBytesMax),
      new CapturedStream(stderr, keptBytesMax),
    ];
  }

  /** -errno if the pipes cannot be made. */
  static open(setting: CaptureSetting): PipeOutput | number {
    const stdout = openPipe();
    if (typeof stdout === "number") return stdout;
    const stderr = openPipe();
    if (typeof stderr === "number") {
      closeFd(stdout.readFd);
      closeFd(stdout.writeFd);
      return stderr;
    }
    return new PipeOutput(stdout, stderr, setting);
  }

  /** The descriptors for the child, until `childHasThem()`. */
  get stdoutFd(): number {
    return this.#streams[0].writeFd;
  }

  get stderrFd(): number {
    return this.#streams[1].writeFd;
  }

  /** The daemon's copies are closed, so that the end of the child's is the end of the stream. */
  childHasThem(): void {
    for (const stream of this.#streams) stream.closeWriteEnd();
  }

  pump(): number {
    const [stdout, stderr] = this.#streams;
    const taken = stdout.take() + stderr.take();
    if (stdout.sizeBytes + stderr.sizeBytes < CAPTURE_READ_BYTES_MAX || this.isDone) return taken;
    // Less than a share: a flood is no reason to come back at once.
    if (!this.#isAudited) return Math.min(taken, PIECE_BYTES - 1);
    this.#isCutOff = true;
    this.close();
    return taken;
  }

  get mayLinger(): boolean {
    return !this.#isAudited;
  }

  get isDone(): boolean {
    return this.#streams.every((stream) => stream.isClosed);
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  captured(): CapturedOutput {
    const [stdout, stderr] = this.#streams;
    const stdoutTail = stdout.tail();
    const stderrTail = stderr.tail();
    const kept = stdoutTail.length + stderrTail.length;
    return {
      isAudited: this.#isAudited,
      stdoutSizeBytes: stdout.sizeBytes,
      stderrSizeBytes: stderr.sizeBytes,
      truncated: this.#isCutOff || kept < stdout.sizeBytes + stderr.sizeBytes,
      stdoutTail,
      stderrTail,
    };
  }
}

class CapturedStream {
  /** Bytes read in total. */
  sizeBytes = 0;
  readonly #tail: Tail;
  #readFd: number;
  #writeFd: number;

  constructor({ readFd, writeFd }: Pipe, keptBytesMax: number) {
    this.#readFd = readFd;
    this.#writeFd = writeFd;
    this.#tail = new Tail(keptBytesMax);
  }

  get writeFd(): number {
    return this.#writeFd;
  }

  get isClosed(): boolean {
    return this.#readFd < 0;
  }

  /**
   * One piece at most, in as many reads as it comes in; the end of the stream, or an error of it,
   * closes it.
   */
  take(): number {
    let taken = 0;
    while (!this.isClosed && taken < PIECE_BYTES) {
      const count = readPipe(this.#readFd, piece, PIECE_BYTES - taken);
      if (count === -EAGAIN || count === -EINTR) break;
      if (count <= 0) this.close();
      else {
        taken += count;
        this.#tail.push(piece, count);
      }
    }
    this.sizeBytes += taken;
    return taken;
  }

  close(): void {
    this.closeWriteEnd();
    if (this.#readFd < 0) return;
    closeFd(this.#readFd);
    this.#readFd = -1;
  }

  closeWriteEnd(): void {
    if (this.#writeFd < 0) return;
    closeFd(this.#writeFd);
    this.#writeFd = -1;
  }

  tail(): Uint8Array {
    return this.#tail.bytes();
  }
}

/** The last bytes of a stream, in a buffer that grows only as far as it is filled. */
export class Tail {
  readonly #bytesMax: number;
  #buffer = new Uint8Array(0);
  #sizeBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Appends the first `count` of `bytes`. */
  push(bytes: Uint8Array, count: number): void {
    const taken = Math.min(count, this.#bytesMax);
    if (this.#sizeBytes + taken > this.#buffer.length) this.#makeRoom(taken);
    this.#buffer.set(bytes.subarray(count - taken, count), this.#sizeBytes);
    this.#sizeBytes += taken;
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(Math.max(0, this.#sizeBytes - this.#bytesMax), this.#sizeBytes);
  }

  /**
   * Up to twice what is kept is held, so that bytes are moved once for every `bytesMax` that
   * arrive.
   */
  #makeRoom(count: number): void {
    const kept = this.bytes();
    const wanted = Math.max(2 * (kept.length + count), TAIL_BYTES_MIN);
    const size = Math.min(wanted, 2 * this.#bytesMax);
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(size);
    this.#buffer.set(kept);
    this.#sizeBytes = kept.length;
  }
}
