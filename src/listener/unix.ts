// The Unix datagram listener (spec 05 sections 3 and 4): the kernel attests the sender's pid, uid and gid with every
// datagram. The order of the checks is normative: truncated control data, then size, then credentials.
import { readFileSync } from "node:fs";
import {
  IS_LINUX,
  MSG_CTRUNC,
  SCM_CREDENTIALS,
  SOCK_DGRAM,
  SOL_SOCKET,
  SO_PASSCRED,
  SO_RCVBUF,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { UCRED_CMSG_LEN } from "../../ffi/layout.ts";
import * as arena from "../../ffi/receive_batch.ts";
import {
  close,
  getSocketOption,
  openSocket,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";
import { BATCH_SIZE, FRAME_BYTES } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import type { GenerationClock } from "../base/process_reader.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../base/reject_reason.ts";
import { unlinkBoundPath } from "../files/socket_path.ts";
import type { AllowList } from "./allow_list.ts";
import type { Listener } from "./listener.ts";
import { QueueFill } from "./queue_fill.ts";
import { ReceivedBatch, VERDICT_PASS } from "./received_batch.ts";
import { RubbishFilter } from "./rubbish_filter.ts";
import { frameFilters } from "./rubbish_program.ts";
import { type BoundPath, bindSocketPath } from "./socket_path.ts";

/** Credentials come with every datagram on Linux only; elsewhere the socket's mode is all the trust there is. */
export const HAS_CREDENTIALS: boolean = IS_LINUX;

// One byte of slack makes an overlong datagram show as 33 bytes.
const IOV_BYTES = FRAME_BYTES + 1;
const STRIDE_BYTES = 64;
const QUEUE_LENGTH_FILE = "/proc/sys/net/unix/max_dgram_qlen";

export interface UnixListenerOptions {
  readonly name: string;
  readonly path: string;
  /** Permission bits of the socket file, exact. */
  readonly mode: number;
  readonly gid: number | undefined;
  /** Requested SO_RCVBUF; 0 = kernel default. */
  readonly rcvbufBytes: number;
  readonly allowList: AllowList | undefined;
  /** In what the start times of senders are told; undefined = no sender is ever proven. */
  readonly nowGeneration?: GenerationClock;
}

export class UnixListener implements Listener {
  readonly kind = "unix";
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  readonly queueLength: number | undefined;
  readonly allowList: AllowList | undefined;
  readonly batch: ReceivedBatch;
  readonly filter = new RubbishFilter({
    fd: () => this.fd,
    programs: (sample) => frameFilters(0, sample),
    sealed: false,
  });
  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  readonly rcvbufBytes: number;
  /** False if the parent directory could not be synced after the bind: a warning, never an error. */
  readonly directorySynced: boolean;
  readonly #arena: arena.ReceiveBatch;
  readonly #bound: BoundPath;
  readonly #nowGeneration: GenerationClock;
  /** The socket was empty at a moment after this one. */
  #emptyGeneration: number;
  /** So it was, unless the next receive says what broke off the last one; NaN = it was not seen empty. */
  #maybeEmptyGeneration = Number.NaN;
  readonly #queueFill: QueueFill;
  #closed = false;

  /** Binds the socket; throws `SocketPathError` or `SystemError` if it cannot. */
  constructor(options: UnixListenerOptions) {
    this.name = options.name;
    this.path = options.path;
    this.allowList = options.allowList;
    this.#nowGeneration = options.nowGeneration ?? (() => Number.NaN);
    // Nobody can have sent anything to a socket that is not there yet.
    this.#emptyGeneration = this.#nowGeneration();
    const address = unixAddress(options.path);
    this.fd = check(openSocket(address.family, SOCK_DGRAM), "Cannot open a Unix datagram socket");
    try {
      // Before bind: a datagram that came in without it would be delivered with pid 0 and pin the sender's slot.
      if (HAS_CREDENTIALS)
        check(setSocketOption(this.fd, SO_PASSCRED, 1), "Cannot ask for credentials (SO_PASSCRED)");
      this.#bound = bindSocketPath({ ...options, fd: this.fd, type: SOCK_DGRAM });
    } catch (error) {
      close(this.fd);
      throw error;
    }
    this.directorySynced = this.#bound.directorySynced;
    this.queueLength = readQueueLength();
    this.#queueFill = new QueueFill(this.queueLength);
    this.rcvbufBytes = grantReceiveBuffer(this.fd, options.rcvbufBytes);
    this.#arena = new arena.ReceiveBatch({
      iovBytes: IOV_BYTES,
      stride: STRIDE_BYTES,
      credentials: HAS_CREDENTIALS,
    });
    this.batch = new ReceivedBatch(this.#arena.words);
    const { dataWord, dataStride } = this.#arena;
    for (let i = 0; i < this.batch.frameWord.length; i++)
      this.batch.frameWord[i] = dataWord + i * dataStride;
  }

  receive(_nowNs: number): number {
    // Before the call: it may find the socket empty at any moment from now on.
    const generation = this.#nowGeneration();
    const count = this.#arena.receive(this.fd);
    this.#noteEmptiness(count, generation);
    this.#queueFill.took(Math.max(0, count));
    if (this.filter.isCounting) this.filter.count(this.#arena, count);
    if (count <= 0) return count;
    if (HAS_CREDENTIALS) judgeWithCredentials(this.#arena, this.batch, count);
    else judgeBySize(this.#arena, this.batch, count);
    this.#arena.reset(count);
    return count;
  }

  // A receive that took less than a batch found the socket empty, or met an error that the next call is told. What it took
  // may have been sent before that moment, so it counts for the batches that come later.
  #noteEmptiness(count: number, generation: number): void {
    if (count >= 0 && !Number.isNaN(this.#maybeEmptyGeneration))
      this.#emptyGeneration = this.#maybeEmptyGeneration;
    this.#maybeEmptyGeneration = count >= 0 && count < BATCH_SIZE ? generation : Number.NaN;
    this.batch.sentAfterGeneration = this.#emptyGeneration;
  }

  drainQueueFull(): number {
    return this.#queueFill.take();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
    unlinkBoundPath(this.#bound);
  }
}

/** Fills the columns of the `count` datagrams in the arena: its verdict, and who sent it by the kernel's word. */
export function judgeWithCredentials(
  from: arena.ReceiveBatch,
  batch: ReceivedBatch,
  count: number,
): void {
  const { words, controlWord } = from;
  const { verdict, origin, peerPid, peerUid, peerGid } = batch;
  for (let i = 0; i < count; i++) {
    const header = i * arena.HEADER_STRIDE;
    const control = controlWord + i * arena.CONTROL_STRIDE;
    peerPid[i] = 0;
    origin[i] = ORIGIN_SOCKET_MODE_ONLY;
    if ((words[header + arena.HEADER_FLAGS]! & MSG_CTRUNC) !== 0) {
      verdict[i] = REJECT_CTRL_TRUNCATED;
    } else if (words[header + arena.HEADER_LENGTH] !== FRAME_BYTES) {
      verdict[i] = REJECT_WRONG_SIZE;
    } else if (
      words[header + arena.HEADER_CONTROLLEN]! < UCRED_CMSG_LEN ||
      words[control + arena.CONTROL_LENGTH]! < UCRED_CMSG_LEN ||
      words[control + arena.CONTROL_LEVEL] !== SOL_SOCKET ||
      words[control + arena.CONTROL_TYPE] !== SCM_CREDENTIALS
    ) {
      verdict[i] = REJECT_NO_CREDENTIALS;
    } else {
      verdict[i] = VERDICT_PASS;
      const pid = words[control + arena.CONTROL_PID]!;
      // Pid 0: the sender lives in a namespace that ours cannot see. It is never called attested.
      if (pid !== 0) origin[i] = ORIGIN_KERNEL_ATTESTED;
      peerPid[i] = pid;
      peerUid[i] = words[control + arena.CONTROL_UID]!;
      peerGid[i] = words[control + arena.CONTROL_GID]!;
    }
  }
}

function judgeBySize(from: arena.ReceiveBatch, batch: ReceivedBatch, count: number): void {
  for (let i = 0; i < count; i++) {
    const length = from.words[i * arena.HEADER_STRIDE + arena.HEADER_LENGTH];
    batch.verdict[i] = length === FRAME_BYTES ? VERDICT_PASS : REJECT_WRONG_SIZE;
    batch.origin[i] = ORIGIN_SOCKET_MODE_ONLY;
    batch.peerPid[i] = 0;
  }
}

// The kernel took it for this socket when the socket was created.
function readQueueLength(): number | undefined {
  if (!IS_LINUX) return undefined;
  try {
    const length = Number(readFileSync(QUEUE_LENGTH_FILE, "latin1").trim());
    return Number.isInteger(length) ? length + 1 : undefined;
  } catch {
    return undefined;
  }
}

// Soft: on Linux it bounds nothing for AF_UNIX, and a refusal must not keep the daemon from starting.
function grantReceiveBuffer(fd: number, bytes: number): number {
  if (bytes === 0 || setSocketOption(fd, SO_RCVBUF, bytes) < 0) return 0;
  return Math.max(0, getSocketOption(fd, SO_RCVBUF));
}
