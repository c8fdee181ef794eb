// The commit that a build calls its own: VARTA_COMMIT if it is set (a build from a tarball), else
// what git says, marked if a file that goes into the binary differs from it.

/** What may change the bytes of a binary. */
const SOURCES = [
  "src",
  "ffi",
  "scripts/binary",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];

export function commitOf(root: string): string {
  const given = process.env["VARTA_COMMIT"];
  if (given !== undefined && given !== "") return given;
  const head = git(root, ["rev-parse", "--short=12", "HEAD"]);
  if (head === undefined) return "unknown";
  const changes = git(root, ["status", "--porcelain", "--", ...SOURCES]);
  return changes === "" ? head : `${head}-dirty`;
}

function git(root: string, words: readonly string[]): string | undefined {
  if (Bun.which("git") === null) return undefined;
  const { stdout, exitCode } = Bun.spawnSync(["git", "--no-optional-locks", "-C", root, ...words], {
    stderr: "ignore",
  });
  return exitCode === 0 ? stdout.toString().trim() : undefined;
}
