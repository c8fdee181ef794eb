// Stream connections under luck (spec 05 section 10), beside a model that knows its text alone.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CLOSE_REASONS } from "../../src/listener/stream_close.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { Random } from "./random.ts";
import { STREAM_STEPS, type StreamBreak, StreamWorld } from "./stream_world.ts";

setDefaultTimeout(TEST_MS_MAX);

const SEEDS = Array.from({ length: atLength(4, 100) }, (_, i) => i + 1);
/** The daemon and its machine have none of these here. */
const NEVER = ["uid", "limit", "limit_uid", "descriptors", "error"];

function run(seed: number, breaks?: StreamBreak): ReadonlyMap<string, number> {
  const world = new StreamWorld(new Random(seed), breaks);
  for (let steps = 0; steps < STREAM_STEPS; steps++) world.step();
  world.end();
  return world.coverage;
}

describe("stream connections at random", () => {
  test("are what the model says, and everything happens in some run", () => {
    const total = new Map<string, number>();
    for (const seed of SEEDS)
      for (const [what, count] of run(seed)) total.set(what, (total.get(what) ?? 0) + count);
    const closings = CLOSE_REASONS.filter((reason) => !NEVER.includes(reason));
    const cuts = Array.from({ length: 31 }, (_, i) => `cut at ${i + 1}`);
    const others = ["beat of a child", "child within a frame", "flood", "stop", "stall"];
    const wanted = [...closings.map((reason) => `closed by ${reason}`), ...cuts, ...others];
    expect(wanted.filter((what) => !((total.get(what) ?? 0) > 0))).toEqual([]);
  });

  test("whose bytes are attested as their connector's are found out", () => {
    const kernel: StreamBreak["kernel"] = (one) => {
      one.credentialsOf = ({ pid }) => pid;
    };
    expect(() => run(1, { kernel })).toThrow();
  });

  test("whose places are never given back are found out", () => {
    const places: StreamBreak["places"] = (one) => {
      one.give = () => {};
    };
    expect(() => run(1, { places })).toThrow("frames received");
  });
});
