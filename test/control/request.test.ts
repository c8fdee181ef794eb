import { expect, test } from "bun:test";
import { actor } from "../../src/control/request.ts";
import { sourcesWith } from "./sources.ts";

test("who acts is who the kernel says, by the name that the process has at that time", () => {
  const sources = sourcesWith({ commOf: (pid) => `comm-${pid}` });
  const asker = { peer: { pid: 812, uid: 1_000, gid: 5 }, wake: () => {} };
  expect(actor(asker, sources)).toEqual({ uid: 1_000, pid: 812, comm: "comm-812" });
});
