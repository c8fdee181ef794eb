// The listening socket of a stream listener at its path (spec 05 section 10): credentials are on
// before it listens, so that what a client sends before it is accepted carries its sender, too. It
// alone outlives the process; clients connect again.
import { SO_PASSCRED, SOCK_STREAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { listen } from "../../ffi/stream.ts";
import { bindDescriptor } from "../sockets/bind_descriptor.ts";
import { type Access, BoundFile } from "../sockets/bound_file.ts";
import { isTaken, type KeptSockets } from "../sockets/kept_sockets.ts";
import { madeByUnit } from "../sockets/socket_path.ts";

/** Connections that wait to be accepted; connect(2) of more gets EAGAIN, or waits. */
const BACKLOG = 1_024;

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
  readonly #file: BoundFile;
  readonly #kept: KeptSockets | undefined;

  /**
   * Takes over the socket that was handed over for the path, or binds one; throws `SocketPathError`
   * or `SystemError` if it cannot.
   */
  constructor(options: UnixStreamSocketOptions) {
    this.#kept = options.kept;
    const wanted = { ...options, role: "stream", setBy: "listener.path" } as const;
    const found = options.kept?.take(wanted);
    this.isTakenOver = isTaken(found);
    if (isTaken(found)) {
      this.fd = found.fd;
      const { fd, bound, isOfUnit } = found;
      this.#file = new BoundFile({ fd, bound, isOfUnit, access: options, kept: options.kept });
      this.directorySynced = true;
      askForCredentials(this.fd);
      return;
    }
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
      this.#file = new BoundFile({
        fd: this.fd,
        bound,
        isOfUnit: false,
        access: options,
        kept: options.kept,
      });
      this.directorySynced = bound.directorySynced;
      check(listen(this.fd, BACKLOG), "cannot listen");
    } catch (error) {
      close(this.fd);
      throw error;
    }
    options.kept?.keep(this.fd, wanted, this.#file.bound);
  }

  /** A new one at its path, where its file was lost; throws as the constructor does. */
  boundAnew(options: UnixStreamSocketOptions): UnixStreamSocket {
    if (this.#file.isOfUnit) throw madeByUnit(options.path);
    return new UnixStreamSocket({ ...options, kept: this.#kept, syncsDirectory: false });
  }

  /** True while the file at its path is the one that it made. */
  isInPlace(): boolean {
    return this.#file.isInPlace();
  }

  /** Gives its file another mode and group; who is connected stays so. */
  changeAccess(access: Access): void {
    this.#file.changeAccess(access);
  }

  /**
   * Releases the socket; idempotent; removes only its own socket file, and not that of a socket
   * that outlives the process.
   */
  close(): void {
    this.#file.close();
  }
}

function askForCredentials(fd: number): void {
  check(setSocketOption(fd, SO_PASSCRED, 1), "cannot ask for credentials (SO_PASSCRED)");
}
