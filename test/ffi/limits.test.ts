// The limit of open descriptors, and the kernel's table of them.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { descriptorLimit, makeRoomForDescriptors } from "../../ffi/limits.ts";
import { openReadiness } from "../../ffi/readiness.ts";

function tableSize(): number {
  return Number(/^FDSize:\s+([0-9]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))![1]);
}

test.if(IS_LINUX)(
  "makeRoomForDescriptors() makes the table large enough, and opens nothing",
  () => {
    const readiness = openReadiness(1, 1);
    const before = tableSize();
    const count = 2 * before;
    if (BigInt(count) > descriptorLimit()!.soft)
      throw new Error("the limit is too low for the test");
    expect(makeRoomForDescriptors(readiness.fd, count)).toBe(0);
    expect(tableSize()).toBeGreaterThanOrEqual(count);
    const next = openReadiness(1, 1);
    expect(next.fd).toBeLessThan(before);
    next.close();
    readiness.close();
  },
);
