// "varta-watch demo" as a newcomer sees it: the story in its order, colours only where they are
// wanted, and nothing left, however it ends.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

const DEMO_MS_MAX = 15_000;
/** Of its threshold of a second. */
const PAUSE_MS_MAX = 500;
const STORY = ["START", "BEATS", "SIGSTOP", "STALL", "RECOVER", "DONE", "BACK"];
const COLOUR = "\x1b[1;31m";
const CURSOR_UP = "\x1b[5A";
const script = Bun.which("script");
const noTerminal = script === null ? " (skipped: there is no script(1))" : "";

setDefaultTimeout(60_000);

describe.concurrent("varta-watch demo", () => {
  test("tells the story in plain lines and exits 0 in time", () =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      const startedMs = performance.now();
      const { stdout, stderr, exitCode, leftBehind } = await demo();
      expect(stderr).toBe("");
      expect(exitCode).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(DEMO_MS_MAX);
      expect(stdout).not.toContain("\x1b");
      const words = [...stdout.matchAll(/^ *[0-9.]+ s {2}([A-Z]+) /gm)].map(([, word]) => word!);
      // The return and the end of the recovery race each other.
      expect(words.slice(0, 5)).toEqual(STORY.slice(0, 5));
      expect(words.slice(5).toSorted()).toEqual(["BACK", "DONE"]);
      expect(stdout).toMatch(
        /One stall, found (within a millisecond of|[0-9]+ ms after) its threshold/,
      );
      expect(stdout).toMatch(/STALL +worker stalled: stopped, silent for/);
      expect(storyIn(stdout)).toEqual(storyIn(readmeBlock()));
      expect(leftBehind).toEqual([]);
    }));

  test.skipIf(script === null)(`uses colours on a terminal${noTerminal}`, () =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      const { stdout, exitCode, leftBehind } = await demo({ onTerminal: true });
      expect(exitCode).toBe(0);
      expect(stdout).toContain(COLOUR);
      expect(stdout).toContain(CURSOR_UP);
      expect(leftBehind).toEqual([]);
    }),
  );

  test.skipIf(script === null)(`uses none with NO_COLOR${noTerminal}`, () =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      const { stdout, exitCode } = await demo({ onTerminal: true, env: { NO_COLOR: "1" } });
      expect(exitCode).toBe(0);
      expect(stdout).toContain(CURSOR_UP);
      expect(stdout).not.toMatch(/\x1b\[[0-9;]*m/);
    }),
  );

  for (const signal of ["SIGINT", "SIGHUP"] as const) {
    test(`clears up when ${signal} interrupts it`, async () => {
      const { exitCode, leftBehind } = await demo({
        during: async (child, seen) => {
          await until("a stopped agent", () => seen().includes("SIGSTOP"));
          child.kill(signal);
        },
      });
      expect(exitCode).toBe(130);
      expect(leftBehind).toEqual([]);
    });
  }
});

/** What the README says that the demonstration prints. */
function readmeBlock(): string {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  return readme.match(/^```text\n(Four real processes.*?)^```/ms)![1]!;
}

/** Its lines without what differs from run to run: figures, names of files, and who came first. */
function storyIn(text: string): readonly string[] {
  return text
    .trim()
    .replace(/\S+\/varta\.sock/, "SOCKET")
    .replace(/within a millisecond of|[0-9]+ ms after(?= its)/, "SOON AFTER")
    .replace(/ *[0-9]+\.[0-9]+ s/g, "TIME")
    .replace(/[0-9]+/g, "N")
    .split("\n")
    .toSorted();
}

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

interface Circumstances {
  /** Give it a terminal, through script(1), which also takes its exit code. */
  readonly onTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly during?: (child: Child, seen: () => string) => Promise<void>;
}

/**
 * Runs the demonstration with a temporary directory of its own, which also marks every process that
 * it starts.
 */
async function demo({ onTerminal = false, env = {}, during }: Circumstances = {}) {
  using directory = new TemporaryDirectory();
  const { NO_COLOR: _, ...inherited } = process.env;
  const own = [...PROGRAM, "demo"];
  const line = own.map((word) => `'${word}'`).join(" ");
  const argv = onTerminal ? [script!, "--quiet", "--return", "-c", line, "/dev/null"] : own;
  const child = Bun.spawn(argv, {
    env: { ...inherited, TERM: "xterm", ...env, TMPDIR: directory.path },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let stdout = "";
  const reading = eachChunk(child.stdout, (text) => {
    stdout += text;
  });
  await during?.(child, () => stdout);
  const [stderr] = await Promise.all([new Response(child.stderr).text(), reading]);
  const exitCode = await child.exited;
  await until("its processes to be gone", () => processesNaming(directory.path).length === 0);
  return { stdout, stderr, exitCode, leftBehind: readdirSync(directory.path) };
}

async function eachChunk(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}

/** Pids of running processes whose environment has `text`. */
function processesNaming(text: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^[0-9]+$/.test(name) || name === `${process.pid}`) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(text);
    } catch {
      return false;
    }
  });
}
