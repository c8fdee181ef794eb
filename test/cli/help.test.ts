import { expect, test } from "bun:test";
import { COMMANDS, GLOBAL_OPTIONS } from "../../src/cli/commands.ts";
import { commandText, overviewText } from "../../src/cli/help.ts";
import { CONFIG_OPTIONS, OPTIONS_OF_CONFIG } from "../../src/config/options.ts";

test("overviewText() names every command and the exit codes", () => {
  const text = overviewText();
  for (const { name, summary } of COMMANDS) {
    expect(text).toMatch(new RegExp(`^  ${name} +${summary}$`, "m"));
  }
  for (const code of ["0", "1", "64", "78"]) expect(text).toMatch(new RegExp(`^  ${code} `, "m"));
});

test("overviewText() says where the long options are, and how many", () => {
  expect(overviewText()).toContain(`${CONFIG_OPTIONS.length} options that set configuration keys`);
  expect(overviewText()).toContain('"varta-watch help run" lists them all');
});

test("commandText() shows every option of the command and no other", () => {
  for (const command of COMMANDS) {
    const config = command.takesConfigOptions ? CONFIG_OPTIONS : [];
    const expected = [...command.own, ...GLOBAL_OPTIONS, ...config].map(({ name }) => name);
    const shown = [...commandText(command).matchAll(/^ {2}(?:-.,)? +--([a-z-]+)/gm)].map(
      ([, name]) => name,
    );
    expect([...shown].sort()).toEqual([...expected].sort());
  }
});

test("no help screen is wider than 100 columns or has trailing spaces", () => {
  for (const text of [overviewText(), ...COMMANDS.map(commandText)]) {
    for (const line of text.split("\n")) {
      expect(line.length).toBeLessThanOrEqual(100);
      expect(line).not.toEndWith(" ");
    }
  }
});

test("the examples of each screen are command lines that are accepted", async () => {
  const { parseArguments } = await import("../../src/cli/arguments.ts");
  for (const { examples } of COMMANDS) {
    for (const [line] of examples) {
      // As a shell has it.
      const [program, ...argv] = line.replaceAll("$$", "4711").split(" ");
      expect(program).toBe("varta-watch");
      expect(parseArguments(argv, OPTIONS_OF_CONFIG).problems).toEqual([]);
    }
  }
});
