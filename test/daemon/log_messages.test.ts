// Every message of the log is constant and short, so that lines can be counted by it (spec 12
// section 7): what differs from line to line is a field.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "../..");
/** A call of the log with its first words; those of `limited` come after its kind and level. */
const CALL =
  /\blog\s*(?:\.(?:debug|info|warn|error|limited)|\[[^\]]+\])\(\s*(?:"\w+",\s*"\w+",\s*)?(?:\w+ \? "([^"]+)" : "([^"]+)"|(["`])(.*?)\3)/gs;
/** One to four words, the last one perhaps after a comma: "sd_notify failed, ignoring". */
const MESSAGE = /^[a-z][a-z_.-]*(?:,? [a-z_.-]+){0,3}$/;

const messages = [...new Glob("src/{daemon,cli}/**/*.ts").scanSync(ROOT)]
  .sort()
  .flatMap((path) =>
    [...readFileSync(join(ROOT, path), "utf8").matchAll(CALL)].flatMap(([, one, other, , text]) =>
      [one, other, text]
        .filter((words) => words !== undefined)
        .map((words) => ({ path, text: words })),
    ),
  );

test("the messages of the log are found", () => {
  const texts = messages.map(({ text }) => text);
  expect(texts.length).toBeGreaterThan(60);
  for (const known of ["agent stalled", "beats refused", "audit write failed, retrying"])
    expect(texts).toContain(known);
});

test("a message has one to four words in lower case, and no figure", () => {
  expect(messages.filter(({ text }) => !MESSAGE.test(text))).toEqual([]);
});
