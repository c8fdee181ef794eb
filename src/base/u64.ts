// u64 wire values travel as two u32 (hi, lo) on the hot path and meet bigint only at the public
// edge (spec 01 section 7).

export const U32_MAX = 0xffff_ffff;

/** The bigint of a (hi, lo) pair. Cold side only: it allocates. */
export function u64FromPair(hi: number, lo: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The upper 32 bits of a u64. */
export function u64Hi(value: bigint): number {
  return Number(BigInt.asUintN(64, value) >> 32n);
}

/** The lower 32 bits of a u64. */
export function u64Lo(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** True if (aHi, aLo) > (bHi, bLo) as unsigned 64-bit numbers; all four are u32 in a number. */
export function u64Greater(aHi: number, aLo: number, bHi: number, bLo: number): boolean {
  return aHi > bHi || (aHi === bHi && aLo > bLo);
}

/** Decimal text of a (hi, lo) pair, without bigint while the value is below 2^53. */
export function u64Text(hi: number, lo: number): string {
  if (hi < 0x20_0000) return String(hi * 0x1_0000_0000 + lo);
  return u64FromPair(hi, lo).toString();
}
