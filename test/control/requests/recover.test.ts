import { describe, expect, test } from "bun:test";
import { RECOVER } from "../../../src/control/requests/recover.ts";
import type { EventView, RecoveryEvent } from "../../../src/view/event_view.ts";
import { Acting, linesOf } from "./acting.ts";

function happened(acting: Acting, pid: number, recovery: RecoveryEvent): void {
  const event: EventView = { time: "", kind: "recovery", agent: "worker", pid, recovery };
  acting.events.add(event, 0);
}

describe("the request recover", () => {
  test("tells what its recovery does until it is over, and of no other", () => {
    const acting = new Acting(RECOVER);
    const answer = acting.open({ target: "100", force: true });
    expect(linesOf(answer)).toMatchObject([
      { v: 1, id: 1, pid: 100, by: "dana", passed_over: ["not_stalled"] },
    ]);
    happened(acting, 101, { id: 7, what: "not_helped" });
    happened(acting, 100, { id: 1, what: "done", step: 1, result: "exit 0" });
    expect(acting.wakes).toBeGreaterThan(0);
    expect(linesOf(answer)).toMatchObject([{ v: 1, kind: "recovery", recovery: { step: 1 } }]);
    expect(answer.next()).toBeNull();
    happened(acting, 100, { id: 1, what: "helped", took_ms: 5 });
    expect(linesOf(answer)).toMatchObject([{ recovery: { what: "helped" } }]);
    expect(answer.next()).toBeUndefined();
  });

  test("that does not wait is over when it has begun", () => {
    const acting = new Acting(RECOVER);
    const answer = acting.open({ target: "100", force: true, no_wait: true });
    expect(linesOf(answer)).toHaveLength(1);
    expect(answer.next()).toBeUndefined();
    happened(acting, 100, { id: 1, what: "helped" });
    expect(acting.wakes).toBe(0);
  });

  test("that is refused names the gate, and is noted", () => {
    const acting = new Acting(RECOVER);
    expect(acting.ask({ target: "100" })).toMatchObject([
      { error: "refused", gate: "not_stalled", text: expect.stringContaining("it is not stalled") },
    ]);
    expect(acting.harness.acted).toMatchObject([{ act: "recover", pid: 100, isRefused: true }]);
  });

  test("hears nothing more when who asked has left", () => {
    const acting = new Acting(RECOVER);
    const answer = acting.open({ target: "100", force: true });
    answer.end?.();
    const { wakes } = acting;
    happened(acting, 100, { id: 1, what: "helped" });
    expect(acting.wakes).toBe(wakes);
  });
});
