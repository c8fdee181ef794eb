import { expect, test } from "bun:test";
import { mayAct } from "../../src/control/rights.ts";

const DAEMON = 990;
const OPERATORS = { uids: [1_000], gids: [50] };

test.each([
  ["root", { uid: 0, gid: 0 }, [], true],
  ["the user of the daemon", { uid: DAEMON, gid: DAEMON }, [], true],
  ["a user who is an operator", { uid: 1_000, gid: 1_000 }, [], true],
  ["one whose primary group is one of operators", { uid: 1_001, gid: 50 }, [], true],
  ["one whose supplementary group is one of operators", { uid: 1_001, gid: 1_001 }, [7, 50], true],
  ["another user", { uid: 1_001, gid: 1_001 }, [7], false],
] as const)("mayAct() decides of %s", (_who, ids, groups, may) => {
  expect(mayAct({ pid: 1, ...ids }, DAEMON, OPERATORS, () => groups)).toBe(may);
});

test("mayAct() lets nobody act of whom the kernel tells nothing", () => {
  expect(mayAct(undefined, DAEMON, OPERATORS, () => [50])).toBe(false);
});
