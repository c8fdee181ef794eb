import { expect, test } from "bun:test";
import { NS_PER_S } from "../../../src/base/time.ts";
import { MUTES } from "../../../src/control/requests/mutes.ts";
import { DANA } from "../../daemon/acts_harness.ts";
import { Acting } from "./acting.ts";

test("the request mutes lists those that hold, the one that ends first before the others", () => {
  const acting = new Acting(MUTES);
  expect(acting.ask()).toMatchObject([{ v: 1, mutes: [] }]);
  const { acts } = acting.harness;
  acts.mute({ target: undefined, forNs: 9 * NS_PER_S, reason: "" }, DANA);
  acts.mute({ target: "100", forNs: 5 * NS_PER_S, reason: "gdb" }, DANA);
  acting.stall();
  const [answer] = acting.ask();
  expect(answer).toMatchObject({
    mutes: [
      { agent: `${acting.nameOf(100)} pid 100`, state: "stalled", reason: "gdb", by: "dana" },
      { agent: "*", state: "stalled", reason: "" },
    ],
  });
  expect(MUTES.right).toBe("read");
});
