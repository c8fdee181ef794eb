// What no compiler checks: the width of comments, the length of files,
// exports and bounds without users, and tests that nothing would run.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { Glob } from "bun";
import { type Export, exportsWithUsers } from "./support/exports.ts";

const ROOT = normalize(join(import.meta.dir, ".."));

/** The formatter keeps code within it, and leaves comments alone. */
const COLUMNS_MAX = 100;

const LINES_MAX = 400;

const LIMITS = "src/base/limits.ts";

/** What they export is for other programs. */
const LIBRARIES: readonly string[] = [
  "src/client/mod.ts",
  "src/client/package.ts",
  "src/observer/mod.ts",
];
/** What nothing but a test uses, and why it is there. */
const FOR_TESTS: Readonly<Record<string, string>> = {
  "ffi/constants.ts MSG_TRUNC": "one table of numbers, for our sockets and those of tests",
  "ffi/constants.ts POLLNVAL": "the same",
  "ffi/constants.ts CLOCK_REALTIME": "the same",
  "ffi/constants.ts EINVAL": "the same",
  "src/events/event.ts BeatEvent": "one of the kinds that a program may ask for",
  "src/wire/key_derivation.ts deriveEpochKey":
    "part of the protocol's vectors, not yet of the wire",
  "src/wire/notify_message.ts NOTIFY_REFUSALS": "the words of its codes, for the fuzzer",
};

interface SourceFile {
  readonly path: string;
  readonly lines: readonly string[];
}

const files = sources("{src,ffi,test,scripts,bench}/**/*.{ts,c,h,py}");
const tests = files.filter(({ path }) => /^test\/.*\.ts$/.test(path));

function sources(pattern: string): SourceFile[] {
  return [...new Glob(pattern).scanSync(ROOT)].sort().map((path) => ({
    path,
    lines: readFileSync(join(ROOT, path), "utf8").trimEnd().split("\n"),
  }));
}

/**
 * Places where a comment is too wide. An address may be, an indented example or list, and what
 * stands beside a row of a table.
 */
function wideComments({ path, lines }: SourceFile): string[] {
  const hasTable = lines.some((line) => line.includes("biome-ignore format"));
  return lines.flatMap((line, at) => {
    if ([...line].length <= COLUMNS_MAX || /https?:\/\//.test(line)) return [];
    if (/^\s*(\/\/|\*|#) {2,}/.test(line)) return [];
    const isComment = /^\s*(\/\/|\/?\*|#)/.test(line);
    return isComment || (!hasTable && /\s\/\/\s/.test(line)) ? [`${path}:${at + 1}`] : [];
  });
}

test("comments are within 100 columns, as the code is", () => {
  expect(files.flatMap(wideComments)).toEqual([]);
  expect(files.length).toBeGreaterThan(500);
});

test("no file of the program is longer than 400 lines", () => {
  const long = files
    .filter(({ path, lines }) => /^(src|ffi|scripts)\//.test(path) && lines.length > LINES_MAX)
    .map(({ path }) => path);
  expect(long).toEqual([]);
});

test("bounds that one file uses stand in it: those of limits.ts have more users, or a relation to others", () => {
  const text = withoutComments(files.find(({ path }) => path === LIMITS)!.lines);
  const others = files
    .filter(({ path }) => path !== LIMITS && path.endsWith(".ts"))
    .map(({ lines }) => new Set(withoutComments(lines).match(/\b[A-Z][A-Z0-9_]+\b/g)));
  // Those that follow one another below one comment share its reason, and stay together.
  const groups = text
    .split(/\n(?:\s*\n)+/)
    .map((group) => [...group.matchAll(/^export const (\w+)/gm)]);
  const lonely = groups.filter((group) =>
    group.every(([, name]) => {
      const isRelated = text.split(new RegExp(`\\b${name}\\b`)).length > 2;
      return !isRelated && others.filter((words) => words.has(name!)).length < 2;
    }),
  );
  expect(groups.length).toBeGreaterThan(30);
  expect(lonely.flatMap((group) => group.map(([, name]) => name))).toEqual([]);
});

/** Comments become empty lines. */
function withoutComments(lines: readonly string[]): string {
  return lines.map((line) => (/^\s*(\/\/|\/?\*)/.test(line) ? "" : line)).join("\n");
}

describe("an export of the program", () => {
  const program = exportsWithUsers().filter(({ path }) => !LIBRARIES.includes(path));

  test("is imported by some other file", () => {
    expect(program.length).toBeGreaterThan(1_000);
    expect(program.filter(({ users }) => users.length === 0).map(nameOf)).toEqual([]);
  });

  test("that only tests import is also used in its own file, or has a reason", () => {
    const tested = program.filter(
      (each) => each.users.every((user) => user.startsWith("test/")) && !isUsedAtHome(each),
    );
    expect(tested.map(nameOf)).toEqual(Object.keys(FOR_TESTS));
  });
});

function nameOf({ path, name }: Export): string {
  return `${path} ${name}`;
}

function isUsedAtHome({ path, name }: Export): boolean {
  const code = withoutComments(files.find((file) => file.path === path)!.lines);
  return [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].length > 1;
}

describe("every test is run by something:", () => {
  test("a file that has one is called .test.ts or .slow.ts", () => {
    const withTests = tests.filter(({ lines }) =>
      /\bimport \{[^}]*\btest\b[^}]*\} from "bun:test";/.test(lines.join("\n")),
    );
    expect(withTests.length).toBeGreaterThan(200);
    const unnamed = withTests.filter(({ path }) => !/\.(test|slow)\.ts$/.test(path));
    expect(unnamed.map(({ path }) => path)).toEqual([]);
  });

  test("a slow one is where npm run test:slow looks for it", () => {
    const slow = tests.filter(({ path }) => path.endsWith(".slow.ts")).map(({ path }) => path);
    expect(slow.length).toBeGreaterThan(3);
    const lost = slow.filter((path) => !/^test\/end_to_end\/slow\/\w+\.slow\.ts$/.test(path));
    expect(lost).toEqual([]);
  });

  test("one that waits beside others is imported by one of the two files that run them", () => {
    const together = "test/end_to_end/side_by_side";
    const runners = [`${together}.test.ts`, "test/end_to_end/slow/side_by_side.slow.ts"];
    const imported = tests
      .filter(({ path }) => runners.includes(path))
      .flatMap(({ lines }) => lines.map((line) => /^import "\.+\/(side_by_side\/.*)";$/.exec(line)))
      .flatMap((found) => (found === null ? [] : [`test/end_to_end/${found[1]}`]));
    const members = tests.filter(({ path }) => path.startsWith(`${together}/`));
    expect(imported.sort()).toEqual(
      members.filter(({ path }) => path.endsWith(".test.ts")).map(({ path }) => path),
    );
  });
});
