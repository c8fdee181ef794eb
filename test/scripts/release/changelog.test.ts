// The changelog decides what the next version is, and gets the date of its release.
import { expect, test } from "bun:test";
import {
  nextVersion,
  releasedChangelog,
  releasedVersions,
} from "../../../scripts/release/changelog.ts";

const RELEASED = "# Changelog\n\n## 0.1.0 - 2026-11-28\n\n- First.\n";
const WAITING = RELEASED.replace("## 0.1.0", "## Unreleased\n\n- Second.\n\n## 0.1.0");
const NUMBERED = WAITING.replace("Unreleased", "0.2.0 - unreleased");

test("nextVersion() is the one with a number, else the one after the last, without changes the last", () => {
  expect(nextVersion(NUMBERED)).toBe("0.2.0");
  expect(nextVersion(WAITING)).toBe("0.1.1");
  expect(nextVersion(RELEASED)).toBe("0.1.0");
  expect(nextVersion("# Changelog\n\n## Unreleased\n\n- First.\n")).toBe("0.1.0");
});

test("releasedVersions() are those with a date", () => {
  for (const text of [RELEASED, WAITING, NUMBERED])
    expect(releasedVersions(text)).toEqual(["0.1.0"]);
});

test("releasedChangelog() turns the changes that wait into the section of the version", () => {
  const wanted = WAITING.replace("## Unreleased", "## 0.2.0 - 2026-12-01");
  expect(releasedChangelog(WAITING, "0.2.0", "2026-12-01")).toBe(wanted);
  expect(releasedChangelog(NUMBERED, "0.2.0", "2026-12-01")).toBe(wanted);
});

test("releasedChangelog() leaves a section alone that has its date", () => {
  expect(releasedChangelog(RELEASED, "0.1.0", "2026-12-01")).toBe(RELEASED);
});

test("releasedChangelog() refuses a version of which nothing is said", () => {
  expect(() => releasedChangelog(RELEASED, "0.2.0", "2026-12-01")).toThrow(
    'found no section "## 0.2.0 - unreleased" or "## Unreleased"',
  );
  const empty = WAITING.replace("- Second.\n\n", "");
  expect(() => releasedChangelog(empty, "0.2.0", "2026-12-01")).toThrow(
    'found an empty section "## Unreleased"',
  );
});
