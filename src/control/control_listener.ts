// The listening socket of the control server within its readiness set: bound by the protocol of
// every socket path, bound again when its file is lost, and silent for a moment when the system has
// no descriptor for a connection, or the loop would spin.
import { EAGAIN, ECONNABORTED, EINTR, POLLIN } from "../../ffi/constants.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { accept, listen } from "../../ffi/stream.ts";
import { NS_PER_MS } from "../base/time.ts";
import { bindServer } from "../sockets/bind_server.ts";
import { isTaken, type KeptSockets } from "../sockets/kept_sockets.ts";
import { listenUnix } from "../sockets/listening_socket.ts";
import {
  type BoundSocket,
  changeAccess,
  isInPlace,
  madeByUnit,
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
  /** Sockets that outlive the process; undefined = none does. */
  readonly kept?: KeptSockets | undefined;
}

export interface BoundControl {
  readonly fd: number;
  readonly bound: BoundSocket;
  /** A socket unit made it. */
  readonly isOfUnit: boolean;
}

export class ControlListener {
  #path: ControlPath;
  readonly #readiness: Readiness;
  #socket: BoundControl;
  /** When accepting is tried again; +Infinity = it is not suspended. */
  #againNs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  /** Binds and listens; throws `SocketPathError`. */
  constructor(path: ControlPath, readiness: Readiness) {
    this.#path = path;
    this.#readiness = readiness;
    this.#socket = bindControl(path);
    readiness.add(this.#socket.fd, POLLIN);
  }

  get path(): string {
    return this.#path.path;
  }

  get fd(): number {
    return this.#socket.fd;
  }

  get nextDeadlineNs(): number {
    return this.#againNs;
  }

  /** False if the file at its path is not its socket any more. */
  get isInPlace(): boolean {
    return this.#isClosed || isInPlace(this.#socket.bound);
  }

  /** Takes what waits, and no more than a turn may. */
  acceptSome(nowNs: number, admit: (fd: number) => void): void {
    if (this.#isClosed) return;
    for (let i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
      const fd = accept(this.#socket.fd);
      if (fd >= 0) admit(fd);
      else if (fd === -EAGAIN) return;
      else if (fd !== -EINTR && fd !== -ECONNABORTED) {
        this.#readiness.change(this.#socket.fd, 0);
        this.#againNs = nowNs + ACCEPT_RETRY_NS;
        return;
      }
    }
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#againNs) return;
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#readiness.change(this.#socket.fd, POLLIN);
  }

  /** Makes the socket again; throws as the constructor does, and then all is as before. */
  rebind(): void {
    if (this.#socket.isOfUnit) throw madeByUnit(this.#path.path);
    this.#listenOn(bindControl(this.#path));
  }

  /**
   * From now on it is at `path`, where `moved` was bound, or where it was, if that is undefined.
   * Who had come to the socket of before is taken.
   */
  change(path: ControlPath, moved: BoundControl | undefined, admit: (fd: number) => void): void {
    const before = this.#path;
    const { kept } = before;
    this.#path = { ...path, kept };
    if (moved === undefined) {
      if (this.#socket.isOfUnit) return;
      changeAccess(this.#socket.bound, before, path);
      kept?.changeMode(this.#socket.fd, path.mode & 0o777);
      return;
    }
    for (let fd = accept(this.#socket.fd); fd >= 0; fd = accept(this.#socket.fd)) admit(fd);
    this.#listenOn(moved);
  }

  #listenOn(socket: BoundControl): void {
    this.#stopListening();
    this.#socket = socket;
    this.#readiness.add(socket.fd, POLLIN);
  }

  /** The file goes, too, unless the socket outlives the process. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
  }

  #stopListening(): void {
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#readiness.remove(this.#socket.fd);
    releaseControl(this.#socket, this.#path.kept);
  }
}

/** Takes over the socket that was handed over, or binds and listens; throws `SocketPathError`. */
export function bindControl({ path, mode, gid, kept }: ControlPath): BoundControl {
  const wanted = { role: "control", path, mode, gid, setBy: "control.path" } as const;
  const found = kept?.take(wanted);
  if (isTaken(found)) {
    // By its own number of connections that may wait.
    listen(found.fd, BACKLOG);
    return found;
  }
  const server = bindServer({
    ...wanted,
    replaces: found,
    listenAt: (at) => listenUnix(at, BACKLOG),
  });
  kept?.keep(server.fd, wanted, server.bound);
  return { ...server, isOfUnit: false };
}

/** Closes the socket; its file goes, unless it outlives the process. */
export function releaseControl({ fd, bound, isOfUnit }: BoundControl, kept?: KeptSockets): void {
  const livesOn = isOfUnit || kept?.release(fd) === true;
  close(fd);
  if (livesOn) bound.lock?.release();
  else unlinkBoundPath(bound);
}
