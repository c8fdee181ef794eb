// Silence that is the observer's own fault first (spec 12 section 10).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { GUARD_WINDOWS_MAX, type GuardSettings } from "../../src/observer/guard.ts";
import { ReferenceGuard } from "../reference/guard.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { GUARD_DEFAULTS, GuardWorld, range, THRESHOLD } from "./guard_world.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(200, 2_000);

describe("Guard", () => {
  test("holds who falls silent after more than the share of them did, and not those before", () => {
    const world = new GuardWorld(12);
    expect(world.fall(range(8))).toEqual([...Array(6).fill(false), true, true]);
    expect(world.guard.view).toMatchObject({ silent: 7, members: 12, windowNs: THRESHOLD });
  });

  test.each([
    [9, 9, false],
    [10, 5, false],
    [10, 6, true],
    [100, 50, false],
    [100, 51, true],
  ])("of %i members %i at once: active is %p", (members, silent, isActive) => {
    const world = new GuardWorld(members);
    world.fall(range(silent));
    expect(world.guard.isActive).toBe(isActive);
  });

  test("counts falls within the largest threshold of the silent, or within the window that is set", () => {
    const [largest, set] = [new GuardWorld(12), new GuardWorld(12, { windowNs: 2 * THRESHOLD })];
    for (const world of [largest, set]) {
      world.fall(range(4));
      world.pass(THRESHOLD + 1);
      world.fall(range(4, 5));
    }
    expect([largest.guard.isActive, set.guard.isActive]).toEqual([false, true]);
    const slow = new GuardWorld(12);
    slow.fall([1], { thresholdNs: 15 * THRESHOLD });
    slow.fall(range(3, 2));
    slow.pass(15 * THRESHOLD);
    slow.fall(range(3, 5));
    expect(slow.guard.view?.windowNs).toBe(15 * THRESHOLD);
  });

  test("does not count who came back, or whose end is known", () => {
    const world = new GuardWorld(12);
    world.fall(range(6));
    world.back([1, 2, 3]);
    expect(world.fall(range(3, 7))).toEqual([false, false, false]);
  });

  test("does not count among the members who has been silent for longer than the window", () => {
    const world = new GuardWorld(24);
    world.fall(range(10));
    world.pass(60 * THRESHOLD);
    // 14 are left, and 8 of them are more than a half.
    expect(world.fall(range(8, 11)).at(-1)).toBe(true);
    expect(world.guard.view).toMatchObject({ silent: 8, members: 14 });
  });

  test("is over when a self-beat went round and one more threshold has passed, and they are judged", () => {
    const world = new GuardWorld(12);
    world.fall(range(8));
    const sinceNs = world.nowNs;
    world.told();
    world.selfBeats();
    world.pass(THRESHOLD - 1);
    expect(world.guard.isActive).toBe(true);
    world.pass(1);
    expect(world.told()).toEqual([`over ${sinceNs + THRESHOLD} judged ${THRESHOLD} 8`]);
    expect(world.fall(range(8))).toEqual(Array(8).fill(false));
  });

  test.each([
    ["sent before it became active", 0, NS_PER_MS],
    ["late by more than a quarter of the window", 1, THRESHOLD / 4 + 1],
  ])("waits for another self-beat after one that was %s", (_name, afterNs, tookNs) => {
    const world = new GuardWorld(12);
    if (afterNs === 0) world.selfBeats(tookNs);
    world.pass(1);
    world.fall(range(8));
    if (afterNs > 0) world.selfBeats(tookNs);
    world.pass(THRESHOLD);
    expect(world.guard.isActive).toBe(true);
    world.selfBeats();
    world.pass(0);
    expect(world.guard.isActive).toBe(false);
  });

  test("goes by time alone where there is no self-beat", () => {
    const world = new GuardWorld(12);
    world.selfBeat.isKept = false;
    world.fall(range(8));
    world.pass(THRESHOLD);
    expect(world.guard.isActive).toBe(false);
  });

  test("is over at once when all are back", () => {
    const world = new GuardWorld(12);
    world.fall(range(8));
    const sinceNs = world.nowNs;
    world.told();
    world.back(range(7));
    world.pass(1);
    expect(world.guard.isActive).toBe(true);
    world.back([8]);
    world.pass(1);
    expect(world.told()).toEqual([`over ${sinceNs + 2} back 2 0`]);
  });

  test("ends after five windows, though no self-beat ever went round", () => {
    const world = new GuardWorld(12);
    world.fall(range(8));
    const sinceNs = world.nowNs;
    world.told();
    world.pass(GUARD_WINDOWS_MAX * THRESHOLD - 1);
    expect(world.guard.nextDeadlineNs(world.nowNs)).toBe(world.nowNs + 1);
    expect(world.guard.isActive).toBe(true);
    world.pass(1);
    expect(world.told()).toEqual([`over ${sinceNs + 5 * THRESHOLD} longest ${5 * THRESHOLD} 8`]);
  });

  test("evidence of the observer's own fault begins the wait again, and is its cause", () => {
    const world = new GuardWorld(12);
    world.fall(range(8));
    world.pass(THRESHOLD / 2);
    world.selfBeats();
    world.guard.saw("queue_full", world.nowNs + 1);
    world.pass(THRESHOLD / 2);
    expect(world.guard.isActive).toBe(true);
    world.selfBeats();
    world.pass(THRESHOLD / 2 + 1);
    expect(world.guard.changes.at(-1)).toMatchObject({ end: "judged", evidence: "queue_full" });
  });

  test("says how often to look while it is active, and shows what was seen", () => {
    const world = new GuardWorld(12);
    expect(world.guard.lookPeriodNs).toBe(Number.POSITIVE_INFINITY);
    world.fall(range(8));
    expect(world.guard.lookPeriodNs).toBe(THRESHOLD / 4);
    expect(world.guard.view!.evidence).toBeUndefined();
    world.guard.saw("full_pipe", world.nowNs);
    expect(world.guard.view!.evidence).toBe("full_pipe");
    const quick = new GuardWorld(12);
    quick.fall(range(8), { thresholdNs: 10 * NS_PER_MS });
    expect(quick.guard.lookPeriodNs).toBe(5 * NS_PER_MS);
  });

  test.each([
    [2 * THRESHOLD, "paused"],
    [2 * THRESHOLD + 1, undefined],
  ] as const)("evidence from %i ns before it is its cause: %p", (beforeNs, evidence) => {
    const world = new GuardWorld(12);
    world.guard.saw("paused", world.nowNs);
    world.pass(beforeNs);
    world.fall(range(8));
    world.back(range(8));
    world.pass(1);
    expect(world.guard.changes.at(-1)).toMatchObject({ end: "back", evidence });
  });

  test.each([
    [THRESHOLD, 60 * NS_PER_S],
    [20 * NS_PER_S, 200 * NS_PER_S],
  ])("with a threshold of %i ns it does not become active again for %i", (thresholdNs, restNs) => {
    const world = new GuardWorld(12);
    world.fall(range(8), { thresholdNs });
    world.back(range(8));
    world.pass(1);
    world.pass(restNs - 1);
    world.fall(range(8), { thresholdNs });
    expect(world.guard.isActive).toBe(false);
    world.back(range(8));
    world.pass(1);
    world.fall(range(8), { thresholdNs });
    expect(world.guard.isActive).toBe(true);
  });

  test("one uid without a rule cannot bring it about, however many of its members fall silent", () => {
    const world = new GuardWorld(1_000);
    expect(world.fall(range(990), { uid: 1_000, isRuled: false })).not.toContain(true);
    // Of 1,000, only 20 count: half of those are of others.
    world.pass(1);
    world.fall(range(10, 991));
    expect(world.guard.isActive).toBe(false);
  });

  test("one uid without a rule is at most half of what brings it about", () => {
    const world = new GuardWorld(12);
    world.fall(range(4), { uid: 1_000, isRuled: false });
    world.fall(range(3, 5), { uid: 1_001, isRuled: false });
    expect(world.guard.isActive).toBe(false);
    world.pass(1);
    world.fall([8]);
    expect(world.guard.isActive).toBe(true);
  });

  test("switched off it holds nobody, and lets go whom it holds", () => {
    expect(new GuardWorld(12, { isOn: false }).fall(range(12))).not.toContain(true);
    const world = new GuardWorld(12);
    world.fall(range(12));
    world.guard.change({ ...GUARD_DEFAULTS, isOn: false }, world.nowNs);
    expect(world.guard.changes.at(-1)).toMatchObject({ end: "off", silent: 12 });
    expect(world.guard.recoveryNs(world.nowNs, 12)).toBe(world.nowNs);
  });
});

