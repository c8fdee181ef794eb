// Who sent the datagrams of a receive by the kernel's word, and which of them are refused (spec 05
// section 3). The order of the checks is normative: truncated control data, then size, then
// credentials.
import { MSG_CTRUNC, SCM_CREDENTIALS, SOL_SOCKET } from "../../ffi/constants.ts";
import { UCRED, UCRED_CMSG_LEN, UCRED_CMSG_SPACE } from "../../ffi/layout.ts";
import { closeFd } from "../../ffi/pipe.ts";
import * as arena from "../../ffi/receive_batch.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../base/reject_reason.ts";
import { ControlMessages } from "./control_messages.ts";
import { verdictOfSize } from "./data_slots.ts";
import { type ReceivedBatch, VERDICT_PASS } from "./received_batch.ts";

const UID = UCRED.uid / 4;
const GID = UCRED.gid / 4;

export class CredentialCheck {
  readonly #arena: arena.ReceiveBatch;
  readonly #batch: ReceivedBatch;
  readonly #takesControl: boolean;
  readonly #messages = new ControlMessages();

  /** `takesControl`: hellos and byes are no datagrams of a wrong size. */
  constructor(from: arena.ReceiveBatch, batch: ReceivedBatch, takesControl = false) {
    this.#arena = from;
    this.#batch = batch;
    this.#takesControl = takesControl;
  }

  /** Fills the columns of `count` datagrams whose control slots are the narrow ones. */
  check(count: number): void {
    const { words, controlWord } = this.#arena;
    const { verdict, origin, peerPid, peerUid, peerGid } = this.#batch;
    for (let i = 0; i < count; i++) {
      const header = i * arena.HEADER_STRIDE;
      const control = controlWord + i * arena.CONTROL_STRIDE;
      peerPid[i] = 0;
      origin[i] = ORIGIN_SOCKET_MODE_ONLY;
      if ((words[header + arena.HEADER_FLAGS]! & MSG_CTRUNC) !== 0) {
        verdict[i] = REJECT_CTRL_TRUNCATED;
      } else if (words[header + arena.HEADER_LENGTH] !== FRAME_BYTES) {
        this.#readNarrow(header, control);
        // Of one of a wrong size only the log asks who it was.
        const found = this.#takeCredentials(i);
        verdict[i] = this.#verdictOf(words[header + arena.HEADER_LENGTH]!, found);
      } else if (
        words[header + arena.HEADER_CONTROLLEN] === UCRED_CMSG_SPACE &&
        words[control + arena.CONTROL_LENGTH] === UCRED_CMSG_LEN &&
        words[control + arena.CONTROL_LENGTH + 1] === 0 &&
        words[control + arena.CONTROL_LEVEL] === SOL_SOCKET &&
        words[control + arena.CONTROL_TYPE] === SCM_CREDENTIALS
      ) {
        // What every kernel writes, read where it lies.
        verdict[i] = VERDICT_PASS;
        const pid = words[control + arena.CONTROL_PID]!;
        // Pid 0: the sender lives in a namespace that the daemon cannot see. It is never called
        // attested.
        if (pid !== 0) origin[i] = ORIGIN_KERNEL_ATTESTED;
        peerPid[i] = pid;
        peerUid[i] = words[control + arena.CONTROL_UID]!;
        peerGid[i] = words[control + arena.CONTROL_GID]!;
      } else {
        this.#readNarrow(header, control);
        verdict[i] = this.#takeCredentials(i);
      }
    }
  }

  /**
   * Fills the columns of `count` datagrams that are texts of any length, whose control slots are
   * the narrow ones: what a slot has no room for is dropped, and no fault.
   */
  checkTexts(count: number, textLength: Uint32Array): void {
    const { words, controlWord } = this.#arena;
    const { verdict, origin, peerPid } = this.#batch;
    for (let i = 0; i < count; i++) {
      const header = i * arena.HEADER_STRIDE;
      peerPid[i] = 0;
      origin[i] = ORIGIN_SOCKET_MODE_ONLY;
      textLength[i] = words[header + arena.HEADER_LENGTH]!;
      this.#readNarrow(header, controlWord + i * arena.CONTROL_STRIDE);
      const found = this.#takeCredentials(i);
      // A text says nothing of whose it is: who has no pid here is nobody.
      verdict[i] = peerPid[i] === 0 ? REJECT_NO_CREDENTIALS : found;
    }
  }

  #readNarrow(header: number, control: number): void {
    const { words } = this.#arena;
    const length = words[header + arena.HEADER_CONTROLLEN]!;
    this.#messages.read(words, control, Math.min(length, arena.CONTROL_STRIDE * 4));
  }

  /**
   * Fills the columns of `count` datagrams whose control slots are the wide ones, pidfds among
   * them. False if the kernel found no number for a pidfd.
   */
  checkWide(count: number): boolean {
    const { words, wideControlWord } = this.#arena;
    const { verdict, origin, peerPid, pidfd } = this.#batch;
    const messages = this.#messages;
    let gotAll = true;
    for (let i = 0; i < count; i++) {
      const header = i * arena.HEADER_STRIDE;
      const length = words[header + arena.HEADER_CONTROLLEN]!;
      const control = wideControlWord + i * arena.WIDE_CONTROL_STRIDE;
      // First of all: what came in with the datagram is open, whatever is wrong with it.
      messages.read(words, control, Math.min(length, arena.WIDE_CONTROL_STRIDE * 4));
      for (const stray of messages.strays) closeFd(stray);
      pidfd[i] = messages.pidfd;
      if (messages.pidfdFailed) gotAll = false;
      peerPid[i] = 0;
      origin[i] = ORIGIN_SOCKET_MODE_ONLY;
      if ((words[header + arena.HEADER_FLAGS]! & MSG_CTRUNC) !== 0) {
        verdict[i] = REJECT_CTRL_TRUNCATED;
      } else {
        const found = this.#takeCredentials(i);
        verdict[i] = this.#verdictOf(words[header + arena.HEADER_LENGTH]!, found);
      }
    }
    return gotAll;
  }

  /** `found`: what its credentials alone would make of it. */
  #verdictOf(sizeBytes: number, found: number): number {
    const bySize = verdictOfSize(sizeBytes, this.#takesControl);
    return bySize === REJECT_WRONG_SIZE || found === VERDICT_PASS ? bySize : found;
  }

  #takeCredentials(i: number): number {
    const { words } = this.#arena;
    const { origin, peerPid, peerUid, peerGid } = this.#batch;
    const credentials = this.#messages.credentialsWord;
    if (credentials < 0) return REJECT_NO_CREDENTIALS;
    const pid = words[credentials]!;
    if (pid !== 0) origin[i] = ORIGIN_KERNEL_ATTESTED;
    peerPid[i] = pid;
    peerUid[i] = words[credentials + UID]!;
    peerGid[i] = words[credentials + GID]!;
    return VERDICT_PASS;
  }
}
