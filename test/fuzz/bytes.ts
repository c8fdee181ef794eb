// Damage to bytes, of the kinds that the world and its attackers do.
import type { Random } from "../simulation/random.ts";

const EDGES = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff];

/** Changes some bytes in place: a bit, a byte, a run, or a part that is copied over another. */
export function damage(random: Random, bytes: Uint8Array): void {
  for (let changes = 1 + random.below(3); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length);
    switch (random.below(5)) {
      case 0:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 1:
        bytes[at] = random.below(256);
        break;
      case 2:
        bytes[at] = random.pick(EDGES);
        break;
      case 3:
        // A Buffer refuses what an array would cut off.
        bytes.fill(random.pick([0, 0xff]), at, Math.min(bytes.length, at + random.pick([2, 4, 8])));
        break;
      default:
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
    }
  }
}

export function randomBytes(random: Random, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => random.below(256));
}