describe("Guard recoveryNs()", () => {
  test("waits 0.3 s where it may become active, for ever while it is, and not at all after it", () => {
    const world = new GuardWorld(12);
    const foundNs = world.nowNs;
    const askedNs = () => world.guard.recoveryNs(world.nowNs, 12);
    expect(askedNs()).toBe(foundNs + 300 * NS_PER_MS);
    expect(world.guard.recoveryNs(foundNs, 9)).toBe(foundNs);
    world.fall(range(12));
    expect(askedNs()).toBe(Number.POSITIVE_INFINITY);
    world.back(range(12));
    world.pass(1);
    expect(askedNs()).toBe(world.nowNs);
  });
});

type Step =
  | { readonly do: "fall"; readonly keys: readonly number[]; readonly thresholdS: number }
  | { readonly do: "back"; readonly key: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "self-beat"; readonly tookMs: number }
  | { readonly do: "evidence" };

const KEYS = 24;
const KEY = fc.integer({ min: 1, max: KEYS });
const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("fall" as const),
    keys: fc.uniqueArray(KEY, { maxLength: 14 }),
    thresholdS: fc.constantFrom(1, 1, 2, 15),
  }),
  fc.record({ do: fc.constant("back" as const), key: KEY }),
  fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 250, 999, 1_000, 61_000) }),
  fc.record({ do: fc.constant("self-beat" as const), tookMs: fc.constantFrom(1, 250, 251, 5_000) }),
  fc.record({ do: fc.constant("evidence" as const) }),
);

