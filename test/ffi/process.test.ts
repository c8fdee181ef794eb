// Calls on processes, with real ones.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EINVAL, EPERM, ESRCH, IS_LINUX } from "../../ffi/constants.ts";
import {
  clearAmbientCapabilities,
  currentPid,
  effectiveUid,
  kill,
  umask,
} from "../../ffi/process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const FFI = `${import.meta.dir}/../../ffi`;
const SIGTERM = 15;

describe("currentPid() and effectiveUid()", () => {
  test("are those of this process", () => {
    expect(currentPid()).toBe(process.pid);
    expect(effectiveUid()).toBe(process.geteuid!());
  });
});

describe("umask()", () => {
  test("returns the old mask, so that it can be restored", () => {
    const before = process.umask();
    expect(umask(0o177)).toBe(before);
    expect(process.umask()).toBe(0o177);
    expect(umask(before)).toBe(0o177);
    expect(process.umask()).toBe(before);
  });
});

describe("kill()", () => {
  test("signals a process, and says ESRCH once it is gone", async () => {
    const child = Bun.spawn(["sleep", "60"]);
    expect(kill(child.pid, 0)).toBe(0);
    expect(kill(child.pid, SIGTERM)).toBe(0);
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
    expect(kill(child.pid, 0)).toBe(-ESRCH);
  });

  test("refuses a signal that does not exist", () => {
    expect(kill(currentPid(), 9_999)).toBe(-EINVAL);
  });
});

describe("armAlarm()", () => {
  test("ends a process whose loop is stuck", async () => {
    const child = run(`armAlarm(50); for (;;) {}`);
    await child.exited;
    expect(child.signalCode).toBe("SIGALRM");
  });

  test("is put off by arming again and off by 0", async () => {
    const script = `
      const cell = new Int32Array(new SharedArrayBuffer(4));
      for (let i = 0; i < 5; i++) { armAlarm(2_000); Atomics.wait(cell, 0, 0, 5); }
      armAlarm(30); armAlarm(0); Atomics.wait(cell, 0, 0, 60);
      console.log("alive");`;
    const child = run(script);
    expect(await new Response(child.stdout).text()).toBe("alive\n");
    expect(await child.exited).toBe(0);
  });
});

describe("clearAmbientCapabilities()", () => {
  const setpriv = IS_LINUX && effectiveUid() === 0 ? Bun.which("setpriv") : null;

  test("succeeds where there is nothing to clear", () => {
    expect([0, -EPERM]).toContain(clearAmbientCapabilities());
  });

  test.skipIf(setpriv === null)(
    "clears what children would inherit (needs root and setpriv)",
    async () => {
      const script = `import { clearAmbientCapabilities } from "${FFI}/process.ts";
      import { readFileSync } from "node:fs";
      const ambient = () => /CapAmb:\\s*(\\w+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
      console.log(ambient(), clearAmbientCapabilities(), ambient());`;
      const raised = ["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"];
      const child = Bun.spawn([setpriv!, ...raised, process.execPath, "-e", script]);
      expect(await new Response(child.stdout).text()).toBe("0000000000002000 0 0000000000000000\n");
    },
  );
});

function run(script: string) {
  const source = `import { armAlarm } from "${FFI}/process.ts"; ${script}`;
  return Bun.spawn([process.execPath, "-e", source], { stdout: "pipe" });
}
