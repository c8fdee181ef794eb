import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../ffi/constants.ts";
import { continuationOf, type Here } from "../../src/snapshot/continuation.ts";
import { hereAndNow } from "../../src/snapshot/here.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const MODULE = join(import.meta.dir, "../../src/snapshot/here.ts");
const PRINT = `import(${JSON.stringify(MODULE)}).then(({ hereAndNow }) =>
  console.log(JSON.stringify(hereAndNow(0, 0))));`;

/** Where a daemon is that a command starts. */
function hereOf(...command: readonly string[]): Here | undefined {
  const child = Bun.spawnSync([...command, process.execPath, "-e", PRINT]);
  return child.exitCode === 0 ? (JSON.parse(child.stdout.toString()) as Here) : undefined;
}

describe.if(IS_LINUX)("hereAndNow()", () => {
  test("says where this process is", () => {
    const { timeNamespace, pidNamespace, bootId } = hereAndNow(5, 6);
    expect(readlinkSync("/proc/self/ns/time")).toBe(`time:[${timeNamespace}]`);
    expect(readlinkSync("/proc/self/ns/pid")).toBe(`pid:[${pidNamespace}]`);
    expect(bootId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("is the same boot for the next process, with clocks that went on", () => {
    const before = { ...hereAndNow(0, 0), version: "1", isFinal: false };
    const { otherBoot, elapsedNs } = continuationOf(before, hereOf()!, false);
    expect(otherBoot).toBe("");
    expect(elapsedNs).toBeGreaterThan(0);
  });

  // Only root may make namespaces everywhere.
  test.if(process.geteuid!() === 0)("is another boot in another time namespace", () => {
    const shifted = hereOf("unshare", "-T", "--monotonic", "2592000");
    if (shifted === undefined) return;
    const before = { ...shifted, version: "1", isFinal: false };
    expect(continuationOf(before, hereAndNow(0, 0), false).otherBoot).toBe("time_namespace");
  });
});
