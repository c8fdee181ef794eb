// A kernel that refuses one socket option, by a filter of system calls (seccomp) as a sandbox has
// them. It cannot be taken back: for a process that a test starts for it.
import { ptr } from "bun:ffi";
import { libcLinux } from "../../ffi/libc.ts";

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const SECCOMP_RET_ALLOW = 0x7fff_0000;
const SECCOMP_RET_ERRNO = 0x0005_0000;
const SYS_setsockopt = process.arch === "arm64" ? 208 : 54;
/** struct seccomp_data: the number of the call, and the low half of its third argument. */
const NUMBER_AT = 0;
const OPTION_AT = 16 + 2 * 8;
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

/** From now on this thread's setsockopt() of `option` fails with `errno`. */
export function refuseOption(option: number, errno: number): void {
  const program = new ArrayBuffer(6 * 8);
  const view = new DataView(program);
  const instructions = [
    [LOAD_WORD, 0, 0, NUMBER_AT],
    [JUMP_IF_EQUAL, 0, 3, SYS_setsockopt],
    [LOAD_WORD, 0, 0, OPTION_AT],
    [JUMP_IF_EQUAL, 0, 1, option],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ];
  instructions.forEach(([code, jumpTrue, jumpFalse, operand], i) => {
    view.setUint16(i * 8, code!, true);
    view.setUint8(i * 8 + 2, jumpTrue!);
    view.setUint8(i * 8 + 3, jumpFalse!);
    view.setUint32(i * 8 + 4, operand!, true);
  });
  const header = new ArrayBuffer(16);
  new DataView(header).setUint16(0, instructions.length, true);
  new DataView(header).setBigUint64(8, BigInt(ptr(program)), true);
  const { prctl } = libcLinux!;
  const results = [
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, Number(ptr(header)), 0, 0),
  ];
  if (results.some((result) => result !== 0)) throw new Error("this kernel has no seccomp");
}
