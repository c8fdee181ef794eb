// Commands that misbehave, as real processes: each is reported with what it did, none holds the
// daemon up, and none outlives its time.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { SIGKILL, SIGTERM, stallOf, until } from "./harness.ts";
import { eachLine } from "../support/log_lines.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { isGone, pidIn, realHarness, stateOf } from "./real_harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const IS_LINUX = process.platform === "linux";
const IS_ROOT = process.getuid!() === 0;

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-hostile-"));
  chmodSync(directory, 0o755);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function timed(text: string, ...more: string[]) {
  return realHarness({
    command: ["/bin/sh", "-c", text, ...more],
    timeoutNs: 60 * NS_PER_S,
    killGraceNs: 20 * NS_PER_MS,
  });
}

describe("A command that", () => {
  test("ignores SIGTERM is killed after its grace", async () => {
    const ready = join(directory, "stubborn");
    const bed = timed('trap "" TERM; echo $$ > "$0"; while :; do sleep 1; done', ready);
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await until("the command to run", () => pidIn(ready) > 0);
    bed.leap(60 * NS_PER_S);
    await bed.allEnded();
    expect(bed.completes()).toMatchObject([{ completion: "killed", signal: SIGKILL }]);
  });

  test.if(IS_LINUX)("is stopped is killed all the same", async () => {
    const ready = join(directory, "stopped");
    const bed = timed('echo $$ > "$0"; kill -STOP $$; echo never > "$0"', ready);
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await until("the command to stop", () => stateOf(pidIn(ready)) === "T");
    bed.leap(60 * NS_PER_S);
    await bed.allEnded();
    // SIGTERM waits for a process that is stopped, SIGKILL does not.
    expect(bed.completes()).toMatchObject([{ completion: "killed", signal: SIGKILL }]);
    expect(bed.tell().filter((line) => line.startsWith("timeout"))).toHaveLength(1);
  });

  test("leaves its session for another one outlives the command, and nothing waits for it", async () => {
    const ready = join(directory, "daemonized");
    const bed = timed('setsid sh -c \'echo $$ > "$0"; exec sleep 60\' "$0" &', ready);
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await bed.allEnded();
    expect(bed.completes()).toMatchObject([{ completion: "reaped", exitCode: 0 }]);
    await until("the daemonized process", () => pidIn(ready) > 0);
    expect(isGone(pidIn(ready))).toBe(false);
    process.kill(pidIn(ready), "SIGKILL");
  });

  test("dies of a signal of its own is reported with it", async () => {
    const bed = timed("kill -ABRT $$");
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await bed.allEnded();
    expect(bed.completes()).toMatchObject([{ completion: "reaped", signal: 6, exitCode: NaN }]);
  });

  test("is a step gives way to the next one when it is killed", async () => {
    const done = join(directory, "second-step");
    const bed = realHarness({
      command: undefined,
      steps: [
        { kind: "exec", command: ["/bin/sleep", "60"] },
        { kind: "exec", command: ["/bin/sh", "-c", 'echo $$ > "$0"', done] },
      ],
      timeoutNs: 60 * NS_PER_S,
      killGraceNs: 20 * NS_PER_MS,
    });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    bed.leap(60 * NS_PER_S);
    await until("the second step", () => {
      bed.recovery.reap(bed.nowNs());
      return pidIn(done) > 0;
    });
    await bed.allEnded();
    expect(bed.completes()).toMatchObject([
      { completion: "killed", signal: SIGTERM },
      { completion: "reaped", exitCode: 0 },
    ]);
    expect(bed.tell().at(-1)).toStartWith("end 4242 succeeded at 2/2");
  });
});

describe("A command gets", () => {
  test("the working directory and the file mode mask that are set, and the daemon keeps its own", async () => {
    const cwd = join(directory, "work");
    mkdirSync(cwd);
    const own = process.umask();
    const bed = realHarness({
      command: ["/bin/sh", "-c", "pwd -P > where; umask >> where"],
      cwd,
      umask: 0o137,
    });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    expect(process.umask()).toBe(own);
    await bed.allEnded();
    const file = join(cwd, "where");
    expect(readFileSync(file, "utf8")).toBe(`${realpathSync(cwd)}\n0137\n`);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test("an error for its directory if that is gone, and the daemon's mask comes back", () => {
    const own = process.umask();
    const bed = realHarness({
      command: ["/bin/true"],
      cwd: join(directory, "absent"),
      umask: 0o077,
    });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    expect(bed.outcomes[0]).toMatchObject({ reason: "spawn_failed" });
    expect(process.umask()).toBe(own);
  });
});

// A process limit does not bind root: the test runs as a user of its own, who must be able to read
// this process.
const uid = 61_000 + (process.pid % 1_000);
const program = join(import.meta.dir, "limited_process.ts");
const asUser = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
const canLimit =
  IS_LINUX &&
  IS_ROOT &&
  Bun.which("setpriv") !== null &&
  Bun.which("prlimit") !== null &&
  [process.execPath, program].every(
    (file) => Bun.spawnSync([...asUser, "test", "-r", file]).success,
  );

interface LimitedProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it answers to one line. */
  ask(line: string): Promise<string>;
}

async function limitedProcess(prefix: readonly string[], capture = ""): Promise<LimitedProcess> {
  const child = Bun.spawn([...prefix, process.execPath, program, capture], {
    stdin: "pipe",
    stdout: "pipe",
    env: { HOME: directory },
    cwd: "/",
  });
  const lines: string[] = [];
  void eachLine(child.stdout, (line) => lines.push(line));
  await until("the process to be ready", () => lines.shift() === "ready");
  return {
    pid: child.pid,
    async ask(line) {
      child.stdin.write(`${line}\n`);
      await child.stdin.flush();
      await until("an answer", () => lines.length > 0);
      return lines.shift()!;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

test.skipIf(!canLimit)(
  "A process limit that is reached puts the command off, and the next try works (needs root and setpriv)",
  async () => {
    await using limited = await limitedProcess(asUser);
    const allow = (nproc: number) => {
      const limit = ["prlimit", `--nproc=${nproc}:`, "--pid", String(limited.pid)];
      expect(Bun.spawnSync([...asUser, ...limit]).success).toBe(true);
    };
    allow(1);
    expect(await limited.ask("turn")).toBe("deferred: EAGAIN (resource temporarily unavailable)");
    allow(1_000);
    expect(await limited.ask("turn")).toBe("spawn");
  },
);

describe.skipIf(Bun.which("prlimit") === null)(
  "Without a free descriptor a command is put off",
  () => {
    test.each(["plain", "capture"])("and nothing stays open (%s)", async (capture) => {
      await using limited = await limitedProcess(["prlimit", "--nofile=64:64"], capture);
      const open = Number(await limited.ask("open"));
      expect(await limited.ask("fill")).toBe("EMFILE");
      for (let tries = 0; tries < 3; tries++)
        expect(await limited.ask("turn")).toBe("deferred: EMFILE (too many open files)");
      await limited.ask("free");
      expect(Number(await limited.ask("open"))).toBe(open);
      expect(await limited.ask("turn")).toBe("spawn");
    });

    test("and yet it is known whose pid it is: two descriptors are kept for that", async () => {
      await using limited = await limitedProcess(["prlimit", "--nofile=64:64"]);
      expect(await limited.ask("fill")).toBe("EMFILE");
      const answers = [];
      for (let looks = 0; looks < 3; looks++) answers.push(await limited.ask("identify"));
      expect(answers).toEqual(["known, signalled", "known, signalled", "known, signalled"]);
    });
  },
);
