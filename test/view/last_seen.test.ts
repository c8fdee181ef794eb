import { describe, expect, test } from "bun:test";
import type { AgentStatus } from "../../src/view/agent_status.ts";
import { lastSeenOf, parseLastSeen } from "../../src/view/last_seen.ts";

const TIME = "2026-11-28T02:05:12.000Z";

function agent(name: string, state: AgentStatus["state"], expected = 0): AgentStatus {
  return {
    agent: name,
    state,
    beating: state === "ok" ? 2 : 1,
    members: 2,
    expected,
    silenceNs: 0,
    thresholdNs: 1,
    lateNs: 1,
    stalls: 0,
    recoveries: 0,
    lastStall: undefined,
    worstKey: 1,
    mute: undefined,
    mutedMembers: 0,
    recovering: undefined,
    graceLeftNs: Number.NaN,
    missingSinceNs: Number.NaN,
    stallsOfDay: 0,
    recoveriesOfDay: 0,
    beatsPerS: 1,
  };
}

describe("last-seen", () => {
  test("keeps how many are ok, and the names of those that are not, the worst first", () => {
    const agents = [agent("a", "ok"), agent("b", "late"), agent("c", "stalled", 3)];
    expect(lastSeenOf(agents, { time: TIME, final: true }).agents).toEqual({
      ok: 1,
      bad: [
        { state: "stalled", agents: ["c"] },
        { state: "late", agents: ["b"] },
      ],
      beating: 4,
      members: 7,
    });
  });

  test("is read as it was written", () => {
    const seen = lastSeenOf([agent("a", "stalled")], { time: TIME, final: true });
    expect(parseLastSeen(JSON.stringify(seen))).toEqual(seen);
  });

  test("is no end where it does not say so", () => {
    const { final: _, ...older } = lastSeenOf([], { time: TIME, final: true });
    expect(parseLastSeen(JSON.stringify(older))?.final).toBe(false);
  });

  test.each([
    "",
    "null",
    "[]",
    `{"v":2,"time":"${TIME}"}`,
    '{"v":1,"time":"yesterday","agents":{"ok":1,"bad":[],"beating":1,"members":1}}',
    `{"v":1,"time":"${TIME}","agents":{"ok":"1","bad":[],"beating":1,"members":1}}`,
    `{"v":1,"time":"${TIME}","agents":{"ok":1,"bad":[{"state":1,"agents":[]}],"beating":1,"members":1}}`,
    `{"v":1,"time":"${TIME}","agents":{"ok":1,"bad":5,"beating":1,"members":1}}`,
  ])("is nothing when it is %s", (text) => {
    expect(parseLastSeen(text)).toBeUndefined();
  });
});
