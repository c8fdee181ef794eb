// One Unix datagram socket at its path: made with credentials on, watched for whether its file is
// still there, and with the time when it was last seen empty, which is what proves a sender
// (spec 05 section 4).
import {
  IS_LINUX,
  SO_PASSCRED,
  SO_PASSPIDFD,
  SO_PASSRIGHTS,
  SOCK_DGRAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { detachFilter } from "../../ffi/socket_filter.ts";
import {
  close,
  getSocketOption,
  openSocket,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";
import type { GenerationClock } from "../processes/generation.ts";
import { type BindDescriptorOptions, bindDescriptor } from "../sockets/bind_descriptor.ts";
import { type Access, BoundFile } from "../sockets/bound_file.ts";
import { isTaken, type KeptSockets, type TakenSocket } from "../sockets/kept_sockets.ts";
import { madeByUnit } from "../sockets/socket_path.ts";
import { SenderWord } from "./sender_word.ts";

/**
 * Credentials come with every datagram on Linux only; elsewhere the socket's mode is all the trust
 * there is.
 */
export const HAS_CREDENTIALS: boolean = IS_LINUX;

interface UnixSocketOptions
  extends Omit<BindDescriptorOptions, "fd" | "type" | "setBy" | "replaces"> {
  /** Those that outlive the process; undefined = none does. */
  readonly kept?: KeptSockets | undefined;
  /**
   * Descriptors that come with a datagram are dropped, and the datagram is not refused: without a
   * room for them the kernel closes them. Then no pidfd of a sender can be asked for.
   */
  readonly dropsRights?: boolean;
}

/** The one option that names the path of a listener. */
const SET_BY = "--socket";

export class UnixSocket {
  readonly fd: number;
  /** False if the parent directory could not be synced after the bind. */
  readonly directorySynced: boolean;
  /**
   * The socket was empty at a moment after this one: before the datagrams of the last receive were
   * sent.
   */
  sentAfterGeneration: number;
  /** Undefined where there are no credentials. */
  readonly word: SenderWord | undefined;
  readonly #file: BoundFile;
  readonly #kept: KeptSockets | undefined;
  /**
   * So it was, unless the next receive says what broke off the last one; NaN = it was not seen
   * empty.
   */
  #maybeEmptyGeneration = Number.NaN;

  /**
   * Takes over the socket that was handed over for the path, or binds one; throws `SocketPathError`
   * or `SystemError` if it cannot.
   */
  constructor(options: UnixSocketOptions, nowGeneration: GenerationClock) {
    // Nothing can have been sent to a socket that is not there yet.
    this.sentAfterGeneration = nowGeneration();
    this.#kept = options.kept;
    const wanted = { ...options, role: "beat", setBy: SET_BY } as const;
    const found = options.kept?.take(wanted);
    if (isTaken(found)) {
      // What waits in this one may have been sent at any time.
      this.sentAfterGeneration = Number.NaN;
      this.fd = found.fd;
      this.word = adopt(found, options.dropsRights === true);
      const { fd, bound, isOfUnit } = found;
      this.#file = new BoundFile({ fd, bound, isOfUnit, access: options, kept: options.kept });
      this.directorySynced = true;
      return;
    }
    const { family } = unixAddress(options.path);
    this.fd = check(openSocket(family, SOCK_DGRAM), "cannot open a Unix datagram socket");
    try {
      // Before bind: a datagram that came in without it would be delivered with pid 0 and pin the
      // sender's slot.
      if (HAS_CREDENTIALS)
        check(setSocketOption(this.fd, SO_PASSCRED, 1), "cannot ask for credentials (SO_PASSCRED)");
      const asks = HAS_CREDENTIALS && options.dropsRights !== true;
      this.word = asks ? new SenderWord(this.fd) : undefined;
      const bound = bindDescriptor({
        ...wanted,
        fd: this.fd,
        type: SOCK_DGRAM,
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
    } catch (error) {
      close(this.fd);
      throw error;
    }
    options.kept?.keep(this.fd, wanted, this.#file.bound);
  }

  /** A new one at its path, where its file was lost; throws as the constructor does. */
  boundAnew(options: UnixSocketOptions, nowGeneration: GenerationClock): UnixSocket {
    if (this.#file.isOfUnit) throw madeByUnit(options.path);
    return new UnixSocket({ ...options, kept: this.#kept }, nowGeneration);
  }

  // A receive that took less than it could found the socket empty, or met an error that the next
  // call gets. What it took may have been sent before that moment, so it counts for the batches
  // that come later.
  /**
   * A receive that began at `generation` took `count` of `countMax` datagrams, or failed with
   * -errno.
   */
  received(count: number, countMax: number, generation: number): void {
    this.word?.received(count);
    if (count >= 0 && !Number.isNaN(this.#maybeEmptyGeneration))
      this.sentAfterGeneration = this.#maybeEmptyGeneration;
    this.#maybeEmptyGeneration = count >= 0 && count < countMax ? generation : Number.NaN;
  }

  /** True while the file at its path is the one that it made. */
  isInPlace(): boolean {
    return this.#file.isInPlace();
  }

  /** Gives its file another mode and group; who is connected stays so. */
  changeAccess(access: Access): void {
    this.#file.changeAccess(access);
  }

  /** Its file goes; who is connected can still send. */
  unlink(): void {
    this.#file.unlink();
  }

  /**
   * Releases the socket; idempotent; removes only its own socket file, and not that of a socket
   * that outlives the process.
   */
  close(): void {
    this.#file.close();
  }
}

/** Undoes what the daemon before has left on the socket. */
function adopt({ fd }: TakenSocket, dropsRights: boolean): SenderWord | undefined {
  if (!HAS_CREDENTIALS) return undefined;
  check(setSocketOption(fd, SO_PASSCRED, 1), "cannot ask for credentials (SO_PASSCRED)");
  // That may have been a filter against rubbish; usually there is none, which is no fault.
  detachFilter(fd);
  setSocketOption(fd, SO_PASSPIDFD, 0);
  if (dropsRights) {
    // A listener of another kind may have had it. Older kernels never refuse them.
    setSocketOption(fd, SO_PASSRIGHTS, 1);
    return undefined;
  }
  return new SenderWord(fd, getSocketOption(fd, SO_PASSRIGHTS) !== 0);
}
