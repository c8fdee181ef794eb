// The open connections of a stream listener with their descriptors (spec 05 section 10.2): taken
// from the listening socket, waited for in one epoll descriptor, and closed with a reason that is
// counted. A pidfd of the process that connected is waited for, too.
import { EAGAIN, ECONNABORTED, ENOPROTOOPT, ESRCH, POLLIN } from "../../ffi/constants.ts";
import type { PeerCredentials } from "../../ffi/peer.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { Counters } from "../base/counters.ts";
import { STREAM_CONNECTIONS_MAX } from "../base/limits.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { AllowList } from "./allow_list.ts";
import { CLOSE_DESCRIPTORS, CLOSE_ERROR, CLOSE_UID } from "./stream_close.ts";
import { StreamConnections } from "./stream_connections.ts";
import { STREAM, type StreamCounters } from "./stream_counters.ts";
import type { StreamKernel } from "./stream_kernel.ts";
import type { StreamPlaces } from "./stream_places.ts";

/** Connections taken in one look: each costs about 20 us. */
const ACCEPTS_PER_LOOK_MAX = 16;
/** When accepting is tried again after the system had no descriptor or memory for it. */
const ACCEPT_RETRY_NS = 100 * NS_PER_MS;

interface StreamSetOptions {
  readonly kernel: StreamKernel;
  readonly readiness: Readiness;
  readonly places: StreamPlaces;
  /** A descriptor of a connection must be below this. */
  readonly fdEnd: number;
}

export class StreamSet {
  readonly connections = new StreamConnections(STREAM_CONNECTIONS_MAX);
  readonly counters: StreamCounters = new Counters(STREAM, this.connections);
  readonly #options: StreamSetOptions;
  /** The row of a descriptor, of a connection or of its pidfd; -1 = it is none of either. */
  #rowOf = new Int32Array(64).fill(-1);
  /** Where the kernel has no pidfd of who connected, ours is of who has the pid now. */
  readonly #pidfdProves = new Uint8Array(STREAM_CONNECTIONS_MAX);
  /** When accepting is tried again; Infinity = it goes on. */
  acceptAgainNs = Number.POSITIVE_INFINITY;

  constructor(options: StreamSetOptions) {
    this.#options = options;
  }

  rowOf(fd: number): number {
    return this.#rowOf[fd] ?? -1;
  }

  /** The pidfd of who connected by `row`, if the kernel itself gave it; else -1. */
  provenPidfd(row: number): number {
    return this.#pidfdProves[row] === 1 ? this.connections.pidfd[row]! : -1;
  }

  /** Takes connections that wait at `fd`, a bounded number; `begun` is told the row of each. */
  acceptFrom(
    fd: number,
    { nowNs, allowList }: { nowNs: number; allowList: AllowList | undefined },
    begun: (row: number) => void,
  ): void {
    for (let i = 0; i < ACCEPTS_PER_LOOK_MAX; i++) {
      const made = this.#options.kernel.accept(fd);
      if (made >= 0) {
        const row = this.#admit(made, allowList, nowNs);
        if (row >= 0) begun(row);
        continue;
      }
      if (made === -EAGAIN) return;
      if (made === -ECONNABORTED) continue;
      // No descriptor, or no memory: a socket that stays readable would spin the loop.
      this.#options.readiness.remove(fd);
      this.acceptAgainNs = nowNs + ACCEPT_RETRY_NS;
      return;
    }
  }

  /** Tries to accept again, if it is time for that. */
  resume(fd: number, nowNs: number): void {
    if (nowNs < this.acceptAgainNs) return;
    const isBack = this.#options.readiness.add(fd, POLLIN) === 0;
    this.acceptAgainNs = isBack ? Number.POSITIVE_INFINITY : nowNs + ACCEPT_RETRY_NS;
  }

  /** The process of `row` has ended: its pidfd stays readable, and would spin the loop. */
  ended(row: number, nowNs: number): void {
    this.#options.readiness.remove(this.connections.pidfd[row]!);
    this.connections.ended(row, nowNs);
  }

  close(row: number, reason: number): void {
    this.counters.addAt(STREAM.closed.by_client, reason);
    this.#release(row);
  }

  /** Nobody can send any more, and finds that out; what has come is still to be read. */
  beginEnd(): void {
    const { fd } = this.connections;
    for (let row = 0; row < fd.length; row++)
      if (fd[row]! >= 0) this.#options.kernel.shutdownRead(fd[row]!);
  }

  /** The listener is closed: that is nobody's fault, and not counted. */
  closeAll(): void {
    const { fd } = this.connections;
    for (let row = 0; row < fd.length; row++) if (fd[row]! >= 0) this.#release(row);
  }

  #release(row: number): void {
    const { fd, pidfd, uid, pid } = this.connections;
    this.#options.places.give(uid[row]!, pid[row]!);
    this.#drop(fd[row]!);
    if (pidfd[row]! >= 0) this.#drop(pidfd[row]!);
    this.connections.close(row);
  }

  #drop(fd: number): void {
    this.#rowOf[fd] = -1;
    this.#options.readiness.remove(fd);
    this.#options.kernel.close(fd);
  }

  #admit(fd: number, allowList: AllowList | undefined, nowNs: number): number {
    const { kernel, places, readiness, fdEnd } = this.#options;
    const peer = kernel.peerCredentials(fd);
    if (peer === undefined) return this.#refuse(fd, CLOSE_ERROR);
    if (fd >= fdEnd) return this.#refuse(fd, CLOSE_DESCRIPTORS);
    if (allowList !== undefined && !allowList.allows(peer.uid, peer.gid))
      return this.#refuse(fd, CLOSE_UID);
    const refusal = places.take(peer.uid, peer.pid);
    if (refusal >= 0) return this.#refuse(fd, refusal);
    const { pidfd, proves } = pidfdOf(fd, peer, kernel);
    const row = this.connections.open({ fd, pidfd: Math.max(-1, pidfd), ...peer }, nowNs);
    this.#pidfdProves[row] = proves ? 1 : 0;
    this.#put(fd, row);
    if (pidfd >= 0) this.#put(pidfd, row);
    const isWaitedFor =
      readiness.add(fd, POLLIN) === 0 && (pidfd < 0 || readiness.add(pidfd, POLLIN) === 0);
    if (!isWaitedFor || pidfd >= fdEnd) {
      this.close(row, CLOSE_DESCRIPTORS);
      return -1;
    }
    // It has ended already, and left its connection to somebody, or its last frames to us.
    if (pidfd === -ESRCH) this.connections.ended(row, nowNs);
    return row;
  }

  #refuse(fd: number, reason: number): number {
    this.counters.addAt(STREAM.closed.by_client, reason);
    this.#options.kernel.close(fd);
    return -1;
  }

  #put(fd: number, row: number): void {
    if (fd >= this.#rowOf.length) {
      const larger = new Int32Array(2 * fd).fill(-1);
      larger.set(this.#rowOf);
      this.#rowOf = larger;
    }
    this.#rowOf[fd] = row;
  }
}

/** -errno: -ESRCH = there is no such process any more. */
function pidfdOf(
  fd: number,
  { pid }: PeerCredentials,
  kernel: StreamKernel,
): { pidfd: number; proves: boolean } {
  const given = kernel.peerPidfd(fd);
  if (given >= 0) return { pidfd: given, proves: true };
  // Of a process that has ended kernels before 6.16 say so here.
  if (given !== -ENOPROTOOPT && pid !== 0) return { pidfd: -ESRCH, proves: false };
  return { pidfd: pid === 0 ? -1 : kernel.pidfdOpen(pid), proves: false };
}
