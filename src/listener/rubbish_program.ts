// The programs that keep rubbish out of a socket's queue, for the kernel's classic BPF. Each passes
// every datagram that the listener could take for a beat, and a sample of the rest, so that what is
// refused stays visible. The strict one knows all the rules of a frame (spec 01 section 4), its CRC
// included; the plain one, for a kernel that has no room for the other, knows its size and its
// first three bytes.
import {
  BPF_AND_K,
  BPF_JA,
  BPF_JEQ_K,
  BPF_JGT_K,
  BPF_JSET_K,
  BPF_LD_B_ABS,
  BPF_LD_IMM,
  BPF_LD_W_ABS,
  BPF_LD_W_LEN,
  BPF_RET_K,
  BPF_RSH_K,
  BPF_TAX,
  BPF_XOR_K,
  BPF_XOR_X,
  type FilterInstruction,
  SKF_AD_RANDOM_AT,
} from "../../ffi/socket_filter.ts";
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX } from "../base/u64.ts";
import { CRC32C_POLYNOMIAL, CRC32C_RESIDUE } from "../wire/crc32c.ts";
import {
  CONTROL_BYE,
  CONTROL_BYTES,
  CONTROL_HELLO,
  CONTROL_VERSION,
} from "../wire/control_datagram.ts";
import { STATUS_CRITICAL, VERSION } from "../wire/frame.ts";
import {
  MASTER_CONTROL_BYTES,
  MASTER_FRAME_BYTES,
  SHARED_CONTROL_BYTES,
  SHARED_FRAME_BYTES,
} from "../wire/secure_frame.ts";

export type FilterProgram = readonly FilterInstruction[];

/** A filter on a UDP socket sees the UDP header in front of what the listener receives. */
export const UDP_HEADER_BYTES = 8;

/** "VA" and the version: the first three bytes as the kernel loads them, which is big-endian. */
const HEAD = (0x5641 << 8) | VERSION;
const WHOLE = U32_MAX;

/** "VC", the version and no kind, as the kernel loads them. */
const CONTROL_HEAD = (0x5643 << 16) | (CONTROL_VERSION << 8);

interface FrameFilterOptions {
  /** The frames begin at this byte. */
  readonly at: number;
  /** One in so many, a power of two, of the datagrams that are no frames passes. */
  readonly sample: number;
  /** Below are no pids of senders. */
  readonly pidMin: number;
  /** The listener takes hellos and byes, too. */
  readonly takesControl?: boolean;
}

/** For 32-byte frames: the strict program, then the plain one. */
export function frameFilters(options: FrameFilterOptions): readonly FilterProgram[] {
  return [strict(options), plain(options)];
}

/** For sealed frames, of which nothing but the size can be known without a key. */
export function sealedFilters(
  at: number,
  sample: number,
  takesControl = false,
): readonly FilterProgram[] {
  const p = new Assembler(sample);
  const ofControl = takesControl ? [SHARED_CONTROL_BYTES, MASTER_CONTROL_BYTES] : [];
  const sizes = [SHARED_FRAME_BYTES, MASTER_FRAME_BYTES, ...ofControl];
  p.put(BPF_LD_W_LEN);
  for (const [i, size] of sizes.entries()) p.skipIfEqual(at + size, sizes.length - i);
  p.toSample();
  p.put(BPF_RET_K, WHOLE);
  return [p.end()];
}

function plain({ at, sample, takesControl }: FrameFilterOptions): FilterProgram {
  const p = new Assembler(sample);
  if (takesControl === true) passControl(p, at);
  sizeAndHead(p, at);
  p.put(BPF_RET_K, WHOLE);
  return p.end();
}

