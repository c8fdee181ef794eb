// Captured output: the last bytes of each stream, exact lengths, bounded memory and bounded work in
// a turn.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { kill } from "../../../ffi/process.ts";
import { CAPTURE_BYTES_PER_TURN_MAX, CAPTURE_READ_BYTES_MAX } from "../../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../../src/base/time.ts";
import type { CapturedOutput } from "../../../src/events/captured_output.ts";
import type { CompleteOutcome } from "../../../src/events/outcome.ts";
import { PipeOutput, Tail } from "../../../src/recovery/children/child_output.ts";
import { PLAIN_SETTING, ProcessRunner } from "../../../src/recovery/children/child_runner.ts";
import { atLength } from "../../support/at_length.ts";
import { openDescriptors, openedSince } from "../../support/descriptors.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { ScriptedRunner, SIGKILL, stallOf, until } from "../harness.ts";
import { isGone, pidIn, realHarness } from "../real_harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const IS_LINUX = process.platform === "linux";

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-output-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

const AUDITED = { keptBytesMax: 64, isAudited: true };

function text(tail: Uint8Array): string {
  return Buffer.from(tail).toString("latin1");
}

/** Runs a shell text with capture and returns what was kept when it was over. */
async function capture(script: string, captureBytes = 64): Promise<CapturedOutput> {
  const bed = realHarness({ command: ["/bin/sh", "-c", script], capture: true, captureBytes });
  bed.recovery.decideOne(stallOf(), bed.nowNs());
  await bed.allEnded();
  return bed.completes()[0]!.captured!;
}

describe("Tail", () => {
  test("keeps the last bytes of all that was pushed, in pieces of any size", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), pieces, (bytesMax, pushed) => {
        const tail = new Tail(bytesMax);
        for (const piece of pushed) tail.push(piece, piece.length);
        const all = Buffer.concat(pushed);
        expect(Buffer.from(tail.bytes())).toEqual(all.subarray(Math.max(0, all.length - bytesMax)));
      }),
      { numRuns: atLength(100, 1_000) },
    );
  });

  test("is a copy: what is pushed later does not change it", () => {
    const tail = new Tail(4);
    tail.push(Uint8Array.of(1, 2, 3, 4), 4);
    const before = tail.bytes();
    tail.push(Uint8Array.of(9, 9, 9, 9), 4);
    expect([...before]).toEqual([1, 2, 3, 4]);
  });
});

describe("Captured output", () => {
  test("is that of both streams, with its length", async () => {
    const captured = await capture("echo out; echo error >&2; echo more");
    expect(captured).toMatchObject({ stdoutSizeBytes: 9, stderrSizeBytes: 6, truncated: false });
    expect(text(captured.stdoutTail)).toBe("out\nmore\n");
    expect(text(captured.stderrTail)).toBe("error\n");
  });

  test("is empty for a silent command", async () => {
    const captured = await capture("exit 3");
    expect(captured).toMatchObject({ stdoutSizeBytes: 0, stderrSizeBytes: 0, truncated: false });
    expect([captured.stdoutTail.length, captured.stderrTail.length]).toEqual([0, 0]);
  });

  test("is its end, if it is longer than what is kept", async () => {
    const captured = await capture("seq 1 5000", 10);
    expect(text(captured.stdoutTail)).toBe("4999\n5000\n");
    expect(captured).toMatchObject({ stdoutSizeBytes: 23_893, truncated: true });
  });

  test("is kept byte for byte, whatever the bytes are", async () => {
    const captured = await capture("printf '\\000\\001\\033[2J\\377\\n'");
    expect([...captured.stdoutTail]).toEqual([0, 1, 27, 91, 50, 74, 255, 10]);
  });

  test("does not exist if nothing is captured", async () => {
    const bed = realHarness({ command: ["/bin/true"] });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await bed.allEnded();
    expect(bed.completes()[0]!.captured).toBeUndefined();
  });

  test.if(IS_LINUX)("of a command that cannot be started leaves no pipe behind", () => {
    const setting = { ...PLAIN_SETTING, capture: AUDITED };
    const before = openDescriptors();
    for (let attempt = 0; attempt < 50; attempt++) {
      const result = new ProcessRunner().spawn(["/varta-absent"], {}, () => {}, setting);
      expect(result.failure?.text).toStartWith("ENOENT");
    }
    expect(openedSince(before)).toEqual([]);
  });

  test.if(IS_LINUX)("leaves no pipe behind when it is over", async () => {
    await capture("true");
    const before = openDescriptors();
    for (let run = 0; run < 5; run++) await capture("echo x");
    expect(openedSince(before)).toEqual([]);
  });
});

