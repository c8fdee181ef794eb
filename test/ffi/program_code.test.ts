// The code of the running program, released and used again.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { releaseProgramCode } from "../../ffi/program_code.ts";

function residentFileKib(): number {
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
}

describe.if(IS_LINUX)("releaseProgramCode()", () => {
  test("makes the program smaller, which then goes on as before", () => {
    const beforeKib = residentFileKib();
    expect(releaseProgramCode()).toBeGreaterThan(10 * 1_048_576);
    expect(residentFileKib()).toBeLessThan(beforeKib);
    expect(JSON.parse(JSON.stringify({ sorted: [3, 1, 2].sort() }))).toEqual({ sorted: [1, 2, 3] });
  });
});
