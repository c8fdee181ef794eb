import { describe, expect, test } from "bun:test";
import { hasPlace } from "../../src/control/places.ts";

const DAEMON = 990;

/** `each` connections of each of `uids`. */
function open(each: number, ...uids: readonly number[]): number[] {
  return uids.flatMap((uid) => Array.from({ length: each }, () => uid));
}

const SIX = [1_001, 1_002, 1_003, 1_004, 1_005, 1_006];

describe("hasPlace()", () => {
  test("gives a user eight places, and root no more", () => {
    for (const uid of [0, DAEMON, 1_001]) {
      expect(hasPlace(uid, open(7, uid), DAEMON)).toBe(true);
      expect(hasPlace(uid, open(8, uid), DAEMON)).toBe(false);
    }
  });

  test("keeps the places of root and of the daemon's user, however many others there are", () => {
    expect(hasPlace(1_007, open(8, ...SIX).slice(1), DAEMON)).toBe(true);
    expect(hasPlace(1_007, open(8, ...SIX), DAEMON)).toBe(false);
    for (const uid of [0, DAEMON])
      for (let own = 0; own < 8; own++)
        expect(hasPlace(uid, [...open(8, ...SIX), ...open(own, uid)], DAEMON)).toBe(true);
  });

  test("has 64 in all", () => {
    const full = [...open(8, ...SIX), ...open(8, 0, DAEMON)];
    expect(full).toHaveLength(64);
    for (const uid of [0, DAEMON, 1_007]) expect(hasPlace(uid, full, DAEMON)).toBe(false);
  });

  test("counts those of whom the kernel tells nothing as one user", () => {
    const nobody = Array.from({ length: 8 }, () => undefined);
    expect(hasPlace(undefined, nobody.slice(1), DAEMON)).toBe(true);
    expect(hasPlace(undefined, nobody, DAEMON)).toBe(false);
  });
});
