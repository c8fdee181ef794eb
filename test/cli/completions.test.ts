// The scripts as their shells run them: what a Tab would offer or write. A shell that is not
// installed is skipped.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { COMMANDS, GLOBAL_OPTIONS } from "../../src/cli/commands.ts";
import { SHELLS } from "../../src/cli/completable.ts";
import { completionScript } from "../../src/cli/completions.ts";
import { CONFIG_OPTIONS } from "../../src/config/options.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const NAMES = COMMANDS.map(({ name }) => name).sort();

let directory: TemporaryDirectory;

beforeAll(() => {
  directory = new TemporaryDirectory();
  for (const shell of SHELLS) {
    const file = shell === "zsh" ? "_varta-watch" : `varta-watch.${shell}`;
    writeFileSync(directory.at(file), completionScript(shell)!);
  }
  for (const file of ["one.toml", "one two.toml"]) writeFileSync(directory.at(file), "");
});

afterAll(() => directory[Symbol.dispose]());

function without(shell: string): boolean {
  return Bun.which(shell) === null;
}

function output(argv: string[]): string {
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory.path, TERM: "dumb" };
  const { stdout, stderr } = Bun.spawnSync(argv, { cwd: directory.path, env, timeout: 20_000 });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

/** Options of a command without dashes. */
function optionsOf(name: string): string[] {
  const command = COMMANDS.find((each) => each.name === name)!;
  const config = command.takesConfigOptions ? CONFIG_OPTIONS : [];
  return [...command.own, ...GLOBAL_OPTIONS, ...config].map((option) => option.name).sort();
}

test("completionScript() knows three shells and no other", () => {
  expect(SHELLS).toEqual(["bash", "zsh", "fish"]);
  for (const shell of ["", "sh", "toString"]) expect(completionScript(shell)).toBeUndefined();
});

test("varta-watch completions prints the script, and refuses any other shell with exit 64", () => {
  for (const shell of SHELLS)
    expect(output([...PROGRAM, "completions", shell])).toBe(completionScript(shell)!);
  for (const words of [[], ["csh"]]) {
    const { stdout, stderr, exitCode } = Bun.spawnSync([...PROGRAM, "completions", ...words]);
    expect(stdout.toString()).toBe("");
    expect(stderr.toString()).toContain("; want bash, zsh or fish\n");
    expect(exitCode).toBe(64);
  }
});

describe.skipIf(without("bash"))("bash, where it is installed", () => {
  /** What bash would offer for the last word. */
  function offered(...words: string[]): string[] {
    const line = ["varta-watch", ...words];
    const text = output([
      ...["bash", "--norc", "--noprofile", "-euc"],
      `source ./varta-watch.bash; complete -p varta-watch >/dev/null
       COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _varta_watch || true
       printf '%s\\n' "\${COMPREPLY[@]-}"`,
      "bash",
      ...line,
    ]);
    return text
      .split("\n")
      .filter((word) => word !== "")
      .sort();
  }

  test("offers the commands", () => {
    expect(offered("")).toEqual(NAMES);
    expect(offered("-c", "one.toml", "")).toEqual(NAMES);
    expect(offered("de")).toEqual(["decode", "demo"]);
  });

  test("offers the options of the command, or of the daemon if none is named", () => {
    for (const name of NAMES) {
      const long = offered(name, "--").map((word) => word.slice(2));
      expect(long).toEqual(optionsOf(name));
    }
    expect(offered("--")).toEqual(offered("run", "--"));
    expect(offered("check", "-")).toContain("-c");
  });

  test("takes a value for a value, not for a command", () => {
    expect(offered("--config", "check", "--jso")).toEqual([]);
    expect(offered("--config", "=", "check", "--chec")).toEqual(["--check"]);
    expect(offered("check", "--config", "one.toml", "--jso")).toEqual(["--json"]);
  });

  test("completes words and files after an option in both forms", () => {
    expect(offered("--clock-source", "mono")).toEqual(["monotonic", "monotonic-raw"]);
    expect(offered("--clock-source", "=")).toEqual(["boottime", "monotonic", "monotonic-raw"]);
    expect(offered("--clock-source", "=", "b")).toEqual(["boottime"]);
    expect(offered("beat", "--status", "")).toEqual(["critical", "degraded", "ok"]);
    expect(offered("-c", "one")).toEqual(["one two.toml", "one.toml"]);
    expect(offered("--config", "=", "one.")).toEqual(["one.toml"]);
  });

  test("offers nothing where a number must stand", () => {
    expect(offered("--threshold-ms", "")).toEqual([]);
    expect(offered("decode", "")).toEqual([]);
  });

  test("completes the operand of help and completions", () => {
    expect(offered("help", "")).toEqual(NAMES);
    expect(offered("completions", "")).toEqual(["bash", "fish", "zsh"]);
    expect(offered("completions", "bash", "")).toEqual([]);
  });

  test("completes the action of audit, then files", () => {
    expect(offered("audit", "")).toEqual(["show", "verify"]);
    expect(offered("audit", "--json", "verify", "one.")).toEqual(["one.toml"]);
    expect(offered("audit", "verify", "one.toml", "one.")).toEqual(["one.toml"]);
  });
});

