import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { writeProject } from "../../../scripts/binary/runtime.ts";
import { lockedPackage, TARGETS } from "../../../scripts/binary/target.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

test("the runtime of every target is locked with an integrity, at the version of the bundler", () => {
  expect(TARGETS.map(({ name }) => name)).toEqual(["linux-x64", "linux-arm64"]);
  for (const { runtimePackage, os, cpu, libc } of TARGETS) {
    const locked = lockedPackage(runtimePackage);
    expect(locked.version).toBe(lockedPackage("bun").version);
    expect(locked).toMatchObject({ os: [os], cpu: [cpu], libc: [libc] });
  }
});

test("lockedPackage() refuses a package without an integrity", () => {
  expect(() => lockedPackage("left-pad")).toThrow("package-lock.json has no left-pad");
});

test("writeProject() locks one package and nothing else, with its integrity", () => {
  using directory = new TemporaryDirectory();
  const locked = lockedPackage("@oven/bun-linux-aarch64");
  writeProject(directory.path, "@oven/bun-linux-aarch64", locked);
  const lock = JSON.parse(readFileSync(directory.at("package-lock.json"), "utf8"));
  expect(Object.keys(lock.packages)).toEqual(["", "node_modules/@oven/bun-linux-aarch64"]);
  expect(lock.packages["node_modules/@oven/bun-linux-aarch64"].integrity).toBe(locked.integrity);
});
