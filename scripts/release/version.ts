// Versions of the program: semantic ones, such as 0.2.0 and 0.2.0-rc.1, in the order of their
// precedence.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

export function isVersion(text: string): boolean {
  return VERSION.test(text);
}

/** The newest of `versions`, or undefined if there are none. */
export function newest(versions: readonly string[]): string | undefined {
  return versions.toSorted(Bun.semver.order).at(-1);
}

export function isAbove(version: string, other: string): boolean {
  return Bun.semver.order(version, other) > 0;
}

/** 0.2.1 after 0.2.0, and 0.2.0 after 0.2.0-rc.1. */
export function following(version: string): string {
  const [, major, minor, patch, pre] = VERSION.exec(version)!;
  const next = pre === undefined ? Number(patch) + 1 : patch;
  return `${major}.${minor}.${next}`;
}

interface Versioned {
  version: string;
  packages?: Record<string, { version?: string }>;
}

/**
 * Sets the version of the checkout in `root`: these two files are all that have it. True if one of
 * them had another.
 */
export function setVersion(root: string, version: string): boolean {
  const changed = ["package.json", "package-lock.json"].filter((name) => {
    const path = join(root, name);
    const before = readFileSync(path, "utf8");
    const content = JSON.parse(before) as Versioned;
    content.version = version;
    const own = content.packages?.[""];
    if (own !== undefined) own.version = version;
    const text = `${JSON.stringify(content, undefined, 2)}\n`;
    if (text !== before) writeFileSync(path, text);
    return text !== before;
  });
  return changed.length > 0;
}
