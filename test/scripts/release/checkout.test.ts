// What a release refuses, and what it changes, in a repository of its own.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import {
  commitRelease,
  prepare,
  releaseProblem,
  uncommitted,
} from "../../../scripts/release/checkout.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const PACKAGE = { name: "varta-watch", version: "0.1.0" };
const LOCK = {
  ...PACKAGE,
  packages: { "": PACKAGE, "node_modules/zod": { version: "0.1.0" } },
};

let directory: TemporaryDirectory;

function git(...words: string[]): string {
  const author = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  const { stdout, exitCode } = Bun.spawnSync(["git", "-C", directory.path, ...author, ...words]);
  expect(exitCode).toBe(0);
  return stdout.toString().trim();
}

function write(name: string, content: object | string): void {
  const text = typeof content === "string" ? content : `${JSON.stringify(content, undefined, 2)}\n`;
  writeFileSync(directory.at(name), text);
}

function read(name: string): string {
  return readFileSync(directory.at(name), "utf8");
}

beforeEach(() => {
  directory = new TemporaryDirectory();
  write("package.json", PACKAGE);
  write("package-lock.json", LOCK);
  write("CHANGELOG.md", "## Unreleased\n\n- Second.\n\n## 0.1.0 - 2026-11-28\n\n- First.\n");
  git("init", "--quiet");
  git("config", "user.name", "test");
  git("config", "user.email", "test@localhost");
  git("add", ".");
  git("commit", "--quiet", "--message", "first");
});

afterEach(() => directory[Symbol.dispose]());

const describeWithGit = describe.skipIf(Bun.which("git") === null);

describeWithGit("a checkout (needs git)", () => {
  test("takes a version above every one that was released, by the changelog or by a tag", () => {
    expect(releaseProblem(directory.path, "0.2.0-rc.1")).toBeUndefined();
    expect(releaseProblem(directory.path, "0.0.9")).toContain("want a version above 0.1.0");
    git("tag", "v0.3.0");
    expect(releaseProblem(directory.path, "0.2.0")).toContain("want a version above 0.3.0");
    expect(releaseProblem(directory.path, "0.3.0-rc.1")).toContain("want a version above 0.3.0");
    expect(releaseProblem(directory.path, "0.3.0")).toBe(
      "found the tag v0.3.0; want a version without one",
    );
    expect(releaseProblem(directory.path, "0.10.0")).toBeUndefined();
  });

  test("refuses what is no version", () => {
    for (const word of ["1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0+1", ""])
      expect(releaseProblem(directory.path, word)).toContain("want a version such as 0.2.0");
  });

  test("has the version in both files and the date in the changelog afterwards, in one commit", () => {
    expect(prepare(directory.path, "0.2.0", "2026-12-01")).toBe(true);
    commitRelease(directory.path, "0.2.0");
    expect(uncommitted(directory.path)).toEqual([]);
    expect(git("log", "-1", "--format=%s")).toBe("release: 0.2.0");
    expect(JSON.parse(read("package.json"))).toEqual({ ...PACKAGE, version: "0.2.0" });
    const own = { ...PACKAGE, version: "0.2.0" };
    expect(JSON.parse(read("package-lock.json"))).toEqual({
      ...own,
      packages: { ...LOCK.packages, "": own },
    });
    expect(read("CHANGELOG.md")).toStartWith("## 0.2.0 - 2026-12-01\n");
  });

  test("is left alone by a second try of the same version", () => {
    prepare(directory.path, "0.2.0", "2026-12-01");
    commitRelease(directory.path, "0.2.0");
    expect(releaseProblem(directory.path, "0.2.0")).toBeUndefined();
    expect(prepare(directory.path, "0.2.0", "2026-12-02")).toBe(false);
    expect(uncommitted(directory.path)).toEqual([]);
  });

  test("names what has not been committed", () => {
    write("new.txt", "");
    expect(uncommitted(directory.path)).toEqual(["?? new.txt"]);
  });
});
