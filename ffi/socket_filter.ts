// Classic BPF on a socket: a program that the kernel runs on every datagram before it takes a place
// in the receive queue, for a Unix socket within the sender's own call. For its sender, what it
// drops was sent. Linux only.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import {
  ENOPROTOOPT,
  IS_LINUX,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
  SOL_SOCKET,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { SOCK_FILTER, SOCK_FPROG } from "./layout.ts";
import { libc } from "./libc.ts";

// Operations, in the spelling of linux/filter.h and joined as its BPF_STMT and BPF_JUMP join them.
// A is the accumulator and X the index register; K is the constant of the instruction.
export const BPF_LD_IMM = 0x00;
/** A = the big-endian word, half word or byte at offset K. */
export const BPF_LD_W_ABS = 0x20;
export const BPF_LD_B_ABS = 0x30;
/** A = the length of what the filter sees. */
export const BPF_LD_W_LEN = 0x80;
export const BPF_TAX = 0x07;
export const BPF_AND_K = 0x54;
export const BPF_XOR_K = 0xa4;
export const BPF_XOR_X = 0xac;
export const BPF_RSH_K = 0x74;
/** Jumps: K instructions on; `jt` on if the test holds, else `jf`. */
export const BPF_JA = 0x05;
export const BPF_JEQ_K = 0x15;
export const BPF_JGT_K = 0x25;
export const BPF_JSET_K = 0x45;
/** Bytes of the datagram that are kept; 0 drops it. */
export const BPF_RET_K = 0x06;
/** As an offset of BPF_LD_W_ABS: a random word. */
export const SKF_AD_RANDOM_AT: number = (-0x1000 + 56) >>> 0;
/** Longest program that the kernel takes. */
export const BPF_MAXINSNS = 4_096;

/** struct sock_filter */
export interface FilterInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Puts `program` on the socket, in the place of one that was there; 0 or -errno. */
export function attachFilter(fd: number, program: readonly FilterInstruction[]): number {
  if (!IS_LINUX) return -ENOPROTOOPT;
  assert(program.length > 0 && program.length <= BPF_MAXINSNS, "the kernel takes such a length");
  const instructions = new ArrayBuffer(program.length * SOCK_FILTER.size);
  const view = new DataView(instructions);
  program.forEach(({ code, jt, jf, k }, i) => {
    const at = i * SOCK_FILTER.size;
    view.setUint16(at + SOCK_FILTER.code, code, true);
    view.setUint8(at + SOCK_FILTER.jt, jt);
    view.setUint8(at + SOCK_FILTER.jf, jf);
    view.setUint32(at + SOCK_FILTER.k, k, true);
  });
  const fprog = new ArrayBuffer(SOCK_FPROG.size);
  const header = new DataView(fprog);
  header.setUint16(SOCK_FPROG.len, program.length, true);
  header.setBigUint64(SOCK_FPROG.filter, BigInt(ptr(instructions)), true);
  const size = SOCK_FPROG.size;
  const result = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(fprog), size);
  const outcome = resultOrErrno(result);
  // Its address stands in fprog alone: it must not be collected before the kernel has read it.
  assert(instructions.byteLength > 0, "the program lives until here");
  return outcome;
}

/** Takes the program off again; 0 or -errno. */
export function detachFilter(fd: number): number {
  if (!IS_LINUX) return -ENOPROTOOPT;
  // The kernel wants a value and does not read it.
  const unused = new ArrayBuffer(4);
  return resultOrErrno(libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, ptr(unused), 4));
}
