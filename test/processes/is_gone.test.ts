// Whether no process has a pid any more.
import { expect, test } from "bun:test";
import { IS_LINUX } from "../../ffi/constants.ts";
import { isGone } from "../../src/processes/is_gone.ts";

test.skipIf(!IS_LINUX)("a pid is gone once its process was reaped", async () => {
  expect([isGone(process.pid), isGone(1)]).toEqual([false, false]);
  const child = Bun.spawn(["/bin/true"]);
  await child.exited;
  expect(isGone(child.pid)).toBe(true);
});
