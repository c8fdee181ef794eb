// The Unix stream listener (spec 05 section 10): frames from programs that have no datagrams. All
// its descriptors are in one epoll descriptor, which the loop waits for. Each look takes at most
// one frame of each connection that is ready, straight into its slot of the arena, so that the
// kernel's ready list makes the round and a flood of one connection costs the others nothing. The
// kernel attests the sender of every frame; who connected counts at the accept alone.
import {
  EAGAIN,
  EPERM,
  MSG_CTRUNC,
  POLLIN,
  SCM_CREDENTIALS,
  SOL_SOCKET,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { UCRED_CMSG_LEN, UCRED_CMSG_SPACE } from "../../ffi/layout.ts";
import { pidfdSendSignal } from "../../ffi/pidfd.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { SLOT_BYTES, SLOT_WORDS } from "../../ffi/stream_arena.ts";
import { BATCH_SIZE, STREAM_CONNECTIONS_MAX } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import { REJECT_CTRL_TRUNCATED, REJECT_NO_CREDENTIALS } from "../base/reject_reason.ts";
import type { GenerationClock } from "../processes/generation.ts";
import {
  CONTROL_BAD_CRC,
  CONTROL_BAD_VERSION,
  CONTROL_MAGIC,
  decodeControl,
} from "../wire/control_datagram.ts";
import { decodeFrame } from "../wire/decode.ts";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_BAD_VERSION,
  DECODE_OK,
} from "../wire/decode_error.ts";
import type { AllowList } from "./allow_list.ts";
import { FRAME_MIXED, FRAME_PART, FrameAssembly, PartSender } from "./frame_assembly.ts";
import type { Listener } from "./listener.ts";
import { ReceivedBatch, VERDICT_CONTROL, VERDICT_PASS } from "./received_batch.ts";
import * as reasons from "./stream_close.ts";
import type { StreamCounters } from "./stream_counters.ts";
import { type FrameReader, LINUX_STREAMS, type StreamKernel } from "./stream_kernel.ts";
import type { StreamPlaces } from "./stream_places.ts";
import { StreamSet } from "./stream_set.ts";
import { UnixStreamSocket, type UnixStreamSocketOptions } from "./unix_stream_socket.ts";

/**
 * Frames that each connection holds at least, since the kernel takes 768 bytes of its buffer for
 * one: the loop may let beats gather for a moment.
 */
const CONNECTION_FRAMES_MIN = 256;
/** Looks of one receive that gave no whole frame: 64 reads each, so a millisecond in all. */
const LOOKS_PER_RECEIVE_MAX = 16;

export interface UnixStreamListenerOptions extends UnixStreamSocketOptions {
  readonly name: string;
  readonly allowList: AllowList | undefined;
  /** A sender may state the pid that it has in its own namespace. */
  readonly containers?: boolean;
  /** Shared by the stream listeners of a daemon. */
  readonly places: StreamPlaces;
  /** A descriptor of a connection must be below this. */
  readonly fdEnd: number;
  /** The clock of the start times of senders; undefined = none is proven but by a pidfd. */
  readonly nowGeneration?: GenerationClock;
  readonly kernel?: StreamKernel;
}

export class UnixStreamListener implements Listener {
  readonly kind = "unix-stream";
  readonly queueLength = CONNECTION_FRAMES_MIN;
  readonly name: string;
  readonly batch: ReceivedBatch;
  readonly directorySynced: boolean;
  allowList: AllowList | undefined;
  containers: boolean;
  readonly #kernel: StreamKernel;
  readonly #readiness: Readiness;
  readonly #arena: FrameReader;
  readonly #assembly = new FrameAssembly(STREAM_CONNECTIONS_MAX);
  readonly #sender = new PartSender();
  readonly #part: { from: Uint8Array; at: number; length: number };
  readonly #set: StreamSet;
  readonly #nowGeneration: GenerationClock;
  readonly #close = (row: number, reason: number): void => this.#set.close(row, reason);
  readonly #begun = (row: number): void => this.#assembly.begin(row);
  #options: UnixStreamListenerOptions;
  #socket: UnixStreamSocket;
  /** Descriptor of the connection of each frame of the last receive. */
  readonly #fds = new Int32Array(BATCH_SIZE);
  #nowNs = 0;
  /** It has given its socket away. */
  #isForsaken = false;
  #closed = false;

