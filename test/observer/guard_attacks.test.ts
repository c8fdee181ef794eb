// Who might use the guard against the watch, and who must not wait for it (spec 12 section 10), in
// an observer with members of several users.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { RULE_NONE } from "../../src/agents/rules.ts";
import { Guard } from "../../src/observer/guard.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { ObserverHarness, THRESHOLD_NS } from "./harness.ts";
import { FakeSelfBeat, GUARD_DEFAULTS, range } from "./guard_world.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const ATTACKER = 1_000;
const SERVICE = 998;

/** Members of a service, which a rule names, and of a user without one; all have just beaten. */
function watching(ofService: readonly number[], ofAttacker: readonly number[]) {
  const selfBeat = new FakeSelfBeat();
  const guard = new Guard(GUARD_DEFAULTS, selfBeat);
  const harness = new ObserverHarness({ guard });
  const { tracker } = harness.observer;
  let nonce = 0;
  const beat = (pids: readonly number[]): void => {
    nonce += 1;
    harness.receive(...pids.map((pid) => beatOf(pid, { peerPid: 0, nonce })));
  };
  beat([...ofService, ...ofAttacker]);
  for (const [pids, uid, rule] of [
    [ofService, SERVICE, 0],
    [ofAttacker, ATTACKER, RULE_NONE],
  ] as const)
    for (const pid of pids) {
      tracker.table.slots.uid[tracker.slotOf(pid)] = uid;
      tracker.table.slots.rule[tracker.slotOf(pid)] = rule;
    }
  /** The observer hears itself, as it does. */
  const pass = (ms: number): number[] => {
    harness.observer.allowIdle(ms * NS_PER_MS);
    harness.pass(ms);
    selfBeat.sentNs = harness.clock.ns;
    harness.pump();
    return harness.stalls();
  };
  return { guard, pass, beat, tracker };
}

describe("a user with many processes", () => {
  test("does not hide the death of another one's agent by falling silent with it", () => {
    const services = range(4, 100);
    const { guard, pass, beat } = watching(services, range(40, 1_000));
    pass(THRESHOLD_MS / 2);
    beat(services.slice(1));
    expect(pass(THRESHOLD_MS / 2)).toContain(100);
    expect(guard.changes).toEqual([]);
  });

  test("does not hide it by falling silent before it, all the time", () => {
    const services = range(12, 100);
    const { guard, pass, beat } = watching(services, range(40, 1_000));
    pass(THRESHOLD_MS / 2);
    beat(services);
    expect(pass(THRESHOLD_MS / 2)).toHaveLength(40);
    for (let round = 0; round < 10; round++) {
      beat(range(40, 1_000));
      beat(services);
      pass(THRESHOLD_MS / 2);
      beat(services.slice(1));
      expect(pass(THRESHOLD_MS / 2)).toContain(100);
    }
    expect(guard.changes).toEqual([]);
  });
});

describe("a real mass death", () => {
  test("of nine of twelve that hang is told within two thresholds of their silence", () => {
    const { pass, beat } = watching(range(12, 100), []);
    pass(THRESHOLD_MS / 2);
    beat(range(3, 109));
    const first = pass(THRESHOLD_MS / 2);
    expect(first).toHaveLength(6);
    pass(THRESHOLD_MS / 2 - 1);
    beat(range(3, 109));
    const rest = pass(THRESHOLD_MS / 2 + 1);
    expect([...first, ...rest].sort((a, b) => a - b)).toEqual(range(9, 100));
  });

  test("of nine of twelve whose processes ended waits for no guard", () => {
    const { guard, pass, beat, tracker } = watching(range(12, 100), []);
    for (const pid of range(9, 100)) tracker.ends.note(tracker.slotOf(pid));
    pass(THRESHOLD_MS / 2);
    beat(range(3, 109));
    expect(pass(THRESHOLD_MS / 2)).toEqual(range(9, 100));
    expect(guard.changes).toEqual([]);
  });

  test("that is followed by another one is judged at once: the guard rests", () => {
    const { guard, pass, beat } = watching(range(24, 100), []);
    pass(THRESHOLD_MS);
    pass(THRESHOLD_MS);
    expect(guard.changes.map(({ kind }) => kind)).toEqual(["active", "over"]);
    beat(range(24, 100));
    expect(pass(THRESHOLD_MS)).toHaveLength(24);
    expect(guard.changes).toHaveLength(2);
    const restMs = Math.max((10 * THRESHOLD_NS) / NS_PER_MS, (60 * NS_PER_S) / NS_PER_MS);
    pass(restMs);
    beat(range(24, 100));
    pass(THRESHOLD_MS);
    expect(guard.changes).toHaveLength(3);
  });
});
