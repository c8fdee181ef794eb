// CHANGELOG.md has a section for each version: "## 0.2.0 - 2026-12-01", and above them "##
// Unreleased" or, if the number is known already, "## 0.2.0 - unreleased", for what comes next.
import { following, newest } from "./version.ts";

interface Section {
  /** Undefined = "## Unreleased". */
  readonly version: string | undefined;
  /** "2026-12-01"; undefined = it has not been released. */
  readonly date: string | undefined;
  readonly heading: string;
  readonly text: string;
}

const HEADING = /^## (?:Unreleased|(\d\S*)(?: - (unreleased|\d{4}-\d{2}-\d{2}))?)$/gim;

/** The versions that have been released, as the changelog says. */
export function releasedVersions(changelog: string): string[] {
  return sections(changelog).flatMap(({ version, date }) =>
    version === undefined || date === undefined ? [] : [version],
  );
}

/** The version that comes next; without changes that wait for one, the last. */
export function nextVersion(changelog: string): string {
  const last = newest(releasedVersions(changelog));
  const waiting = sections(changelog).find(({ date }) => date === undefined);
  if (waiting === undefined && last !== undefined) return last;
  return waiting?.version ?? (last === undefined ? "0.1.0" : following(last));
}

/**
 * The changelog in which the changes that wait for a release are those of `version`; throws if
 * there are none.
 */
export function releasedChangelog(changelog: string, version: string, date: string): string {
  const all = sections(changelog);
  const section =
    all.find((each) => each.version === version) ?? all.find((each) => each.version === undefined);
  if (section === undefined)
    throw new Error(
      `found no section "## ${version} - unreleased" or "## Unreleased" in CHANGELOG.md; want one that says what is new`,
    );
  if (section.text === "")
    throw new Error(
      `found an empty section "${section.heading}" in CHANGELOG.md; want what is new for users`,
    );
  if (section.date !== undefined) return changelog;
  return changelog.replace(`${section.heading}\n`, `## ${version} - ${date}\n`);
}

function sections(changelog: string): Section[] {
  const headings = [...changelog.matchAll(HEADING)];
  return headings.map(({ 0: heading, 1: version, 2: date, index }, at) => ({
    version,
    date: date?.toLowerCase() === "unreleased" ? undefined : date,
    heading,
    text: changelog.slice(index + heading.length, headings[at + 1]?.index).trim(),
  }));
}
