import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { writeChecksums } from "../../../scripts/release/checksums.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

function isAccepted(directory: string): boolean {
  const check = ["sha256sum", "--check", "--strict", "--status", "SHA256SUMS"];
  return Bun.spawnSync(check, { cwd: directory }).exitCode === 0;
}

test.skipIf(Bun.which("sha256sum") === null)(
  "sha256sum accepts SHA256SUMS, and notices a changed file (needs sha256sum)",
  () => {
    using directory = new TemporaryDirectory();
    for (const name of ["b.deb", "a.rpm"]) writeFileSync(directory.at(name), name);
    writeChecksums(directory.path, ["b.deb", "a.rpm"]);
    const lines = readFileSync(directory.at("SHA256SUMS"), "utf8").split("\n");
    expect(lines.map((line) => line.slice(64))).toEqual(["  a.rpm", "  b.deb", ""]);
    expect(isAccepted(directory.path)).toBe(true);
    writeFileSync(directory.at("b.deb"), "other");
    expect(isAccepted(directory.path)).toBe(false);
  },
);
