// Compiles src/main.ts and a sealed runtime to one executable. The result depends on the sources,
// the runtime, the version and the commit, and on nothing else: not on the time, the place, the
// user or the environment.
//
// The executable must never be stripped: strip(1) succeeds, and turns it into the bare runtime.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { installEntry } from "./entry.ts";
import { seal } from "./seal.ts";

export interface CompileOptions {
  /** The checkout, as an absolute path. */
  readonly root: string;
  /** "linux-x64" */
  readonly targetName: string;
  /** Executable of the target's runtime, as it was installed. */
  readonly runtime: string;
  readonly version: string;
  readonly commit: string;
  readonly outFile: string;
  /** Options that harm the daemon on purpose exist in the binary. Never in a released one. */
  readonly testHooks?: boolean;
}

export async function compile(options: CompileOptions): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "varta-build-"));
  try {
    const sealed = join(work, "runtime");
    const executable = readFileSync(options.runtime);
    seal(executable);
    if (options.targetName.startsWith("linux-")) installEntry(executable);
    writeFileSync(sealed, executable, { mode: 0o755 });
    // The name of the file is embedded, so it is the same for every target.
    const built = join(work, "out", "varta-watch");
    await bundle(options, sealed, built);
    publish(built, options.outFile);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function bundle(options: CompileOptions, runtime: string, outFile: string): Promise<void> {
  const { root, targetName, version, commit, testHooks = false } = options;
  const build = Bun.spawn(
    [
      ...[process.execPath, "build", "--compile", `--target=bun-${targetName}`],
      `--compile-executable-path=${runtime}`,
      ...["--minify", "--keep-names", "--bytecode", "--format=esm", "--sourcemap=inline"],
      // Code and settings come from this build alone, never from the directory that the daemon is
      // started in.
      ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
      ...["--no-compile-autoload-tsconfig", "--no-compile-autoload-package-json"],
      ...["--env=disable", "--reject-unresolved"],
      ...["--define", `VARTA_VERSION=${JSON.stringify(version)}`],
      ...["--define", `VARTA_COMMIT=${JSON.stringify(commit)}`],
      ...["--define", `VARTA_TEST_HOOKS=${testHooks}`],
      // Relative to the working directory: the source map names it so.
      ...[`--outfile=${outFile}`, "src/main.ts"],
    ],
    {
      cwd: root,
      env: { PATH: "/usr/bin:/bin", HOME: dirname(runtime) },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  const said = await new Response(build.stderr).text();
  if ((await build.exited) !== 0) throw new Error(`Cannot compile for ${targetName}:\n${said}`);
}

// The finished file appears at once or not at all, also if its directory is on another file system.
function publish(built: string, outFile: string): void {
  mkdirSync(dirname(outFile), { recursive: true });
  const temporary = `${outFile}.${process.pid}.tmp`;
  copyFileSync(built, temporary);
  chmodSync(temporary, 0o755);
  renameSync(temporary, outFile);
}
