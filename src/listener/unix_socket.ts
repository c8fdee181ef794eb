// One Unix datagram socket at its path: made with credentials on, watched for whether its file is
// still there, and with the time when it was last seen empty, which is what proves a sender
// (spec 05 section 4).
import { IS_LINUX, SO_PASSCRED, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import type { GenerationClock } from "../processes/generation.ts";
import {
  changeAccess,
  isInPlace,
  type SocketFile,
  unlinkBoundPath,
} from "../sockets/socket_path.ts";
import { SenderWord } from "./sender_word.ts";
import {
  type BindDescriptorOptions,
  type BoundPath,
  bindDescriptor,
} from "../sockets/bind_descriptor.ts";

/**
 * Credentials come with every datagram on Linux only; elsewhere the socket's mode is all the trust
 * there is.
 */
export const HAS_CREDENTIALS: boolean = IS_LINUX;

type UnixSocketOptions = Omit<BindDescriptorOptions, "fd" | "type" | "setBy">;

type Access = Pick<SocketFile, "mode" | "gid">;

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
  readonly #bound: BoundPath;
  /** Mode and group of its file. */
  #access: Access;
  /**
   * So it was, unless the next receive says what broke off the last one; NaN = it was not seen
   * empty.
   */
  #maybeEmptyGeneration = Number.NaN;
  #closed = false;

  /** Binds the socket; throws `SocketPathError` or `SystemError` if it cannot. */
  constructor(options: UnixSocketOptions, nowGeneration: GenerationClock) {
    // Nothing can have been sent to a socket that is not there yet.
    this.sentAfterGeneration = nowGeneration();
    this.#access = options;
    const { family } = unixAddress(options.path);
    this.fd = check(openSocket(family, SOCK_DGRAM), "cannot open a Unix datagram socket");
    try {
      // Before bind: a datagram that came in without it would be delivered with pid 0 and pin the
      // sender's slot.
      if (HAS_CREDENTIALS)
        check(setSocketOption(this.fd, SO_PASSCRED, 1), "cannot ask for credentials (SO_PASSCRED)");
      this.word = HAS_CREDENTIALS ? new SenderWord(this.fd) : undefined;
      this.#bound = bindDescriptor({
        ...options,
        fd: this.fd,
        type: SOCK_DGRAM,
        setBy: SET_BY,
      });
    } catch (error) {
      close(this.fd);
      throw error;
    }
    this.directorySynced = this.#bound.directorySynced;
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
    return isInPlace(this.#bound);
  }

  /** Gives its file another mode and group; who is connected stays so. */
  changeAccess(access: Access): void {
    changeAccess(this.#bound, this.#access, access);
    this.#access = access;
  }

  /** Its file goes; who is connected can still send. */
  unlink(): void {
    unlinkBoundPath(this.#bound);
  }

  /** Releases the socket; idempotent; removes only its own socket file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
    unlinkBoundPath(this.#bound);
  }
}
