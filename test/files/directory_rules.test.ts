import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { directoryFault, parentFault } from "../../src/files/directory_rules.ts";
import { TempDirectory } from "./temp_directory.ts";

const UID = process.geteuid!();
const NEEDS_ROOT = " (skipped unless root)";

describe("directoryFault()", () => {
  test.each([0o700, 0o755, 0o1777, 0o1775])("finds nothing in mode %o", (mode) => {
    using directory = new TempDirectory();
    chmodSync(directory.path, mode);
    expect(directoryFault(directory.path, UID)).toBeUndefined();
  });

  test.each([0o777, 0o775, 0o702, 0o2770])("refuses mode %o and says how to mend it", (mode) => {
    using directory = new TempDirectory();
    chmodSync(directory.path, mode);
    expect(parentFault(directory.join("file"), UID)).toEqual({
      found: `the directory ${directory.path} with mode ${mode.toString(8).padStart(4, "0")}`,
      want: `one that only its owner may write to (chmod go-w ${directory.path}), or a sticky one`,
    });
  });

  test("refuses what is missing or no directory", () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("file"), "");
    expect(parentFault(directory.join("none/log"), UID)?.found).toBe(
      `no directory ${directory.join("none")}`,
    );
    expect(parentFault(directory.join("file/log"), UID)?.found).toContain("which is no directory");
  });

  test("follows a link that nobody else can turn, and judges where it leads", () => {
    using directory = new TempDirectory();
    mkdirSync(directory.join("safe"));
    mkdirSync(directory.join("open"));
    chmodSync(directory.join("open"), 0o777);
    symlinkSync("safe", directory.join("to-safe"));
    symlinkSync("open", directory.join("to-open"));
    symlinkSync("to-itself", directory.join("to-itself"));
    symlinkSync("../safe", directory.join("open/turnable"));
    expect(directoryFault(directory.join("to-safe"), UID)).toBeUndefined();
    expect(directoryFault(directory.join("to-open"), UID)?.found).toContain("mode 0777");
    expect(directoryFault(directory.join("open/turnable"), UID)?.found).toContain("mode 0777");
    expect(directoryFault(directory.join("to-itself"), UID)?.found).toContain("without an end");
  });

  test.skipIf(UID !== 0)(`refuses a directory or a link of another user${NEEDS_ROOT}`, () => {
    using directory = new TempDirectory();
    mkdirSync(directory.join("theirs"));
    chownSync(directory.join("theirs"), 12345, 12345);
    expect(directoryFault(directory.join("theirs"), 0)).toEqual({
      found: `${directory.join("theirs")} of uid 12345`,
      want: "one of root, who alone may change it",
    });
    expect(directoryFault(directory.join("theirs"), 12345)).toBeUndefined();
    expect(directoryFault(directory.join("theirs"), 54321)?.want).toBe(
      "one of uid 54321 or root, who alone may change it",
    );
  });
});
