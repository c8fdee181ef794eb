// Listeners that come and go under an observer: each keeps its number, and what is judged waits for
// those alone that there are.
import { describe, expect, test } from "bun:test";
import { ListenerSet } from "../../src/observer/listener_set.ts";
import { beatOf, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness } from "./harness.ts";

function listeners(...names: readonly string[]): ScriptedListener[] {
  return names.map((name) => new ScriptedListener({ name }));
}

describe("ListenerSet", () => {
  test("keeps the number of who is gone, closed, and gives it back", () => {
    const set = new ListenerSet();
    const [a, b, c] = listeners("a", "b", "c") as [
      ScriptedListener,
      ScriptedListener,
      ScriptedListener,
    ];
    for (const [number, one] of [a, b, c].entries()) set.put(number, one);
    const before = set.inForce;
    set.remove(1);
    expect(set.inForce).toEqual([0, 2]);
    expect(set.inForce).not.toBe(before);
    expect([b.closed, set.byNumber[1]]).toEqual([1, b]);
    const [again] = listeners("b") as [ScriptedListener];
    set.put(1, again);
    expect(set.inForce).toEqual([0, 1, 2]);
    expect(set.byNumber).toEqual([a, again, c]);
    set.close();
    expect([a, b, again, c].map(({ closed }) => closed)).toEqual([1, 1, 1, 1]);
  });
});

describe("Observer.changeListeners()", () => {
  test("receives from who came by its number, and from who is gone no more", () => {
    const [first, second, third] = listeners("a", "b", "c") as [
      ScriptedListener,
      ScriptedListener,
      ScriptedListener,
    ];
    const harness = new ObserverHarness({ listeners: [first, second] });
    const { observer } = harness;
    harness.pump();
    observer.changeListeners(
      new Map([
        [0, undefined],
        [2, third],
      ]),
    );
    first.queue([beatOf(70)]);
    second.queue([beatOf(71)]);
    third.queue([beatOf(72)]);
    expect(harness.pump()).toMatchObject([{ pid: 71 }, { pid: 72 }]);
    expect([...observer.accounting.accepted.subarray(0, 3)]).toEqual([0, 1, 1]);
    expect(first.closed).toBe(1);
  });

  test("judges by those that there are, each found empty anew", () => {
    const [first, second] = listeners("a", "b") as [ScriptedListener, ScriptedListener];
    const harness = new ObserverHarness({ listeners: [first, second] });
    harness.receive(beatOf(70));
    harness.observer.changeListeners(new Map([[1, undefined]]));
    harness.pass(101);
    const { judgePoints } = harness.observer;
    harness.pump();
    expect(harness.observer.judgePoints).toBeGreaterThan(judgePoints);
    expect(harness.stalls()).toEqual([70]);
  });
});
