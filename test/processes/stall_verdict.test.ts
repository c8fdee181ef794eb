// What real processes are found to do (spec 14 section 3): each is brought into its state by the
// means that bring agents into it.
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../ffi/constants.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { VerdictReader } from "../../src/processes/stall_verdict.ts";
import { compiled } from "../support/compiled.ts";
import { foreignChild } from "../support/foreign_children.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const processes = new ProcReader();
const verdicts = new VerdictReader(processes);
const held = IS_LINUX ? compiled(join(import.meta.dir, "../support/held.c")) : undefined;
const CANNOT_HOLD = held === undefined ? " (skipped: there is no C compiler)" : "";

const children: Bun.Subprocess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await child.exited;
  }
});

function sleeper(): Bun.Subprocess {
  const child = Bun.spawn(["sleep", "60"]);
  children.push(child);
  return child;
}

/** Runs held.c until the test ends; resolves when it holds what it is to hold. */
async function holder(...words: string[]): Promise<Bun.Subprocess> {
  const child = Bun.spawn([held!, ...words], { stdin: "pipe", stdout: "pipe" });
  // Before the one that it holds: a debugger that ends lets go.
  children.unshift(child);
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("ready\n");
  return child;
}

function verdictOf(pid: number) {
  return verdicts.of(pid, processes.startTime(pid));
}

describe.if(IS_LINUX)("VerdictReader of a real process", () => {
  test("that sleeps and does not beat says hung, with where it waits", async () => {
    const { pid } = sleeper();
    await until("it to sleep", () => verdictOf(pid).wchan !== "");
    const found = verdictOf(pid);
    expect(found).toMatchObject({ verdict: "hung", procState: "S", tracerPid: 0, reason: "" });
    expect(found.wchan).toMatch(/nanosleep/);
  });

  test("that spins says hung, and its processor time grows", async () => {
    const child = Bun.spawn(["/bin/sh", "-c", "while :; do :; done"]);
    children.push(child);
    const before = verdictOf(child.pid);
    expect(before.verdict).toBe("hung");
    await until("it to use time", () => verdictOf(child.pid).cpuTicks > before.cpuTicks);
  });

  test("that a signal stopped says stopped", async () => {
    const child = sleeper();
    child.kill("SIGSTOP");
    await until("it to stop", () => verdictOf(child.pid).procState === "T");
    expect(verdictOf(child.pid)).toMatchObject({ verdict: "stopped", tracerPid: 0 });
  });

  test.skipIf(held === undefined)(
    `that a debugger stopped says traced, with the pid of the debugger${CANNOT_HOLD}`,
    async () => {
      const { pid } = sleeper();
      const debugger_ = await holder("stop", `${pid}`);
      expect(verdictOf(pid)).toMatchObject({
        verdict: "traced",
        procState: "t",
        tracerPid: debugger_.pid,
      });
    },
  );

  test.skipIf(held === undefined)(
    `that a debugger lets run says traced, too${CANNOT_HOLD}`,
    async () => {
      const { pid } = sleeper();
      const debugger_ = await holder("trace", `${pid}`);
      await until("it to sleep", () => verdictOf(pid).procState === "S");
      expect(verdictOf(pid)).toMatchObject({
        verdict: "traced",
        procState: "S",
        tracerPid: debugger_.pid,
      });
    },
  );

  test.skipIf(held === undefined)(
    `that is stuck in the kernel says blocked${CANNOT_HOLD}`,
    async () => {
      const { pid } = await holder("vfork");
      await until("it to wait", () => verdictOf(pid).procState === "D");
      expect(verdictOf(pid)).toMatchObject({ verdict: "blocked", tracerPid: 0 });
    },
  );

  test("that its parent does not reap says zombie, with its status", async () => {
    const child = await foreignChild("exit 3", false);
    const generation = processes.startTime(child.pid);
    child.go();
    await until("it to end", () => processes.isZombie(child.pid) === true);
    expect(verdicts.of(child.pid, generation)).toMatchObject({
      verdict: "zombie",
      procState: "Z",
      waitStatus: 768,
    });
  });

  test("that is gone, or whose pid another one has, says exited", async () => {
    const child = sleeper();
    const generation = processes.startTime(child.pid);
    expect(verdicts.of(child.pid, generation - 1).verdict).toBe("exited");
    child.kill("SIGKILL");
    await child.exited;
    expect(verdicts.of(child.pid, generation)).toMatchObject({
      verdict: "exited",
      waitStatus: Number.NaN,
    });
  });

  test("whose start time is not known says unknown, and why", () => {
    expect(verdicts.of(process.pid, Number.NaN)).toMatchObject({
      verdict: "unknown",
      reason: "its start time is not known",
    });
  });
});

