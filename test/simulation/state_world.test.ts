// Daemons that are killed at any step and begin again with what is left (spec 18): nothing is
// forgotten but what changed in the last two seconds, and nothing is said or done twice.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { plainState } from "../../src/snapshot/decoder.ts";
import type { State } from "../../src/snapshot/records.ts";
import { Random } from "./random.ts";
import type { StateDaemon } from "./state_daemon.ts";
import { readOf } from "../snapshot/states.ts";
import { StateWorld } from "./state_world.ts";
import { rowsAtLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

// A busy machine may be slow; what a run does depends on its seed alone.
setDefaultTimeout(TEST_MS_MAX);

const SEEDS = rowsAtLength([10, 9]);
const LIVES = 40;
const STEPS_MAX = 80;
/** Of a life in which all that a start holds is over. */
const LONG_STEPS = 400;

async function run(seed: number, breakIt?: (daemon: StateDaemon) => void): Promise<StateWorld> {
  const random = new Random(seed);
  const world = new StateWorld(random, breakIt);
  for (let life = 0; life < LIVES; life++) {
    const stepCount = random.chance(0.1) ? LONG_STEPS : random.below(STEPS_MAX);
    for (let steps = stepCount; steps > 0; steps--) await world.step();
    await world.restart();
  }
  return world;
}

/** A daemon to which a state says something else than it does. */
function misreading(change: (state: State) => Partial<State>) {
  return (daemon: StateDaemon): void => {
    const restore = daemon.restore.bind(daemon);
    daemon.restore = (read, isAnew) => {
      if (read === undefined) return restore(read, isAnew);
      const state = plainState(read);
      return restore(readOf({ ...state, ...change(state) }), isAnew);
    };
  };
}

/**
 * What a run found wrong. It is awaited: `expect().rejects` would turn the runtime's loop by
 * itself meanwhile, which takes minutes beside what other files have left in it.
 */
async function found(breakIt: (daemon: StateDaemon) => void): Promise<string> {
  for (const seed of SEEDS) {
    const message = await run(seed, breakIt).then(
      () => "",
      (error: Error) => error.message,
    );
    if (message !== "") return message;
  }
  return "nothing";
}

describe("lives of a daemon that keeps its state", () => {
  test("forget, repeat and invent nothing, and everything happens in some run", async () => {
    const total = new Map<string, number>();
    for (const seed of SEEDS) {
      const { ledger, endings, lostNsMax } = await run(seed);
      for (const [what, count] of [...Object.entries(ledger.counts), ...endings])
        total.set(what, (total.get(what) ?? 0) + count);
      expect(lostNsMax).toBeGreaterThan(0);
    }
    expect([...total].filter(([, count]) => count === 0)).toEqual([]);
    expect(total.size).toBe(26);
  });

  test.each([
    ["members", "who was a member comes back", () => ({ member: [] })],
    ["mutes", "a mute goes on", () => ({ mute: [] })],
    [
      "stalls",
      "stalled stays stalled",
      ({ member }: State) => ({ member: member.map((one) => ({ ...one, isStalled: false })) }),
    ],
    [
      "ends",
      "a death is told once",
      ({ member }: State) => ({ member: member.map((one) => ({ ...one, hasEnded: false })) }),
    ],
    [
      "what a mute holds",
      "held is held",
      ({ member }: State) => ({
        member: member.map((one) => ({ ...one, held: "" as const })),
      }),
    ],
    ["graces", "missing is told", () => ({ grace: [] })],
    ["who is missing", "missing stays missing", () => ({ missing: [] })],
    [
      "an active guard",
      "a guard goes on",
      ({ guard }: State) => ({ guard: guard.map((one) => ({ ...one, isActive: false })) }),
    ],
    [
      "the rest of a guard",
      "a rest goes on",
      ({ guard }: State) => ({ guard: guard.map((one) => ({ ...one, restNs: Number.NaN })) }),
    ],
  ] as const)("that forget %s are found out", async (_what, promise, change) => {
    expect(await found(misreading(change))).toContain(promise);
  });

  test("that note no recovery before it begins are found out", async () => {
    const forgetful = await found(({ recovery }) => {
      recovery.notes.note = () => undefined;
    });
    expect(forgetful).toMatch(/no recovery is repeated|a budget goes on/);
  });

  test("that do not write what has changed are found out", async () => {
    const idle = await found(({ writer }) => {
      writer.changed = () => {};
    });
    expect(idle).toContain("a loss is bounded");
  });

  test("that judge who runs and holds a dead connection are found out", async () => {
    const hasty = await found(({ cutOff }) => {
      cutOff.begin = () => {};
    });
    expect(hasty).toContain("who runs and may be cut off is held");
  });

  test("that hold who does not run are found out", async () => {
    const patient = await found(({ cutOff, observer }) => {
      const { table } = observer.tracker;
      cutOff.maintain = (nowNs) => {
        table.restoredGate = { judgedFromNs: () => nowNs + 1e9, isHeld: () => true };
      };
    });
    expect(patient).toContain("no stall is missed");
  });

  test("of which a silence goes on while nobody listens are found out", async () => {
    const hasty = await found(({ observer }) => {
      observer.tracker.pauses.startAt = () => {};
    });
    expect(hasty).toContain("no false stall");
  });
});
