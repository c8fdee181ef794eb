// A flood that takes every place in the queue of a Unix socket, against honest agents that beat
// four times within a threshold: no agent is reported silent, because the kernel's filter keeps the
// flood out.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EPERM } from "../../ffi/constants.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { rowsAtLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { Coverage } from "./coverage.ts";
import { Life } from "./life.ts";
import { Random } from "./random.ts";
import { calmScenario } from "./scenario.ts";
import { REAL_PARTS, type Seams } from "./seams.ts";
import { TraceHash } from "./trace_hash.ts";
import { World } from "./world.ts";

setDefaultTimeout(TEST_MS_MAX);

const AGENTS = 30;
const FLOOD_NS = 5 * NS_PER_S;

/** Runs one life: all agents start, the flood comes and goes. */
function floodedLife(seed: number, seams: Seams): Coverage {
  const coverage = new Coverage();
  const random = new Random(seed);
  const world = new World({ random, agentCount: AGENTS, trace: new TraceHash(), coverage });
  world.beginLife(calmScenario(AGENTS));
  const life = new Life({ world, seams, pageEvery: 50 });
  while (world.trueNs < 2 * NS_PER_S) life.step();
  world.flood = { link: 0, untilNs: world.trueNs + FLOOD_NS, hasBegun: false };
  const endNs = world.flood.untilNs + NS_PER_S;
  while (world.trueNs < endNs) life.step();
  return coverage;
}

function withoutFilter(listener: Listener): Listener {
  listener.filter!.attach = () => -EPERM;
  return listener;
}

describe("honest agents beside a flood of rubbish on their own socket", () => {
  test.each(rowsAtLength([1, 2, 3]))("are never called silent, seed %d", (seed) => {
    const coverage = floodedLife(seed, REAL_PARTS);
    expect(coverage.get("stalls")).toBe(0);
    expect(coverage.get("filtered")).toBeGreaterThan(10_000);
  });

  test("are called silent where the kernel has no filter", () => {
    const unfiltered: Seams = {
      ...REAL_PARTS,
      listener: withoutFilter,
    };
    const coverage = floodedLife(1, unfiltered);
    expect(coverage.get("stalls")).toBeGreaterThan(AGENTS / 2);
    expect(coverage.get("filtered")).toBe(0);
  });
});
