// This checkout as one executable, made when a test first needs it. It stays in the cache of the checkout under the hash of
// its sources; that of older sources goes, since each has a hundred megabytes.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { compile } from "../../scripts/binary/compile.ts";
import { HOST_NAME, packageVersion, ROOT } from "../../scripts/binary/target.ts";

const CACHE = join(ROOT, "node_modules/.cache/varta-watch");
const PREFIX = "checkout-";
/** What the executable is made of. */
const SOURCES = ["src/**/*.ts", "ffi/**/*.ts", "scripts/binary/**/*.ts"];
const SETTINGS = ["package.json", "package-lock.json", "tsconfig.json"];

/** Its path. */
export async function compiledCheckout(): Promise<string> {
  // The program is known by its name.
  const program = join(CACHE, `${PREFIX}${sourceHash()}`, "varta-watch");
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  for (const old of readdirSync(CACHE))
    if (old.startsWith(PREFIX)) rmSync(join(CACHE, old), { recursive: true, force: true });
  await compile({
    root: ROOT,
    targetName: HOST_NAME,
    runtime: process.execPath,
    version: packageVersion(),
    commit: "test",
    outFile: program,
  });
  return program;
}

function sourceHash(): string {
  const hash = new Bun.CryptoHasher("sha256");
  const paths = SOURCES.flatMap((pattern) => [...new Glob(pattern).scanSync(ROOT)].sort());
  for (const path of [...SETTINGS, ...paths]) {
    hash.update(`${path}\0`);
    hash.update(readFileSync(join(ROOT, path)));
  }
  return hash.digest("hex").slice(0, 16);
}
