import { describe, expect, test } from "bun:test";
import { muteOfRecord, recordOfMute } from "../../src/agents/mute_records.ts";
import type { MuteTarget } from "../../src/agents/mutes.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import { bytesOf, EMPTY } from "../snapshot/states.ts";

const TARGETS: readonly MuteTarget[] = [
  { kind: "agent", name: "worker" },
  { kind: "glob", glob: "worker*" },
  { kind: "all" },
  { kind: "member", name: "worker", pid: 4711, key: 4711, generation: 77 },
];

describe("recordOfMute() and muteOfRecord()", () => {
  test.each(TARGETS)("bring a mute of %o through the state file", (target) => {
    const by = { uid: 1000, pid: 6_011, comm: "varta-watch" };
    const mute = { target, reason: "deploy 4.3", by, beganNs: -5e9, untilNs: 60e9 };
    const decoded = decodeState(bytesOf({ ...EMPTY, mute: [recordOfMute(mute)] }));
    expect(decoded.ok && decoded.state.mute.map(muteOfRecord)).toEqual([mute]);
  });
});