function strict({ at, sample, pidMin, takesControl }: FrameFilterOptions): FilterProgram {
  const p = new Assembler(sample);
  if (takesControl === true) passControl(p, at);
  sizeAndHead(p, at);
  p.put(BPF_LD_B_ABS, at + 3);
  p.sampleIfAbove(STATUS_CRITICAL);
  // The pid is little-endian and only its smallest values are reserved.
  p.put(BPF_LD_W_ABS, at + 4);
  for (let pid = 0; pid < pidMin; pid++) p.sampleIfEqual((pid << 24) >>> 0);
  // The reserved timestamp: all ones in both halves.
  p.put(BPF_LD_W_ABS, at + 8);
  p.skipUnlessEqual(U32_MAX, 3);
  p.put(BPF_LD_W_ABS, at + 12);
  p.sampleIfEqual(U32_MAX);
  // The terminal nonce, all ones as well, belongs to a critical status.
  p.put(BPF_LD_W_ABS, at + 16);
  p.skipUnlessEqual(U32_MAX, 5);
  p.put(BPF_LD_W_ABS, at + 20);
  p.skipUnlessEqual(U32_MAX, 3);
  p.put(BPF_LD_B_ABS, at + 3);
  p.sampleUnlessEqual(STATUS_CRITICAL);
  checksum(p, at);
  p.put(BPF_RET_K, WHOLE);
  return p.end();
}

// By size, magic, version and kind alone: a program has room for the CRC of 32 bytes, and not for
// that of 64 beside it. What passes so is bounded by the allowance of its sender.
function passControl(p: Assembler, at: number): void {
  p.put(BPF_LD_W_LEN);
  p.skipUnlessEqual(at + CONTROL_BYTES, 5);
  p.put(BPF_LD_W_ABS, at);
  p.skipIfEqual(CONTROL_HEAD | CONTROL_HELLO, 2);
  p.skipIfEqual(CONTROL_HEAD | CONTROL_BYE, 1);
  p.toSample();
  p.put(BPF_RET_K, WHOLE);
}

function sizeAndHead(p: Assembler, at: number): void {
  p.put(BPF_LD_W_LEN);
  p.sampleUnlessEqual(at + FRAME_BYTES);
  p.put(BPF_LD_W_ABS, at);
  p.put(BPF_RSH_K, 8);
  p.sampleUnlessEqual(HEAD);
}

// Bit by bit, for there are no tables and no loops: 0.25 us in the sender's call. The CRC over a
// frame and its own CRC is the same for every frame.
function checksum(p: Assembler, at: number): void {
  p.put(BPF_LD_IMM, U32_MAX);
  for (let i = 0; i < FRAME_BYTES; i++) {
    p.put(BPF_TAX);
    p.put(BPF_LD_B_ABS, at + i);
    p.put(BPF_XOR_X);
    for (let bit = 0; bit < 8; bit++) {
      p.put(BPF_JSET_K, 1, 2, 0);
      p.put(BPF_RSH_K, 1);
      p.put(BPF_JA, 2);
      p.put(BPF_RSH_K, 1);
      p.put(BPF_XOR_K, CRC32C_POLYNOMIAL);
    }
  }
  p.sampleUnlessEqual(CRC32C_RESIDUE);
}

// A conditional jump reaches 255 instructions, an unconditional one any: so a test steps over a
// jump to the sample.
class Assembler {
  readonly #program: { code: number; jt: number; jf: number; k: number }[] = [];
  readonly #toSample: number[] = [];
  readonly #sample: number;

  constructor(sample: number) {
    this.#sample = sample;
  }

  put(code: number, k = 0, jt = 0, jf = 0): void {
    this.#program.push({ code, jt, jf, k });
  }

  skipIfEqual(value: number, count: number): void {
    this.put(BPF_JEQ_K, value, count, 0);
  }

  skipUnlessEqual(value: number, count: number): void {
    this.put(BPF_JEQ_K, value, 0, count);
  }

  sampleIfEqual(value: number): void {
    this.put(BPF_JEQ_K, value, 0, 1);
    this.toSample();
  }

  sampleUnlessEqual(value: number): void {
    this.put(BPF_JEQ_K, value, 1, 0);
    this.toSample();
  }

  sampleIfAbove(value: number): void {
    this.put(BPF_JGT_K, value, 0, 1);
    this.toSample();
  }

  toSample(): void {
    this.#toSample.push(this.#program.length);
    this.put(BPF_JA);
  }

  /** Appends the sample, where few pass, and aims the jumps at it. */
  end(): FilterProgram {
    for (const at of this.#toSample) this.#program[at]!.k = this.#program.length - at - 1;
    this.put(BPF_LD_W_ABS, SKF_AD_RANDOM_AT);
    this.put(BPF_AND_K, this.#sample - 1);
    this.put(BPF_JEQ_K, 0, 0, 1);
    this.put(BPF_RET_K, WHOLE);
    this.put(BPF_RET_K, 0);
    return this.#program;
  }
}
