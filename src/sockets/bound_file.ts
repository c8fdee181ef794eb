// The file of a listening socket that this process has bound, or took over: whether it is still
// there, its mode and group, and its end. Both kinds of Unix listener hold theirs in this way.
import { close } from "../../ffi/socket.ts";
import type { KeptSockets } from "./kept_sockets.ts";
import {
  type BoundSocket,
  changeAccess,
  isInPlace,
  type SocketFile,
  unlinkBoundPath,
} from "./socket_path.ts";

export type Access = Pick<SocketFile, "mode" | "gid">;

interface BoundFileOptions {
  readonly fd: number;
  readonly bound: BoundSocket;
  /** A socket unit made it: its file, mode and group are the unit's. */
  readonly isOfUnit: boolean;
  readonly access: Access;
  /** Those that outlive the process; undefined = none does. */
  readonly kept: KeptSockets | undefined;
}

export class BoundFile {
  readonly isOfUnit: boolean;
  readonly #options: BoundFileOptions;
  #access: Access;
  #closed = false;

  constructor(options: BoundFileOptions) {
    this.#options = options;
    this.isOfUnit = options.isOfUnit;
    this.#access = options.access;
  }

  get bound(): BoundSocket {
    return this.#options.bound;
  }

  /** True while the file at its path is the one that it made. */
  isInPlace(): boolean {
    return isInPlace(this.#options.bound);
  }

  /** Gives the file another mode and group; who is connected stays so. */
  changeAccess(access: Access): void {
    if (this.isOfUnit) return;
    const { bound, kept, fd } = this.#options;
    changeAccess(bound, this.#access, access);
    this.#access = access;
    kept?.changeMode(fd, access.mode & 0o777);
  }

  /** The file goes; who is connected can still send. */
  unlink(): void {
    if (this.isOfUnit) return;
    unlinkBoundPath(this.#options.bound);
    this.#options.kept?.forget(this.#options.fd);
  }

  /**
   * Releases the socket; idempotent; removes only its own file, and not that of a socket that
   * outlives the process.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { bound, kept, fd } = this.#options;
    const livesOn = this.isOfUnit || kept?.release(fd) === true;
    close(fd);
    if (livesOn) bound.lock?.release();
    else unlinkBoundPath(bound);
  }
}
