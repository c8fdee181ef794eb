// Why the observer heard nobody (spec 12 section 8.1).
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NS_PER_S } from "../../src/base/time.ts";
import { type PauseCauseWord, pauseCause } from "../../src/daemon/pause_evidence.ts";
import type { OwnTimes } from "../../src/processes/own_times.ts";

const PAUSE_NS = 2 * NS_PER_S;
const NONE: OwnTimes = {
  cpuNs: 5,
  runDelayNs: 7,
  stealNs: 11,
  diskNs: 13,
  frozenNs: 17,
  suspendedNs: 19,
};

function causeOf(grown: Partial<OwnTimes>, wasContinued = false): PauseCauseWord | undefined {
  const names = Object.keys(NONE) as (keyof OwnTimes)[];
  const after = Object.fromEntries(names.map((name) => [name, NONE[name] + (grown[name] ?? 0)]));
  return pauseCause({
    ns: PAUSE_NS,
    before: NONE,
    after: after as unknown as OwnTimes,
    wasContinued,
  });
}

describe("pauseCause()", () => {
  test.each<[Partial<OwnTimes>, boolean, PauseCauseWord | undefined]>([
    [{ suspendedNs: PAUSE_NS }, true, "suspended"],
    [{}, true, "stopped"],
    [{ frozenNs: PAUSE_NS / 2 }, false, "stopped"],
    [{ runDelayNs: PAUSE_NS / 2, cpuNs: PAUSE_NS / 3 }, false, "starved"],
    [{ stealNs: PAUSE_NS / 2, runDelayNs: PAUSE_NS / 3 }, false, "starved"],
    [{ diskNs: PAUSE_NS / 2, runDelayNs: PAUSE_NS / 3 }, false, "slow_disk"],
    [{ cpuNs: PAUSE_NS / 2, diskNs: PAUSE_NS / 3 }, false, "long_stage"],
    [{ cpuNs: PAUSE_NS / 2 - 1 }, false, undefined],
    // It neither ran nor wanted to: a freezer, or a whole machine that stood still.
    [{ cpuNs: PAUSE_NS / 8, runDelayNs: PAUSE_NS / 8 }, false, "stopped"],
    [{ cpuNs: PAUSE_NS / 8, runDelayNs: PAUSE_NS / 8 + 1 }, false, undefined],
  ])("of %p, continued: %p, says %p", (grown, wasContinued, cause) => {
    expect(causeOf(grown, wasContinued)).toBe(cause);
  });

  test("says nothing where the kernel counts nothing", () => {
    const unknown = Object.fromEntries(Object.keys(NONE).map((name) => [name, Number.NaN]));
    expect(causeOf(unknown)).toBeUndefined();
    expect(causeOf(unknown, true)).toBe("stopped");
    expect(causeOf({ ...unknown, runDelayNs: PAUSE_NS })).toBe("starved");
  });

  test("never takes a time that explains less than half of the pause for its cause", () => {
    const part = fc.integer({ min: 0, max: PAUSE_NS / 2 - 1 });
    const grown = fc.record({ cpuNs: part, runDelayNs: part, stealNs: part, diskNs: part });
    fc.assert(
      fc.property(grown, (each) => {
        expect([undefined, "stopped"]).toContain(causeOf(each));
      }),
    );
  });
});
