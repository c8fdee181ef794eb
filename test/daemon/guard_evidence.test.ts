// What speaks for the observer's own fault (spec 12 section 10).
import { beforeEach, describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { GuardEvidence } from "../../src/daemon/guard_evidence.ts";

const listeners = [{ queueFull: 0, kernelDrops: undefined }, { kernelDrops: 0 }, {}];
const selfBeats = { refusedAgain: 0 };
const stderr = { isStuck: false };
let lookPeriodNs: number;
let seen: [string, number][];
let evidence: GuardEvidence;

beforeEach(() => {
  lookPeriodNs = Number.POSITIVE_INFINITY;
  seen = [];
  Object.assign(listeners[0]!, { queueFull: 0 });
  Object.assign(listeners[1]!, { kernelDrops: 0 });
  Object.assign(selfBeats, { refusedAgain: 0 });
  stderr.isStuck = false;
  evidence = new GuardEvidence({
    guard: {
      saw: (word, nowNs) => void seen.push([word, nowNs]),
      get lookPeriodNs() {
        return lookPeriodNs;
      },
    },
    listeners: () => listeners as { queueFull?: number; kernelDrops?: number }[],
    selfBeats,
    outputs: [{ isStuck: false }, stderr],
  });
});

describe("GuardEvidence", () => {
  test("is none while nothing is full", () => {
    for (let second = 1; second < 5; second++) evidence.maintain(second * NS_PER_S);
    expect(seen).toEqual([]);
  });

  test.each([
    ["a Unix queue that was found full", "queue_full", () => (listeners[0]!.queueFull = 1)],
    [
      "a datagram that had no room",
      "queue_full",
      () => Object.assign(listeners[1]!, { kernelDrops: 1 }),
    ],
    ["self-beats refused one after the other", "refused_sends", () => (selfBeats.refusedAgain = 1)],
    ["an output that nobody reads", "full_pipe", () => (stderr.isStuck = true)],
  ])("is %s", (_name, word, happens) => {
    evidence.maintain(NS_PER_S);
    happens();
    evidence.maintain(2 * NS_PER_S);
    expect(seen).toEqual([[word, 2 * NS_PER_S]]);
    stderr.isStuck = false;
    evidence.maintain(3 * NS_PER_S);
    expect(seen).toHaveLength(1);
  });

  test("is looked for once a second, and as often as an active guard wants it", () => {
    evidence.maintain(NS_PER_S);
    expect(evidence.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    listeners[0]!.queueFull = 1;
    evidence.maintain(2 * NS_PER_S - 1);
    expect(seen).toEqual([]);
    lookPeriodNs = 150 * NS_PER_MS;
    expect(evidence.nextDeadlineNs()).toBe(NS_PER_S + lookPeriodNs);
    evidence.maintain(NS_PER_S + lookPeriodNs);
    expect(seen).toEqual([["queue_full", NS_PER_S + lookPeriodNs]]);
  });
});
