// Programs in C that stand beside the tests, compiled when they are first needed. They stay in the
// cache of the checkout under the hash of their source: tests leave nothing in /tmp, and compile
// once.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";

const CACHE = join(import.meta.dir, "../../node_modules/.cache/varta-watch");

/** What makes a library of it. */
export const AS_LIBRARY: readonly string[] = ["-shared", "-fPIC", "-ldl"];

/**
 * The compiled program, or library, of `source`, or undefined where nothing can be compiled. The
 * options are the same at each call for the same source.
 */
export function compiled(source: string, options: readonly string[] = []): string | undefined {
  const compiler = process.platform === "linux" ? Bun.which("cc") : null;
  if (compiler === null) return undefined;
  const hash = Bun.hash(readFileSync(source)).toString(16);
  const program = join(CACHE, `${basename(source, ".c")}-${hash}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  // It appears by a rename, so that no test runs half of it.
  const unfinished = `${program}.${process.pid}`;
  const { status, stderr } = spawnSync(compiler, ["-O1", "-o", unfinished, source, ...options]);
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`);
  renameSync(unfinished, program);
  return program;
}
