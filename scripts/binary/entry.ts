// What a Linux executable does before its runtime starts. The runtime reads some seventy variables
// of its own from the environment, of which several write files or load code, raises the soft limit
// of descriptors so that the one at the start is lost, and ends with an error in a
// directory that was removed. It has a switch for none of that, so the executable gets an entry
// point of its own: it takes every variable that begins with BUN_ out of the environment, goes to /
// if there is no working directory any more, and jumps to the runtime's entry point.
//
// The code takes the place of uv_cwd, a function that the runtime offers to native addons alone,
// and there are none here.
import { type Elf, elfOf, isElf } from "./elf.ts";

/**
 * Machine code with a jump to the runtime's entry point in it, the last instruction before the path
 * "/".
 */
interface EntryCode {
  readonly bytes: readonly number[];
  readonly jumpOffset: number;
  /** The jump at `from` to `to`, of 4 bytes at `jumpOffset`. */
  readonly jump: (from: number, to: number) => number;
  /** Where a jump at `from` goes. */
  readonly target: (from: number, jump: number) => number;
}

/** Function whose place the code takes. */
const REPLACED = "uv_cwd";

/** EM_X86_64, EM_AARCH64 */
const CODE: Readonly<Record<number, EntryCode>> = { 62: codeX64(), 183: codeArm64() };

/**
 * Puts the entry point into the runtime of a Linux target; throws if it is not one that it was
 * written for.
 */
export function installEntry(executable: Buffer): void {
  const elf = elfOf(executable);
  const code = CODE[elf.machine];
  const place = elf.symbol(REPLACED);
  if (code === undefined || place === undefined || place.size < code.bytes.length)
    throw new Error(
      `Cannot give the runtime an entry point: found no room in ${REPLACED} for machine ${elf.machine}; correct entry.ts`,
    );
  const at = elf.offsetOf(place.address);
  executable.set(code.bytes, at);
  const jump = code.jump(place.address + code.jumpOffset, elf.entry);
  executable.writeUInt32LE(jump, at + code.jumpOffset);
  elf.setEntry(place.address);
  elf.renameImport("setrlimit", "getrlimit");
}

/**
 * What is wrong with the entry point of a finished executable; those of macOS have none.
 */
export function entryProblems(executable: Buffer): string[] {
  if (!isElf(executable)) return [];
  const elf = elfOf(executable);
  const problems: string[] = [];
  if (runtimeEntry(executable, elf) === undefined)
    problems.push("starts with the runtime, not with the entry point of its own");
  if (elf.imports("setrlimit")) problems.push("raises the limit of descriptors by itself");
  return problems;
}

/** Takes the entry point out again, for tests of what it does. */
export function removeEntry(executable: Buffer): void {
  const elf = elfOf(executable);
  elf.setEntry(runtimeEntry(executable, elf)!);
}

function runtimeEntry(executable: Buffer, elf: Elf): number | undefined {
  const code = CODE[elf.machine];
  if (code === undefined) return undefined;
  const at = elf.offsetOf(elf.entry);
  const { bytes, jumpOffset } = code;
  const isOurs = bytes.every(
    (byte, i) => (i >= jumpOffset && i < jumpOffset + 4) || executable[at + i] === byte,
  );
  if (!isOurs) return undefined;
  return code.target(elf.entry + jumpOffset, executable.readUInt32LE(at + jumpOffset));
}

