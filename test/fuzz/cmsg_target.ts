// Control data through the check of the Unix listener: arenas as recvmmsg could have filled them,
// and as only a broken kernel would. A literal reader of the C structs must agree, and nothing may
// pass for which it sees no credentials. And several messages of every shape through the walker
// alone, which must find what the literal reader finds.
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { ControlMessages } from "../../src/listener/control_messages.ts";
import { CredentialCheck } from "../../src/listener/credential_check.ts";
import { ReceivedBatch, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { ReceiveBatch } from "../../ffi/receive_batch.ts";
import { byNumber, referenceControl } from "../reference/control_messages.ts";
import type { Random } from "../simulation/random.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

// struct mmsghdr and struct cmsghdr of 64-bit Linux, in bytes.
const MMSGHDR_BYTES = 64;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;
const MSG_LEN = 56;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
const CONTROL_BYTES = 32;
const WALK_BYTES = 128;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x08;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const SCM_PIDFD = 4;

export class CmsgTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #arena = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: true });
  readonly #batch = new ReceivedBatch(this.#arena.words);
  readonly #check = new CredentialCheck(this.#arena, this.#batch);
  readonly #messages = new ControlMessages();

  round(random: Random): void {
    const view = new DataView(this.#arena.bytes.buffer);
    const controlAt = this.#arena.controlWord * 4;
    const received = 1 + random.below(BATCH_SIZE);
    for (let i = 0; i < received; i++) fillSlot(random, view, i, controlAt + i * CONTROL_BYTES);
    const before = Bun.hash(this.#arena.bytes);
    this.#check.check(received);
    same("the arena after the check", Bun.hash(this.#arena.bytes), before);
    for (let i = 0; i < received; i++) this.#compare(view, i, controlAt + i * CONTROL_BYTES);
    this.#arena.reset(received);
    for (let i = 0; i < received; i++)
      same(
        "msg_controllen after reset()",
        view.getUint32(i * MMSGHDR_BYTES + MSG_CONTROLLEN, true),
        CONTROL_BYTES,
      );
    this.#walk(random);
  }

  [Symbol.dispose](): void {}

  #walk(random: Random): void {
    const view = new DataView(new ArrayBuffer(WALK_BYTES));
    for (let at = 0; at + 16 <= WALK_BYTES; at += 8 * random.between(1, 5)) {
      view.setBigUint64(at, BigInt(random.pick([0, 4, 15, 16, 19, 20, 24, 27, 28, 32, 72])), true);
      if (random.chance(0.02)) view.setUint32(at + 4, random.u32(), true);
      view.setInt32(at + CMSG_LEVEL, random.pick([SOL_SOCKET, SOL_SOCKET, SOL_SOCKET, 0]), true);
      view.setInt32(at + CMSG_TYPE, random.pick([SCM_RIGHTS, SCM_CREDENTIALS, SCM_PIDFD]), true);
      if (at + 20 <= WALK_BYTES) view.setInt32(at + 16, random.between(-30, 300), true);
    }
    const lengthBytes = random.chance(0.5) ? WALK_BYTES : random.below(WALK_BYTES + 1);
    const wanted = referenceControl(view, 0, lengthBytes);
    const found = this.#messages;
    found.read(new Uint32Array(view.buffer), 0, lengthBytes);
    const what = `walk over ${lengthBytes} of ${hexOf(view, 0, WALK_BYTES)}`;
    const credentialsAt = found.credentialsWord < 0 ? undefined : found.credentialsWord * 4;
    same(what, credentialsAt, wanted.credentialsAt);
    same(what, found.pidfd < 0 ? undefined : found.pidfd, wanted.pidfd);
    same(what, found.pidfdFailed, wanted.pidfdFailed);
    same(what, found.strays.toSorted(byNumber), wanted.strays);
    if (wanted.credentialsAt !== undefined && wanted.pidfd !== undefined) count(this, "both");
    if (wanted.strays.length > 0) count(this, "strays");
  }

  #compare(view: DataView, i: number, control: number): void {
    const { verdict, origin, peerPid, peerUid, peerGid } = this.#batch;
    const header = i * MMSGHDR_BYTES;
    const wanted = verdictOf(view, header, control);
    const what = `slot ${i}: header ${hexOf(view, header, MMSGHDR_BYTES)} control ${hexOf(view, control, CONTROL_BYTES)}`;
    same(what, verdict[i], wanted);
    count(this, wanted === VERDICT_PASS ? "pass" : `reason ${wanted}`);
    // A wrong size names its sender as well, for the log.
    const names = wanted === VERDICT_PASS || wanted === REJECT_WRONG_SIZE;
    const at = names ? credentialsAt(view, header, control) : undefined;
    const pid = at === undefined ? 0 : view.getUint32(at, true);
    const attested = pid !== 0 ? ORIGIN_KERNEL_ATTESTED : ORIGIN_SOCKET_MODE_ONLY;
    same(what, [peerPid[i], origin[i]], [pid, attested]);
    if (at === undefined) return;
    const [uid, gid] = [4, 8].map((behind) => view.getUint32(at + behind, true));
    same(what, [peerUid[i], peerGid[i]], [uid, gid]);
  }
}

function verdictOf(view: DataView, header: number, control: number): number {
  if ((view.getInt32(header + MSG_FLAGS, true) & MSG_CTRUNC) !== 0) return REJECT_CTRL_TRUNCATED;
  if (view.getUint32(header + MSG_LEN, true) !== 32) return REJECT_WRONG_SIZE;
  const at = credentialsAt(view, header, control);
  return at !== undefined ? VERDICT_PASS : REJECT_NO_CREDENTIALS;
}

function credentialsAt(view: DataView, header: number, control: number): number | undefined {
  const length = Math.min(view.getUint32(header + MSG_CONTROLLEN, true), CONTROL_BYTES);
  return referenceControl(view, control, length).credentialsAt;
}

/**
 * What the kernel writes into slot `i`; lengths stay below 2^32, as in any buffer of the program.
 */
function fillSlot(random: Random, view: DataView, i: number, control: number): void {
  const header = i * MMSGHDR_BYTES;
  const odd = (usual: number, others: readonly number[]) =>
    random.chance(0.85) ? usual : random.chance(0.2) ? random.u32() : random.pick(others);
  const lengths = [0, 1, 15, 16, 20, 24, 27, 28, 29, 31, 32, 33, 64, 0xffff_ffff];
  view.setUint32(header + MSG_LEN, odd(32, [0, 1, 31, 33, 64]), true);
  view.setUint32(
    header + MSG_FLAGS,
    odd(0, [MSG_TRUNC, MSG_CTRUNC, MSG_TRUNC | MSG_CTRUNC, 0x4000_0000]),
    true,
  );
  view.setBigUint64(header + MSG_CONTROLLEN, BigInt(odd(32, lengths)), true);
  view.setBigUint64(control, BigInt(odd(28, lengths)), true);
  view.setUint32(control + CMSG_LEVEL, odd(SOL_SOCKET, [0, 2, 6, 41]), true);
  view.setUint32(control + CMSG_TYPE, odd(SCM_CREDENTIALS, [0, SCM_RIGHTS, 3, SCM_PIDFD]), true);
  for (let at = CMSG_DATA; at < CONTROL_BYTES; at += 4)
    view.setUint32(control + at, odd(random.u32(), [0, 1, 2, 0xffff_ffff]), true);
}

function hexOf(view: DataView, at: number, size: number): string {
  return new Uint8Array(view.buffer, at, size).toHex();
}
