// How a process ended, from the number of wait(2).
import { describe, expect, test } from "bun:test";
import { endNumbers, exitStatusOf, signalOf } from "../../src/base/wait_status.ts";

const NONE = Number.NaN;

describe("a wait status", () => {
  test("is a signal, with or without a core, or an exit status", () => {
    expect([9, 139, 768, 0].map(signalOf)).toEqual([9, 11, 0, 0]);
    expect([768, 65_280, 0].map(exitStatusOf)).toEqual([3, 255, 0]);
  });

  test.each([
    [768, { exitStatus: 3, signal: NONE, dumpedCore: false }],
    [0, { exitStatus: 0, signal: NONE, dumpedCore: false }],
    [139, { exitStatus: NONE, signal: 11, dumpedCore: true }],
    [9, { exitStatus: NONE, signal: 9, dumpedCore: false }],
    [NONE, { exitStatus: NONE, signal: NONE, dumpedCore: false }],
  ])("%p is %p", (waitStatus, numbers) => {
    expect(endNumbers(waitStatus)).toEqual(numbers);
  });
});