// At the entry the stack holds argc, argv, NULL, envp, NULL; rdx must reach the runtime as it is.
function codeX64(): EntryCode {
  const bytes = [
    ...[0x52], //                                         push rdx
    ...[0x48, 0x8b, 0x44, 0x24, 0x08], //                 mov rax, [rsp+8]          argc
    ...[0x48, 0x8d, 0x74, 0xc4, 0x18], //                 lea rsi, [rsp+rax*8+24]   envp
    ...[0x48, 0x89, 0xf7], //                             mov rdi, rsi
    ...[0x48, 0xad], //                             next: lodsq
    ...[0x48, 0x85, 0xc0], //                             test rax, rax
    ...[0x74, 0x0c], //                                   jz last
    ...[0x81, 0x38, 0x42, 0x55, 0x4e, 0x5f], //           cmp dword [rax], "BUN_"
    ...[0x74, 0xf1], //                                   je next
    ...[0x48, 0xab], //                                   stosq
    ...[0xeb, 0xed], //                                   jmp next
    ...[0x48, 0xab], //                             last: stosq
    ...[0x48, 0x81, 0xec, 0x00, 0x10, 0x00, 0x00], //     sub rsp, 4096
    ...[0x48, 0x89, 0xe7], //                             mov rdi, rsp
    ...[0xbe, 0x00, 0x10, 0x00, 0x00], //                 mov esi, 4096
    ...[0xb8, 0x4f, 0x00, 0x00, 0x00], //                 mov eax, 79               SYS_getcwd
    ...[0x0f, 0x05], //                                   syscall
    ...[0x48, 0x85, 0xc0], //                             test rax, rax
    ...[0x7e, 0x06], //                                   jle gone
    ...[0x80, 0x3c, 0x24, 0x2f], //                       cmp byte [rsp], "/"       "(unreachable)"?
    ...[0x74, 0x0e], //                                   je there
    ...[0x48, 0x8d, 0x3d, 0x14, 0x00, 0x00, 0x00], // gone: lea rdi, [rip+20]       "/"
    ...[0xb8, 0x50, 0x00, 0x00, 0x00], //                 mov eax, 80               SYS_chdir
    ...[0x0f, 0x05], //                                   syscall
    ...[0x48, 0x81, 0xc4, 0x00, 0x10, 0x00, 0x00], // there: add rsp, 4096
    ...[0x5a], //                                         pop rdx
    ...[0xe9, 0x00, 0x00, 0x00, 0x00], //                 jmp runtime
    ...[0x2f, 0x00],
  ];
  return {
    bytes,
    jumpOffset: bytes.length - 6,
    // rel32, counted from the end of the instruction
    jump: (from, to) => (to - from - 4) >>> 0,
    target: (from, jump) => from + 4 + (jump | 0),
  };
}

// x0 must reach the runtime as it is; x19 to x28 mean nothing at the entry.
function codeArm64(): EntryCode {
  const words = [
    0xd50324df, //       bti jc
    0xaa0003f4, //       mov x20, x0
    0xf94003e1, //       ldr x1, [sp]              argc
    0x8b216fe1, //       add x1, sp, x1, lsl #3
    0x91004021, //       add x1, x1, #16           envp
    0xaa0103e2, //       mov x2, x1
    0x528aa844, //       mov w4, #0x5542           "BU"
    0x72abe9c4, //       movk w4, #0x5f4e, lsl #16 "N_"
    0xf8408423, // next: ldr x3, [x1], #8
    0xb40000c3, //       cbz x3, last
    0xb9400065, //       ldr w5, [x3]
    0x6b0400bf, //       cmp w5, w4
    0x54ffff80, //       b.eq next
    0xf8008443, //       str x3, [x2], #8
    0x17fffffa, //       b next
    0xf900005f, // last: str xzr, [x2]
    0xd14007ff, //       sub sp, sp, #4096
    0x910003e0, //       mov x0, sp
    0xd2820001, //       mov x1, #4096
    0xd2800228, //       mov x8, #17               SYS_getcwd
    0xd4000001, //       svc #0
    0xf100001f, //       cmp x0, #0
    0x5400008d, //       b.le gone
    0x394003e1, //       ldrb w1, [sp]
    0x7100bc3f, //       cmp w1, "/"               "(unreachable)"?
    0x54000080, //       b.eq there
    0x100000c0, // gone: adr x0, "/"
    0xd2800628, //       mov x8, #49               SYS_chdir
    0xd4000001, //       svc #0
    0x914007ff, // there: add sp, sp, #4096
    0xaa1403e0, //       mov x0, x20
    0x14000000, //       b runtime
    0x0000002f,
  ];
  const bytes = [...new Uint8Array(new Uint32Array(words).buffer)];
  return {
    bytes,
    jumpOffset: bytes.length - 8,
    // imm26, in words, counted from the instruction
    jump: (from, to) => (0x14000000 | (((to - from) / 4) & 0x03ffffff)) >>> 0,
    target: (from, jump) => from + ((jump << 6) >> 6) * 4,
  };
}