describe("A command that floods its output", () => {
  test("is cut off after what may be read of it, in bounded pieces, and gets SIGPIPE", async () => {
    const output = PipeOutput.open({ ...AUDITED, keptBytesMax: 100 }) as PipeOutput;
    const flood = Bun.spawn(["/bin/sh", "-c", "yes 0123456 & exec yes abcdefg >&2"], {
      stdout: output.stdoutFd,
      stderr: output.stderrFd,
    });
    output.childHasThem();
    let turns = 0;
    await until("the flood to be cut off", () => {
      const taken = output.pump();
      expect(taken).toBeLessThanOrEqual(CAPTURE_BYTES_PER_TURN_MAX);
      if (taken > 0) turns += 1;
      return output.isDone;
    });
    await flood.exited;
    expect(flood.signalCode).toBe("SIGPIPE");
    expect(turns).toBeGreaterThanOrEqual(CAPTURE_READ_BYTES_MAX / CAPTURE_BYTES_PER_TURN_MAX);
    const captured = output.captured();
    const size = captured.stdoutSizeBytes + captured.stderrSizeBytes;
    expect(size).toBeWithin(CAPTURE_READ_BYTES_MAX, CAPTURE_READ_BYTES_MAX + 65_536);
    expect(captured.truncated).toBe(true);
    expect(text(captured.stdoutTail)).toMatch(/^[0-6\n]{100}$/);
    expect(text(captured.stderrTail)).toMatch(/^[a-g\n]{100}$/);
  });

  test("keeps no turn of the daemon longer than a millisecond or two, and ends by itself", async () => {
    const bed = realHarness({ command: ["/usr/bin/yes"], capture: true });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    const turnsMs: number[] = [];
    await until("the flood to end", () => {
      const beginMs = performance.now();
      bed.recovery.reap(bed.nowNs());
      turnsMs.push(performance.now() - beginMs);
      return bed.recovery.outstandingCount === 0;
    });
    expect(bed.completes()[0]).toMatchObject({ completion: "reaped", signal: 13 });
    expect(turnsMs.toSorted((a, b) => a - b)[Math.floor(turnsMs.length / 2)]!).toBeLessThan(2);
  });
});

describe("A command whose output is held open by what it left in the background", () => {
  test("is reported 2 s after its exit, with what was written until then", async () => {
    const file = join(directory, "holder");
    const script = 'echo begun; (setsid sh -c \'echo late; echo $$ > "$0"; exec sleep 60\' "$0") &';
    const bed = realHarness({
      command: ["/bin/sh", "-c", script, file],
      capture: true,
      captureBytes: 64,
    });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await until("the holder to run", () => pidIn(file) > 0);
    await until("the command to exit", () => bed.recovery.reap(bed.nowNs()) > 0);
    expect(bed.completes()).toEqual([]);
    expect(bed.recovery.nextDeadlineNs()).toBeLessThan(bed.nowNs() + 2 * NS_PER_S);
    bed.leap(2 * NS_PER_S);
    bed.recovery.reap(bed.nowNs());
    const [complete] = bed.completes();
    expect(complete).toMatchObject({ completion: "reaped", exitCode: 0 });
    expect(text(complete!.captured!.stdoutTail)).toBe("begun\nlate\n");
    // The wait for the output is no run time of the command.
    expect(complete!.durationNs).toBeLessThan(2 * NS_PER_S);
    expect(isGone(pidIn(file))).toBe(false);
    kill(pidIn(file), SIGKILL);
  });

  test("is reported at once if its agent stalls again", async () => {
    const file = join(directory, "second");
    const bed = realHarness({
      command: ["/bin/sh", "-c", 'setsid sh -c \'echo $$ > "$0"; exec sleep 60\' "$0" &', file],
      capture: true,
    });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    await until("the holder to run", () => pidIn(file) > 0);
    await until("the command to exit", () => bed.recovery.reap(bed.nowNs()) > 0);
    const holder = pidIn(file);
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    expect(bed.tell().map((line) => line.split(" ")[0])).toEqual(["spawn", "complete", "spawn"]);
    await until("the second holder", () => pidIn(file) !== holder && pidIn(file) > 0);
    for (const pid of [holder, pidIn(file)]) kill(pid, SIGKILL);
    await bed.allEnded();
  });
});

