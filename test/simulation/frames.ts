// Frames for the simulated network, made by the slow codec: the code under test is not used to
// build its own input.
import { referenceControlDatagram } from "../reference/control_datagram.ts";
import {
  referenceCrc32c,
  referenceDecode,
  referenceDecodeInner,
  referenceEncode,
} from "../reference/frame.ts";
import type { Random } from "./random.ts";

export const TERMINAL_NONCE = 2n ** 64n - 1n;

export interface FrameFields {
  readonly status: number;
  readonly pid: number;
  readonly timestamp: bigint;
  readonly nonce: bigint;
  readonly payload: number;
}

export function frameBytes(fields: FrameFields): Uint8Array {
  return referenceEncode(fields);
}

/** True for what no listener takes for a beat, from any sender. */
export function isRubbish(bytes: Uint8Array, containers: boolean): boolean {
  const decode = containers ? referenceDecodeInner : referenceDecode;
  if (bytes.length === 64)
    return referenceControlDatagram(bytes, containers ? 1 : 2).error !== undefined;
  return bytes.length !== 32 || decode(bytes).error !== undefined;
}

/** A frame that breaks exactly one rule of the wire, with its CRC right unless that is the rule. */
export function brokenFrame(random: Random, good: FrameFields): Uint8Array {
  const bytes = frameBytes(good);
  switch (random.below(9)) {
    case 0:
      bytes[random.below(2)]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[2] = random.pick([0, 1, 3, 255]);
      return stamped(bytes);
    case 2:
      bytes[3] = random.between(4, 255);
      return stamped(bytes);
    case 3:
      bytes[3] = 3;
      return stamped(bytes);
    case 4:
      return frameBytes({ ...good, pid: random.below(2) });
    case 5:
      return frameBytes({ ...good, timestamp: 2n ** 64n - 1n });
    case 6:
      return frameBytes({ ...good, status: random.below(2), nonce: TERMINAL_NONCE });
    case 7:
      bytes[random.between(3, 31)]! ^= 1 << random.below(8);
      return bytes;
    default:
      for (let i = 0; i < 32; i++) bytes[i] = random.below(256);
      return bytes;
  }
}

function stamped(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(28, referenceCrc32c(bytes, 28), true);
  return bytes;
}
