// The Unix datagram listener (spec 05 sections 3 and 4): the kernel attests the sender's pid, uid
// and gid with every datagram, and says on request whether that process is still there.
import { EPERM, SO_RCVBUF } from "../../ffi/constants.ts";
import { pidfdSendSignal } from "../../ffi/pidfd.ts";
import * as arena from "../../ffi/receive_batch.ts";
import {
  close,
  getSocketOption,
  type SocketAddress,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";
import { BATCH_SIZE } from "../base/limits.ts";
import { ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import type { GenerationClock } from "../processes/generation.ts";
import { readQueueLength } from "../sockets/queue_length.ts";
import type { AllowList } from "./allow_list.ts";
import { CredentialCheck } from "./credential_check.ts";
import { DATA_STRIDE_BYTES, readBytesOf, verdictOfSize } from "./data_slots.ts";
import type { Listener } from "./listener.ts";
import { QueueFill } from "./queue_fill.ts";
import { ReceivedBatch } from "./received_batch.ts";
import { RubbishFilter } from "./rubbish_filter.ts";
import { frameFilters } from "./rubbish_program.ts";
import { PID_INIT, PID_MIN } from "../wire/frame.ts";
import { NOTIFY_BYTES_MAX } from "../wire/notify_message.ts";
import { HAS_CREDENTIALS, UnixSocket } from "./unix_socket.ts";

export { HAS_CREDENTIALS };

/**
 * Datagrams of a receive that gives a descriptor with each of them: a daemon with a low limit has
 * not many to spare.
 */
const WIDE_COUNT_MAX = 16;

/** One more than the longest text, so that an overlong one shows; and the next multiple of 8. */
const TEXT_IOV_BYTES = NOTIFY_BYTES_MAX + 1;
const TEXT_STRIDE_BYTES = NOTIFY_BYTES_MAX + 8;
/** Texts of a receive: one that speaks for another process takes a tenth of a millisecond. */
const TEXT_COUNT_MAX = 16;

export interface UnixListenerOptions {
  readonly name: string;
  readonly path: string;
  /** Permission bits of the socket file, exact. */
  readonly mode: number;
  readonly gid: number | undefined;
  /** Requested SO_RCVBUF; 0 = kernel default. */
  readonly rcvbufBytes: number;
  readonly allowList: AllowList | undefined;
  /** A sender may state the pid that it has in its own namespace. */
  readonly containers?: boolean;
  /** Takes hellos and byes, too; it does not change. */
  readonly takesControl?: boolean;
  /** Its datagrams are texts of sd_notify(3) (spec 20); it does not change. */
  readonly takesTexts?: boolean;
  /** The clock of the start times of senders; undefined = no sender is ever proven. */
  readonly nowGeneration?: GenerationClock;
}

export class UnixListener implements Listener {
  readonly kind: "unix" | "notify";
  readonly name: string;
  readonly queueLength: number | undefined;
  allowList: AllowList | undefined;
  containers: boolean;
  readonly batch: ReceivedBatch;
  /** Of texts nothing is rubbish to it, and it never comes on. */
  readonly filter = new RubbishFilter({
    fd: () => this.fd,
    programs: (sample) =>
      frameFilters({
        at: 0,
        sample,
        pidMin: this.#pidMin,
        takesControl: this.#options.takesControl === true,
      }),
    sealed: false,
    takesControl: () => this.#options.takesControl === true,
  });
  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  rcvbufBytes: number;
  /**
   * False if the parent directory could not be synced after the bind: a warning, never an error.
   */
  readonly directorySynced: boolean;
  #options: UnixListenerOptions & { readonly dropsRights: boolean };
  readonly #arena: arena.ReceiveBatch;
  readonly #check: CredentialCheck;
  /** The control slots of the arena are the wide ones. */
  #isWide = false;
  /** Datagrams of the last receive that may have a pidfd, and the socket that they came from. */
  #pidfdCount = 0;
  #receivedFrom: UnixSocket;
  readonly #nowGeneration: GenerationClock;
  readonly #queueFill: QueueFill;
  #socket: UnixSocket;
  /** Its file is gone; agents that had connected before still send to it. */
  #former: UnixSocket | undefined;
  /** When a datagram last came by it. */
  #formerUsedNs = 0;
  /**
   * It is asked first in every other receive, so that neither socket waits for the other to be
   * empty.
   */
  #formerIsFirst = false;

  /** It has given its socket away. */
  #isForsaken = false;

  /**
   * Binds a socket if it is given none; throws `SocketPathError` or `SystemError` if it cannot.
   */
  constructor(options: UnixListenerOptions, socket?: UnixSocket) {
    const takesTexts = options.takesTexts === true;
    this.kind = takesTexts ? "notify" : "unix";
    this.name = options.name;
    this.allowList = options.allowList;
    this.containers = options.containers ?? false;
    this.#options = { ...options, dropsRights: takesTexts };
    this.#nowGeneration = options.nowGeneration ?? (() => Number.NaN);
    this.#socket = socket ?? new UnixSocket(this.#options, this.#nowGeneration);
    this.#receivedFrom = this.#socket;
    this.directorySynced = this.#socket.directorySynced;
    const length = readQueueLength();
    // The kernel refuses a datagram once there are more than that.
    this.queueLength = length === undefined ? undefined : length + 1;
    this.#queueFill = new QueueFill(this.queueLength);
    this.rcvbufBytes = grantReceiveBuffer(this.fd, options.rcvbufBytes);
    const takesControl = options.takesControl === true;
    this.#arena = new arena.ReceiveBatch({
      iovBytes: takesTexts ? TEXT_IOV_BYTES : readBytesOf(takesControl),
      stride: takesTexts ? TEXT_STRIDE_BYTES : DATA_STRIDE_BYTES,
      credentials: HAS_CREDENTIALS,
    });
    this.batch = new ReceivedBatch(this.#arena.words);
    if (takesTexts) this.batch.textLength = new Uint32Array(BATCH_SIZE);
    this.#check = new CredentialCheck(this.#arena, this.batch, takesControl);
    const { dataWord, dataStride } = this.#arena;
    for (let i = 0; i < this.batch.frameWord.length; i++)
      this.batch.frameWord[i] = dataWord + i * dataStride;
  }

  /** Below are no pids of senders. */
  get #pidMin(): number {
    return this.containers ? PID_INIT : PID_MIN;
  }

  get #countMax(): number {
    return this.kind === "notify" ? TEXT_COUNT_MAX : BATCH_SIZE;
  }

  get path(): string {
    return this.#options.path;
  }

  /** By the path, as agents find it. */
  get ownAddress(): SocketAddress | undefined {
    return this.kind === "unix" ? unixAddress(this.path) : undefined;
  }

  get socket(): UnixSocket {
    return this.#socket;
  }

  get fd(): number {
    return this.#isForsaken ? -1 : this.#socket.fd;
  }

  get formerFd(): number {
    return this.#former?.fd ?? -1;
  }

  receive(nowNs: number): number {
    this.release();
    const former = this.#former;
    return former === undefined
      ? this.#receiveFrom(this.#socket)
      : this.#receiveBoth(former, nowNs);
  }

  #receiveFrom(socket: UnixSocket): number {
    // Before the call: it may find the socket empty at any moment from now on.
    const generation = this.#nowGeneration();
    const { batch } = this;
    this.#receivedFrom = socket;
    const isWide = socket.word?.decide(generation, socket.sentAfterGeneration) === true;
    if (isWide !== this.#isWide) this.#arena.setWide(isWide);
    this.#isWide = isWide;
    batch.countMax = isWide ? WIDE_COUNT_MAX : this.#countMax;
    const count = this.#arena.receive(socket.fd, batch.countMax);
    socket.received(count, batch.countMax, generation);
    batch.sentAfterGeneration = socket.sentAfterGeneration;
    batch.receivedGeneration = generation;
    batch.foundFull = socket === this.#socket && this.#note(count);
    if (count <= 0) return count;
    if (batch.textLength !== undefined) this.#check.checkTexts(count, batch.textLength);
    else if (!HAS_CREDENTIALS)
      checkSizes(this.#arena, batch, count, this.#options.takesControl === true);
    else if (isWide) this.#checkWide(socket, count);
    else this.#check.check(count);
    this.#arena.reset(count);
    return count;
  }

  #checkWide(socket: UnixSocket, count: number): void {
    this.#pidfdCount = count;
    if (this.#check.checkWide(count)) return;
    // Descriptor numbers are scarce: /proc needs some to be read at all.
    this.release();
    socket.word!.rest();
  }

  /** True if the queue was found full. */
  #note(count: number): boolean {
    const { countMax } = this.batch;
    if (this.filter.isCounting) this.filter.count(this.#arena, count, countMax);
    return this.#queueFill.took(Math.max(0, count), countMax);
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

  senderHasPid(i: number): boolean {
    const pidfd = this.batch.pidfd[i]!;
    if (pidfd < 0) return false;
    const result = pidfdSendSignal(pidfd, 0);
    // Alive, and of another user.
    return result === 0 || result === -EPERM;
  }

  doubtSender(): void {
    this.#receivedFrom.word?.doubt();
  }

  release(): void {
    const { pidfd } = this.batch;
    for (let i = 0; i < this.#pidfdCount; i++) {
      if (pidfd[i]! >= 0) close(pidfd[i]!);
      pidfd[i] = -1;
    }
    this.#pidfdCount = 0;
  }

  /**
   * True while the file at the path is the socket of this listener: agents that start now find it.
   */
  isInPlace(): boolean {
    return this.#socket.isInPlace();
  }

  /**
   * Binds the socket again at a path where it is gone; throws as the constructor does, and then all
   * is as before. What is queued in the old one is received, and so is what agents send that are
   * connected to it.
   */
  rebind(nowNs: number): void {
    const options = { ...this.#options, syncsDirectory: false };
    const socket = this.#socket.boundAnew(options, this.#nowGeneration);
    grantReceiveBuffer(socket.fd, this.#options.rcvbufBytes);
    this.#former?.close();
    this.#former = this.#socket;
    // Its file is gone: what it still has of the path is its share of the lock.
    this.#former.unlink();
    this.#formerUsedNs = nowNs;
    this.#socket = socket;
    this.filter.renew();
  }

  /** Goes by other options from the next receive on; the socket is the same. */
  change(options: UnixListenerOptions): void {
    const before = this.#options;
    const { dropsRights, takesControl = false } = before;
    this.#options = { ...options, dropsRights, takesControl };
    this.allowList = options.allowList;
    this.containers = options.containers ?? false;
    this.#socket.changeAccess(options);
    if (options.rcvbufBytes !== before.rcvbufBytes)
      this.rcvbufBytes = grantReceiveBuffer(this.fd, options.rcvbufBytes);
  }

  /**
   * Receives by another socket from now on. Of the one before, if nobody else has it now, what is
   * queued is received, and so is what agents send that are connected to it; its file goes.
   */
  moveTo(socket: UnixSocket, keepsFormer: boolean, nowNs: number): void {
    this.release();
    this.filter.detach();
    this.#former?.close();
    this.#former = keepsFormer ? this.#socket : undefined;
    this.#former?.unlink();
    this.#formerUsedNs = nowNs;
    this.#socket = socket;
  }

  /** Its socket is another one's; `close` leaves it alone. */
  forsake(): void {
    this.filter.detach();
    this.#isForsaken = true;
  }

  /**
   * Closes the old socket if nothing came by it for longer than `quietNsMax`: a client that is
   * connected to it gets an error, and connects again.
   */
  closeFormer(nowNs: number, quietNsMax: number): void {
    if (this.#former === undefined || nowNs - this.#formerUsedNs <= quietNsMax) return;
    this.#former.close();
    this.#former = undefined;
  }

  /** Times that the queue was found full. */
  get queueFull(): number {
    return this.#queueFill.full;
  }

  close(): void {
    this.release();
    this.#former?.close();
    if (!this.#isForsaken) this.#socket.close();
  }
}

function checkSizes(
  from: arena.ReceiveBatch,
  batch: ReceivedBatch,
  count: number,
  takesControl: boolean,
): void {
  for (let i = 0; i < count; i++) {
    const length = from.words[i * arena.HEADER_STRIDE + arena.HEADER_LENGTH]!;
    batch.verdict[i] = verdictOfSize(length, takesControl);
    batch.origin[i] = ORIGIN_SOCKET_MODE_ONLY;
    batch.peerPid[i] = 0;
  }
}

// The kernel took it for this socket when the socket was created. Soft: on Linux it bounds nothing
// for AF_UNIX, and a refusal must not keep the daemon from starting.
function grantReceiveBuffer(fd: number, bytes: number): number {
  if (bytes === 0 || setSocketOption(fd, SO_RCVBUF, bytes) < 0) return 0;
  return Math.max(0, getSocketOption(fd, SO_RCVBUF));
}
