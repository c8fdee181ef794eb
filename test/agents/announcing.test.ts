// Whether a member is called what it announces (spec 15 section 8.2).
import { describe, expect, test } from "bun:test";
import { OWNER_UNKNOWN } from "../../src/agents/naming.ts";
import { type Announcement, NAME_REFUSALS, nameRefusal } from "../../src/agents/announcing.ts";

const announced: Announcement = {
  name: "web-1",
  owner: 1000,
  announce: true,
  ruleName: "web",
  heldBy: undefined,
};
const taken = { ofRules: new Set(["web", "db"]), expected: new Set(["web", "queue"]) };

const refusal = (more: Partial<Announcement>) => nameRefusal({ ...announced, ...more }, taken);

describe("nameRefusal()", () => {
  test("takes a new name where the rule allows any, or one that a glob matches", () => {
    expect(refusal({})).toBeUndefined();
    expect(refusal({ announce: ["api-*", "web-?"] })).toBeUndefined();
  });

  test.each([
    ["the rule says nothing of names", { announce: false }, "not_allowed"],
    ["no glob matches the whole of it", { announce: ["web", "b-1"] }, "not_allowed"],
    ["the list of globs is empty", { announce: [] }, "not_allowed"],
    ["it is the name of another rule", { name: "db" }, "other_rule"],
    ["members are expected under it", { name: "queue" }, "expected"],
    ["members of another uid have it", { heldBy: 1001 }, "other_owner"],
    ["members have it by the word of a rule", { heldBy: -1 }, "other_owner"],
    [
      "nothing attests who asks, and somebody has it",
      { owner: OWNER_UNKNOWN, heldBy: 0 },
      "other_owner",
    ],
    ["the first of several reasons", { name: "db", announce: ["x"], heldBy: 0 }, "not_allowed"],
  ] as const)("refuses it where %s", (_when, more, wanted) => {
    expect(refusal(more)).toBe(wanted);
    expect(NAME_REFUSALS).toContain(wanted);
  });

  test("takes the name of its own rule, which it has anyway, expected or not", () => {
    expect(refusal({ name: "web", heldBy: -1 })).toBeUndefined();
  });

  test("takes one that members of the same uid have", () => {
    expect(refusal({ heldBy: 1000 })).toBeUndefined();
  });
});
