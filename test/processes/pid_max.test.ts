import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { PID_MAX_FALLBACK } from "../../src/base/limits.ts";
import { readPidMax } from "../../src/processes/pid_max.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

describe("readPidMax()", () => {
  test("reads what the kernel says", () => {
    expect(readPidMax()).toBe(Number(readFileSync("/proc/sys/kernel/pid_max", "latin1")));
  });

  test.each([
    ["32768\n", 32_768],
    ["  4194304 \n", 4_194_304],
    ["1", 1],
    ["4294967295\n", 4_294_967_295],
    ["4294967296\n", PID_MAX_FALLBACK],
    ["0\n", PID_MAX_FALLBACK],
    ["-5\n", PID_MAX_FALLBACK],
    ["", PID_MAX_FALLBACK],
    ["many\n", PID_MAX_FALLBACK],
    ["0x1000\n", PID_MAX_FALLBACK],
    ["1e3\n", PID_MAX_FALLBACK],
    ["12345678901234567890\n", PID_MAX_FALLBACK],
  ])("makes %p %d", (text, pidMax) => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("pid_max"), text);
    expect(readPidMax(directory.at("pid_max"))).toBe(pidMax);
  });

  test("falls back if the file cannot be read", () => {
    expect(readPidMax("/nonexistent/pid_max")).toBe(PID_MAX_FALLBACK);
  });
});
