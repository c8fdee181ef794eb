// A million messages of sd_notify must not feed the garbage collector (spec 20 section 1). Heap
// sizes only move at a collection, so the collections themselves are counted: the engine logs each
// one to stderr.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

function collectionsIn(mode: "plain" | "leaky"): number {
  const { stdout, stderr } = Bun.spawnSync(
    [process.execPath, join(import.meta.dir, "allocating_messages.ts"), mode],
    { env: { ...process.env, BUN_JSC_logGC: "1" } },
  );
  expect(Number(stdout.toString())).toBe(1_200_000);
  const [, measured] = /measured part begins\n([\s\S]*)measured part ends/.exec(stderr.toString())!;
  return measured!.split("\n").filter((line) => line.includes("GC")).length;
}

describe("a million calls of NotifyMessage.read()", () => {
  test("run without one garbage collection", () => {
    expect(collectionsIn("plain")).toBe(0);
  });

  test("would be caught if each of them made one small object", () => {
    expect(collectionsIn("leaky")).toBeGreaterThan(0);
  });
});
