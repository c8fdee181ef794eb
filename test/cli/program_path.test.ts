import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { programPath } from "../../src/cli/program_path.ts";
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
