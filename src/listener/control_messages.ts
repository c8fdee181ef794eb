// A total walk over the control messages of one datagram (spec 05 section 3): whatever lies in the
// buffer, it ends, reads nothing outside, and takes nothing for credentials or a descriptor that is
// not wholly there under its own level and type.
import { SCM_CREDENTIALS, SCM_PIDFD, SCM_RIGHTS, SOL_SOCKET } from "../../ffi/constants.ts";
import { CMSGHDR, PIDFD_CMSG_LEN, UCRED_CMSG_LEN } from "../../ffi/layout.ts";

const LENGTH = CMSGHDR.cmsg_len / 4;
const LEVEL = CMSGHDR.cmsg_level / 4;
const TYPE = CMSGHDR.cmsg_type / 4;
const DATA = CMSGHDR.data / 4;
/** CMSG_ALIGN: messages begin at multiples of it. */
const ALIGNMENT = 8;

export class ControlMessages {
  /** Word index of the first `struct ucred`; -1 = there is none. */
  credentialsWord = -1;
  /** The first pidfd; -1 = there is none, or the kernel could not make one. */
  pidfd = -1;
  /** True if the kernel had a pidfd to give, and no descriptor number for it. */
  pidfdFailed = false;
  /**
   * Every other descriptor that came with the datagram: they are open in this process, and not
   * wanted.
   */
  readonly strays: number[] = [];

  /**
   * Reads `lengthBytes` of control data from word `at` of `words`, which holds at least as many.
   */
  read(words: Uint32Array, at: number, lengthBytes: number): void {
    this.credentialsWord = -1;
    this.pidfd = -1;
    this.pidfdFailed = false;
    this.strays.length = 0;
    let cursor = 0;
    while (lengthBytes - cursor >= CMSGHDR.size) {
      const message = at + cursor / 4;
      const messageBytes = words[message + LENGTH]!;
      // It claims more than there is: nothing after it can be found. The upper half of the length
      // is always 0.
      if (words[message + LENGTH + 1] !== 0 || messageBytes > lengthBytes - cursor) return;
      if (words[message + LEVEL] === SOL_SOCKET) this.#take(words, message, messageBytes);
      // A length below that of the header must not hold the cursor.
      cursor += Math.max(Math.ceil(messageBytes / ALIGNMENT) * ALIGNMENT, CMSGHDR.size);
    }
  }

  #take(words: Uint32Array, message: number, messageBytes: number): void {
    const data = message + DATA;
    switch (words[message + TYPE]) {
      case SCM_CREDENTIALS:
        if (messageBytes >= UCRED_CMSG_LEN && this.credentialsWord < 0) this.credentialsWord = data;
        return;
      case SCM_PIDFD:
        if (messageBytes >= PIDFD_CMSG_LEN) this.#takePidfd(words[data]! | 0);
        return;
      case SCM_RIGHTS:
        for (let end = CMSGHDR.size + 4; end <= messageBytes; end += 4)
          this.#stray(words[message + end / 4 - 1]! | 0);
    }
  }

  // In the place of a descriptor that could not be made there is the negative error number.
  #takePidfd(fd: number): void {
    if (fd < 0) this.pidfdFailed = true;
    else if (this.pidfd < 0) this.pidfd = fd;
    else this.#stray(fd);
  }

  #stray(fd: number): void {
    if (fd >= 0) this.strays.push(fd);
  }
}
