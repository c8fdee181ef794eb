// `npm run package` looks for its tools before it builds anything.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { toolProblem } from "../../../scripts/package/tools.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const SCRIPT = join(import.meta.dir, "../../../scripts/package.ts");

function without(...missing: readonly string[]) {
  return (program: string) => (missing.includes(program) ? null : `/usr/bin/${program}`);
}

describe("toolProblem()", () => {
  test("is nothing where every tool is there", () => {
    expect(toolProblem(["deb", "rpm"], without())).toBeUndefined();
  });

  test("names all that is missing, the packages to install, and the format that can be made", () => {
    expect(toolProblem(["deb", "rpm"], without("rpmbuild", "cpio"))).toBe(
      [
        "Cannot package: there is no rpmbuild, cpio",
        "hint: apt-get install rpm cpio  (Fedora, RHEL: dnf install rpm-build cpio)",
        "hint: for .deb alone: npm run package -- --deb",
      ].join("\n"),
    );
    expect(toolProblem(["deb", "rpm"], without("dpkg-deb"))).toContain("npm run package -- --rpm");
    expect(toolProblem(["deb", "rpm"], without("dpkg-deb", "cpio"))).not.toContain("alone");
  });

  test("asks for the tools of the wanted formats alone", () => {
    expect(toolProblem(["deb"], without("rpmbuild", "rpm2cpio", "cpio"))).toBeUndefined();
    expect(toolProblem(["rpm"], without("dpkg-deb"))).toBeUndefined();
    expect(toolProblem(["rpm"], without("rpmbuild"))).not.toContain("alone");
  });
});

describe("npm run package", () => {
  test("ends at once where a tool is missing, without a stack trace, and builds nothing", () => {
    using directory = new TemporaryDirectory();
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      [process.execPath, SCRIPT, "--out", directory.path],
      { env: { PATH: directory.path } },
    );
    expect(exitCode).toBe(1);
    expect(stdout.toString()).toBe("");
    const lines = stderr.toString().trimEnd().split("\n");
    expect(lines[0]).toBe(
      "package: error: Cannot package: there is no dpkg-deb, rpmbuild, rpm2cpio, cpio",
    );
    for (const line of lines.slice(1)) expect(line).toStartWith("hint: ");
    expect([...new Bun.Glob("*").scanSync(directory.path)]).toEqual([]);
  });
});