const UNIFIED = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find(
  (root) => existsSync(join(root, "cgroup.procs")) && existsSync(join(root, "cgroup.controllers")),
);
const FREEZER = "/sys/fs/cgroup/freezer";

describe.if(IS_LINUX)("VerdictReader of a frozen process", () => {
  for (const [version, root, file, freeze, thaw] of [
    [2, UNIFIED, "cgroup.freeze", "1", "0"],
    [1, existsSync(FREEZER) ? FREEZER : undefined, "freezer.state", "FROZEN", "THAWED"],
  ] as const) {
    const group = cannotMake(root) === "" ? join(root!, `varta-test-${process.pid}`) : "";
    test.skipIf(group === "")(
      `says frozen on control groups of version ${version}${cannotMake(root)}`,
      async () => {
        mkdirSync(group);
        const child = sleeper();
        try {
          writeFileSync(join(group, "cgroup.procs"), `${child.pid}`);
          // While it is loaded it may wait for the disk.
          await until("it to sleep", () => verdictOf(child.pid).verdict === "hung");
          writeFileSync(join(group, file), freeze);
          await until("it to freeze", () => verdictOf(child.pid).verdict === "frozen");
          expect(verdictOf(child.pid).freezerVersion).toBe(version);
          // It stays frozen, whatever it is sent: on version 1 not even SIGKILL ends it.
          child.kill("SIGSTOP");
          expect(verdictOf(child.pid).verdict).toBe("frozen");
        } finally {
          writeFileSync(join(group, file), thaw);
          child.kill("SIGKILL");
          await child.exited;
          await until("its group to be empty", () => canRemove(group));
        }
      },
    );
  }
});

function cannotMake(root: string | undefined): string {
  if (root === undefined) return " (skipped: it is not mounted)";
  const probe = join(root, `varta-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return "";
  } catch {
    return " (skipped: no control group can be made)";
  }
}

function canRemove(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

describe("VerdictReader of text that cannot be trusted", () => {
  const STAT = `7 (a) S b) D 1 7 7 0 -1 0 0 0 0 0 4 5 0 0 20 0 1 0 99 ${"0 ".repeat(30)}\n`;
  const directory = new TemporaryDirectory();
  afterAll(() => directory[Symbol.dispose]());

  function readerOf(files: Readonly<Record<string, string>>): VerdictReader {
    const root = join(directory.path, crypto.randomUUID());
    mkdirSync(join(root, "7"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, "7", name), text);
    return new VerdictReader(processes, undefined, root, join(root, "no-cgroups"));
  }

  test("takes the state behind a name that looks like another one", () => {
    expect(readerOf({ stat: STAT }).of(7, 99)).toMatchObject({ verdict: "blocked", cpuTicks: 9 });
  });

  test.each(["0", "", "a b", 'x"y', "x\ny", "é", "x".repeat(65)])(
    "leaves out wchan %j",
    (wchan) => {
      expect(readerOf({ stat: STAT, wchan }).of(7, 99).wchan).toBe("");
    },
  );

  test("keeps a wchan that is a name", () => {
    expect(readerOf({ stat: STAT, wchan: "nfs4_wait.part.0" }).of(7, 99).wchan).toBe(
      "nfs4_wait.part.0",
    );
  });

  test("says unknown of a line that was cut", () => {
    expect(readerOf({ stat: STAT.slice(0, 40) }).of(7, 99)).toMatchObject({
      verdict: "unknown",
      reason: "its /proc cannot be read",
    });
  });
});
