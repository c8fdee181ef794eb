import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { programIdentity, programPath } from "../../src/cli/program_path.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("programPath() takes the first of PATH that can be executed, and a path as it is", () => {
  using directory = new TemporaryDirectory();
  for (const name of ["a", "b"]) mkdirSync(directory.at(name));
  for (const file of ["a/tool", "b/tool", "a/data"])
    writeFileSync(directory.at(file), "#!/bin/sh\n");
  chmodSync(directory.at("b/tool"), 0o755);
  mkdirSync(directory.at("a/folder"));
  const path = `${directory.at("a")}:${directory.at("b")}`;

  expect(programPath("tool", path)).toEqual({ ok: true, path: directory.at("b/tool") });
  expect(programPath(directory.at("b/tool"), "")).toMatchObject({ ok: true });
  expect(programPath("data", path)).toEqual({ ok: false, isFound: true });
  expect(programPath("folder", path)).toEqual({ ok: false, isFound: true });
  expect(programPath("none", path)).toEqual({ ok: false, isFound: false });
  expect(programPath("", path)).toEqual({ ok: false, isFound: false });
  expect(programPath("sh", undefined)).toMatchObject({ ok: true });
});

test("programIdentity() has comm as the kernel will have it, and the program that a link leads to", () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.at("tool-1.2"), "\x7fELF");
  symlinkSync(directory.at("tool-1.2"), directory.at("tool"));
  const exe = realpathSync(directory.at("tool-1.2"));
  expect(programIdentity(directory.at("tool"))).toEqual({ comm: "tool", exe });

  // The program of a script is its interpreter.
  writeFileSync(directory.at("sixteen-letters."), "#!/bin/sh\n");
  expect(programIdentity(directory.at("sixteen-letters."))).toEqual({ comm: "sixteen-letters" });
  writeFileSync(directory.at("ä"), "#!/bin/sh\n");
  expect(programIdentity(directory.at("ä"))).toEqual({ comm: "\xc3\xa4" });
  expect(programIdentity(directory.at("none"))).toEqual({ comm: "none" });
});
