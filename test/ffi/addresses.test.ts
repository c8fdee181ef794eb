// Addresses that C gets are those of explicit ArrayBuffers: that of a typed array without one
// changes when the engine gives it a buffer later, and the address that was taken points to freed
// memory. Nothing may be called back either: a callback that the collector has freed ends the
// process.
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ptr, read } from "bun:ffi";
import { Glob } from "bun";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const ROOT = join(import.meta.dir, "../..");
const paths = [...new Glob("{ffi,src}/**/*.ts").scanSync(ROOT)].sort();
const sources = paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

/** Whether `text` says that `name` is an ArrayBuffer: by what it is made of, or by its type. */
function isBuffer(text: string, name: string): boolean {
  if (name.endsWith(".buffer")) return true;
  return new RegExp(`\\b${name}(: ArrayBuffer\\b|(: \\w+)? = new ArrayBuffer\\()`).test(text);
}

test("every address is that of an ArrayBuffer", () => {
  let found = 0;
  const wrong: string[] = [];
  for (const { path, text } of sources) {
    for (const [, name] of text.matchAll(/\bptr\(([\w.#]+)/g)) {
      found += 1;
      if (!isBuffer(text, name!)) wrong.push(`${path}: ptr(${name})`);
    }
  }
  expect(found).toBeGreaterThan(10);
  expect(wrong).toEqual([]);
});

test("nothing is called back by C", () => {
  const users = sources.filter(({ text }) => /\bJSCallback\b/.test(text));
  expect(users.map(({ path }) => path)).toEqual([]);
});

test("the address of a buffer stays true while its code is compiled and the collector runs", () => {
  const buffer = new ArrayBuffer(8);
  const words = new Uint32Array(buffer);
  const address = ptr(buffer);
  let stale = 0;
  for (let i = 1; i <= 100_000; i++) {
    words[0] = i;
    if (read.u32(address, 0) !== i) stale += 1;
    if (i % 25_000 === 0) Bun.gc(true);
  }
  expect(stale).toBe(0);
});
