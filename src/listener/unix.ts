// The Unix datagram listener (spec 05 sections 3 and 4): the kernel attests the sender's pid, uid and gid with every
// datagram. The order of the checks is normative: truncated control data, then size, then credentials.
import { readFileSync } from "node:fs";
import {
  IS_LINUX,
  MSG_CTRUNC,
  SCM_CREDENTIALS,
  SOL_SOCKET,
  SO_RCVBUF,
} from "../../ffi/constants.ts";
import { UCRED_CMSG_LEN } from "../../ffi/layout.ts";
import * as arena from "../../ffi/receive_batch.ts";
import { getSocketOption, setSocketOption } from "../../ffi/socket.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import type { GenerationClock } from "../base/process_reader.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../base/reject_reason.ts";
import type { AllowList } from "./allow_list.ts";
import type { Listener } from "./listener.ts";
import { QueueFill } from "./queue_fill.ts";
import { ReceivedBatch, VERDICT_PASS } from "./received_batch.ts";
import { RubbishFilter } from "./rubbish_filter.ts";
import { frameFilters } from "./rubbish_program.ts";
import { HAS_CREDENTIALS, UnixSocket } from "./unix_socket.ts";

export { HAS_CREDENTIALS };

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
  readonly #options: UnixListenerOptions;
  readonly #arena: arena.ReceiveBatch;
  readonly #nowGeneration: GenerationClock;
  readonly #queueFill: QueueFill;
  #socket: UnixSocket;
  /** Its file is gone; agents that had connected before still send to it. */
  #former: UnixSocket | undefined;
  /** When a datagram last came by it. */
  #formerUsedNs = 0;
  /** It is asked first in every other receive, so that neither socket waits for the other to be empty. */
  #formerIsFirst = false;

  /** Binds the socket; throws `SocketPathError` or `SystemError` if it cannot. */
  constructor(options: UnixListenerOptions) {
    this.name = options.name;
    this.path = options.path;
    this.allowList = options.allowList;
    this.#options = options;
    this.#nowGeneration = options.nowGeneration ?? (() => Number.NaN);
    this.#socket = new UnixSocket(options, this.#nowGeneration);
    this.directorySynced = this.#socket.directorySynced;
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

  get fd(): number {
    return this.#socket.fd;
  }

  get formerFd(): number {
    return this.#former?.fd ?? -1;
  }

  receive(nowNs: number): number {
    const former = this.#former;
    return former === undefined
      ? this.#receiveFrom(this.#socket)
      : this.#receiveBoth(former, nowNs);
  }

  #receiveFrom(socket: UnixSocket): number {
    // Before the call: it may find the socket empty at any moment from now on.
    const generation = this.#nowGeneration();
    const count = this.#arena.receive(socket.fd);
    socket.received(count, generation);
    this.batch.sentAfterGeneration = socket.sentAfterGeneration;
    if (socket === this.#socket) this.#note(count);
    if (count <= 0) return count;
    if (HAS_CREDENTIALS) judgeWithCredentials(this.#arena, this.batch, count);
    else judgeBySize(this.#arena, this.batch, count);
    this.#arena.reset(count);
    return count;
  }

  #note(count: number): void {
    this.#queueFill.took(Math.max(0, count));
    if (this.filter.isCounting) this.filter.count(this.#arena, count);
  }

  #receiveBoth(former: UnixSocket, nowNs: number): number {
    this.#formerIsFirst = !this.#formerIsFirst;
    let isFormer = this.#formerIsFirst;
    let count = this.#receiveFrom(isFormer ? former : this.#socket);
    if (count === 0) {
      isFormer = !isFormer;
      count = this.#receiveFrom(isFormer ? former : this.#socket);
    }
    if (isFormer && count > 0) this.#formerUsedNs = nowNs;
    return count;
  }

  /** True while the file at the path is the socket of this listener: agents that start now find it. */
  get isInPlace(): boolean {
    return this.#socket.isInPlace;
  }

  /**
   * Makes the socket anew at a path where it is gone; throws as the constructor does, and then all is as before. What is
   * queued in the old one is received, and so is what agents send that are connected to it.
   */
  rebind(nowNs: number): void {
    const socket = new UnixSocket({ ...this.#options, syncsDirectory: false }, this.#nowGeneration);
    grantReceiveBuffer(socket.fd, this.#options.rcvbufBytes);
    this.#former?.close();
    this.#former = this.#socket;
    this.#formerUsedNs = nowNs;
    this.#socket = socket;
    this.filter.renew();
  }

  /** Closes the old socket if nothing came by it for longer than `quietNsMax`: who is connected to it finds out, and connects anew. */
  closeFormer(nowNs: number, quietNsMax: number): void {
    if (this.#former === undefined || nowNs - this.#formerUsedNs <= quietNsMax) return;
    this.#former.close();
    this.#former = undefined;
  }

  drainQueueFull(): number {
    return this.#queueFill.take();
  }

  close(): void {
    this.#former?.close();
    this.#socket.close();
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
