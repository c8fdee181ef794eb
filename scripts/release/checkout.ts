// What a release wants of the checkout that it is made from, and what it changes there.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nextVersion, releasedChangelog, releasedVersions } from "./changelog.ts";
import { isAbove, isVersion, newest, setVersion } from "./version.ts";

const CHANGELOG = "CHANGELOG.md";

/** The version that comes next, as the changelog says. */
export function versionFor(root: string): string {
  return nextVersion(read(root));
}

/** Why `version` cannot be released from `root`; undefined = it can. */
export function releaseProblem(root: string, version: string): string | undefined {
  if (!isVersion(version)) return `found "${version}"; want a version such as 0.2.0 or 0.2.0-rc.1`;
  const tagged = taggedVersions(root);
  if (tagged.includes(version)) return `found the tag v${version}; want a version without one`;
  const others = releasedVersions(read(root)).filter((released) => released !== version);
  const last = newest([...tagged, ...others]);
  if (last !== undefined && !isAbove(version, last))
    return `found ${version}; want a version above ${last}, the last one that was released`;
  return undefined;
}

export function hasGit(root: string): boolean {
  return existsSync(join(root, ".git"));
}

/** What git says has not been committed. */
export function uncommitted(root: string): string[] {
  return git(root, ["status", "--porcelain"]).split("\n").filter(Boolean);
}

/**
 * Puts `version` where a version stands, and the date into the changelog. True if that changed
 * anything.
 */
export function prepare(root: string, version: string, date: string): boolean {
  const before = read(root);
  const after = releasedChangelog(before, version, date);
  if (after !== before) writeFileSync(join(root, CHANGELOG), after);
  return setVersion(root, version) || after !== before;
}

/** The commit that the tag will name. */
export function commitRelease(root: string, version: string): void {
  const files = [CHANGELOG, "package.json", "package-lock.json"];
  git(root, ["commit", "--quiet", "--message", `release: ${version}`, "--", ...files]);
}

/** Seconds of the last commit. */
export function commitTime(root: string): number {
  return Number(git(root, ["log", "-1", "--format=%ct"]));
}

/** Those of the tags; a source archive has none. */
function taggedVersions(root: string): string[] {
  if (!hasGit(root)) return [];
  const tags = git(root, ["tag", "--list", "v*"]).split("\n");
  return tags.map((tag) => tag.slice(1)).filter(isVersion);
}

function read(root: string): string {
  return readFileSync(join(root, CHANGELOG), "utf8");
}

function git(root: string, words: readonly string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(["git", "-C", root, ...words]);
  if (exitCode === 0) return stdout.toString().trimEnd();
  throw new Error(`git ${words[0]} ended with ${exitCode}: ${stderr.toString().trim()}`);
}
