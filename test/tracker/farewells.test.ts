// Beats that a network delivers after the bye that was sent after them (spec 14 section 5).
import { describe, expect, test } from "bun:test";
import { TRACKER } from "../../src/tracker/counters.ts";
import { FAREWELL_NS } from "../../src/tracker/farewells.ts";
import { Harness, NET } from "./harness.ts";

const SOURCE = Uint32Array.of(0, 0, 0xffff, 0x0a000001);
const OTHER_SOURCE = Uint32Array.of(0, 0, 0xffff, 0x0a000002);

/** A member of another machine whose beats 1 and 2 were taken, and bye 5 after them, at 100. */
function left(): Harness {
  const h = new Harness();
  h.datagram.sources = SOURCE;
  h.beat(7, 1, 10, { origin: NET, ts: 1_000n });
  h.beat(7, 2, 20, { origin: NET, ts: 2_000n });
  h.greet("bye", 7, 5n, 100, { origin: NET });
  const slot = h.tracker.slotOf(7);
  expect(h.tracker.ends.saidBye(slot, { nonceHi: 0, nonceLo: 5 }, 100)).toBe(true);
  h.tracker.ends.leave(slot);
  return h;
}

describe("after the bye of a member on another machine", () => {
  test.each([
    ["between the last one and the bye", 4, 4_000n],
    ["before the last one", 1, 1_000n],
    ["the last one again", 2, 2_000n],
  ])("a beat that was sent %s is out of order, and makes no member", (_, nonce, ts) => {
    const h = left();
    expect(h.beat(7, nonce, 200, { origin: NET, ts })).toBe("OutOfOrder");
    const { counters, len } = h.tracker;
    expect([len, counters.get(TRACKER.outOfOrder)]).toEqual([0, 1]);
  });

  test("a hello that was sent between them is, too", () => {
    const h = left();
    expect(h.greet("hello", 7, 4n, 200, { origin: NET })).toBe("OutOfOrder");
    expect(h.greet("hello", 7, 1n, 200, { origin: NET })).toBe("Inserted");
  });

  test("a program that begins anew under the pid is heard, and so is one that goes on", () => {
    expect(left().beat(7, 1, 200, { origin: NET, ts: 9_000n })).toBe("Inserted");
    expect(left().beat(7, 6, 200, { origin: NET, ts: 9_000n })).toBe("Inserted");
  });

  test("another pid, source or origin is heard", () => {
    const h = left();
    expect(h.beat(8, 4, 200, { origin: NET, ts: 4_000n })).toBe("Inserted");
    h.datagram.sources = OTHER_SOURCE;
    expect(h.beat(7, 4, 200, { origin: NET, ts: 4_000n })).toBe("Inserted");
    const local = left();
    local.datagram.sources = undefined;
    expect(local.beat(7, 4, 200, { ts: 4_000n })).toBe("Inserted");
  });

  test("it is forgotten after a while", () => {
    const beat = { origin: NET, ts: 4_000n };
    expect(left().beat(7, 4, 100 + FAREWELL_NS - 1, beat)).toBe("OutOfOrder");
    expect(left().beat(7, 4, 100 + FAREWELL_NS, beat)).toBe("Inserted");
  });
});

test("the bye of a stalled member, or before a beat of a higher number, is not its last word", () => {
  const h = new Harness();
  h.datagram.sources = SOURCE;
  h.beat(7, 3, 0, { origin: NET });
  h.greet("bye", 7, 5n, 1, { origin: NET });
  h.beat(7, 6, 2, { origin: NET });
  const saidBye = (nonceLo: number): boolean =>
    h.tracker.ends.saidBye(h.tracker.slotOf(7), { nonceHi: 0, nonceLo }, 3);
  expect(saidBye(5)).toBe(false);
  h.due(10_000);
  expect(saidBye(7)).toBe(false);
});
