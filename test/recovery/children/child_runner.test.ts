// The real runner with real commands: what a child gets, what it does not get, and how each way to
// fail is reported.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill } from "../../../ffi/process.ts";
import { NS_PER_MS, NS_PER_S } from "../../../src/base/time.ts";
import {
  type ChildSetting,
  PLAIN_SETTING,
  ProcessRunner,
} from "../../../src/recovery/children/child_runner.ts";
import { openDescriptors, openedSince } from "../../support/descriptors.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { SIGKILL, SIGTERM, stallOf, until } from "../harness.ts";
import { isGone, pidIn, realHarness } from "../real_harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const IS_LINUX = process.platform === "linux";
const SYSTEM_PATH = { PATH: "/usr/bin:/bin" };
const ESRCH = -3;

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-recovery-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function script(name: string, text: string, mode = 0o755): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

interface Run {
  /** 0 = it was not started. */
  readonly childPid: number;
  /** "" = it was. */
  readonly error: string;
  readonly exits: [exitCode: number, signal: number][];
}

function start(
  argv: string[],
  env: Record<string, string> = SYSTEM_PATH,
  setting: ChildSetting = PLAIN_SETTING,
): Run {
  const exits: Run["exits"] = [];
  const exited = (exitCode: number, signal: number) => exits.push([exitCode, signal]);
  const result = new ProcessRunner().spawn(argv, env, exited, setting);
  if (result.failure !== undefined) return { childPid: 0, error: result.failure.text, exits };
  return { childPid: result.childPid, error: "", exits };
}

async function endOf(run: Run): Promise<[number, number]> {
  await until(`exit of child ${run.childPid}`, () => run.exits.length > 0);
  return run.exits[0]!;
}

/** Runs a shell text whose output goes to the file $OUT, and returns what it wrote. */
async function outputOf(text: string, env: Record<string, string> = SYSTEM_PATH): Promise<string> {
  const out = join(directory, `out-${Bun.nanoseconds()}`);
  expect(await endOf(start(["/bin/sh", "-c", `{ ${text}; } > "$0"`, out], env))).toEqual([0, NaN]);
  return readFileSync(out, "utf8");
}

/**
 * A child whose exec is complete: spawn() returns a moment before the kernel has closed what the
 * daemon had open.
 */
/** Resolves when it sleeps: between exec and then, the dynamic loader opens files. */
async function startSleep(): Promise<Run> {
  const run = start(["/bin/sleep", "60"]);
  if (IS_LINUX) {
    const asleep = `${run.childPid} (sleep) S `;
    const stat = `/proc/${run.childPid}/stat`;
    await until("sleep to sleep", () => readFileSync(stat, "utf8").startsWith(asleep));
  }
  return run;
}

