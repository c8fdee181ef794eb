import { expect, test } from "bun:test";
import { GATES } from "../../../src/control/requests/gates.ts";
import { Acting } from "./acting.ts";

test("the request gates says what a recovery would find, and does nothing", () => {
  const acting = new Acting(GATES);
  expect(acting.ask({ target: "100" })[0]).toMatchObject({ pid: 100, refused: "not_stalled" });
  const [forced] = acting.ask({ target: "100", force: true });
  expect(forced).toMatchObject({ refused: null, steps: [{ step: "exec" }] });
  expect(forced!["gates"]).toContainEqual(
    expect.objectContaining({ gate: "not_stalled", open: false, passed_over: true }),
  );
  expect(acting.harness.runner.spawnCount).toBe(0);
  expect(acting.harness.acted).toEqual([]);
  expect(GATES.right).toBe("read");
});

test("the request gates of who is not known is refused", () => {
  expect(new Acting(GATES).ask({ target: "zebra" })[0]).toMatchObject({ error: "no_such_agent" });
});
