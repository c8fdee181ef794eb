import { describe, expect, test } from "bun:test";
import { MUTE } from "../../../src/control/requests/mute.ts";
import { Acting } from "./acting.ts";

describe("the request mute", () => {
  test("begins a mute of who is named, and is noted with who asked", () => {
    const acting = new Acting(MUTE);
    const target = acting.nameOf(100);
    const [answer, ...more] = acting.ask({ target, for: "30m", reason: "deploy 4.3" });
    expect(more).toEqual([]);
    expect(answer).toMatchObject({
      v: 1,
      mutes: [{ agent: target, state: "ok", by: "dana", reason: "deploy 4.3" }],
    });
    const [{ since, until } = { since: "", until: "" }] = acting.harness.acts.mutes().mutes;
    expect(Date.parse(until) - Date.parse(since)).toBe(1_800_000);
    expect(acting.harness.acted).toMatchObject([
      { act: "mute", target, byUid: 1_001, byPid: 5_001, by: "varta-watch" },
    ]);
  });

  test.each([
    ["no end", { target: "100" }, "mute needs for; want a duration"],
    ["an end that is too far away", { target: "100", for: "169h" }, "at most 168h"],
    ["an end that is now", { target: "100", for: "0s" }, 'found "0s"'],
    ["an end without a unit", { target: "100", for: "30" }, 'found "30"'],
    ["nobody", { for: "1m" }, "found neither target nor all"],
    ["somebody and all", { target: "100", all: true, for: "1m" }, "found target and all"],
    ["a reason that is too long", { all: true, for: "1m", reason: "x".repeat(121) }, "120"],
  ])("with %s is refused, and nothing is muted", (_what, args, text) => {
    const acting = new Acting(MUTE);
    const [answer] = acting.ask(args);
    expect(answer).toMatchObject({ error: "bad_field", text: expect.stringContaining(text) });
    expect(acting.harness.acts.mutes().mutes).toEqual([]);
  });

  test("of a name that is not known is refused with the nearest", () => {
    const acting = new Acting(MUTE);
    const name = acting.nameOf(100);
    expect(acting.ask({ target: `${name}r`, for: "1m" })).toEqual([
      {
        v: 1,
        error: "no_such_agent",
        text: `no agent is called "${name}r"`,
        hint: `did you mean ${name}?`,
      },
    ]);
  });

  test("of a pattern, of all and of * holds who is called so", () => {
    const acting = new Acting(MUTE);
    const pattern = `${acting.nameOf(100).slice(0, -2)}*`;
    expect(acting.ask({ target: pattern, for: "1m" })[0]).toMatchObject({
      mutes: [{ agent: pattern }],
    });
    acting.ask({ target: "*", for: "1m" });
    acting.ask({ all: true, for: "2m" });
    const { mutes } = acting.harness.acts.mutes();
    expect(mutes.map(({ agent }) => agent)).toEqual([pattern, "*"]);
  });
});
