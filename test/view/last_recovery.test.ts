import { describe, expect, test } from "bun:test";
import type { RecoveryEvent } from "../../src/view/event_view.ts";
import { lastRecovery } from "../../src/view/last_recovery.ts";

/** As a history has them: the last one first. */
function wordOf(...events: readonly RecoveryEvent[]) {
  const all = events.map((recovery) => ({
    time: "",
    kind: "recovery" as const,
    agent: "worker",
    recovery,
  }));
  return lastRecovery(all.reverse());
}

const BEGAN = { id: 51, what: "began", plan: "restart", steps: 3 } as const;
const SECOND = { id: 51, what: "step", step: 2, steps: 3, kind: "wait" } as const;

describe("the last word of a plan", () => {
  test("is what its last recovery came to, and how far that had come", () => {
    const place = { id: 51, step: 2, steps: 3 };
    expect(wordOf(BEGAN, SECOND, { id: 51, what: "helped" })).toEqual({
      ...place,
      state: "helped",
    });
    expect(wordOf(BEGAN, SECOND, { id: 51, what: "not_helped" })?.state).toBe("not_helped");
    expect(wordOf(BEGAN, { id: 51, what: "done", took_ms: 4 })?.state).toBe("done");
  });

  test("is that it gave up, after one that did not help", () => {
    const refusal = { id: 0, what: "refused", reason: "gave_up" } as const;
    expect(wordOf(BEGAN, { id: 51, what: "not_helped" }, refusal)).toEqual({
      id: 0,
      state: "gave_up",
      step: 0,
      steps: 0,
    });
  });

  test("is not what another gate said, nor a step", () => {
    const refusal = { id: 0, what: "refused", reason: "debounced" } as const;
    expect(wordOf(BEGAN, { id: 51, what: "helped" }, refusal)?.state).toBe("helped");
    expect(wordOf(BEGAN, SECOND, { ...SECOND, what: "done" })).toBeUndefined();
    expect(wordOf()).toBeUndefined();
  });
});
