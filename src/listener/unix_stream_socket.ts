// The listening socket of a stream listener at its path (spec 05 section 10): credentials are on
// before it listens, so that what a client sends before it is accepted carries its sender, too. It
// alone outlives the process; clients connect again.
import { SO_PASSCRED, SOCK_STREAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { listen } from "../../ffi/stream.ts";
import { bindDescriptor } from "../sockets/bind_descriptor.ts";
import { isTaken, type KeptSockets } from "../sockets/kept_sockets.ts";
import {
  type BoundSocket,
  changeAccess,
  isInPlace,
  madeByUnit,
  unlinkBoundPath,
} from "../sockets/socket_path.ts";

/** Connections that wait to be accepted; connect(2) of more gets EAGAIN, or waits. */
const BACKLOG = 1_024;

interface Access {
  /** Permission bits of the socket file, exact. */
  readonly mode: number;
  readonly gid: number | undefined;
}

export interface UnixStreamSocketOptions extends Access {
  readonly path: string;
  /** False leaves out the sync of the directory, which may take long. */
  readonly syncsDirectory?: boolean;
  /** Those that outlive the process; undefined = none does. */
  readonly kept?: KeptSockets | undefined;
}

export class UnixStreamSocket {
  readonly fd: number;
  /** False if the parent directory could not be synced after the bind. */
  readonly directorySynced: boolean;
  /** It was there before the process: what waits in it may have been sent at any time. */
  readonly isTakenOver: boolean;
  readonly #bound: BoundSocket;
  readonly #isOfUnit: boolean;
  readonly #kept: KeptSockets | undefined;
  #access: Access;
  #closed = false;

  /**
   * Takes over the socket that was handed over for the path, or binds one; throws `SocketPathError`
   * or `SystemError` if it cannot.
   */
  constructor(options: UnixStreamSocketOptions) {
    this.#access = options;
    this.#kept = options.kept;
    const wanted = { ...options, role: "stream", setBy: "listener.path" } as const;
    const found = options.kept?.take(wanted);
    this.isTakenOver = isTaken(found);
    if (isTaken(found)) {
      this.fd = found.fd;
      this.#bound = found.bound;
      this.#isOfUnit = found.isOfUnit;
      this.directorySynced = true;
      askForCredentials(this.fd);
      return;
    }
    this.#isOfUnit = false;
    const { family } = unixAddress(options.path);
    this.fd = check(openSocket(family, SOCK_STREAM), "cannot open a Unix stream socket");
    try {
      askForCredentials(this.fd);
      const bound = bindDescriptor({
        ...wanted,
        fd: this.fd,
        type: SOCK_STREAM,
        replaces: found,
      });
      this.#bound = bound;
      this.directorySynced = bound.directorySynced;
      check(listen(this.fd, BACKLOG), "cannot listen");
    } catch (error) {
      close(this.fd);
      throw error;
    }
    options.kept?.keep(this.fd, wanted, this.#bound);
  }

  /** A new one at its path, where its file was lost; throws as the constructor does. */
  boundAnew(options: UnixStreamSocketOptions): UnixStreamSocket {
    if (this.#isOfUnit) throw madeByUnit(options.path);
    return new UnixStreamSocket({ ...options, kept: this.#kept, syncsDirectory: false });
  }

  /** True while the file at its path is the one that it made. */
  isInPlace(): boolean {
    return isInPlace(this.#bound);
  }

  /** Gives its file another mode and group; who is connected stays so. */
  changeAccess(access: Access): void {
    if (this.#isOfUnit) return;
    changeAccess(this.#bound, this.#access, access);
    this.#access = access;
    this.#kept?.changeMode(this.fd, access.mode & 0o777);
  }

  /**
   * Releases the socket; idempotent; removes only its own socket file, and not that of a socket
   * that outlives the process.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const livesOn = this.#isOfUnit || this.#kept?.release(this.fd) === true;
    close(this.fd);
    if (livesOn) this.#bound.lock?.release();
    else unlinkBoundPath(this.#bound);
  }
}

function askForCredentials(fd: number): void {
  check(setSocketOption(fd, SO_PASSCRED, 1), "cannot ask for credentials (SO_PASSCRED)");
}
