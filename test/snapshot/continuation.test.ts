import { describe, expect, test } from "bun:test";
import { continuationOf, type Here } from "../../src/snapshot/continuation.ts";
import { MOMENT } from "./states.ts";

const S = 1e9;

/** The place and the clocks of MOMENT, `seconds` later, in a daemon that has just started. */
function later(seconds: number): Here {
  const { version: _, isFinal: __, ...here } = MOMENT;
  return {
    ...here,
    observerNs: 0,
    monotonicNs: MOMENT.monotonicNs + seconds * S,
    boottimeNs: MOMENT.boottimeNs + seconds * S,
    unixMs: MOMENT.unixMs + seconds * 1_000,
  };
}

describe("continuationOf()", () => {
  test("is the same boot, half a second later", () => {
    const continuation = continuationOf(MOMENT, later(0.5), false);
    expect(continuation).toMatchObject({ otherBoot: "", elapsedNs: 0.5 * S });
    expect(continuation.past(MOMENT.observerNs - 3 * S)).toBe(-3.5 * S);
    expect(continuation.end(MOMENT.observerNs + 60 * S, 1e18)).toBe(59.5 * S);
  });

  test("makes of every time that a file can say one that can be written again", () => {
    const { past, end } = continuationOf(MOMENT, later(90), false);
    expect([past(-(2 ** 63)), end(-(2 ** 63), S)]).toEqual([-(2 ** 63), -(2 ** 63)]);
  });

  test("counts a suspend if the clock of the observer does", () => {
    const here = { ...later(1), boottimeNs: MOMENT.boottimeNs + 601 * S };
    expect(continuationOf(MOMENT, here, false).elapsedNs).toBe(1 * S);
    expect(continuationOf(MOMENT, here, true).elapsedNs).toBe(601 * S);
  });

  test.each([
    ["boot", { bootId: "99999999-2222-3333-4444-555555555555" }],
    ["unknown", { bootId: "" }],
    ["time_namespace", { timeNamespace: 1 }],
    ["time_namespace", { timeNamespace: Number.NaN }],
    ["pid_namespace", { pidNamespace: 1 }],
    ["clock_ahead", { monotonicNs: MOMENT.monotonicNs - 1 }],
    ["clock_ahead", { boottimeNs: MOMENT.boottimeNs - 30 * 86_400 * S }],
  ] as const)("is another boot by %s with %o, and the wall clock counts", (reason, other) => {
    const continuation = continuationOf(MOMENT, { ...later(90), ...other }, false);
    expect(continuation).toMatchObject({ otherBoot: reason, elapsedNs: 90 * S });
  });

  test("two boots that are both unknown are not the same", () => {
    const moment = { ...MOMENT, bootId: "" };
    expect(continuationOf(moment, { ...later(1), bootId: "" }, false).otherBoot).toBe("unknown");
  });

  test("a wall clock that was set back makes nothing longer than it was", () => {
    const here = { ...later(90), bootId: "", unixMs: MOMENT.unixMs - 86_400_000 };
    const continuation = continuationOf(MOMENT, here, false);
    expect(continuation.elapsedNs).toBe(0);
    expect(continuation.end(MOMENT.observerNs + 60 * S, 1e18)).toBe(60 * S);
  });

  test("times that lie ahead of their moment are now at most, and ends have a bound", () => {
    const continuation = continuationOf(MOMENT, later(2), false);
    expect(continuation.past(MOMENT.observerNs + 30 * 86_400 * S)).toBe(-2 * S);
    expect(continuation.past(Number.NaN)).toBeNaN();
    expect(continuation.end(MOMENT.observerNs + 30 * 86_400 * S, 7 * S)).toBe(7 * S);
  });
});
