import { expect, test } from "bun:test";
import { FORGET } from "../../../src/control/requests/forget.ts";
import { Acting } from "./acting.ts";

test("the request forget takes out what is stalled, and refuses what beats with what may be done", () => {
  const acting = new Acting(FORGET);
  acting.stall();
  acting.harness.runner.children[0]!.exited(0, Number.NaN);
  acting.harness.turns();
  const name = acting.nameOf(100);
  expect(acting.ask({ target: name })[0]).toMatchObject({
    error: "refused",
    text: `${name} beats (1 of 2 members): only what is silent or gone`,
    hint: `varta-watch forget 100, or varta-watch mute ${name} --for 30m`,
  });
  expect(acting.ask({ target: "100" })).toEqual([
    { v: 1, name: "100", state: "stalled", for_ms: 100 },
  ]);
  expect(acting.ask({ target: "100" })[0]).toMatchObject({ error: "no_such_agent" });
  expect(acting.harness.acted.map(({ isRefused }) => isRefused)).toEqual([true, false]);
});
