import { expect, test } from "bun:test";
import { hasUtf8, widthOf } from "../../src/cli/this_screen.ts";

test.each([
  ["132", 80, 132],
  [undefined, 100, 100],
  ["", 100, 100],
  ["x", undefined, 80],
  [undefined, 0, 80],
] as const)(
  "widthOf() takes COLUMNS=%s before %s cells of the terminal",
  (columns, cells, width) => {
    expect(widthOf(columns, cells)).toBe(width);
  },
);

test.each([
  [{ LANG: "de_DE.UTF-8" }, true],
  [{ LANG: "en_US.utf8" }, true],
  [{ LC_ALL: "C", LANG: "en_US.UTF-8" }, false],
  [{ LC_ALL: "", LC_CTYPE: "C.UTF-8", LANG: "C" }, true],
  [{}, false],
])("hasUtf8() of %p is %p", (env, has) => {
  expect(hasUtf8(env)).toBe(has);
});
