// A slow, obvious frame codec, written from spec 01 alone: bytes and bigint, one bit of CRC at a
// time. The fast codec is compared with it on random input.

export type ReferenceDecoded =
  | { readonly error: string; readonly operands: readonly bigint[] }
  | {
      readonly error: undefined;
      readonly status: number;
      readonly pid: bigint;
      readonly timestamp: bigint;
      readonly nonce: bigint;
      readonly payload: bigint;
    };

const ALL_ONES_64 = 0xffff_ffff_ffff_ffffn;

export function referenceCrc32c(bytes: Uint8Array, length: number): number {
  let state = 0xffff_ffff;
  for (let i = 0; i < length; i++) {
    state ^= bytes[i]!;
    for (let bit = 0; bit < 8; bit++) {
      const carry = state & 1;
      state >>>= 1;
      if (carry === 1) state ^= 0x82f6_3b78;
    }
  }
  return ~state >>> 0;
}

/**
 * Decodes the 32 bytes; `operands` are the fields of the error in the order of spec 01 section 4.
 */
export function referenceDecode(bytes: Uint8Array): ReferenceDecoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== 0x56 || bytes[1] !== 0x41) return { error: "BadMagic", operands: [] };
  if (bytes[2] !== 2) return { error: "BadVersion", operands: [] };
  const expected = referenceCrc32c(bytes, 28);
  const actual = view.getUint32(28, true);
  if (expected !== actual) return { error: "BadCrc", operands: [BigInt(expected), BigInt(actual)] };
  const status = bytes[3]!;
  if (status > 3) return { error: "BadStatus", operands: [BigInt(status)] };
  if (status === 3) return { error: "StallOnWire", operands: [] };
  const pid = BigInt(view.getUint32(4, true));
  if (pid === 0n || pid === 1n) return { error: "BadPid", operands: [pid] };
  const timestamp = view.getBigUint64(8, true);
  if (timestamp === ALL_ONES_64) return { error: "BadTimestamp", operands: [timestamp] };
  const nonce = view.getBigUint64(16, true);
  if (nonce === ALL_ONES_64 && status !== 2)
    return { error: "BadNonce", operands: [nonce, BigInt(status)] };
  const payload = BigInt(view.getUint32(24, true));
  return { error: undefined, status, pid, timestamp, nonce, payload };
}

/** As `referenceDecode`, in a container, where pid 1 is a program like others. */
export function referenceDecodeInner(bytes: Uint8Array): ReferenceDecoded {
  const decoded = referenceDecode(bytes);
  if (decoded.error !== "BadPid" || decoded.operands[0] !== 1n) return decoded;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const other = referenceDecode(
    referenceEncode({
      status: bytes[3]!,
      pid: 2,
      timestamp: view.getBigUint64(8, true),
      nonce: view.getBigUint64(16, true),
      payload: view.getUint32(24, true),
    }),
  );
  return other.error === undefined ? { ...other, pid: 1n } : other;
}

export function referenceEncode(frame: {
  readonly status: number;
  readonly pid: number;
  readonly timestamp: bigint;
  readonly nonce: bigint;
  readonly payload: number;
}): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  bytes.set([0x56, 0x41, 2, frame.status]);
  view.setUint32(4, frame.pid, true);
  view.setBigUint64(8, frame.timestamp, true);
  view.setBigUint64(16, frame.nonce, true);
  view.setUint32(24, frame.payload, true);
  view.setUint32(28, referenceCrc32c(bytes, 28), true);
  return bytes;
}
