// A handful of small runs on every test run, longer ones with `npm run test:long`; the longest are
// started by hand with `npm run simulate`.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Coverage } from "./coverage.ts";
import { failureText, summaryLine } from "./report.ts";
import { simulate } from "./simulation.ts";
import { AT_LENGTH, atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

// A busy machine may be slow; what a run does depends on its seed alone.
setDefaultTimeout(TEST_MS_MAX);

describe("simulate()", () => {
  test.each([1, 2, 3])("the daemon does what the model says, seed %d", (seed) => {
    const { failure } = simulate({ seed, steps: atLength(250, 700), agents: 24, pageEvery: 8 });
    expect(failure).toBeUndefined();
  });

  test("the daemon does what the model says through several lives with random settings", () => {
    const run = { seed: 77, steps: atLength(2_000, 4_000), agents: 16 };
    const { failure, lives, coverage } = simulate(run);
    expect(failure).toBeUndefined();
    expect(lives).toBeGreaterThanOrEqual(AT_LENGTH ? 3 : 2);
    expect(coverage.missing(["stalls", "resumed", "outcome.spawned", "evictions"])).toEqual([]);
  });

  test("many that fall silent at once are held by the guard, and judged in the end", () => {
    const run = { seed: 13, steps: atLength(700, 1_500), agents: 16, livesSkipped: 2 };
    const { failure, coverage } = simulate(run);
    expect(failure).toBeUndefined();
    expect(coverage.missing(["guard.active", "guard.over", "held", "selfBeatsLost"])).toEqual([]);
  });

  test("a crowd that falls silent at once uses up the budgets of a turn", () => {
    const run = { seed: 5, steps: atLength(120, 400), agents: 400, pageEvery: 50 };
    const { failure, coverage } = simulate(run);
    expect(failure).toBeUndefined();
    expect(coverage.missing(["spawnBudgetExceeded", "outcome.spawned"])).toEqual([]);
  });

  test("the same seed does the same, another seed something else", () => {
    const steps = atLength(120, 250);
    const first = simulate({ seed: 9, steps, agents: 16 });
    const again = simulate({ seed: 9, steps, agents: 16 });
    const other = simulate({ seed: 10, steps, agents: 16 });
    expect(again.hash).toBe(first.hash);
    expect([...again.coverage.counts]).toEqual([...first.coverage.counts]);
    expect(other.hash).not.toBe(first.hash);
  });

  test("a run that is cut short begins like the long one", () => {
    const cut = simulate({ seed: 12, steps: 150, agents: 16, pageEvery: 1 });
    const whole = simulate({ seed: 12, steps: 150, agents: 16, pageEvery: 100 });
    expect(cut.hash).toBe(whole.hash);
  });
});

describe("Coverage", () => {
  test("missing() names the kinds that never occurred", () => {
    const coverage = new Coverage();
    coverage.count("stalls", 2);
    coverage.count("wraps", 0);
    expect(coverage.missing(["stalls", "wraps", "frozen"])).toEqual(["wraps", "frozen"]);
  });
});

describe("report", () => {
  const options = { seed: 7, steps: 1_000, agents: 64 };

  test("summaryLine() is one line with the trace hash and the counts in order", () => {
    const coverage = new Coverage();
    coverage.count("stalls", 3);
    coverage.count("accepted", 40);
    const result = { hash: "0123456789abcdef", lives: 2, coverage, failure: undefined };
    expect(summaryLine(options, result, 0.5)).toBe(
      "simulate: ok seed=7 steps=1000 agents=64 lives=2 trace=0123456789abcdef 0.5s (2000 steps/s) accepted=40 stalls=3\n",
    );
  });

  test("failureText() ends a replay at the step of the failure", () => {
    const text = failureText(options, {
      step: 321,
      life: 1,
      observerNs: 5_000,
      what: "slot 3 latch",
      expected: "true",
      found: "false",
      stack: "at some place",
    });
    expect(text).toContain("FAILED seed=7 step=321 (life 1, observer time 5000 ns)");
    expect(text).toContain("expected: true");
    expect(text).toContain("found:    false");
    expect(text).toContain("--seed 7 --steps 321 --agents 64");
  });

  test("failureText() replays the whole run if an event kind never occurred", () => {
    const text = failureText(options, {
      step: 999,
      life: 1,
      observerNs: 0,
      what: "coverage",
      expected: "every kind of event",
      found: "none of wraps",
      stack: "",
    });
    expect(text).toContain("--seed 7 --steps 1000 --agents 64");
  });
});
