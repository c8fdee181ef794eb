// This checkout as one executable, made when a test first needs it. It stays in the cache of the
// checkout under the hash of its sources; that of older sources goes, since each has a hundred
// megabytes.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { compile } from "../../scripts/binary/compile.ts";
import { HOST_NAME, packageVersion, ROOT } from "../../scripts/binary/target.ts";

const CACHE = join(ROOT, "node_modules/.cache/varta-watch");
const PREFIX = "checkout-";
/** Many times what a compilation takes on a busy machine. */
const WAIT_MS_MAX = 60_000;
/** What the executable is made of. */
const SOURCES = ["src/**/*.ts", "ffi/**/*.ts", "scripts/binary/**/*.ts"];
const SETTINGS = ["package.json", "package-lock.json", "tsconfig.json"];

/** Its path. */
export async function compiledCheckout(): Promise<string> {
  // The program is known by its name.
  const name = `${PREFIX}${sourceHash()}`;
  const program = join(CACHE, name, "varta-watch");
  const lock = join(CACHE, `${name}.lock`);
  mkdirSync(CACHE, { recursive: true });
  // Of the workers of one run the first makes it, and the others wait; one that waits too long
  // makes it, too.
  const isFirst = !existsSync(program) && isMade(lock);
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!isFirst && !existsSync(program) && performance.now() < endMs) await Bun.sleep(20);
  if (existsSync(program)) return program;
  for (const old of readdirSync(CACHE))
    if (old.startsWith(PREFIX) && !old.startsWith(name))
      rmSync(join(CACHE, old), { recursive: true, force: true });
  try {
    await compile({
      root: ROOT,
      targetName: HOST_NAME,
      runtime: process.execPath,
      version: packageVersion(),
      commit: "test",
      outFile: program,
    });
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
  return program;
}

/** Whether the directory `path` was made by this call. */
function isMade(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
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
