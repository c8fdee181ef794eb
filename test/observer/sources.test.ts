// Two hosts that beat by plain UDP under one pid: each is an agent of its own, and neither hides
// the other's death.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { ORIGIN_NETWORK_UNVERIFIED, ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import { type EventBatch, keyOfRow, sourceOfRow } from "../../src/events/event_batch.ts";
import { isShared } from "../../src/tracker/member_key.ts";
import { FRESH_AGENT_RESUMED, FRESH_WARRANTED } from "../../src/tracker/tracker.ts";
import { atLength } from "../support/at_length.ts";
import { beatOf, type Datagram, ScriptedListener } from "../support/scripted_listener.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const PID = 7;
const NETWORK = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };

function udpHarness(options: ObserverHarnessOptions = {}): ObserverHarness {
  return new ObserverHarness({
    listeners: [new ScriptedListener({ kind: "udp", sources: true })],
    ...options,
  });
}

function from(host: number, nonce: number, fields: Parameters<typeof beatOf>[1] = {}): Datagram {
  return beatOf(PID, { ...NETWORK, from: host, nonce, ...fields });
}

/** Pid and source of the stalls that wait. */
function stalled(harness: ObserverHarness): string[] {
  const names: string[] = [];
  for (let s = harness.observer.takeStall(); s !== undefined; s = harness.observer.takeStall())
    names.push(`${s.source}/${s.pid}`);
  return names;
}

describe("two sources of one pid", () => {
  test("are two agents, whose numbers have nothing to do with each other", () => {
    const harness = udpHarness();
    harness.receive(from(2, 500), from(3, 1), from(2, 501), from(3, 2));
    expect(harness.moved()).toEqual(["accepted 4"]);
    expect(harness.observer.tracker.len).toBe(2);
    harness.observer.tracker.checkInvariants();
  });

  test("each fall silent and come back on their own", () => {
    const harness = udpHarness();
    harness.receive(from(2, 1), from(3, 1));
    for (let nonce = 2; nonce < 7; nonce++) {
      harness.pass(20);
      harness.receive(from(2, nonce));
    }
    expect(stalled(harness)).toEqual(["10.0.0.3/7"]);
    harness.pass(99);
    expect(harness.tell(from(3, 2))).toEqual(["beat 7"]);
    harness.pass(1);
    harness.pump();
    expect(stalled(harness)).toEqual(["10.0.0.2/7"]);
  });

  test("have stalls with keys of their own, by which a recovery asks for each of them", () => {
    const harness = udpHarness();
    const fields = { origin: ORIGIN_OPERATOR_ATTESTED };
    harness.receive(from(2, 1, fields), from(3, 1, fields));
    harness.pass(100);
    harness.pump();
    const first = harness.observer.takeStall()!;
    const second = harness.observer.takeStall()!;
    expect([first.key, isShared(second.key)]).toEqual([PID, true]);
    harness.receive(from(3, 2, fields));
    const ask = (key: number) => harness.observer.stallFreshness(key, Number.NaN);
    expect([ask(first.key), ask(second.key)]).toEqual([FRESH_WARRANTED, FRESH_AGENT_RESUMED]);
  });

  test("have rows with source and key, as long as a sink reads them", () => {
    const harness = udpHarness();
    harness.listener.queue([from(2, 1), from(3, 1)]);
    const seen: [number, string][] = [];
    harness.observer.pump((batch: EventBatch, count) => {
      for (let row = 0; row < count; row++)
        seen.push([keyOfRow(batch, row), sourceOfRow(batch, row)]);
    }, 64);
    expect(seen[0]).toEqual([PID, "10.0.0.2"]);
    expect([isShared(seen[1]![0]), seen[1]![1]]).toEqual([true, "10.0.0.3"]);
  });

  test("are reported, with who holds the pid and how many beats came meanwhile", () => {
    const harness = udpHarness();
    harness.receive(from(2, 1));
    expect(harness.observer.takeSharedPid()).toBeUndefined();
    harness.receive(from(3, 1), from(2, 2), from(3, 2));
    expect(harness.observer.takeSharedPid()).toEqual({
      pid: PID,
      source: "10.0.0.3",
      holder: "10.0.0.2",
      beats: 2,
    });
    expect(harness.observer.takeSharedPid()).toBeUndefined();
  });

  test("leave the pid to the newcomer, once its holder is gone", () => {
    const harness = udpHarness({ trackerCapacity: 2, evictionPolicy: "balanced" });
    harness.receive(from(2, 1), from(3, 1));
    harness.pass(1_001);
    harness.receive(from(3, 2));
    const stranger = beatOf(8, { ...NETWORK, from: 2 });
    expect(harness.tell(stranger)).toEqual(["beat 8"]);
    expect(harness.observer.drainEvictedPid()).toBe(PID);
    expect(harness.observer.tracker.evictedKey).toBe(PID);
    // The one with a key of its own keeps it.
    expect(harness.tell(from(3, 3))).toEqual(["beat 7"]);
    expect(harness.observer.tracker.len).toBe(2);
    harness.observer.tracker.checkInvariants();
  });
});

describe("a pid by plain UDP", () => {
  test("does not refresh the agent that beats with a key under the same pid, nor the reverse", () => {
    const udp = new ScriptedListener({ kind: "udp", sources: true, name: "udp" });
    const secure = new ScriptedListener({ kind: "secure-udp", name: "secure" });
    for (const [first, second] of [
      [udp, secure],
      [secure, udp],
    ] as const) {
      const harness = new ObserverHarness({ listeners: [udp, secure] });
      first.queue([from(2, 500)]);
      harness.pump();
      second.queue([from(2, 1)]);
      harness.pump();
      expect(harness.moved()).toEqual(["accepted 2"]);
      expect(harness.observer.tracker.len).toBe(2);
    }
  });

  test("is refused as ever where a kernel attests it", () => {
    const unix = new ScriptedListener();
    const udp = new ScriptedListener({ kind: "udp", sources: true });
    const harness = new ObserverHarness({ listeners: [unix, udp] });
    harness.processes.set(PID, 70);
    unix.queue([beatOf(PID)]);
    harness.pump();
    udp.queue([from(2, 2)]);
    harness.pump();
    expect(harness.moved()).toEqual(["accepted 1", "origin_conflict 1"]);
  });
});

test("any number of sources and pids are told apart as a map of both would", () => {
  const beat = fc.record({ host: fc.nat(5), pid: fc.integer({ min: 2, max: 5 }) });
  fc.assert(
    fc.property(fc.array(beat, { maxLength: 60, size: "max" }), (beats) => {
      const harness = udpHarness({ trackerCapacity: 64 });
      const last = new Map<string, number>();
      for (const { host, pid } of beats) {
        const name = `10.0.0.${host}/${pid}`;
        const nonce = (last.get(name) ?? 10 * host) + 1;
        last.set(name, nonce);
        const told = harness.tell(beatOf(pid, { ...NETWORK, from: host, nonce }));
        expect(told).toEqual([`beat ${pid}`]);
      }
      expect(harness.observer.tracker.len).toBe(last.size);
      harness.observer.tracker.checkInvariants();
      harness.pass(100);
      harness.pump();
      expect(stalled(harness).toSorted()).toEqual([...last.keys()].toSorted());
    }),
    { numRuns: atLength(30, 200) },
  );
});
