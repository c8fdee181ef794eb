// A slow, obvious interpreter of classic BPF, written from the kernel's
// Documentation/networking/filter.rst: what a socket filter returns for a datagram. The kernel
// refuses a load beyond the end by dropping the datagram, and so does this.
import type { FilterInstruction } from "../../ffi/socket_filter.ts";

const RANDOM_AT = 0xffff_f000 + 56;

/**
 * The bytes of `data` that the program keeps; 0 = dropped. `random` is what the random word holds.
 */
export function runClassicBpf(
  program: readonly FilterInstruction[],
  data: Uint8Array,
  random: number,
): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc]!;
    switch (code) {
      case 0x00: // ld #k
        a = k;
        break;
      case 0x20: // ld [k]
        if (k === RANDOM_AT) a = random;
        else if (k + 4 > data.length) return 0;
        else a = view.getUint32(k);
        break;
      case 0x30: // ldb [k]
        if (k + 1 > data.length) return 0;
        a = view.getUint8(k);
        break;
      case 0x80: // ld len
        a = data.length;
        break;
      case 0x07: // tax
        x = a;
        break;
      case 0x54: // and #k
        a = (a & k) >>> 0;
        break;
      case 0xa4: // xor #k
        a = (a ^ k) >>> 0;
        break;
      case 0xac: // xor x
        a = (a ^ x) >>> 0;
        break;
      case 0x74: // rsh #k
        a >>>= k;
        break;
      case 0x05: // ja
        pc += k;
        break;
      case 0x15: // jeq #k
        pc += a === k ? jt : jf;
        break;
      case 0x25: // jgt #k
        pc += a > k ? jt : jf;
        break;
      case 0x45: // jset #k
        pc += (a & k) !== 0 ? jt : jf;
        break;
      case 0x06: // ret #k
        return k;
      default:
        throw new Error(`no classic BPF instruction has code ${code}`);
    }
  }
  throw new Error("the program ran past its end, which the kernel would have refused");
}
