// Seeded runs of processes that end, judged by what is promised of ends (spec 14).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EXPECTED } from "../../src/agents/expected_agents.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { LATES } from "../../src/observer/silence_watch.ts";
import { MortalWorld } from "./mortal_world.ts";
import { Random } from "./random.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

// A busy machine may be slow; what a run does depends on its seed alone.
setDefaultTimeout(TEST_MS_MAX);

const THRESHOLD_NS = 1_500 * NS_PER_MS;
const STEPS = 3_000;

describe("ends of simulated processes", () => {
  test.each([1, 2, 3, 4])("are reported as is promised, seed %d", (seed) => {
    const world = new MortalWorld(new Random(seed), THRESHOLD_NS);
    for (let step = 0; step < STEPS; step++) world.step();
    world.finish(THRESHOLD_NS);
    world.promises.finish();
    const { counts } = world.promises;
    for (const how of ["clean", "unclean", "unknown", "replaced", "brief"] as const) {
      expect(world.counted(how)).toBe(counts[how]);
      expect(counts[how]).toBeGreaterThan(0);
    }
    expect(world.promises.stopped).toBeGreaterThan(0);
    expect(world.unitEnds.waitingCount).toBe(0);
    const { late, missing, complete } = world.promises.owed;
    expect(Math.min(late, missing, complete)).toBeGreaterThan(0);
    expect(world.observer.silence.counters.get(LATES.lates)).toBe(late);
    expect(world.expected.counters.get(EXPECTED.missing)).toBe(missing);
    expect(world.expected.counters.get(EXPECTED.complete)).toBe(complete);
    expect(world.expected.missingCount).toBe(1);
    expect(world.tracked).toBe(0);
    expect(world.watch.count).toBe(0);
    expect(world.ends.hasWork).toBeFalse();
    const { mutes, reads, mutedMembers } = world.seen;
    expect(Math.min(mutes, reads, mutedMembers)).toBeGreaterThan(0);
  });
});
