// Tab after a command that wants an agent: the shells ask the real daemon which ones there are. A
// shell that is not installed is skipped.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SHELLS, type Shell } from "../../../src/cli/completable.ts";
import { completionScript } from "../../../src/cli/completions.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const NAMES = ["cron", "dana:batch@1.service", "dana:batch@2.service", "worker"];

function config(): string {
  const agents = NAMES.map((name, at) => {
    const program = at === 0 ? "cron" : `program-${at}`;
    return `[[agent]]\nname = "${name}"\nmatch = { comm = "${program}" }\nexpect = 1\n`;
  });
  return `[observer]\nthreshold = "60s"\n${agents.join("")}`;
}

const PATH = `${dirname(PROGRAM[0]!)}:${process.env["PATH"] ?? ""}`;

function without(shell: Shell): boolean {
  return Bun.which(shell) === null;
}

function scriptIn(directory: string, shell: Shell): string {
  const path = `${directory}/${shell === "zsh" ? "_varta-watch" : `varta-watch.${shell}`}`;
  writeFileSync(path, completionScript(shell)!);
  return path;
}

function names(control: string, ...prefix: string[]) {
  return runCommand([...PROGRAM, "completions", "--names", "--control", control, ...prefix]);
}

/** The same where there are some: a busy machine may take longer than who presses Tab waits. */
async function namesInTime(control: string, ...prefix: string[]) {
  let result = await names(control, ...prefix);
  await until("names in time", async () => {
    if (result.stdout === "" && result.exitCode === 0) result = await names(control, ...prefix);
    return result.stdout !== "" || result.exitCode !== 0;
  });
  return result;
}

/** Longer than the shell waits for names. */
const TAB_AGAIN_MS = 4_000;

/** What a person sees in a terminal after these keys, typed when it is quiet. */
async function typed(argv: string[], env: Record<string, string>, keys: string[]): Promise<string> {
  let shown = "";
  const child = Bun.spawn(argv, {
    env: { ...env, TERM: "dumb" },
    terminal: {
      cols: 300,
      data(_terminal, data) {
        shown += Buffer.from(data).toString().replaceAll("\x07", "");
      },
    },
  });
  try {
    for (const key of keys) {
      const [what, sign] = key.split("|") as [string, string];
      child.terminal!.write(what);
      let pressedMs = performance.now();
      await until(`${JSON.stringify(sign)} on the screen`, () => {
        // On a busy machine the shell may get no names in time: who waits presses Tab again.
        if (what.endsWith("\t") && performance.now() > pressedMs + TAB_AGAIN_MS) {
          child.terminal!.write("\t");
          pressedMs = performance.now();
        }
        return shown.includes(sign);
      });
    }
    return shown;
  } finally {
    child.kill("SIGKILL");
    child.terminal!.close();
  }
}

describe.concurrent("varta-watch completions --names", () => {
  test("prints the agents that begin so, and where no daemon answers nothing", async () => {
    await using daemon = await DaemonProcess.start({ config: config(), metrics: false });
    const path = daemon.path("control.sock");
    const all = await namesInTime(path);
    expect(all.stdout.trimEnd().split("\n").sort()).toEqual(NAMES);
    expect((await namesInTime(path, "dana:")).stdout.trimEnd().split("\n").sort()).toEqual([
      "dana:batch@1.service",
      "dana:batch@2.service",
    ]);
    const nothing = { stdout: "", stderr: "", exitCode: 0 };
    expect(await names(path, "--", "-x")).toEqual(nothing);
    expect(await names(daemon.path("no.sock"))).toEqual(nothing);
    daemon.signal("SIGSTOP");
    try {
      // Not for ever: who presses Tab waits for it.
      expect(await names(path)).toEqual(nothing);
    } finally {
      daemon.signal("SIGCONT");
    }
  });

  test("prints no name that a shell would look at twice, whatever answers", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("control.sock");
    const made = ["ok", "a b", "$(id)", "`id`", "a\nb", "\x1b[2J", "a;b", "", 7, null];
    const answer = `${JSON.stringify({ v: 1, names: made, cut: false })}\n{"done":true}\n`;
    const socket = { data: (from: { write(text: string): number }) => void from.write(answer) };
    const server = Bun.listen({ unix: path, socket });
    const { stdout } = await namesInTime(path);
    expect(stdout).toBe("ok\n");
    server.stop(true);
  });

  test.skipIf(without("bash"))("completes in bash, also where a name breaks words", async () => {
    await using daemon = await DaemonProcess.start({ config: config(), metrics: false });
    const line = `varta-watch status --control=${daemon.path("control.sock")} `;
    const shown = await typed(
      ["bash", "--norc", "--noprofile", "-i"],
      { PATH, HOME: daemon.directory, PS1: "$ " },
      [
        `source ${scriptIn(daemon.directory, "bash")}; echo so""urced\r|sourced`,
        `${line}wo\t|worker `,
        `\x15${line}da\t|dana:batch@`,
        "2\t|dana:batch@2.service",
        `\x15${line}--members dana:batch@1\t|dana:batch@1.service`,
      ],
    );
    expect(shown).not.toContain("dana:dana");
    expect(shown).not.toContain("@@");
  });

  test.skipIf(without("zsh"))("completes in zsh", async () => {
    await using daemon = await DaemonProcess.start({ config: config(), metrics: false });
    scriptIn(daemon.directory, "zsh");
    const line = `varta-watch status --control=${daemon.path("control.sock")} `;
    await typed(["zsh", "-f", "-i"], { PATH, HOME: daemon.directory, PROMPT: "$ " }, [
      `fpath=(${daemon.directory} $fpath); autoload -Uz compinit; compinit -u -D; echo lo""aded\r|loaded`,
      `${line}wo\t|worker `,
      `\x15${line}da\t|dana:batch@`,
      "2\t|dana:batch@2.service",
    ]);
  });

  test.skipIf(without("fish"))("completes in fish", async () => {
    await using daemon = await DaemonProcess.start({ config: config(), metrics: false });
    const source = `set -gx PATH ${PATH.replaceAll(":", " ")}; source ${scriptIn(daemon.directory, "fish")}`;
    for (const control of ["--control=", "--control "]) {
      const line = `varta-watch status ${control}${daemon.path("control.sock")} dana:`;
      const { stdout } = await runCommand([
        ...["fish", "--no-config", "-c", `${source}; complete -C '${line}'`],
      ]);
      const offered = stdout.trimEnd().split("\n").sort();
      expect(offered).toEqual(["dana:batch@1.service", "dana:batch@2.service"]);
    }
  });
});

test("each shell has its test here", () => {
  expect(SHELLS).toEqual(["bash", "zsh", "fish"]);
});
