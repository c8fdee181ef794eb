// argv to Invocation, and all that is wrong with it at once (spec 07 section 3).
import { describe, expect, test } from "bun:test";
import { mayHaveConfigOptions, parseArguments } from "../../src/cli/arguments.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { REMOVED_OPTIONS } from "../../src/config/legacy_options.ts";
import { CONFIG_OPTIONS, OPTIONS_OF_CONFIG } from "../../src/config/options.ts";
import { alternatives } from "../../src/config/problems/found.ts";

function invocationOf(...argv: string[]) {
  const { command, invocation, problems } = parseArguments(argv, OPTIONS_OF_CONFIG);
  expect(problems).toEqual([]);
  return { ...invocation, command: command.name, own: Object.fromEntries(invocation.own) };
}

function problemsOf(...argv: string[]): string[] {
  return parseArguments(argv, OPTIONS_OF_CONFIG).problems.map(({ key, text }) =>
    key === "" ? text : `${key}: ${text}`,
  );
}

const NOTHING = { configFile: undefined, given: [], own: {}, operands: [] };

describe("parseArguments()", () => {
  test("runs the daemon when no command is named", () => {
    expect(invocationOf()).toEqual({ ...NOTHING, command: "run" });
    expect(invocationOf("run")).toEqual({ ...NOTHING, command: "run" });
    expect(invocationOf("--socket", "/s")).toMatchObject({ command: "run" });
  });

  test("knows every command", () => {
    for (const { name } of COMMANDS) expect(invocationOf(name).command).toBe(name);
  });

  test("asks for the options of keys only where they may stand", () => {
    const those = [["run"], ["check"], ["--socket", "/s"], [], ["chekc"]];
    for (const argv of those) expect(mayHaveConfigOptions(argv)).toBe(true);
    for (const argv of [["beat"], ["version", "-h"], ["help", "run"], ["audit", "verify"]])
      expect(mayHaveConfigOptions(argv)).toBe(false);
  });

  test("takes the configuration file in four forms", () => {
    for (const argv of [["-c", "F"], ["-cF"], ["--config", "F"], ["--config=F"]]) {
      expect(invocationOf(...argv)).toMatchObject({ command: "run", configFile: "F" });
      expect(invocationOf("check", ...argv)).toMatchObject({ command: "check", configFile: "F" });
    }
  });

  test("lets the command stand after its options", () => {
    expect(invocationOf("-c", "F", "check", "--json")).toMatchObject({
      command: "check",
      configFile: "F",
      own: { json: true },
    });
  });

  test("takes --check, -t and --check-config for the check command", () => {
    for (const flag of ["--check", "-t", "--check-config", "--check=true"]) {
      expect(invocationOf(flag, "-c", "F")).toMatchObject({ command: "check", configFile: "F" });
    }
    expect(invocationOf("--check=false").command).toBe("run");
  });

  test("collects options of the configuration in both forms, in order", () => {
    expect(invocationOf("--socket", "/a", "--socket=/b", "--strict-namespace-check").given).toEqual(
      [
        { name: "socket", value: "/a" },
        { name: "socket", value: "/b" },
        { name: "strict-namespace-check", value: "true" },
      ],
    );
    expect(invocationOf("--recovery-exec=a --b=c").given).toEqual([
      { name: "recovery-exec", value: "a --b=c" },
    ]);
  });

  test("takes every option of the configuration, for run and check alone", () => {
    for (const { name, value } of CONFIG_OPTIONS) {
      for (const argv of [
        [`--${name}=1`],
        value === undefined ? [`--${name}`] : [`--${name}`, "1"],
      ]) {
        const expected = [
          { name, value: argv[0]!.includes("=") || value !== undefined ? "1" : "true" },
        ];
        expect(invocationOf("run", ...argv).given).toEqual(expected);
        expect(invocationOf("check", ...argv).given).toEqual(expected);
      }
      const ownToo = ["socket", "key-file", "master-key-file"].includes(name);
      if (!ownToo) expect(problemsOf("beat", `--${name}=1`)).toHaveLength(1);
    }
  });

  test("reads the own options of beat", () => {
    const argv = ["--socket=/s", "--status", "critical", "--payload", "7", "--count=3"];
    expect(invocationOf("beat", ...argv, "--interval", "1.5s").own).toEqual({
      socket: "/s",
      status: "critical",
      payload: 7,
      count: 3,
      interval: 1.5e9,
    });
  });

  test("lets --help and --version win over everything else", () => {
    for (const flag of ["-h", "--help"]) {
      expect(invocationOf(flag)).toMatchObject({ command: "help", operands: [] });
      expect(invocationOf("--nonsense", flag)).toMatchObject({ command: "help", operands: [] });
      expect(invocationOf("beat", flag)).toMatchObject({ command: "help", operands: ["beat"] });
      expect(invocationOf("nonsense", flag)).toMatchObject({ command: "help" });
    }
    for (const flag of ["-V", "--version"]) {
      expect(invocationOf("check", "--nonsense", flag).command).toBe("version");
    }
  });

  test("takes everything after -- for words", () => {
    expect(invocationOf("decode", "--", "00", "-1").operands).toEqual(["00", "-1"]);
  });

  test("reports unknown options with a suggestion, once each", () => {
    expect(problemsOf("--sokcet", "/s", "--thresholdms=5", "--zzz", "-z", "-socket")).toEqual([
      '--sokcet: found an unknown option; want an option that "varta-watch help run" lists; did you mean "--socket"?',
      '--thresholdms: found an unknown option; want an option that "varta-watch help run" lists; did you mean "--threshold-ms"?',
      '--zzz: found an unknown option; want an option that "varta-watch help run" lists',
      '-z: found an unknown option; want an option that "varta-watch help run" lists',
      '-socket: found an unknown option; want an option that "varta-watch help run" lists; did you mean "--socket"?',
    ]);
    expect(problemsOf("--inject-wedge-ms=5")).toHaveLength(1);
  });

  test("answers every removed option with its successor", () => {
    const hints: Record<string, string> = {
      "recovery-cmd": "--recovery-exec",
      "recovery-cmd-file": "--recovery-exec-file",
      "i-accept-shell-risk": "--recovery-exec",
      "key-env": "--key-file",
      "accepted-key-env": "--accepted-key-file",
      "master-key-env": "--master-key-file",
    };
    expect([...REMOVED_OPTIONS.keys()].sort()).toEqual(Object.keys(hints).sort());
    for (const [name, hint] of Object.entries(hints)) {
      const [text, ...others] = problemsOf(`--${name}`, "value");
      expect(text).toStartWith(`--${name}: found an option that was removed; want ${hint}`);
      expect(others).toEqual([]);
    }
  });

  test("reports missing and wrong values", () => {
    expect(problemsOf("--socket")).toEqual(["--socket: found no value; want --socket PATH"]);
    expect(problemsOf("--socket", "--check")).toEqual([
      "--socket: found no value; want --socket PATH",
    ]);
    expect(problemsOf("-c")).toEqual(["--config: found no value; want --config FILE"]);
    expect(problemsOf("--config=")).toEqual(['--config: found ""; want FILE that is not empty']);
    expect(problemsOf("--check=maybe")).toEqual(['--check: found "maybe"; want true or false']);
    expect(
      problemsOf("beat", "--status=stall", "--payload=4294967296", "--count", "0", "--interval=1"),
    ).toEqual([
      '--status: found "stall"; want "ok", "degraded" or "critical"',
      '--payload: found "4294967296"; want an integer from 0 to 4294967295',
      '--count: found "0"; want an integer from 1 to 4294967295',
      '--interval: found "1"; want a duration such as "500ms", "5s" or "10m"',
    ]);
  });

  test("reports unknown commands and words too many", () => {
    const names = COMMANDS.map(({ name }) => name);
    expect(problemsOf("chek")).toEqual([
      `found the word "chek"; want a command: ${alternatives(names)}; did you mean "check"?`,
    ]);
    expect(problemsOf("check", "F")).toEqual([
      'found the word "F"; want no further words, only options',
    ]);
    expect(problemsOf("run", "check")).toHaveLength(1);
    expect(problemsOf("help", "a", "b")).toHaveLength(1);
  });
});
