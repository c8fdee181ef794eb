// Mutes under luck (spec 16 section 8): a mute holds a recovery for its time and not a moment
// longer, nothing is lost in it, and each stall is told of once.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { type MuteCoverage, MUTE_STEPS, MuteWorld } from "./mute_world.ts";
import { Random } from "./random.ts";

setDefaultTimeout(TEST_MS_MAX);

const SEEDS = [1, 2, 3, 4];

function run(seed: number, breakIt?: ConstructorParameters<typeof MuteWorld>[1]): MuteCoverage {
  const world = new MuteWorld(new Random(seed), breakIt);
  for (let steps = 0; steps < MUTE_STEPS; steps++) world.step();
  world.end();
  return world.coverage;
}

describe("mutes at random", () => {
  test("keep what is promised of them, and everything happens in some run", () => {
    const total: Record<string, number> = {};
    for (const seed of SEEDS)
      for (const [what, count] of Object.entries(run(seed)))
        total[what] = (total[what] ?? 0) + count;
    const never = Object.entries(total).filter(([, count]) => count === 0);
    expect(never).toEqual([]);
  });

  test("that let a recovery through are found out", () => {
    expect(() =>
      run(1, (harness) => {
        harness.isMuted = () => false;
      }),
    ).toThrow("nobody is told of who is muted");
  });

  test("that hold for longer than their time are found out", () => {
    expect(() =>
      run(1, (harness) => {
        harness.recovery.held.unmuted = () => {};
      }),
    ).toThrow("who is not muted any more is told of");
  });

  test("that lose what they held are found out", () => {
    expect(() =>
      run(1, (harness) => {
        const { held } = harness.recovery;
        const take = held.take.bind(held);
        held.take = () => void take() as undefined;
      }),
    ).toThrow("who is not muted any more is told of");
  });
});
