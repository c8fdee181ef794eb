// The listening socket of the control server within its readiness set: bound by the protocol of
// every socket path, bound again when its file is lost, and silent for a moment when the system has
// no descriptor for a connection, or the loop would spin.
import { EAGAIN, ECONNABORTED, EINTR, POLLIN } from "../../ffi/constants.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { accept } from "../../ffi/stream.ts";
import { NS_PER_MS } from "../base/time.ts";
import { bindServer } from "../sockets/bind_server.ts";
import { listenUnix } from "../sockets/listening_socket.ts";
import {
  type BoundSocket,
  changeAccess,
  isInPlace,
  unlinkBoundPath,
} from "../sockets/socket_path.ts";

/** Until they are accepted: a few turns take all of them. */
const BACKLOG = 64;
const ACCEPTS_PER_TURN_MAX = 16;
const ACCEPT_RETRY_NS = 100 * NS_PER_MS;

export interface ControlPath {
  readonly path: string;
  readonly mode: number;
  /** Undefined = the file keeps the group of the process. */
  readonly gid: number | undefined;
}

export interface BoundControl {
  readonly fd: number;
  readonly bound: BoundSocket;
}

export class ControlListener {
  #path: ControlPath;
  readonly #readiness: Readiness;
  #fd: number;
  #bound: BoundSocket;
  /** When accepting is tried again; +Infinity = it is not suspended. */
  #againNs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  /** Binds and listens; throws `SocketPathError`. */
  constructor(path: ControlPath, readiness: Readiness) {
    this.#path = path;
    this.#readiness = readiness;
    const { fd, bound } = bindControl(path);
    this.#fd = fd;
    this.#bound = bound;
    readiness.add(fd, POLLIN);
  }

  get path(): string {
    return this.#path.path;
  }

  get fd(): number {
    return this.#fd;
  }

  get nextDeadlineNs(): number {
    return this.#againNs;
  }

  /** False if the file at its path is not its socket any more. */
  get isInPlace(): boolean {
    return this.#isClosed || isInPlace(this.#bound);
  }

  /** Takes what waits, and no more than a turn may. */
  acceptSome(nowNs: number, admit: (fd: number) => void): void {
    if (this.#isClosed) return;
    for (let i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
      const fd = accept(this.#fd);
      if (fd >= 0) admit(fd);
      else if (fd === -EAGAIN) return;
      else if (fd !== -EINTR && fd !== -ECONNABORTED) {
        this.#readiness.change(this.#fd, 0);
        this.#againNs = nowNs + ACCEPT_RETRY_NS;
        return;
      }
    }
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#againNs) return;
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#readiness.change(this.#fd, POLLIN);
  }

  /** Makes the socket again; throws as the constructor does, and then all is as before. */
  rebind(): void {
    this.#listenOn(bindControl(this.#path));
  }

  /**
   * From now on it is at `path`, where `moved` was bound, or where it was, if that is undefined.
   * Who had come to the socket of before is taken.
   */
  change(path: ControlPath, moved: BoundControl | undefined, admit: (fd: number) => void): void {
    const before = this.#path;
    this.#path = path;
    if (moved === undefined) {
      changeAccess(this.#bound, before, path);
      return;
    }
    for (let fd = accept(this.#fd); fd >= 0; fd = accept(this.#fd)) admit(fd);
    this.#listenOn(moved);
  }

  #listenOn({ fd, bound }: BoundControl): void {
    this.#stopListening();
    unlinkBoundPath(this.#bound);
    this.#fd = fd;
    this.#bound = bound;
    this.#readiness.add(fd, POLLIN);
  }

  /** The file goes, too. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    unlinkBoundPath(this.#bound);
  }

  #stopListening(): void {
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#readiness.remove(this.#fd);
    close(this.#fd);
  }
}

/** Binds and listens; throws `SocketPathError`. */
export function bindControl({ path, mode, gid }: ControlPath): BoundControl {
  return bindServer({
    path,
    mode,
    gid,
    setBy: "control.path",
    listenAt: (at) => listenUnix(at, BACKLOG),
  });
}

/** Of a socket that no server has taken over. */
export function releaseControl({ fd, bound }: BoundControl): void {
  close(fd);
  unlinkBoundPath(bound);
}
