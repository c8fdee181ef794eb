// What a recovery needs of the host is checked at the start, with the real file system (spec 10
// section 1).
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLACEHOLDERS } from "../../../src/base/placeholders.ts";
import { directoryFault, programFault } from "../../../src/config/checks/programs.ts";
import { FixtureHost } from "../fixture_host.ts";

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-programs-"));
  writeFileSync(join(directory, "plain"), "");
  writeFileSync(join(directory, "program"), "#!/bin/sh\n");
  chmodSync(join(directory, "program"), 0o755);
  mkdirSync(join(directory, "bin"));
  symlinkSync("../program", join(directory, "bin", "linked"));
  symlinkSync("../none", join(directory, "bin", "dangling"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe("programFault()", () => {
  test("finds nothing wrong with an executable file, by a link too", () => {
    expect(programFault(join(directory, "program"))).toBeUndefined();
    expect(programFault(join(directory, "bin", "linked"))).toBeUndefined();
  });

  test("reports what is missing, no file, or not executable", () => {
    expect(programFault(join(directory, "none"))).toBe("which does not exist");
    expect(programFault(join(directory, "bin", "dangling"))).toBe("which does not exist");
    expect(programFault(join(directory, "plain", "x"))).toBe("which does not exist");
    expect(programFault(directory)).toBe("which is not a file");
    expect(programFault(join(directory, "plain"))).toBe("which is not executable by this user");
  });
});

describe("directoryFault()", () => {
  test("wants a directory", () => {
    expect(directoryFault(directory)).toBeUndefined();
    expect(directoryFault(join(directory, "none"))).toBe("which does not exist");
    expect(directoryFault(join(directory, "plain"))).toBe("which is not a directory");
  });
});

describe("loadConfig() with the real file system", () => {
  function real(env: Record<string, string> = {}): FixtureHost {
    return new FixtureHost({ programFault, directoryFault, env });
  }

  test("looks a name without a slash up in the PATH of the command, not in that of the daemon", async () => {
    using fixture = real({ PATH: join(directory, "bin") });
    const command = '[recovery]\ncommand = ["linked"]\n';
    expect((await fixture.load(command)).ok).toBe(false);
    expect((await fixture.load(`${command}inherit_env = true\n`)).ok).toBe(true);
    const path = `env = { PATH = "/nonexistent:${join(directory, "bin")}" }\n`;
    expect((await fixture.load(command + path)).ok).toBe(true);
  });

  test("keeps control characters of PATH away from the terminal", async () => {
    using fixture = real();
    const result = await fixture.load(
      '[recovery]\ncommand = ["linked"]\nenv = { PATH = "/\\u001b[31m" }\n',
    );
    if (result.ok) throw new Error("a missing program was accepted");
    expect(result.text).not.toContain("\u001b");
  });

  test("reports the line and column of a program that is missing, and exits with 78", async () => {
    using fixture = real();
    const result = await fixture.load('[recovery]\ncommand = ["/nonexistent/recover"]\n');
    if (result.ok) throw new Error("the file was accepted");
    expect(fixture.plain(result.text)).toBe(
      "/etc/varta/varta.toml:2:12: recovery.command, 1st item: found /nonexistent/recover, which does not exist; want a program that this user can execute\n" +
        "varta-watch: 1 problem in /etc/varta/varta.toml\n",
    );
    expect(result.exitCode).toBe(78);
  });

  test("names the option, or the command file, that names it", async () => {
    using fixture = real();
    const byOption = await fixture.loadOptions({ "recovery-exec": "/nonexistent/recover now" });
    fixture.write("secret", "/nonexistent/recover\n");
    const byFile = await fixture.load('[recovery]\ncommand_file = "/etc/varta/secret"\n');
    if (byOption.ok || byFile.ok) throw new Error("a missing program was accepted");
    expect(byOption.text).toStartWith(
      "command line: --recovery-exec: found /nonexistent/recover, which does not exist; want ",
    );
    expect(byOption.exitCode).toBe(78);
    expect(fixture.plain(byFile.text)).toStartWith(
      "/etc/varta/varta.toml:2:16: recovery.command_file: found /nonexistent/recover, which ",
    );
  });

  test("looks for what restart_unit runs", async () => {
    using fixture = real();
    const result = await fixture.load(
      '[recovery]\nenv = { PATH = "/nonexistent" }\nstep = [{ restart_unit = "auto" }]\n',
    );
    if (result.ok) throw new Error("a missing systemctl was accepted");
    expect(result.text).toContain(
      ':3:26: 1st [[recovery.step]]: restart_unit: found "systemctl", which is not in /nonexistent, ',
    );
  });
});

test("every placeholder that the recovery has is known to the configuration", async () => {
  using fixture = new FixtureHost();
  const words = PLACEHOLDERS.map((word) => `"--x={${word}}"`).join(", ");
  expect((await fixture.load(`[recovery]\ncommand = ["true", ${words}]\n`)).ok).toBe(true);
});