// A command line, and what Tab makes of it.
const COMPLETED: readonly (readonly [string, string])[] = [
  ["chec", "check"],
  ["--conf", "--config"],
  ["-c one.t", "-c one.toml"],
  ["check --pri", "check --print"],
  ["check -c one.toml --js", "check -c one.toml --json"],
  ["beat --status deg", "beat --status degraded"],
  ["beat --status=deg", "beat --status=degraded"],
  ["--clock-source boot", "--clock-source boottime"],
  ["run --tracker-eviction-policy bal", "run --tracker-eviction-policy balanced"],
  ["help dec", "help decode"],
  ["help --ver", "help --version"],
  ["completions fi", "completions fish"],
  ["audit ver", "audit verify"],
  ["audit verify one.t", "audit verify one.toml"],
  ["audit verify --js", "audit verify --json"],
  ["--threshold-ms 1", "--threshold-ms 1"],
];

describe.skipIf(without("zsh"))("zsh, where it is installed", () => {
  // A real line editor in a pseudo terminal: it gets the keys and shows the words that the command
  // then receives.
  function completed(lines: readonly string[]): string[] {
    const keys = lines.map(
      (line) => `zpty -w -n z $'varta-watch ${line}\\t\\n'
zpty -r z shown '*GOT:*:*'
print -r -- "\${\${shown##*GOT:}%%:*}"`,
    );
    const driver = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT= RPROMPT=; fpath=($PWD \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z 'varta-watch() { print -r -- GOT:$*: }; print READY'
zpty -r z shown '*READY*READY*'
${keys.join("\n")}
`;
    return output(["zsh", "-f", "-c", driver]).trimEnd().split("\n");
  }

  test("completes commands, options, words and files", () => {
    expect(completed(COMPLETED.map(([typed]) => typed))).toEqual(COMPLETED.map(([, got]) => got));
  });

  test("the script may be sourced, too", () => {
    const program = "compdef() { print -r -- $*; }; source ./_varta-watch";
    expect(output(["zsh", "-f", "-c", program])).toBe("_varta_watch varta-watch\n");
  });
});

describe.skipIf(without("fish"))("fish, where it is installed", () => {
  /** The last word of each offer, without its explanation. */
  function offered(line: string): string[] {
    const program = `source varta-watch.fish; complete -C '${line}'`;
    const text = output(["fish", "--no-config", "-c", program]);
    return text
      .split("\n")
      .filter((word) => word !== "")
      .map((word) => word.split("\t")[0]!);
  }

  test("completes commands, options, words and files", () => {
    for (const [typed, got] of COMPLETED) {
      const offer = offered(`varta-watch ${typed}`);
      if (typed === got) expect(offer).toEqual([]);
      else expect(offer).toContain(got.split(" ").at(-1)!);
    }
    expect(offered("varta-watch ").sort()).toEqual(NAMES);
  });

  test("offers the options of the command and no other", () => {
    for (const name of NAMES) {
      const long = offered(`varta-watch ${name} --`).map((word) => word.slice(2).replace(/=$/, ""));
      expect(long.sort()).toEqual(optionsOf(name));
    }
  });
});
