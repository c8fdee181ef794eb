// One bad file per rule, each with the exact text that is printed (spec 07 section 4). A pair
// NAME.toml and NAME.txt in test/fixtures/config/bad is a test; the texts call the directory of the
// file /etc/varta.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FixtureHost } from "./fixture_host.ts";

const BAD = join(import.meta.dir, "../fixtures/config/bad");

const names = readdirSync(BAD)
  .filter((file) => file.endsWith(".toml"))
  .map((file) => file.slice(0, -".toml".length));

describe("loadConfig() reports every problem of", () => {
  for (const name of names) {
    test(name.replaceAll("_", " "), async () => {
      using fixture = new FixtureHost();
      fixture.writeSecrets();
      const result = await fixture.load(readFileSync(join(BAD, `${name}.toml`)));
      if (result.ok) throw new Error("the file was accepted");
      const expected = readFileSync(join(BAD, `${name}.txt`), "utf8");
      expect(fixture.plain(result.text)).toBe(expected);
      expect(result.exitCode).toBe(78);
    });
  }
});

test("a file that is nothing but tables within tables is refused like any other", async () => {
  using fixture = new FixtureHost();
  for (const text of [`a${".a".repeat(300_000)} = 1\n`, `[a${".a".repeat(300_000)}]\n`]) {
    const result = await fixture.load(Buffer.from(text));
    if (result.ok) throw new Error("the file was accepted");
    expect(fixture.plain(result.text)).toContain(":1:1: found tables within tables, more than 64");
  }
});

test("every bad file has its text, and there are enough of them", () => {
  const texts = readdirSync(BAD).filter((file) => file.endsWith(".txt"));
  expect(texts.map((file) => file.replace(".txt", ".toml")).sort()).toEqual(
    names.map((name) => `${name}.toml`).sort(),
  );
  expect(names.length).toBeGreaterThan(25);
});

test("no message repeats a secret", () => {
  for (const name of names) {
    const text = readFileSync(join(BAD, `${name}.txt`), "utf8");
    expect(text).not.toContain("hush");
    expect(text).not.toContain("0011");
    expect(text).not.toContain("not-a-key");
  }
});