  /**
   * Binds a socket if it is given none; throws `SocketPathError` or `SystemError` if it cannot.
   */
  constructor(options: UnixStreamListenerOptions, socket?: UnixStreamSocket) {
    this.name = options.name;
    this.allowList = options.allowList;
    this.containers = options.containers ?? false;
    this.#options = options;
    this.#nowGeneration = options.nowGeneration ?? (() => Number.NaN);
    const kernel = options.kernel ?? LINUX_STREAMS;
    this.#kernel = kernel;
    this.#readiness = kernel.openReadiness();
    this.#arena = kernel.openReader();
    this.batch = new ReceivedBatch(this.#arena.words);
    this.#part = { from: this.#arena.bytes, at: 0, length: 0 };
    // Nothing can have been sent to a socket that is not there yet.
    const beforeBind = this.#nowGeneration();
    this.#socket = socket ?? new UnixStreamSocket(options);
    if (!this.#socket.isTakenOver) this.batch.sentAfterGeneration = beforeBind;
    this.directorySynced = this.#socket.directorySynced;
    this.#set = new StreamSet({ ...options, kernel, readiness: this.#readiness });
    const { frameWord } = this.batch;
    for (let i = 0; i < frameWord.length; i++) frameWord[i] = i * SLOT_WORDS;
    try {
      check(this.#readiness.fd, "cannot open an epoll descriptor");
      check(this.#readiness.add(this.#socket.fd, POLLIN), "cannot wait for connections");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Readable when a connection waits, a frame came, or a process ended. */
  get fd(): number {
    return this.#closed ? -1 : this.#readiness.fd;
  }

  get path(): string {
    return this.#options.path;
  }

  get socket(): UnixStreamSocket {
    return this.#socket;
  }

  get streams(): StreamCounters {
    return this.#set.counters;
  }

  /** When `receive` has something to do although nothing comes. */
  get nextDueNs(): number {
    return Math.min(this.#set.connections.nextDueNs, this.#set.acceptAgainNs);
  }

  receive(nowNs: number): number {
    const { batch } = this;
    this.#nowNs = nowNs;
    const set = this.#set;
    set.resume(this.#socket.fd, nowNs);
    // Before the looks: what a row says of its connection holds until the next receive.
    set.connections.sweep(nowNs, false, this.#close);
    for (let looks = 0; looks < LOOKS_PER_RECEIVE_MAX; looks++) {
      // Before the look: it may find every connection empty at any moment from now on.
      const generation = this.#nowGeneration();
      const ready = this.#readiness.look();
      if (ready <= 0) {
        batch.countMax = BATCH_SIZE;
        if (ready < 0) return ready;
        // Those that wait to be accepted may have sent before.
        if (set.acceptAgainNs === Number.POSITIVE_INFINITY) batch.sentAfterGeneration = generation;
        set.connections.sweep(nowNs, true, this.#close);
        return 0;
      }
      batch.receivedGeneration = generation;
      const count = this.#takeReady(ready);
      // More may wait, of the same connections or of others.
      batch.countMax = count;
      if (count > 0) return count;
    }
    return 0;
  }

  senderHasPid(i: number): boolean {
    const pidfd = this.batch.pidfd[i]!;
    if (pidfd < 0) return false;
    const result = pidfdSendSignal(pidfd, 0);
    // Alive, and of another user.
    return result === 0 || result === -EPERM;
  }

  wasLast(i: number): boolean {
    return this.#kernel.unreadBytes(this.#fds[i]!) === 0;
  }

  /** True while the file at the path is the socket of this listener. */
  isInPlace(): boolean {
    return this.#socket.isInPlace();
  }

  /**
   * Binds the socket again at a path where it is gone; throws as the constructor does, and then all
   * is as before. Who is connected stays so.
   */
  rebind(): void {
    this.moveTo(this.#socket.boundAnew(this.#options), true);
  }

  /**
   * Accepts at another socket from now on; the one before is closed if nobody else has it now. Who
   * is connected stays so; who waits there to be accepted connects again.
   */
  moveTo(socket: UnixStreamSocket, isLeft: boolean): void {
    this.#readiness.remove(this.#socket.fd);
    if (isLeft) this.#socket.close();
    this.#socket = socket;
    // What waits there was not seen, and may have been sent at any time.
    this.batch.sentAfterGeneration = Number.NaN;
    // If it cannot be waited for now, it is tried again with the next receives.
    this.#set.acceptAgainNs = 0;
  }

  /** Its socket is another one's; `close` leaves it alone. */
  forsake(): void {
    this.#readiness.remove(this.#socket.fd);
    this.#isForsaken = true;
  }

  /**
   * Goes by other options from the next receive on. Who is connected stays so: the observer asks
   * the list for every frame.
   */
  change(options: UnixStreamListenerOptions): void {
    this.#options = options;
    this.allowList = options.allowList;
    this.containers = options.containers ?? false;
    this.#socket.changeAccess(options);
  }

  beginEnd(): void {
    // Who waits to be accepted is for the next daemon, if there is one.
    this.#readiness.remove(this.#socket.fd);
    this.#set.acceptAgainNs = Number.POSITIVE_INFINITY;
    this.#set.beginEnd();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#set.closeAll();
    this.#readiness.close();
    if (!this.#isForsaken) this.#socket.close();
  }

  // Descriptors that are closed in a look may be given out again in it, so accepting comes last:
  // what the look says of a number is then true of whoever had it.
  #takeReady(ready: number): number {
    const { pidfd } = this.#set.connections;
    let count = 0;
    let isAsked = false;
    for (let i = 0; i < ready; i++) {
      const fd = this.#readiness.readyFd(i);
      if (fd === this.#socket.fd) {
        isAsked = true;
        continue;
      }
      const row = this.#set.rowOf(fd);
      if (row < 0) continue;
      if (fd === pidfd[row]) this.#set.ended(row, this.#nowNs);
      else count += this.#takeFrame(row, fd, count);
    }
    if (isAsked)
      this.#set.acceptFrom(
        this.#socket.fd,
        { nowNs: this.#nowNs, allowList: this.allowList },
        this.#begun,
      );
    return count;
  }

  // One read of one connection: 1 if it made a frame in slot `slot` whole, else 0.
  #takeFrame(row: number, fd: number, slot: number): number {
    const assembly = this.#assembly;
    const at = slot * SLOT_BYTES;
    const have = assembly.have(row);
    if (have > 0) assembly.lay(row, this.#arena.bytes, at);
    const length = this.#arena.read(fd, at + have, assembly.wants(row));
    if (length <= 0) {
      if (length === 0)
        this.#close(row, have > 0 ? reasons.CLOSE_HALF_FRAME : reasons.CLOSE_BY_CLIENT);
      else if (length !== -EAGAIN) this.#close(row, reasons.CLOSE_ERROR);
      return 0;
    }
    this.#readSender();
    this.#part.at = at;
    this.#part.length = length;
    const result = assembly.take(row, this.#part, this.#sender);
    if (result === FRAME_PART) {
      this.#set.connections.heardPart(row, this.#nowNs);
      return 0;
    }
    if (result === FRAME_MIXED) {
      this.#close(row, reasons.CLOSE_MIXED_SENDERS);
      return 0;
    }
    this.#set.connections.heard(row, this.#nowNs);
    this.#fds[slot] = fd;
    this.#fillRow(slot, row);
    return 1;
  }

  #fillRow(slot: number, row: number): void {
    const { batch } = this;
    const { pid, uid, gid, verdict } = this.#sender;
    const w = slot * SLOT_WORDS;
    const isControl = (this.#arena.words[w]! & 0xffff) === CONTROL_MAGIC;
    batch.verdict[slot] = isControl && verdict === VERDICT_PASS ? VERDICT_CONTROL : verdict;
    batch.origin[slot] = pid === 0 ? ORIGIN_SOCKET_MODE_ONLY : ORIGIN_KERNEL_ATTESTED;
    batch.peerPid[slot] = pid;
    batch.peerUid[slot] = uid;
    batch.peerGid[slot] = gid;
    batch.pidfd[slot] = -1;
    const reason = isControl
      ? outOfStep(STEP_OF_CONTROL[decodeControl(batch, w)] ?? DECODE_OK)
      : outOfStep(decodeFrame(this.#arena.words, w));
    // The observer refuses the frame, with its own word for it.
    if (reason >= 0) this.#close(row, reason);
    // A pid that was the connector's, and is it still, was so all the time in between.
    else if (this.#set.connections.pid[row] === pid) batch.pidfd[slot] = this.#set.provenPidfd(row);
  }

  #readSender(): void {
    const { words, controlWord, controlTypeWord, controlDataWord, controlBytes, flags } =
      this.#arena;
    const sender = this.#sender;
    const hasCredentials =
      controlBytes === UCRED_CMSG_SPACE &&
      words[controlWord] === UCRED_CMSG_LEN &&
      words[controlTypeWord - 1] === SOL_SOCKET &&
      words[controlTypeWord] === SCM_CREDENTIALS;
    sender.pid = hasCredentials ? words[controlDataWord]! : 0;
    sender.uid = hasCredentials ? words[controlDataWord + 1]! : 0;
    sender.gid = hasCredentials ? words[controlDataWord + 2]! : 0;
    if ((flags & MSG_CTRUNC) !== 0) sender.verdict = REJECT_CTRL_TRUNCATED;
    else sender.verdict = hasCredentials ? VERDICT_PASS : REJECT_NO_CREDENTIALS;
  }
}

/** What of a hello or a bye is as bad as of a beat. */
const STEP_OF_CONTROL: Readonly<Record<number, number>> = {
  [CONTROL_BAD_VERSION]: DECODE_BAD_VERSION,
  [CONTROL_BAD_CRC]: DECODE_BAD_CRC,
};

/** Why a connection with such a frame is out of step and closed; -1 = it is not. */
function outOfStep(code: number): number {
  if (code === DECODE_BAD_MAGIC) return reasons.CLOSE_MAGIC;
  if (code === DECODE_BAD_VERSION) return reasons.CLOSE_VERSION;
  return code === DECODE_BAD_CRC ? reasons.CLOSE_CRC : -1;
}
