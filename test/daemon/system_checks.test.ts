import { describe, expect, test } from "bun:test";
import { fstatSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { PID_MAX_FALLBACK } from "../../src/base/limits.ts";
import {
  initWatchdogWarning,
  makeRuntimeDirectory,
  queueLengthWarning,
  readPidMax,
  requireProc,
  stderrIsJournal,
} from "../../src/daemon/system_checks.ts";
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

describe("queueLengthWarning()", () => {
  test("tells the length and the line that fixes it", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("max_dgram_qlen"), "10\n");
    expect(queueLengthWarning(directory.at("max_dgram_qlen"))).toBe(
      "net.unix.max_dgram_qlen is 10: a burst of more simultaneous beats makes senders drop; " +
        "before the start run: sysctl -w net.unix.max_dgram_qlen=512",
    );
  });

  test.each(["512\n", "1000\n", "nonsense\n"])("has nothing to say about %p", (text) => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("max_dgram_qlen"), text);
    expect(queueLengthWarning(directory.at("max_dgram_qlen"))).toBeUndefined();
  });

  test("has nothing to say where the setting is hidden", () => {
    expect(queueLengthWarning("/nonexistent/max_dgram_qlen")).toBeUndefined();
  });
});

describe("requireProc()", () => {
  test("is content where /proc is mounted", () => {
    expect(() => requireProc()).not.toThrow();
  });

  test("says that it is not mounted", () => {
    using directory = new TemporaryDirectory();
    expect(() => requireProc(directory.path)).toThrow(
      `Cannot read ${directory.path}/self: /proc is not mounted`,
    );
  });

  test("refuses the /proc of another pid namespace, where every pid is somebody else's", () => {
    expect(() => requireProc("/proc", 1)).toThrow(
      `Cannot use /proc: it shows another pid namespace, where this process is ${process.pid} and not 1`,
    );
  });
});

describe("initWatchdogWarning()", () => {
  test("tells pid 1 with a self-watchdog to run under an init", () => {
    expect(initWatchdogWarning(1, 4e9)).toBe(
      "the self-watchdog cannot end this process, because the kernel spares pid 1 the SIGALRM: " +
        "run it under an init, such as with docker run --init",
    );
  });

  test("has nothing to say without a self-watchdog, or to another pid", () => {
    expect(initWatchdogWarning(1, undefined)).toBeUndefined();
    expect(initWatchdogWarning(2, 4e9)).toBeUndefined();
  });
});

describe("makeRuntimeDirectory()", () => {
  test("creates a missing directory with its mode and leaves one that is there", () => {
    using directory = new TemporaryDirectory();
    const runtime = { path: directory.at("varta"), mode: 0o700 };
    makeRuntimeDirectory(runtime);
    expect(lstatSync(runtime.path).mode & 0o777).toBe(0o700);
    makeRuntimeDirectory({ ...runtime, mode: 0o755 });
    expect(lstatSync(runtime.path).mode & 0o777).toBe(0o700);
  });

  test("throws if the directory above is missing", () => {
    using directory = new TemporaryDirectory();
    expect(() => makeRuntimeDirectory({ path: directory.at("none/varta"), mode: 0o700 })).toThrow(
      "ENOENT",
    );
  });
});

describe("stderrIsJournal()", () => {
  test("compares the named stream with our stderr", () => {
    const { dev, ino } = fstatSync(2, { bigint: true });
    expect(stderrIsJournal(`${dev}:${ino}`)).toBe(true);
    expect(stderrIsJournal(`${dev}:${ino + 1n}`)).toBe(false);
    expect(stderrIsJournal("")).toBe(false);
    expect(stderrIsJournal(undefined)).toBe(false);
  });
});
