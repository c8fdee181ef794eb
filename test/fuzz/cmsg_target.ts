// Control data through the judge of the Unix listener: arenas as recvmmsg could have filled them, and as only a broken
// kernel would. A literal reader of the C structs must agree, and nothing may pass for which it sees no credentials.
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { ReceivedBatch, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { judgeWithCredentials } from "../../src/listener/unix.ts";
import { ReceiveBatch } from "../../ffi/receive_batch.ts";
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
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x08;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const SCM_PIDFD = 4;
const CMSG_LEN_UCRED = 28;

export class CmsgTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #arena = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: true });
  readonly #batch = new ReceivedBatch(this.#arena.words);

  round(random: Random): void {
    const view = new DataView(this.#arena.bytes.buffer);
    const controlAt = this.#arena.controlWord * 4;
    const received = 1 + random.below(BATCH_SIZE);
    for (let i = 0; i < received; i++) fillSlot(random, view, i, controlAt + i * CONTROL_BYTES);
    const before = Bun.hash(this.#arena.bytes);
    judgeWithCredentials(this.#arena, this.#batch, received);
    same("the arena after the judge", Bun.hash(this.#arena.bytes), before);
    for (let i = 0; i < received; i++) this.#compare(view, i, controlAt + i * CONTROL_BYTES);
    this.#arena.reset(received);
    for (let i = 0; i < received; i++)
      same(
        "msg_controllen after reset()",
        view.getUint32(i * MMSGHDR_BYTES + MSG_CONTROLLEN, true),
        CONTROL_BYTES,
      );
  }

  [Symbol.dispose](): void {}

  #compare(view: DataView, i: number, control: number): void {
    const { verdict, origin, peerPid, peerUid, peerGid } = this.#batch;
    const header = i * MMSGHDR_BYTES;
    const wanted = verdictOf(view, header, control);
    const what = `slot ${i}: header ${hexOf(view, header, MMSGHDR_BYTES)} control ${hexOf(view, control, CONTROL_BYTES)}`;
    same(what, verdict[i], wanted);
    count(this, wanted === VERDICT_PASS ? "pass" : `reason ${wanted}`);
    const pid = wanted === VERDICT_PASS ? view.getUint32(control + CMSG_DATA, true) : 0;
    const attested = pid !== 0 ? ORIGIN_KERNEL_ATTESTED : ORIGIN_SOCKET_MODE_ONLY;
    same(what, [peerPid[i], origin[i]], [pid, attested]);
    if (wanted !== VERDICT_PASS) return;
    const [uid, gid] = [4, 8].map((at) => view.getUint32(control + CMSG_DATA + at, true));
    same(what, [peerUid[i], peerGid[i]], [uid, gid]);
  }
}

function verdictOf(view: DataView, header: number, control: number): number {
  if ((view.getInt32(header + MSG_FLAGS, true) & MSG_CTRUNC) !== 0) return REJECT_CTRL_TRUNCATED;
  if (view.getUint32(header + MSG_LEN, true) !== 32) return REJECT_WRONG_SIZE;
  const enough =
    view.getBigUint64(header + MSG_CONTROLLEN, true) >= BigInt(CMSG_LEN_UCRED) &&
    view.getBigUint64(control, true) >= BigInt(CMSG_LEN_UCRED);
  const isCredentials =
    view.getInt32(control + CMSG_LEVEL, true) === SOL_SOCKET &&
    view.getInt32(control + CMSG_TYPE, true) === SCM_CREDENTIALS;
  return enough && isCredentials ? VERDICT_PASS : REJECT_NO_CREDENTIALS;
}

/** What the kernel writes into slot `i`; lengths stay below 2^32, as in any buffer of ours. */
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
