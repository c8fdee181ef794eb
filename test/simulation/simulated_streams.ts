// A kernel of stream connections without a kernel: what clients wrote waits with who wrote each
// byte, a read never joins two senders, and who has ended is readable by its pidfd. Descriptors are
// numbers that are given out again, lowest first, as the kernel's are.
import { EAGAIN, SCM_CREDENTIALS, SOL_SOCKET } from "../../ffi/constants.ts";
import { UCRED_CMSG_LEN, UCRED_CMSG_SPACE } from "../../ffi/layout.ts";
import type { PeerCredentials } from "../../ffi/peer.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { SLOT_BYTES } from "../../ffi/stream_arena.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import type { FrameReader, StreamKernel } from "../../src/listener/stream_kernel.ts";
import type { SentByte } from "../reference/stream_frames.ts";

export const LISTENING_FD = 3;
const UID = 1_000;

/** One connection, with all that its writers ever wrote. */
export class SimulatedConnection {
  readonly sent: SentByte[] = [];
  /** Of the process that connected. */
  readonly pid: number;
  read = 0;
  isClosedByClient = false;
  /** The daemon has closed it, or its receiving side: a write fails. */
  isShut = false;

  constructor(pid: number) {
    this.pid = pid;
  }

  /** False if it is closed. */
  write(bytes: Uint8Array, sender: number): boolean {
    if (this.isShut || this.isClosedByClient) return false;
    for (const value of bytes) this.sent.push({ value, sender });
    return true;
  }
}

export class SimulatedStreams implements StreamKernel {
  readonly #alive: ReadonlySet<number>;
  readonly #backlog: SimulatedConnection[] = [];
  readonly #connections = new Map<number, SimulatedConnection>();
  readonly #pidfds = new Map<number, number>();
  /** In the order in which they are looked at next. */
  #watched: number[] = [];

  /** `alive`: pids of the processes that live. */
  constructor(alive: ReadonlySet<number>) {
    this.#alive = alive;
  }

  get openCount(): number {
    return this.#connections.size + this.#pidfds.size;
  }

  /** Something waits to be looked at. */
  get isReady(): boolean {
    return this.#watched.some((fd) => this.#isReady(fd));
  }

  connect(pid: number): SimulatedConnection {
    const connection = new SimulatedConnection(pid);
    this.#backlog.push(connection);
    return connection;
  }

  openReadiness(): Readiness {
    let ready: number[] = [];
    return {
      fd: 4,
      add: (fd) => {
        this.#watched.push(fd);
        return 0;
      },
      change: () => {},
      remove: (fd) => {
        this.#watched = this.#watched.filter((other) => other !== fd);
      },
      look: () => {
        ready = this.#watched.filter((fd) => this.#isReady(fd)).slice(0, BATCH_SIZE);
        // As the kernel's ready list: who was looked at comes last the next time.
        this.#watched = [...this.#watched.filter((fd) => !ready.includes(fd)), ...ready];
        return ready.length;
      },
      readyFd: (index) => ready[index]!,
      readyEvents: () => 1,
      close: () => {},
    };
  }

  openReader(): FrameReader {
    const words = new Uint32Array((BATCH_SIZE * SLOT_BYTES + 64) / 4);
    const bytes = new Uint8Array(words.buffer);
    const controlWord = (BATCH_SIZE * SLOT_BYTES) / 4;
    const [controlTypeWord, controlDataWord] = [controlWord + 3, controlWord + 4];
    const read = (fd: number, at: number, size: number): number => {
      const connection = this.#connections.get(fd)!;
      const { sent } = connection;
      const begin = connection.read;
      if (begin === sent.length)
        return connection.isClosedByClient || connection.isShut ? 0 : -EAGAIN;
      const { sender } = sent[begin]!;
      let end = begin;
      for (; end < sent.length && end < begin + size && sent[end]!.sender === sender; end++)
        bytes[at + end - begin] = sent[end]!.value;
      connection.read = end;
      words.set([UCRED_CMSG_LEN, 0, SOL_SOCKET, SCM_CREDENTIALS], controlWord);
      words.set([this.credentialsOf(connection, sender), UID, UID], controlDataWord);
      return end - begin;
    };
    const control = { controlWord, controlTypeWord, controlDataWord };
    return { words, bytes, ...control, controlBytes: UCRED_CMSG_SPACE, flags: 0, read };
  }

  /** The pid that the kernel attaches to bytes of `sender`: its own. */
  credentialsOf(_connection: SimulatedConnection, sender: number): number {
    return sender;
  }

  accept(): number {
    const connection = this.#backlog.shift();
    if (connection === undefined) return -EAGAIN;
    const fd = this.#freeFd();
    this.#connections.set(fd, connection);
    return fd;
  }

  peerCredentials(fd: number): PeerCredentials {
    return { pid: this.#connections.get(fd)!.pid, uid: UID, gid: UID };
  }

  peerPidfd(fd: number): number {
    const pidfd = this.#freeFd();
    this.#pidfds.set(pidfd, this.#connections.get(fd)!.pid);
    return pidfd;
  }

  pidfdOpen(): number {
    throw new Error("this kernel knows who connected");
  }

  unreadBytes(fd: number): number {
    const { sent, read } = this.#connections.get(fd)!;
    return sent.length - read;
  }

  shutdownRead(fd: number): number {
    this.#connections.get(fd)!.isShut = true;
    return 0;
  }

  close(fd: number): void {
    const connection = this.#connections.get(fd);
    if (connection !== undefined) connection.isShut = true;
    if (!this.#connections.delete(fd) && !this.#pidfds.delete(fd))
      throw new Error(`descriptor ${fd} is closed twice`);
  }

  #isReady(fd: number): boolean {
    if (fd === LISTENING_FD) return this.#backlog.length > 0;
    const connection = this.#connections.get(fd);
    if (connection === undefined) return !this.#alive.has(this.#pidfds.get(fd)!);
    const { sent, read, isClosedByClient, isShut } = connection;
    return read < sent.length || isClosedByClient || isShut;
  }

  #freeFd(): number {
    let fd = LISTENING_FD + 2;
    while (this.#connections.has(fd) || this.#pidfds.has(fd)) fd += 1;
    return fd;
  }
}
