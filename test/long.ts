// `npm run test:long [-- FILES]`: every test file that has more to do at length, which is one that
// imports support/at_length.ts, with its full numbers. VARTA_TEST_LENGTH=10 before it makes them
// ten times as large.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..");
const IMPORT = /from "(\.\.\/)+support\/at_length\.ts";/;

const given = process.argv.slice(2);
const atLength = [...new Glob("test/**/*.test.ts").scanSync(ROOT)]
  .filter((path) => IMPORT.test(readFileSync(join(ROOT, path), "utf8")))
  .map((path) => `./${path}`)
  .sort();
const files = given.length > 0 ? given : atLength;
const child = Bun.spawn([process.execPath, "run", "--silent", "test", ...files], {
  cwd: ROOT,
  env: { VARTA_TEST_LENGTH: "1", ...process.env },
  stdio: ["inherit", "inherit", "inherit"],
});
process.exit(await child.exited);