describe("ProcessRunner.spawn() reports", () => {
  test("an exit code", async () => {
    expect(await endOf(start(["/bin/sh", "-c", "exit 0"]))).toEqual([0, NaN]);
    expect(await endOf(start(["/bin/sh", "-c", "exit 1"]))).toEqual([1, NaN]);
    expect(await endOf(start(["/bin/sh", "-c", "exit 255"]))).toEqual([255, NaN]);
  });

  test("the signal that ended the child, with or without a name", async () => {
    expect(await endOf(start(["/bin/sh", "-c", "kill -TERM $$"]))).toEqual([NaN, 15]);
    expect(await endOf(start(["/bin/sh", "-c", "kill -SEGV $$"]))).toEqual([NaN, 11]);
    if (IS_LINUX) expect(await endOf(start(["/bin/sh", "-c", "kill -40 $$"]))).toEqual([NaN, 40]);
  });

  test("each exit of many children once, while garbage is collected", async () => {
    const runs = Array.from({ length: 16 }, (_, code) => start(["/bin/sh", "-c", `exit ${code}`]));
    Bun.gc(true);
    await until("all exits", () => runs.every((run) => run.exits.length > 0));
    expect(runs.map((run) => run.exits)).toEqual(runs.map((_, code) => [[code, NaN]]));
  });

  const FAILURES: [name: string, command: () => string, error: RegExp][] = [
    ["a command that does not exist", () => join(directory, "none"), /^ENOENT \(no such file/],
    ["a name that is not in PATH", () => "varta-no-such-command", /^ENOENT \(no such file/],
    ["an empty name", () => "", /^ENOENT/],
    ["a directory", () => directory, /^EACCES \(permission denied\)$/],
    ["a file that is not executable", () => script("plain", "#!/bin/sh\n", 0o644), /^EACCES/],
    ["a file in no known format", () => script("text", "hello\n"), /^ENOEXEC/],
    [
      "a script whose interpreter is missing",
      () => script("bad", "#!/varta-absent/interpreter\n"),
      /^ENOENT/,
    ],
    ["an argument with a NUL", () => "/bin/true\0", /null bytes/],
  ];
  for (const [name, command, error] of FAILURES) {
    test(`${name}, as an error`, () => {
      const run = start([command()]);
      expect(run.error).toMatch(error);
      expect(run.childPid).toBe(0);
    });
  }

  test.if(IS_LINUX)("a program that is just being written, as an error that passes", async () => {
    const program = join(directory, "written");
    copyFileSync("/bin/true", program);
    chmodSync(program, 0o755);
    const fd = openSync(program, "r+");
    const spawn = () => new ProcessRunner().spawn([program], SYSTEM_PATH, () => {}, PLAIN_SETTING);
    expect(spawn().failure).toEqual({ text: "ETXTBSY (text file is busy)", isTransient: true });
    closeSync(fd);
    expect(spawn().failure).toBeUndefined();
    expect(start([join(directory, "none")]).error).toStartWith("ENOENT");
    const absent = new ProcessRunner().spawn(["/none"], SYSTEM_PATH, () => {}, PLAIN_SETTING);
    expect(absent.failure!.isTransient).toBe(false);
  });

  test("nothing of a command that could not be started", async () => {
    const failed = start([join(directory, "none")]);
    await endOf(start(["/bin/true"]));
    expect(failed.exits).toEqual([]);
  });
});

describe("ProcessRunner.spawn() gives a child", () => {
  test("its arguments as they are: no shell reads them", async () => {
    const out = join(directory, "arguments");
    const odd = ["$(id)", "a b", "", "*", "'\"\\", "é\n"];
    const run = start(["/bin/sh", "-c", 'printf "%s|" "$@" > "$0"', out, ...odd]);
    await endOf(run);
    expect(readFileSync(out, "utf8")).toBe(`${odd.join("|")}|`);
  });

  test("only the environment of the call", async () => {
    const { PATH, ...others } = { ...SYSTEM_PATH, FOO: "b r" };
    const names = (await outputOf("env", { PATH, ...others })).trim().split("\n");
    // The shell itself adds these.
    const own = names.filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line));
    expect(own.toSorted()).toEqual(["FOO=b r", "PATH=/usr/bin:/bin"]);
  });

  test("a command looked up in the PATH of the call, not in the daemon's", async () => {
    const bin = mkdtempSync(join(directory, "bin-"));
    writeFileSync(join(bin, "varta-test-command"), "#!/bin/sh\nexit 5\n", { mode: 0o755 });
    const found = start(["varta-test-command"], { PATH: `/nonexistent:${bin}` });
    expect(await endOf(found)).toEqual([5, NaN]);

    const own = process.env["PATH"];
    process.env["PATH"] = `${bin}:${own}`;
    try {
      expect(start(["varta-test-command"]).error).toStartWith("ENOENT");
    } finally {
      process.env["PATH"] = own;
    }
  });

  test("its own session and process group, named by its pid", async () => {
    const run = await startSleep();
    if (IS_LINUX) {
      const stat = readFileSync(`/proc/${run.childPid}/stat`, "utf8");
      const [, parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      expect([parent, group, session]).toEqual(
        [process.pid, run.childPid, run.childPid].map(String),
      );
    }
    expect(new ProcessRunner().signalGroup(run.childPid, SIGKILL)).toBe(0);
    expect(await endOf(run)).toEqual([NaN, SIGKILL]);
  });

  test.if(IS_LINUX)("stdin from /dev/null, and the daemon's stdout and stderr", async () => {
    const run = await startSleep();
    const links = [0, 1, 2].map((fd) => readlinkSync(`/proc/${run.childPid}/fd/${fd}`));
    kill(run.childPid, SIGKILL);
    await endOf(run);
    const own = [1, 2].map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
    expect(links).toEqual(["/dev/null", ...own]);
  });

  test.if(IS_LINUX)("no other descriptor, whatever the daemon has open", async () => {
    using server = Bun.serve({ port: 0, fetch: () => new Response("") });
    const socket = await Bun.udpSocket({});
    expect(server.port).toBeGreaterThan(0);
    const run = await startSleep();
    const descriptors = readdirSync(`/proc/${run.childPid}/fd`);
    kill(run.childPid, SIGKILL);
    await endOf(run);
    socket.close();
    expect(descriptors.toSorted()).toEqual(["0", "1", "2"]);
  });

  test.if(IS_LINUX)(
    "neither the daemon's stdin nor a descriptor that it inherited without close-on-exec",
    () => {
      const program = script(
        "inherited.ts",
        `import { PLAIN_SETTING, ProcessRunner } from "${join(import.meta.dir, "../../../src/recovery/children/child_runner.ts")}";
       import { readdirSync, readFileSync, readlinkSync } from "node:fs";
       const own = readdirSync("/proc/self/fd");
       const run = new ProcessRunner().spawn(["/bin/sleep", "60"], {}, () => {}, PLAIN_SETTING);
       const stat = "/proc/" + run.childPid + "/stat";
       while (!readFileSync(stat, "utf8").startsWith(run.childPid + " (sleep) S "));
       const theirs = readdirSync("/proc/" + run.childPid + "/fd");
       const stdin = readlinkSync("/proc/" + run.childPid + "/fd/0");
       process.kill(run.childPid, "SIGKILL");
       console.log(own.includes("7"), own.includes("9"), theirs.toSorted().join(), stdin);`,
      );
      const shell = 'exec 0</etc/passwd 7</dev/null 9>/dev/null; exec "$0" "$1"';
      const run = Bun.spawnSync(["/bin/sh", "-c", shell, process.execPath, program], {
        timeout: 5_000,
      });
      expect(run.stderr.toString()).toBe("");
      expect(run.stdout.toString()).toBe("true true 0,1,2 /dev/null\n");
    },
  );

  test.if(IS_LINUX)("default signals, though the daemon handles and ignores some", async () => {
    const ignore = () => {};
    process.on("SIGUSR1", ignore);
    const status = await outputOf("grep -E '^Sig(Blk|Ign)' /proc/self/status");
    process.off("SIGUSR1", ignore);
    expect(status).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  });
});

test.if(IS_LINUX)("ProcessRunner keeps no descriptor of a child that is over", async () => {
  await endOf(start(["/bin/true"]));
  const before = openDescriptors();
  const runs = Array.from({ length: 8 }, () => start(["/bin/true"]));
  for (const run of runs) await endOf(run);
  expect(openedSince(before)).toEqual([]);
});

describe("ProcessRunner.signalGroup()", () => {
  test("reports a group that is gone", async () => {
    const run = start(["/bin/true"]);
    await endOf(run);
    expect(new ProcessRunner().signalGroup(run.childPid, SIGTERM)).toBe(ESRCH);
  });

  test("refuses what would signal the daemon's own group or all processes", () => {
    for (const pid of [-1, 0, 1]) {
      expect(() => new ProcessRunner().signalGroup(pid, 0)).toThrow("named by its pid");
    }
  });
});

describe("Recovery with real commands", () => {
  test("fills the placeholders in, once per debounce window", async () => {
    const out = join(directory, "placeholders");
    const text = 'echo "$@" "$VARTA_PID" "$VARTA_STATUS" >> "$0"';
    const command = ["/bin/sh", "-c", text, out, "{pid}", "{listener}:{payload}"];
    const { recovery, nowNs, allEnded, tell } = realHarness({ command, debounceNs: 60 * NS_PER_S });
    recovery.decideOne(stallOf(), nowNs());
    await allEnded();
    recovery.decideOne(stallOf(), nowNs());
    expect(readFileSync(out, "utf8")).toBe("4242 aux:3000000000 4242 degraded\n");
    expect(tell().at(-1)).toBe("refused 4242 debounced");
  });

  test("reports a command that is missing and goes on", async () => {
    const { recovery, outcomes, nowNs } = realHarness({ command: [join(directory, "none")] });
    for (let attempt = 0; attempt < 3; attempt++) recovery.decideOne(stallOf(), nowNs());
    expect(outcomes).toHaveLength(3);
    expect(outcomes[2]).toMatchObject({
      reason: "spawn_failed",
      error: "ENOENT (no such file or directory)",
    });
    expect(recovery.outstandingCount).toBe(0);
  });

  test("reports a command that exits 1, with its duration", async () => {
    const { recovery, outcomes, nowNs, allEnded } = realHarness({
      command: ["/bin/sh", "-c", "exit 1"],
    });
    recovery.decideOne(stallOf(), nowNs());
    await allEnded();
    const end = outcomes.at(-1)!;
    expect(end).toMatchObject({
      kind: "complete",
      label: "reaped_nonzero",
      completion: "reaped",
      exitCode: 1,
    });
    expect(end.kind === "complete" && end.durationNs).toBeGreaterThan(0);
  });

  test("starts a slow command and never waits for it", async () => {
    const { recovery, nowNs } = realHarness({ command: ["/bin/sleep", "60"] });
    const before = performance.now();
    recovery.decideOne(stallOf(), nowNs());
    recovery.reap(nowNs());
    expect(performance.now() - before).toBeLessThan(30_000);
    recovery.killAllNow(nowNs());
    expect(recovery.shutdownDone(nowNs())).toBe(true);
  });

  test("kills a command that ignores SIGTERM, and its whole group", async () => {
    const ready = join(directory, "grandchild");
    const text = `trap "" TERM; sleep 60 & echo $! > "$0"; while :; do wait; sleep 1; done`;
    const { recovery, nowNs, leap, allEnded, tell, outcomes } = realHarness({
      command: ["/bin/sh", "-c", text, ready],
      timeoutNs: 60 * NS_PER_S,
      killGraceNs: 20 * NS_PER_MS,
    });
    recovery.decideOne(stallOf(), nowNs());
    await until("the grandchild to run", () => pidIn(ready) > 0);
    expect(isGone(pidIn(ready))).toBe(false);
    leap(60 * NS_PER_S);
    await allEnded();
    expect(tell().map((line) => line.replace(/ \S+$/, ""))).toEqual([
      expect.stringMatching(/^spawn/),
      expect.stringMatching(/^timeout/),
      expect.stringMatching(/killed signal 9/),
    ]);
    expect(outcomes.filter((outcome) => outcome.kind === "complete")).toHaveLength(1);
    await until("the grandchild to be gone", () => isGone(pidIn(ready)));
  });

  test("kills what a command left behind that obeyed SIGTERM", async () => {
    const ready = join(directory, "left-behind");
    // The grandchild ignores SIGTERM, its parent does not.
    const stubborn = `trap "" TERM; echo $$ > "$0"; exec sleep 60`;
    const { recovery, nowNs, leap, allEnded, outcomes } = realHarness({
      command: ["/bin/sh", "-c", 'sh -c "$1" "$0" & wait', ready, stubborn],
      timeoutNs: 60 * NS_PER_S,
      killGraceNs: 60 * NS_PER_S,
    });
    recovery.decideOne(stallOf(), nowNs());
    await until("the grandchild to run", () => pidIn(ready) > 0);
    leap(60 * NS_PER_S);
    await allEnded();
    expect(outcomes.at(-1)).toMatchObject({
      label: "killed",
      completion: "killed",
      signal: SIGTERM,
    });
    await until("the grandchild to be gone", () => isGone(pidIn(ready)));
  });

  test("leaves what a command started in the background alone if it exits by itself", async () => {
    const ready = join(directory, "background");
    const { recovery, nowNs, allEnded } = realHarness({
      command: ["/bin/sh", "-c", `sleep 60 & echo $! > "$0"`, ready],
    });
    recovery.decideOne(stallOf(), nowNs());
    await allEnded();
    expect(isGone(pidIn(ready))).toBe(false);
    kill(pidIn(ready), SIGKILL);
  });

  test("ends every child at shutdown: those that obey by SIGTERM, the others by SIGKILL", async () => {
    const ready = join(directory, "stubborn");
    const text = 'test "$1" = 2 && trap "" TERM; echo $$ > "$0$1"; while :; do sleep 0.01; done';
    const { recovery, nowNs, outcomes } = realHarness({
      command: ["/bin/sh", "-c", text, ready, "{pid}"],
      shutdownGraceNs: 10 * NS_PER_S,
      killGraceNs: 50 * NS_PER_MS,
    });
    recovery.decideOne(stallOf({ pid: 1 }), nowNs());
    recovery.decideOne(stallOf({ pid: 2 }), nowNs());
    await until("both to run", () => pidIn(`${ready}1`) > 0 && pidIn(`${ready}2`) > 0);
    recovery.beginShutdown(nowNs());
    await until("shutdown", () => {
      recovery.reap(nowNs());
      return recovery.shutdownDone(nowNs());
    });
    const ends = outcomes.flatMap((outcome) =>
      outcome.kind === "complete" ? [[outcome.pid, outcome.completion, outcome.signal]] : [],
    );
    expect(ends.toSorted()).toEqual([
      [1, "killed", SIGTERM],
      [2, "killed", SIGKILL],
    ]);
  });
});
