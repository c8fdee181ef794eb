import { describe, expect, test } from "bun:test";
import { fstatSync, lstatSync, writeFileSync } from "node:fs";
import {
  initWatchdogWarning,
  makeRuntimeDirectory,
  queueLengthWarning,
  requireProc,
  stderrIsJournal,
} from "../../src/daemon/system_checks.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

describe("queueLengthWarning()", () => {
  test("reports the length and the line that fixes it", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("max_dgram_qlen"), "10\n");
    expect(queueLengthWarning(directory.at("max_dgram_qlen"))).toEqual({
      holds: 10,
      want: 512,
      effect: "beats are lost when more than 10 come at once",
      hint: "sysctl -w net.unix.max_dgram_qlen=512, then restart the daemon",
    });
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
      `cannot read ${directory.path}/self: /proc is not mounted`,
    );
  });

  test("refuses the /proc of another pid namespace, where every pid is another process's", () => {
    expect(() => requireProc("/proc", 1)).toThrow(
      `cannot use /proc: it shows another pid namespace, where this process is ${process.pid} and not 1`,
    );
  });
});

describe("initWatchdogWarning()", () => {
  test("advises pid 1 with a self-watchdog to run under an init", () => {
    expect(initWatchdogWarning(1, 4e9)).toEqual({
      reason: "the kernel spares pid 1 the SIGALRM",
      hint: "run the daemon under an init: docker run --init",
    });
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

  test("gives it its whole mode, whatever the umask", () => {
    using directory = new TemporaryDirectory();
    const before = process.umask(0o077);
    try {
      makeRuntimeDirectory({ path: directory.at("varta"), mode: 0o755 });
      expect(process.umask()).toBe(0o077);
    } finally {
      process.umask(before);
    }
    expect(lstatSync(directory.at("varta")).mode & 0o777).toBe(0o755);
  });

  test("throws if the directory above is missing", () => {
    using directory = new TemporaryDirectory();
    expect(() => makeRuntimeDirectory({ path: directory.at("none/varta"), mode: 0o700 })).toThrow(
      "ENOENT",
    );
  });
});

describe("stderrIsJournal()", () => {
  test("compares the named stream with stderr", () => {
    const { dev, ino } = fstatSync(2, { bigint: true });
    expect(stderrIsJournal(`${dev}:${ino}`)).toBe(true);
    expect(stderrIsJournal(`${dev}:${ino + 1n}`)).toBe(false);
    expect(stderrIsJournal("")).toBe(false);
    expect(stderrIsJournal(undefined)).toBe(false);
  });
});
