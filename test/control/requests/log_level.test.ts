import { expect, test } from "bun:test";
import { LOG_LEVEL } from "../../../src/control/requests/log_level.ts";
import { Acting } from "./acting.ts";

test("the request log_level holds for its time, and says which level comes then", () => {
  const acting = new Acting(LOG_LEVEL);
  // biome-ignore lint/suspicious/noThenProperty: a word of the answer, and no function.
  const wanted = { v: 1, level: "debug", then: "info" };
  expect(acting.ask({ level: "debug", for: "10m" })[0]).toMatchObject(wanted);
  expect(acting.harness.log.level).toBe("debug");
});

test.each([
  [{ level: "debug" }, "needs for"],
  [{ level: "debug", for: "25h" }, "at most 24h"],
  [{ level: "trace", for: "1m" }, '"debug" or "info"'],
])("the request log_level of %p is refused", (args, text) => {
  const acting = new Acting(LOG_LEVEL);
  const [answer] = acting.ask(args);
  expect(answer).toMatchObject({ error: "bad_field", text: expect.stringContaining(text) });
  expect(acting.harness.log.level).toBe("info");
});
