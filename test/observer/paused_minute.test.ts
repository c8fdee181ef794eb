import { expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { PausedMinute } from "../../src/observer/paused_minute.ts";

test("adds up what ended within the last minute, also of more pauses than move deadlines", () => {
  const minute = new PausedMinute();
  for (let second = 0; second < 200; second++) minute.add(second * NS_PER_S, NS_PER_S / 10);
  expect(minute.totalNs(199 * NS_PER_S) / NS_PER_S).toBeCloseTo(6);
  expect(minute.totalNs(230 * NS_PER_S) / NS_PER_S).toBeCloseTo(2.5);
  expect(minute.totalNs(260 * NS_PER_S)).toBe(0);
});

test("says a minute of a pause that was longer", () => {
  const minute = new PausedMinute();
  minute.add(600 * NS_PER_S, 500 * NS_PER_S);
  expect(minute.totalNs(600 * NS_PER_S)).toBe(60 * NS_PER_S);
});
