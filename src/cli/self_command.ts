// How this program starts itself again: the compiled binary directly, a checkout through the
// runtime.
import { basename, isAbsolute, relative } from "node:path";

/** Where a compiled binary keeps its bundled files. */
const BUNDLE_ROOT = "/$bunfs/";

function isCompiled(): boolean {
  return Bun.main.startsWith(BUNDLE_ROOT);
}

/** argv that runs this program with `args`. */
export function selfCommand(args: readonly string[]): string[] {
  return isCompiled() ? [process.execPath, ...args] : [process.execPath, Bun.main, ...args];
}

/** The process that reads a changed configuration: no command, so it is in no help. */
export const READ_NEXT_CONFIG = "--read-next-config";

/** The same for the program as it runs, also after its file was replaced by another version. */
export function sameProgram(args: readonly string[]): string[] {
  const [program, ...rest] = selfCommand(args);
  return [process.platform === "linux" ? "/proc/self/exe" : program!, ...rest];
}

/** What a person types to run it: right for the binary and for a checkout. */
export function selfText(args: string): string {
  return `${isCompiled() ? "varta-watch" : `npx bun ${shortPath(Bun.main)}`} ${args}`;
}

/**
 * Whether a process with this command line is a daemon of this program, from a binary or a
 * checkout.
 */
export function isDaemonOfOurs(argv: readonly string[]): boolean {
  if (basename(argv[0] ?? "").startsWith("varta-watch")) return true;
  // A checkout may have been started by a relative path.
  return argv.slice(1, 3).some((word) => word === Bun.main || Bun.main.endsWith(`/${word}`));
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") || isAbsolute(fromHere) ? path : fromHere;
}
