// Process descriptors, with real processes.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { EAGAIN, EINVAL, ESRCH, IS_LINUX, POLLHUP, POLLIN } from "../../ffi/constants.ts";
import { pidfdOpen, pidfdSendSignal, pidfdWaitStatus } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import { openReadiness } from "../../ffi/readiness.ts";
import { foreignChild } from "../support/foreign_children.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const SIGTERM = 15;

describe.if(IS_LINUX)("pidfdOpen() and pidfdSendSignal()", () => {
  test("signal the process that the descriptor was opened for, and say ESRCH once it is gone", async () => {
    const child = Bun.spawn(["sleep", "60"]);
    const pidfd = pidfdOpen(child.pid);
    expect(pidfd).toBeGreaterThan(2);
    expect(pidfdSendSignal(pidfd, 0)).toBe(0);
    expect(pidfdSendSignal(pidfd, SIGTERM)).toBe(0);
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
    expect(pidfdSendSignal(pidfd, SIGTERM)).toBe(-ESRCH);
    expect(pidfdOpen(child.pid)).toBe(-ESRCH);
    closeFd(pidfd);
  });

  test("refuse a pid and a signal that cannot be", () => {
    expect(pidfdOpen(-1)).toBe(-EINVAL);
    expect(pidfdOpen(0)).toBe(-EINVAL);
    const own = pidfdOpen(process.pid);
    expect(pidfdSendSignal(own, 9_999)).toBe(-EINVAL);
    closeFd(own);
  });

  test("leak nothing, over ten thousand openings and failures", () => {
    const before = openDescriptors();
    for (let round = 0; round < 10_000; round++) {
      const pidfd = pidfdOpen(process.pid);
      if (pidfd < 0) throw new Error(`opening ${round} failed: ${pidfd}`);
      closeFd(pidfd);
      if (pidfdOpen(-1) !== -EINVAL) throw new Error(`wrong errno in round ${round}`);
    }
    expect(openedSince(before)).toEqual([]);
  });

  test("give a descriptor that no child inherits", () => {
    const pidfd = pidfdOpen(process.pid);
    const list = Bun.spawnSync(["/bin/sh", "-c", "ls /proc/self/fd"]).stdout.toString().split("\n");
    closeFd(pidfd);
    expect(list).not.toContain(String(pidfd));
  });
});

const [major = 0, minor = 0] = readFileSync("/proc/version", "utf8")
  .replace(/^Linux version /, "")
  .split(".")
  .map(Number.parseFloat);
const tellsExits = IS_LINUX && (major > 6 || (major === 6 && minor >= 15));

describe.if(tellsExits)("pidfdWaitStatus() (needs Linux 6.15)", () => {
  for (const [then, status] of [
    ["exit 0", 0],
    ["exit 3", 768],
    ["kill -KILL $BASHPID", 9],
    ["kill -TERM $BASHPID", 15],
  ] as const) {
    test(`of another parent's child after "${then}" is ${status}, when it was reaped`, async () => {
      const child = await foreignChild(then);
      const pidfd = pidfdOpen(child.pid);
      expect(pidfdWaitStatus(pidfd)).toBe(-EAGAIN);
      child.go();
      await until("its status", () => pidfdWaitStatus(pidfd) >= 0);
      expect(pidfdWaitStatus(pidfd)).toBe(status);
      expect(pidfdOpen(child.pid)).toBe(-ESRCH);
      closeFd(pidfd);
    });
  }

  test("is not said of a zombie; and with no events asked for, epoll is quiet until it is reaped", async () => {
    const child = await foreignChild("exit 3", false);
    const pidfd = pidfdOpen(child.pid);
    const readiness = openReadiness(1, 4);
    expect(readiness.add(pidfd, POLLIN)).toBe(0);
    expect(readiness.look()).toBe(0);
    child.go();
    await until("its end", () => readiness.look() === 1);
    expect(readiness.readyFd(0)).toBe(pidfd);
    expect(readiness.readyEvents(0)).toBe(POLLIN);
    expect(pidfdWaitStatus(pidfd)).toBe(-EAGAIN);
    readiness.change(pidfd, 0);
    expect(readiness.look()).toBe(0);
    child.reap();
    await until("its end", () => readiness.look() === 1);
    expect(readiness.readyEvents(0) & POLLHUP).toBe(POLLHUP);
    expect(pidfdWaitStatus(pidfd)).toBe(768);
    readiness.remove(pidfd);
    closeFd(pidfd);
    readiness.close();
  });

  test("of what is no process descriptor is an error", () => {
    expect(pidfdWaitStatus(0)).toBeLessThan(0);
    expect(pidfdWaitStatus(-1)).toBeLessThan(0);
  });
});
