// Agents that number their beats from the beginning again: when a low nonce is taken, and when it
// is not.
import { describe, expect, test } from "bun:test";
import { VOUCHED_BY_KEY } from "../../src/events/datagram.ts";
import { Harness, MAX, NET, OPERATOR } from "./harness.ts";

const KNOWN = { generation: 5 };

describe("a nonce that went back, of a sender that the kernel vouches for", () => {
  function beating(): Harness {
    const h = new Harness();
    h.beat(7, 5_000, 0, { ...KNOWN, ts: 1_000n });
    return h;
  }

  test("is taken if the clock of the frame went on, and counted", () => {
    const h = beating();
    expect(h.beat(7, 1, 10, { ...KNOWN, ts: 1_001n })).toBe("Refreshed");
    expect(h.beat(7, 2, 20, { ...KNOWN, ts: 1_002n })).toBe("Refreshed");
    expect(h.takeMoved()).toEqual({ nonceRestarts: 1 });
  });

  test("is refused if the clock stood still or went back", () => {
    const h = beating();
    expect(h.beat(7, 1, 10, { ...KNOWN, ts: 1_000n })).toBe("OutOfOrder");
    expect(h.beat(7, 4_000, 20, { ...KNOWN, ts: 999n })).toBe("OutOfOrder");
    expect(h.takeMoved()).toEqual({ outOfOrder: 2 });
  });

  test("is taken without a clock at the third of a run that begins at 1", () => {
    const h = beating();
    const outcomes = [1, 2, 3, 4].map((nonce) => h.beat(7, nonce, nonce, { ...KNOWN, ts: 5n }));
    expect(outcomes).toEqual(["OutOfOrder", "OutOfOrder", "Refreshed", "Refreshed"]);
  });

  test("of another process, or of one that is not known any more, is not taken for the old one's", () => {
    const h = beating();
    expect(h.beat(7, 1, 10, { ts: 1_001n })).toBe("OutOfOrder");
    expect(h.beat(7, 1, 10, { generation: 6, ts: 1_001n })).toBe("Inserted");
    expect(h.takeMoved()).toEqual({ outOfOrder: 1, pidRecycles: 1 });
  });

  test("compares with the last regular beat: a crash beat has a clock of its own", () => {
    const h = beating();
    h.beat(7, MAX, 5, { ...KNOWN, ts: 9_000n });
    expect(h.beat(7, 1, 10, { ...KNOWN, ts: 1_001n })).toBe("Refreshed");
  });
});

describe("a nonce that went back, of a sender with a key", () => {
  const keyed = { origin: OPERATOR, vouched: VOUCHED_BY_KEY };

  test("is taken if the clock of the frame went on", () => {
    const h = new Harness();
    h.beat(7, 5_000, 0, { ...keyed, ts: 1_000n });
    expect(h.beat(7, 1, 10, { ...keyed, ts: 1_001n })).toBe("Refreshed");
  });

  test("is never taken for a run, which may have been recorded", () => {
    const h = new Harness();
    h.beat(7, 5_000, 0, { ...keyed, ts: 1_000n });
    const outcomes = [1, 2, 3, 4].map((nonce) => h.beat(7, nonce, nonce, { ...keyed, ts: 1n }));
    expect(outcomes).toEqual(Array(4).fill("OutOfOrder"));
  });
});

describe("a nonce that went back, of a sender that nothing vouches for", () => {
  /** What becomes of `nonces` after nonce 5000, all within the threshold. */
  function behind(nonces: readonly (number | bigint)[]): string[] {
    const h = new Harness();
    h.beat(7, 5_000, 0, { origin: NET, ts: 1_000n });
    return nonces.map((nonce, i) => h.beat(7, nonce, 1 + i, { origin: NET, ts: 2_000n }));
  }

  test.each([
    ["three rising numbers from 1", [1, 2, 3], 2],
    ["rising numbers with gaps", [1, 9, 40], 2],
    ["a run that begins again", [1, 2, 1, 2, 3], 4],
    ["a run behind older numbers", [4_000, 4_001, 1, 2, 3], 4],
  ] as const)("is taken for a restart: %s", (_what, nonces, taken) => {
    expect(behind(nonces).indexOf("Refreshed")).toBe(taken);
  });

  test.each([
    ["its clock alone", [1]],
    ["a run that does not begin at 1", [2, 3, 4, 5]],
    ["the same number again and again", [1, 1, 1, 1]],
    ["numbers that fall in between", [1, 3, 2, 4]],
  ] as const)("is refused for %s", (_what, nonces) => {
    expect(behind(nonces)).toEqual(nonces.map(() => "OutOfOrder"));
  });

  test("an accepted beat ends the run: one agent does not put back another", () => {
    const outcomes = behind([1, 2, 5_001, 3, 4]);
    expect(outcomes).toEqual(["OutOfOrder", "OutOfOrder", "Refreshed", "OutOfOrder", "OutOfOrder"]);
  });
});