describe("A command whose output nobody asked to keep, with a configuration file", () => {
  function piped(script: string, ...args: string[]) {
    const command = ["/bin/sh", "-c", script, ...args];
    const bed = realHarness({ command, captureBytes: 64 }, { pipesOutput: true });
    bed.recovery.decideOne(stallOf(), bed.nowNs());
    return bed;
  }

  test("writes to the daemon and not beside it: the end is for the log alone", async () => {
    const bed = piped("seq 1 3000; echo failed >&2; exit 3");
    await bed.allEnded();
    const [{ captured, exitCode }] = bed.completes() as [CompleteOutcome];
    expect([exitCode, captured!.isAudited]).toEqual([3, false]);
    expect(text(captured!.stdoutTail)).toEndWith("\n2999\n3000\n");
    expect(text(captured!.stderrTail)).toBe("failed\n");
    expect(bed.runs.at(-1)).toMatchObject({ result: "not_helped", captured });
  });

  test("may print as much as it likes: it is not cut off", async () => {
    const bytes = 3 * CAPTURE_READ_BYTES_MAX;
    const bed = piped(`head -c ${bytes} /dev/zero; echo; echo end; exit 7`);
    await bed.allEnded();
    const [complete] = bed.completes();
    expect([complete!.exitCode, complete!.signal]).toEqual([7, Number.NaN]);
    expect(complete!.captured!.stdoutSizeBytes).toBe(bytes + 5);
    expect(text(complete!.captured!.stdoutTail)).toEndWith("\0\nend\n");
  });

  test("is over at its exit; what it left in the background writes on", async () => {
    const file = join(directory, "background");
    const background = 'while [ ! -e "$0.go" ]; do sleep 0.01; done; seq 1 9 && echo on > "$0"';
    const bed = piped(`(${background}) & echo begun`, file);
    await until("the command to exit", () => bed.recovery.reap(bed.nowNs()) > 0);
    const [complete] = bed.completes();
    expect(text(complete!.captured!.stdoutTail)).toBe("begun\n");
    bed.leap(60 * NS_PER_S);
    bed.recovery.reap(bed.nowNs());
    writeFileSync(`${file}.go`, "");
    await until("it to have written", () => existsSync(file));
    await until("its pipes to be closed", () => {
      bed.recovery.reap(bed.nowNs());
      return bed.recovery.nextDeadlineNs() === Number.POSITIVE_INFINITY;
    });
  });

  test.if(IS_LINUX)(
    "holds no more pipes for what is in the background than there may be",
    async () => {
      const runner = new ProcessRunner();
      const before = openDescriptors();
      const bed = realHarness(
        { command: ["/bin/sh", "-c", "exec sleep 60 & echo $!"], captureBytes: 64 },
        { pipesOutput: true, runner, capacity: 128 },
      );
      for (let pid = 1; pid <= 70; pid++) bed.recovery.decideOne(stallOf({ pid }), bed.nowNs());
      await bed.allEnded();
      expect(openedSince(before)).toHaveLength(2 * 64);
      for (const { captured } of bed.completes()) kill(Number(text(captured!.stdoutTail)), SIGKILL);
      await until("the pipes to be closed", () => {
        bed.recovery.reap(bed.nowNs());
        return openedSince(before).length === 0;
      });
    },
  );
});

describe("Looking at the output of a command that says nothing", () => {
  test("happens less and less often, and soon again when it speaks", () => {
    let taken = 0;
    const runner = new ScriptedRunner();
    runner.output = {
      pump: () => taken,
      isDone: false,
      mayLinger: false,
      close: () => {},
      captured: () => ({
        isAudited: true,
        stdoutSizeBytes: 0,
        stderrSizeBytes: 0,
        truncated: false,
        stdoutTail: new Uint8Array(0),
        stderrTail: new Uint8Array(0),
      }),
    };
    const bed = realHarness({ capture: true }, { runner });
    const pausesMs: number[] = [];
    let nowNs = 10 * NS_PER_S;
    bed.recovery.decideOne(stallOf(), nowNs);
    for (let look = 0; look < 9; look++) {
      taken = look === 7 ? 5 : 0;
      const nextNs = bed.recovery.nextDeadlineNs();
      pausesMs.push((nextNs - nowNs) / NS_PER_MS);
      nowNs = nextNs;
      bed.recovery.reap(nowNs);
    }
    expect(pausesMs).toEqual([10, 20, 40, 80, 160, 250, 250, 250, 10]);
    taken = CAPTURE_BYTES_PER_TURN_MAX;
    nowNs = bed.recovery.nextDeadlineNs();
    bed.recovery.reap(nowNs);
    expect(bed.recovery.nextDeadlineNs()).toBe(nowNs);
  });
});
