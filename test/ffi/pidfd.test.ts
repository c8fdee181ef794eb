// Process descriptors, with real processes.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EINVAL, ESRCH, IS_LINUX } from "../../ffi/constants.ts";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

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
