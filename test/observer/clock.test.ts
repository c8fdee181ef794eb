import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { CLOCK, ObserverClock } from "../../src/observer/clock.ts";
import { counted } from "../support/since.ts";

const FIVE_S = 5 * NS_PER_S;

/** A clock whose raw readings are given one by one. */
function scripted(...raw: number[]): ObserverClock {
  return new ObserverClock({ readNs: () => raw.shift()! });
}

describe("ObserverClock (spec 04 section 8, I10)", () => {
  test("passes readings on that do not go back", () => {
    const clock = scripted(0, 5, 5, 6);
    expect([clock.nowNs(), clock.nowNs(), clock.nowNs(), clock.nowNs()]).toEqual([0, 5, 5, 6]);
    expect(counted(clock.counters, CLOCK.regression)).toBe(0);
    expect(clock.lastNs).toBe(6);
  });

  test("absorbs backward steps and counts each reading below the highest", () => {
    const clock = scripted(10, 9, 9, 10, 11, 3);
    expect(Array.from({ length: 6 }, () => clock.nowNs())).toEqual([10, 10, 10, 10, 11, 11]);
    expect(counted(clock.counters, CLOCK.regression)).toBe(3);
    expect(counted(clock.counters, CLOCK.regression)).toBe(0);
  });

  test("a failed read, which is 0, is a regression and never turns the time back", () => {
    const clock = scripted(100, 0, 101);
    expect([clock.nowNs(), clock.nowNs(), clock.nowNs()]).toEqual([100, 100, 101]);
    expect(counted(clock.counters, CLOCK.regression)).toBe(1);
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(0);
  });

  test.each([
    ["one nanosecond less than five seconds", FIVE_S - 1, 0],
    ["exactly five seconds", FIVE_S, 0],
    ["one nanosecond more", FIVE_S + 1, 1],
  ])("a step of %s counts as %d jumps", (_what, step, jumps) => {
    const clock = scripted(7, 7 + step);
    clock.nowNs();
    expect(clock.nowNs()).toBe(7 + step);
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(jumps);
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(0);
  });

  test("the first reading is no jump, nor is one after readings of 0", () => {
    const clock = scripted(0, 100 * NS_PER_S, 200 * NS_PER_S);
    clock.nowNs();
    clock.nowNs();
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(0);
    clock.nowNs();
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(1);
  });

  test.each([
    [FIVE_S + 250, 0],
    [FIVE_S + 251, 1],
  ])("a planned wait of 250 ns allows a step of %d: %d jumps", (step, jumps) => {
    const clock = scripted(7, 7 + step);
    clock.nowNs();
    clock.allowIdle(250);
    clock.nowNs();
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(jumps);
  });

  test("the allowance of a wait is spent by one reading, even by one that went back", () => {
    const clock = scripted(7, 6, 8 + FIVE_S);
    clock.nowNs();
    clock.allowIdle(NS_PER_S);
    clock.nowNs();
    clock.nowNs();
    expect(counted(clock.counters, CLOCK.jumpForward)).toBe(1);
    expect(counted(clock.counters, CLOCK.regression)).toBe(1);
  });
});
