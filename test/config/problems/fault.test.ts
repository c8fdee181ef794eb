// Places in words for people, counted from 1, and as keys for programs, counted from 0.
import { describe, expect, test } from "bun:test";
import { ordinal, type Path, pathKey, pathLabel } from "../../../src/config/problems/fault.ts";

describe("pathLabel() and pathKey()", () => {
  const cases: readonly (readonly [Path, string, string])[] = [
    [["observer", "threshold"], "observer.threshold", "observer.threshold"],
    [["listener"], "listener", "listener"],
    [["listener", 0], "1st [[listener]]", "listener[0]"],
    [["listener", 1, "mode"], "listener edge: mode", "listener[1].mode"],
    [["listener", 2, "mode"], "3rd [[listener]]: mode", "listener[2].mode"],
    [
      ["listener", 0, "allow_uids", 2],
      "1st [[listener]]: allow_uids, 3rd item",
      "listener[0].allow_uids[2]",
    ],
    [
      ["recovery", "step", 1, "exec", 0],
      "2nd [[recovery.step]]: exec, 1st item",
      "recovery.step[1].exec[0]",
    ],
    [
      ["agent", 0, "match", "unit", 1],
      "agent worker: match.unit, 2nd item",
      "agent[0].match.unit[1]",
    ],
    [["agent", 2, "late"], "3rd [[agent]]: late", "agent[2].late"],
    [["recovery", "plan", 0, "budget"], "plan restart: budget", "recovery.plan[0].budget"],
    [["recovery", "plan", 1, "budget"], "2nd [[recovery.plan]]: budget", "recovery.plan[1].budget"],
    [
      ["recovery", "plan", 0, "step", 1, "signal"],
      "plan restart: 2nd [[recovery.plan.step]]: signal",
      "recovery.plan[0].step[1].signal",
    ],
    [["recovery", "command", 3], "recovery.command, 4th item", "recovery.command[3]"],
    [["recovery", "env", "A B"], 'recovery.env."A B"', 'recovery.env."A B"'],
    [["log", "\u202elevel"], 'log."\\u202elevel"', 'log."\\u202elevel"'],
  ];
  test.each(cases)("call %p %s", (path, label, key) => {
    expect(
      pathLabel(path, {
        listener: [undefined, "edge"],
        agent: ["worker"],
        "recovery.plan": ["restart"],
      }),
    ).toBe(label);
    expect(pathKey(path)).toBe(key);
  });
});

test("ordinal() knows the teens", () => {
  const numbers = [1, 2, 3, 4, 10, 11, 12, 13, 21, 22, 23, 64, 101, 111];
  expect(numbers.map(ordinal).join(" ")).toBe(
    "1st 2nd 3rd 4th 10th 11th 12th 13th 21st 22nd 23rd 64th 101st 111th",
  );
});
