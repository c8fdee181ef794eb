import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../../src/base/time.ts";
import { UNMUTE } from "../../../src/control/requests/unmute.ts";
import { DANA } from "../../daemon/acts_harness.ts";
import { Acting, linesOf } from "./acting.ts";

function muted(...targets: readonly (string | undefined)[]): Acting {
  const acting = new Acting(UNMUTE);
  for (const target of targets)
    acting.harness.acts.mute({ target, forNs: 600 * NS_PER_S, reason: "" }, DANA);
  return acting;
}

describe("the request unmute", () => {
  test("ends the mute of who is named, with how much of it was left", () => {
    const acting = muted("100", "200");
    expect(acting.ask({ target: "100" })[0]).toMatchObject({
      unmuted: [{ agent: expect.stringContaining("pid 100"), left_ms: 600_000, still: null }],
    });
    expect(acting.harness.acts.mutes().mutes).toHaveLength(1);
  });

  test("of all ends every mute", () => {
    const acting = muted("100", undefined);
    expect(acting.ask({ all: true })[0]).toMatchObject({ unmuted: [{}, {}] });
    expect(acting.harness.acts.mutes().mutes).toEqual([]);
  });

  test("says which mute still holds who was unmuted, and who is not muted alone", () => {
    const acting = muted("100", undefined);
    expect(acting.ask({ target: "100" })[0]).toMatchObject({ unmuted: [{ still: "*" }] });
    const name = acting.nameOf(100);
    expect(acting.ask({ target: name })[0]).toMatchObject({
      error: "refused",
      text: `no mute of ${name} alone holds: that of * does`,
      hint: "varta-watch mutes",
    });
  });

  test("ends the mute of a process and of a pattern that are not there any more", () => {
    const acting = muted("100", "a*");
    const { harness } = acting;
    for (const slot of [0, 0, 0]) harness.observer.tracker.ends.forget(slot);
    expect(acting.ask({ target: "100" })[0]).toMatchObject({ unmuted: [{ state: "gone" }] });
    expect(acting.ask({ target: "a*" })[0]).toMatchObject({ unmuted: [{ agent: "a*" }] });
  });

  test("of who is not muted is refused", () => {
    const acting = muted();
    expect(acting.ask({ target: "200" })[0]).toMatchObject({ error: "refused" });
    expect(acting.ask({ all: true })[0]).toMatchObject({ text: "no mute of all agents holds" });
    expect(acting.ask({})[0]).toMatchObject({ error: "bad_field" });
  });

  test("of what is stalled names the recovery that has begun for it", () => {
    const acting = muted("100", "200");
    acting.stall();
    const answer = acting.open({ target: "100" });
    expect(answer.next()).toBeNull();
    const event = { time: "", kind: "recovery", agent: acting.nameOf(100) } as const;
    acting.events.add({ ...event, pid: 101, recovery: { id: 8, what: "began" } }, 0);
    acting.events.add({ ...event, pid: 100, recovery: { id: 9, what: "began" } }, 0);
    acting.events.add({ ...event, pid: 100, recovery: { id: 9, what: "step", step: 1 } }, 0);
    expect(answer.next()).toBeNull();
    for (const wake of acting.waiting) wake();
    expect(acting.wakes).toBe(1);
    expect(linesOf(answer)).toMatchObject([
      { v: 1, unmuted: [{ state: "stalled", recovery: 9, pid: 100 }] },
    ]);
    expect(answer.next()).toBeUndefined();
  });

  test("says whether the stall is reported now, or was before", () => {
    const before = new Acting(UNMUTE);
    before.stall();
    const during = muted("100");
    during.stall();
    const reportedOf = ({ harness }: Acting) => {
      const answer = harness.acts.unmute("100", DANA);
      return "unmuted" in answer ? answer.unmuted[0]!.reported : answer;
    };
    expect(reportedOf(during)).toBeTrue();
    before.harness.acts.mute({ target: "100", forNs: NS_PER_S, reason: "" }, DANA);
    expect(reportedOf(before)).toBeFalse();
  });
});