interface Run {
  readonly steps: readonly Step[];
  readonly members: number;
  readonly settings: GuardSettings;
  readonly isKept: boolean;
}

const RUN: fc.Arbitrary<Run> = fc.record({
  steps: fc.array(STEP, { minLength: 5, maxLength: 60 }),
  members: fc.integer({ min: KEYS, max: KEYS + 12 }),
  settings: fc.record({
    isOn: fc.constant(true),
    share: fc.constantFrom(0.1, 0.5, 0.9, 1),
    membersMin: fc.constantFrom(2, 10, 30),
    windowNs: fc.constantFrom(undefined, undefined, NS_PER_S, 3 * NS_PER_S),
  }),
  isKept: fc.boolean(),
});

/** The uid and the rule of a member follow from its key, so that a fall says the same each time. */
function ownerOf(key: number): { uid: number; isRuled: boolean } {
  return { uid: key % 7 === 0 ? Number.NaN : key % 3, isRuled: key % 4 === 0 };
}

function play(
  { steps, members, settings, isKept }: Run,
  each: (world: GuardWorld) => void,
): GuardWorld {
  const world = new GuardWorld(members, settings);
  const slow = new ReferenceGuard(settings, world.selfBeat);
  world.selfBeat.isKept = isKept;
  const told: string[] = [];
  for (const step of steps) {
    if (step.do === "fall") {
      for (const key of step.keys) {
        if (world.silent.has(key)) continue;
        const of = { ...ownerOf(key), thresholdNs: step.thresholdS * NS_PER_S };
        const [isHeld] = world.fall([key], of);
        const beating = members - world.silent.size;
        expect(isHeld).toBe(slow.holds({ key, atNs: world.nowNs, ...of }, beating));
      }
    } else if (step.do === "back") {
      world.back([step.key]);
      slow.returned(step.key);
    } else if (step.do === "pass") {
      world.pass(step.ms * NS_PER_MS);
      slow.look(world.nowNs, members - world.silent.size);
    } else if (step.do === "self-beat") world.selfBeats(step.tookMs * NS_PER_MS);
    else {
      world.guard.saw("queue_full", world.nowNs);
      slow.saw(world.nowNs);
    }
    each(world);
    told.push(...world.told());
    expect(told).toEqual(slow.told);
  }
  return world;
}

describe("Guard, whatever happens", () => {
  test("says what its slow twin says", () => {
    fc.assert(
      fc.property(RUN, (run) => void play(run, () => {})),
      { numRuns: RUNS },
    );
  });

  test("begins no sooner than after a rest of ten windows, at least a minute", () => {
    fc.assert(
      fc.property(RUN, (run) => {
        let notBeforeNs = Number.NEGATIVE_INFINITY;
        let windowNs = 0;
        play(run, ({ guard }) => {
          for (const change of guard.changes) {
            if (change.kind === "active") {
              expect(change.atNs).toBeGreaterThanOrEqual(notBeforeNs);
              windowNs = change.view.windowNs;
            } else notBeforeNs = change.atNs + Math.max(60 * NS_PER_S, 10 * windowNs);
          }
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("is over by the first look after five windows", () => {
    fc.assert(
      fc.property(RUN, (run) => {
        play(run, ({ guard, nowNs }) => {
          if (guard.view === undefined) return;
          const { sinceNs, windowNs } = guard.view;
          expect(nowNs).toBeLessThan(sinceNs + 5 * windowNs);
          expect(guard.nextDeadlineNs(nowNs)).toBeLessThanOrEqual(sinceNs + 5 * windowNs);
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("is never brought about by members of one uid without a rule", () => {
    fc.assert(
      fc.property(fc.array(KEY, { maxLength: KEYS }), fc.nat(12), (keys, others) => {
        const world = new GuardWorld(KEYS + others);
        for (const key of keys) world.fall([key], { uid: 1_000, isRuled: false });
        world.pass(1);
        expect(world.guard.isActive).toBe(false);
      }),
      { numRuns: RUNS },
    );
  });
});
