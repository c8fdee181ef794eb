// Whether tests can run this checkout as other users: that needs root, setpriv(1), and a checkout
// that others may read. A clone in a private directory is none.
import { PROGRAM } from "./program.ts";

const SOMEBODY = 65_534;
const AS_SOMEBODY = ["setpriv", `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, "--clear-groups"];

/** In the name of a test that runs the program as another user; empty where it can. */
export const NO_OTHER_USERS: string = whyNot();

function whyNot(): string {
  if (process.geteuid?.() !== 0) return " (skipped: only root may be another user)";
  if (Bun.which("setpriv") === null) return " (skipped: there is no setpriv)";
  const paths = [import.meta.path, process.execPath, ...PROGRAM.filter((word) => word[0] === "/")];
  const closed = paths.find((path) => !isReadable(path));
  return closed === undefined ? "" : " (skipped: other users may not read this checkout)";
}

function isReadable(path: string): boolean {
  return Bun.spawnSync([...AS_SOMEBODY, "test", "-r", path]).exitCode === 0;
}
