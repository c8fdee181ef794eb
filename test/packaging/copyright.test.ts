import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bundledPackages, ROOT } from "../../scripts/binary/target.ts";

const text = readFileSync(join(ROOT, "packaging/copyright"), "utf8");
const shipped = Object.entries(bundledPackages());

/** How Debian calls it. */
const NAMES: Readonly<Record<string, string>> = { MIT: "Expat" };

test("copyright names every package that is bundled, with its holders and its licence", () => {
  expect(shipped.length).toBeGreaterThan(3);
  for (const [name, { license }] of shipped) {
    const path = `node_modules/${name}`;
    const paragraph = text.split("\n\n").find((each) => each.startsWith(`Files: ${path}/*\n`));
    expect([path, paragraph !== undefined]).toEqual([path, true]);
    expect(paragraph).toContain(`\nLicense: ${NAMES[license] ?? license}`);
    for (const holder of holders(path)) expect(paragraph).toContain(holder);
  }
});

test("copyright has the text of every licence that it names", () => {
  const [, ...paragraphs] = text.split("\n\n");
  const named = paragraphs.flatMap(
    (each) => /^Files: [\s\S]*\nLicense: (.*)$/m.exec(each)?.[1]?.split(/ and | or /) ?? [],
  );
  expect(named.length).toBeGreaterThan(shipped.length);
  for (const name of named)
    expect([
      name,
      new RegExp(`^License: ${name.replace(/[+.]/g, "\\$&")}\n .`, "m").test(text),
    ]).toEqual([name, true]);
});

function holders(path: string): string[] {
  const directory = join(ROOT, path);
  const file = readdirSync(directory).find((name) => /^licen[cs]e/i.test(name))!;
  const lines = readFileSync(join(directory, file), "utf8").matchAll(
    /^Copyright (?:\(c\) )?(.*[a-z].*)$/gm,
  );
  return [...lines].map((match) => match[1]!.trim());
}
