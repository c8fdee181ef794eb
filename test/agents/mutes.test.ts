// Who is muted and until when (spec 16 section 8).
import { describe, expect, test } from "bun:test";
import { type Mute, type MuteTarget, Mutes, mutedText } from "../../src/agents/mutes.ts";
import { MUTES_MAX } from "../../src/base/limits.ts";
import { NS_PER_S } from "../../src/base/time.ts";

const BY = { uid: 0, pid: 6_011, comm: "varta-watch" };
const NAMES = ["", "other", "worker", "worker-2", "api"];
const WORKER = { agent: 2, key: 4_711, generation: 77 };

interface Ended {
  readonly text: string;
  readonly how: string;
  readonly atNs: number;
}

function makeMutes(): { mutes: Mutes; ended: Ended[] } {
  const ended: Ended[] = [];
  const mutes = new Mutes({
    agentName: (number) => NAMES[number]!,
    ended: ({ target }, how, atNs) => void ended.push({ text: mutedText(target), how, atNs }),
  });
  return { mutes, ended };
}

function muteOf(target: MuteTarget, seconds: number, beganNs = 0): Mute {
  return { target, reason: "deploy", by: BY, beganNs, untilNs: beganNs + seconds * NS_PER_S };
}

describe("Mutes", () => {
  test("a mute holds for its time and not a nanosecond longer", () => {
    const { mutes, ended } = makeMutes();
    mutes.begin(muteOf({ kind: "agent", name: "worker" }, 6));
    expect(mutes.nextDeadlineNs()).toBe(6 * NS_PER_S);
    expect(mutes.muteOf(WORKER, 6 * NS_PER_S - 1)).toBeDefined();
    expect(mutes.muteOf(WORKER, 6 * NS_PER_S)).toBeUndefined();
    mutes.maintain(6 * NS_PER_S - 1);
    expect(ended).toEqual([]);
    mutes.maintain(6 * NS_PER_S);
    expect(ended).toEqual([{ text: "worker", how: "expired", atNs: 6 * NS_PER_S }]);
    expect(mutes.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(mutes.size).toBe(0);
  });

  test.each<[string, MuteTarget, string[]]>([
    ["a name", { kind: "agent", name: "worker" }, ["worker"]],
    ["a pattern", { kind: "glob", glob: "worker*" }, ["worker", "worker-2"]],
    ["a pattern for one letter", { kind: "glob", glob: "ap?" }, ["api"]],
    ["all", { kind: "all" }, ["", "other", "worker", "worker-2", "api"]],
  ])("%s mutes the agents that it means, and no other", (_what, target, muted) => {
    const { mutes } = makeMutes();
    mutes.begin(muteOf(target, 1));
    expect(NAMES.filter((name) => mutes.muteOfName(name, 0) !== undefined)).toEqual(muted);
    const members = NAMES.keys().filter((agent) => mutes.muteOf({ ...WORKER, agent }, 0));
    expect([...members].map((agent) => NAMES[agent]!)).toEqual(muted);
  });

  test("a pid mutes one process, and not the next one that gets the pid", () => {
    const { mutes } = makeMutes();
    mutes.begin(muteOf({ kind: "member", name: "worker", pid: 4_711, ...WORKER }, 1));
    expect(mutes.muteOf(WORKER, 0)).toBeDefined();
    expect(mutes.muteOf({ ...WORKER, generation: 78 }, 0)).toBeUndefined();
    expect(mutes.muteOf({ ...WORKER, key: 4_712 }, 0)).toBeUndefined();
    expect(mutes.muteOfName("worker", 0)).toBeUndefined();
  });

  test("of several that hold for an agent the one that ends last counts", () => {
    const { mutes, ended } = makeMutes();
    mutes.begin(muteOf({ kind: "agent", name: "worker" }, 2));
    mutes.begin(muteOf({ kind: "glob", glob: "w*" }, 5));
    mutes.begin(muteOf({ kind: "all" }, 3));
    expect(mutes.muteOf(WORKER, 0)?.untilNs).toBe(5 * NS_PER_S);
    mutes.maintain(3 * NS_PER_S);
    expect(ended.map(({ text }) => text)).toEqual(["worker", "*"]);
    expect(mutes.muteOf(WORKER, 3 * NS_PER_S)?.target).toEqual({ kind: "glob", glob: "w*" });
  });

  test("one of the same target takes the place of the first, which does not end", () => {
    const { mutes, ended } = makeMutes();
    mutes.begin(muteOf({ kind: "agent", name: "worker" }, 9));
    mutes.begin(muteOf({ kind: "agent", name: "worker" }, 2));
    expect(mutes.list()).toHaveLength(1);
    expect(mutes.nextDeadlineNs()).toBe(2 * NS_PER_S);
    expect(ended).toEqual([]);
  });

  test("unmute ends the one that is meant, and of all every one", () => {
    const { mutes, ended } = makeMutes();
    mutes.begin(muteOf({ kind: "agent", name: "worker" }, 2));
    mutes.begin(muteOf({ kind: "agent", name: "api" }, 3));
    mutes.begin(muteOf({ kind: "glob", glob: "w*" }, 4));
    expect(mutes.end({ kind: "agent", name: "worker" }, 1)).toHaveLength(1);
    expect(mutes.muteOf(WORKER, 1)?.target.kind).toBe("glob");
    expect(mutes.end({ kind: "agent", name: "worker" }, 1)).toEqual([]);
    expect(mutes.end({ kind: "all" }, 2)).toHaveLength(2);
    expect(ended.map(({ how }) => how)).toEqual(["unmuted", "unmuted", "unmuted"]);
    expect(mutes.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("there is room for so many, and for a new end of one that there is", () => {
    const { mutes } = makeMutes();
    const target = (at: number): MuteTarget => ({ kind: "agent", name: `agent-${at}` });
    for (let at = 0; at < MUTES_MAX; at++) mutes.begin(muteOf(target(at), 1));
    expect(mutes.hasRoomFor(target(MUTES_MAX))).toBeFalse();
    expect(mutes.hasRoomFor(target(0))).toBeTrue();
  });
});
