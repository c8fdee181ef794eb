// Crash beats of real processes: the last beat arrives, and the process dies as it would have died
// without it.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { BoundReceiver } from "./bound_receiver.ts";

setDefaultTimeout(TEST_MS_MAX);

const TERMINAL = 2n ** 64n - 1n;

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly frames: readonly (readonly [status: string, nonce: bigint, payload: number])[];
}

describe("installCrashBeat()", () => {
  const fatal = [
    "throw",
    "throw in a timer",
    "reject",
    "reject with a number",
    "await a rejection",
  ];
  for (const ending of fatal) {
    test(`sends one crash beat and changes nothing else: ${ending}`, async () => {
      const without = await run(ending, "");
      const installed = await run(ending, "install");
      expect(installed.stderr).toBe(without.stderr);
      expect(installed.stderr).not.toBe("");
      expect(installed.stdout).toBe("");
      expect(installed.exitCode).toBe(without.exitCode);
      expect(installed.exitCode).toBe(1);
      expect(without.frames).toEqual([["ok", 1n, 0]]);
      expect(installed.frames).toEqual([
        ["ok", 1n, 0],
        ["critical", TERMINAL, 0],
      ]);
    });
  }

  test("reports both of two rejections and sends one crash beat", async () => {
    const { frames, stderr, stdout, exitCode } = await run("reject twice", "install");
    expect(frames).toHaveLength(2);
    expect(stderr).toContain("error: first");
    expect(stderr).toContain("error: second");
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });

  test("sends one crash beat under --unhandled-rejections=throw", async () => {
    const without = await run("reject", "", ["--unhandled-rejections=throw"]);
    const installed = await run("reject", "install", ["--unhandled-rejections=throw"]);
    expect({ ...installed, frames: [] }).toEqual({ ...without, frames: [] });
    expect(installed.frames).toHaveLength(2);
  });

  test("sends one crash beat under strict, which then spares the warning after the error", async () => {
    const without = await run("reject", "", ["--unhandled-rejections=strict"]);
    const installed = await run("reject", "install", ["--unhandled-rejections=strict"]);
    expect(installed.frames).toHaveLength(2);
    expect(installed.exitCode).toBe(without.exitCode);
    const error = installed.stderr.slice(0, installed.stderr.indexOf("\n\nBun v"));
    expect(error).toContain("error: rejected");
    expect(without.stderr).toStartWith(error);
  });

  for (const ending of ["exit", "return", "handle an exception", "handle a rejection"]) {
    test(`sends none where the process does not die of an error: ${ending}`, async () => {
      const without = await run(ending, "");
      expect(await run(ending, "install")).toEqual(without);
      expect(without.stderr).toBe("");
      expect(without.frames).toEqual([["ok", 1n, 0]]);
    });
  }

  test("leaves a program that handles its errors to send one itself", async () => {
    const { frames, exitCode } = await run("handle and say so", "install");
    expect(frames).toEqual([
      ["ok", 1n, 0],
      ["critical", TERMINAL, 9],
    ]);
    expect(exitCode).toBe(5);
  });

  test("is undone by close()", async () => {
    const { frames, exitCode } = await run("throw in a timer", "install and remove");
    expect(frames).toEqual([["ok", 1n, 0]]);
    expect(exitCode).toBe(1);
  });
});

async function run(ending: string, install: string, flags: string[] = []): Promise<Ended> {
  using receiver = new BoundReceiver();
  const script = `${import.meta.dir}/crashing_agent.ts`;
  const command = [process.execPath, ...flags, script, ending, receiver.path, install];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const exitCode = await child.exited;
  const frames = receiver.frames();
  expect(frames.every((frame) => frame.pid === child.pid)).toBe(true);
  const rows = frames.map(({ status, nonce, payload }) => [status, nonce, payload] as const);
  return { stdout, stderr, exitCode, frames: rows };
}
