// What systemd is asked about the end of a member of a unit, and what is made of its answer (spec
// 14 sections 2.1 and 4).
import { describe, expect, test } from "bun:test";
import type { UnitState } from "../../src/systemd/unit_state.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { EndsHarness, MS, signalled } from "./ends_harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / MS;

/** What systemd says of app.service, whose main process 100 was stopped, or crashed. */
function stateOf(harness: EndsHarness, waits: "stopped" | "crashed"): UnitState {
  const nowUs = harness.clock.ns / 1_000;
  return {
    activeState: "failed",
    activeExitUs: waits === "stopped" ? nowUs - 10_000 : nowUs + 100,
    mainPid: 100,
    mainStartUs: nowUs - 1_000_000,
    mainExitUs: nowUs,
    mainCode: 1,
    mainStatus: 7,
    result: "exit-code",
    restarts: 0,
  };
}

describe("MemberEnds of a member of a unit", () => {
  function ended(waitStatus: number, askedMax = Number.POSITIVE_INFINITY): EndsHarness {
    const harness = new EndsHarness();
    harness.askedMax = askedMax;
    harness.units.set(100, "app.service");
    harness.pass(2_000);
    harness.begin(100, { startedMsAgo: 1_000 });
    harness.pass(10);
    harness.end(100, waitStatus);
    expect(harness.asked).toEqual([]);
    return harness;
  }

  test("waits for what systemd says of an unclean end: while its unit is stopped, it is clean", () => {
    const harness = ended(5 << 8);
    expect(harness.turn()).toEqual([]);
    expect(harness.asked).toEqual(["app.service"]);
    // The loop has nothing to do until there is an answer.
    expect(harness.ends.hasWork).toBeFalse();
    harness.unitEnds.answered("other.service", stateOf(harness, "stopped"));
    expect(harness.turn()).toEqual([]);
    harness.unitEnds.answered("app.service", stateOf(harness, "stopped"));
    expect(harness.turn()).toEqual(["gone 100 clean"]);
    expect(harness.tracked).toBe(0);
    expect(harness.unitEnds.waitingCount).toBe(0);
  });

  test("takes the status from systemd where the kernel tells none, and its own word before", () => {
    const unknown = ended(Number.NaN);
    unknown.turn();
    unknown.unitEnds.answered("app.service", stateOf(unknown, "crashed"));
    expect(unknown.turn()).toEqual(["exit 100 unclean"]);
    expect(unknown.statuses).toEqual([7]);
    const known = ended(5 << 8);
    known.turn();
    known.unitEnds.answered("app.service", stateOf(known, "crashed"));
    expect(known.turn()).toEqual(["exit 100 unclean"]);
    expect(known.statuses).toEqual([5]);
  });

  test("asks nothing of a clean end, of one whose end is ignored, and of one without a unit", () => {
    expect(ended(0).turn()).toEqual(["gone 100 clean"]);
    const ignored = ended(9);
    ignored.onExit = "ignore";
    expect(ignored.turn()).toEqual(["gone 100 ignored"]);
    const harness = ended(9);
    harness.begin(2_000);
    harness.end(2_000, 9);
    harness.turn();
    expect(harness.asked).toEqual(["app.service"]);
  });

  test("is decided on with what is known if systemd cannot be asked, or says nothing", () => {
    const refused = ended(9, 0);
    expect(refused.turn()).toEqual(["exit 100 unclean"]);
    const harness = ended(9);
    harness.turn();
    harness.unitEnds.answered("app.service", undefined);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    expect(harness.asked).toHaveLength(1);
  });

  test("is judged at its deadline, whether there is an answer or not", () => {
    const harness = ended(9);
    harness.turn();
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["exit 100 unclean", "stall 100 exited in app.service"]);
    harness.unitEnds.answered("app.service", stateOf(harness, "stopped"));
    expect(harness.turn()).toEqual([]);
  });

  test("is asked for three times at most if systemd has not looked yet", () => {
    const harness = ended(Number.NaN);
    harness.turn();
    for (let asks = 1; asks <= 3; asks++) {
      expect(harness.asked).toHaveLength(asks);
      const early = { ...stateOf(harness, "crashed"), mainCode: 0, activeState: "active" };
      harness.unitEnds.answered("app.service", early);
    }
    expect(harness.asked).toHaveLength(3);
    expect(harness.turn()).toEqual(["exit 100 unknown"]);
  });

  test("is never clean if a recovery has signalled it, whatever its unit does", () => {
    const harness = new EndsHarness();
    harness.units.set(100, "app.service");
    harness.begin(100);
    harness.ends.onOutcome(signalled(100));
    harness.end(100, 15);
    harness.turn();
    harness.unitEnds.answered("app.service", stateOf(harness, "stopped"));
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
  });

  test("excuses its end by a newcomer that started while systemd was asked", () => {
    const harness = ended(9);
    harness.units.set(101, "app.service");
    harness.turn();
    harness.pass(20);
    harness.begin(101);
    expect(harness.told).toEqual([]);
    harness.pass(30);
    harness.unitEnds.answered("app.service", stateOf(harness, "crashed"));
    expect(harness.turn()).toEqual(["exit 100 unclean", "gone 100 replaced by 101"]);
  });
});
