// What keeps the house tidy and no compiler looks at: the width of comments, the length of files, and tests that nothing
// would run.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { Glob } from "bun";

const ROOT = normalize(join(import.meta.dir, ".."));

/** The formatter keeps code within it, and leaves comments alone. */
const COLUMNS_MAX = 100;
/** Where comments are wider still. */
const WIDE_STILL: readonly string[] = ["src/", "ffi/", "test/", "scripts/", "bench/"];

const LINES_MAX = 400;
/** Files that are longer, and why. */
const LONG_FILES: Readonly<Record<string, string>> = {
  "src/metrics/catalogue.ts": "a table of all families",
  "src/observer/observer.ts": "to be split",
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

/** Numbers of the lines whose comment is too wide; an address may be, and so may what stands beside a row of a table. */
function wideComments({ path, lines }: SourceFile): string[] {
  const hasTable = lines.some((line) => line.includes("biome-ignore format"));
  return lines.flatMap((line, at) => {
    if ([...line].length <= COLUMNS_MAX || /https?:\/\//.test(line)) return [];
    const isComment = /^\s*(\/\/|\/?\*|#)/.test(line);
    return isComment || (!hasTable && /\s\/\/\s/.test(line)) ? [`${path}:${at + 1}`] : [];
  });
}

test("comments are within 100 columns, as the code is", () => {
  const wide = files.flatMap(wideComments);
  expect(wide.filter((place) => !WIDE_STILL.some((root) => place.startsWith(root)))).toEqual([]);
  expect(files.length).toBeGreaterThan(500);
});

test("no file of the program is longer than 400 lines without a reason", () => {
  const long = files
    .filter(({ path, lines }) => /^(src|ffi|scripts)\//.test(path) && lines.length > LINES_MAX)
    .map(({ path }) => path);
  expect(long).toEqual(Object.keys(LONG_FILES));
});

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

  test("one that waits beside others is imported by the file that runs them", () => {
    const together = "test/end_to_end/side_by_side";
    const runner = tests.find(({ path }) => path === `${together}.test.ts`)!;
    const imported = [...runner.lines.join("\n").matchAll(/^import "\.\/(.*)";$/gm)];
    const members = tests.filter(({ path }) => path.startsWith(`${together}/`));
    expect(imported.map(([, path]) => `test/end_to_end/${path}`)).toEqual(
      members.filter(({ path }) => path.endsWith(".test.ts")).map(({ path }) => path),
    );
  });
});
