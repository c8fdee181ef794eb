// What a turn takes over from its listeners besides their datagrams, and how long it lets them keep
// it (spec 12 section 1).
import { describe, expect, test } from "bun:test";
import { Counters } from "../../src/base/counters.ts";
import { BATCH_SIZE, PUMP_NS_PER_TURN_MAX } from "../../src/base/limits.ts";
import { SECURE, type SecureCounters } from "../../src/listener/counters.ts";
import { beatOf, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { TickHarness } from "./harness.ts";

/** A UDP listener that decrypts and loses datagrams. */
class Lossy extends ScriptedListener {
  kernelDrops = 0;
  readonly counters: SecureCounters = new Counters(SECURE, this);
}

describe("a turn", () => {
  test("has decrypt trials and kernel drops on the page, once", () => {
    const lossy = [
      new Lossy({ name: "a", kind: "udp" }),
      new Lossy({ name: "b", kind: "secure-udp" }),
    ];
    const harness = new TickHarness({ listeners: [new ScriptedListener(), ...lossy] });
    lossy[0]!.kernelDrops = 5;
    lossy[1]!.kernelDrops = 7;
    lossy[1]!.counters.add(SECURE.aeadAttempts, 9);
    harness.turn();
    harness.turn();
    expect(harness.series("varta_secure_aead_attempts_total")).toBe(9);
    expect(harness.series('varta_udp_kernel_drops_total{listener="a"}')).toBe(5);
    expect(harness.series('varta_udp_kernel_drops_total{listener="b"}')).toBe(7);
  });

  test("leaves what is too slow to take to the next turn, which does not wait", () => {
    const slow = new ScriptedListener({
      // Each batch costs as much as a whole turn may take, and a little more.
      onReceive: () => {
        harness.clock.ns += PUMP_NS_PER_TURN_MAX + 1;
      },
    });
    const harness: TickHarness = new TickHarness({ listeners: [slow] });
    const batch = () => Array.from({ length: BATCH_SIZE }, () => damaged(beatOf(9)));
    slow.queue(batch(), batch(), batch(), [beatOf(9)]);
    harness.turn();
    expect([harness.consumed, harness.hasWorkLeft]).toEqual([2 * BATCH_SIZE, true]);
    harness.turn();
    expect([harness.consumed, harness.hasWorkLeft]).toEqual([BATCH_SIZE + 1, true]);
    harness.turn();
    expect([harness.consumed, harness.hasWorkLeft]).toEqual([0, false]);
  });
});
