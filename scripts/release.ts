// `npm run release -- VERSION`: all of a release that a machine can do (docs/releasing.md). It
// checks whether VERSION can be released from this checkout, puts version and date where they stand
// and commits that, builds the executables, the packages and the tarball of the JavaScript client,
// and leaves them in dist/VERSION with a bill of materials and checksums. Tag, signature and
// publication are a person's; the last lines say how. Run again after a failure it goes on from the
// commit.
//
// `--dry-run` does the same in a temporary copy and removes it; VERSION is then by default the next
// one, changes need not be committed, and packages that cannot be made for want of a tool are left
// out. `--host-only` and `--fast`, for this machine's architecture alone and with bad compression,
// are for dry runs.
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commitOf } from "./binary/commit.ts";
import { ROOT } from "./binary/target.ts";
import type { PackageFormat } from "./package/stage.ts";
import { toolProblem } from "./package/tools.ts";
import { billOfMaterials } from "./release/bill_of_materials.ts";
import {
  commitRelease,
  commitTime,
  hasGit,
  prepare,
  releaseProblem,
  uncommitted,
  versionFor,
} from "./release/checkout.ts";
import { CHECKSUMS, writeChecksums } from "./release/checksums.ts";

interface Build {
  /** The checkout, or its copy. */
  readonly root: string;
  readonly version: string;
  readonly formats: readonly PackageFormat[];
  /** Where everything goes that is published. */
  readonly out: string;
  readonly epochSeconds: number;
}

const FORMATS: readonly PackageFormat[] = ["deb", "rpm"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "dry-run": { type: "boolean", default: false },
    "host-only": { type: "boolean", default: false },
    fast: { type: "boolean", default: false },
  },
});

try {
  if (values["dry-run"]) dryRun(positionals[0]);
  else release(positionals[0]);
} catch (error) {
  console.error(`release: error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function release(version: string | undefined): void {
  if (version === undefined)
    throw new Error(`found no version; want "npm run release -- ${versionFor(ROOT)}"`);
  if (values["host-only"] || values.fast)
    throw new Error("--host-only and --fast make no release; want --dry-run with them");
  const problem = releaseProblem(ROOT, version) ?? treeProblem() ?? toolProblem(FORMATS);
  if (problem !== undefined) throw new Error(problem);
  if (prepare(ROOT, version, today())) commitRelease(ROOT, version);
  const out = join(ROOT, "dist", version);
  rmSync(out, { recursive: true, force: true });
  build({ root: ROOT, version, formats: FORMATS, out, epochSeconds: commitTime(ROOT) });
  console.log(nextSteps(version));
}

function dryRun(given: string | undefined): void {
  const problem = given === undefined ? undefined : releaseProblem(ROOT, given);
  if (problem !== undefined) throw new Error(problem);
  const version = given ?? versionFor(ROOT);
  const work = mkdtempSync(join(tmpdir(), "varta-release-"));
  try {
    const root = join(work, "checkout");
    const left = [".git", "node_modules", "dist"].map((name) => join(ROOT, name));
    cpSync(ROOT, root, { recursive: true, filter: (path) => !left.includes(path) });
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    prepare(root, version, today());
    const formats = FORMATS.filter((format) => toolProblem([format]) === undefined);
    const epochSeconds = hasGit(ROOT) ? commitTime(ROOT) : Math.floor(Date.now() / 1000);
    build({ root, version, formats, out: join(work, "out"), epochSeconds });
    for (const format of FORMATS)
      if (!formats.includes(format)) console.log(`no .${format}: ${toolProblem([format])}`);
    console.log(`${version} could be released; nothing was changed`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function build({ root, version, formats, out, epochSeconds }: Build): void {
  const words = [
    ...formats.map((format) => `--${format}`),
    ...(values["host-only"] ? ["--host-only"] : []),
  ];
  const environment = {
    ...process.env,
    SOURCE_DATE_EPOCH: String(epochSeconds),
    VARTA_COMMIT: commitOf(ROOT),
  };
  const bun = (script: string, ...more: string[]): void =>
    run([process.execPath, script, ...more], root, environment);
  bun("scripts/build.ts", ...words.filter((word) => word === "--host-only"));
  mkdirSync(out, { recursive: true });
  const fast = values.fast ? ["--fast"] : [];
  bun("scripts/package.ts", "--client", "--no-build", "--out", out, ...words, ...fast);
  const dist = join(root, "dist");
  const executables = readdirSync(dist).filter((name) => /^varta-watch-linux-\w+$/.test(name));
  for (const name of executables) copyFileSync(join(dist, name), join(out, name));
  const bill = `varta-watch-${version}.cdx.json`;
  writeFileSync(join(out, bill), billOfMaterials({ version, epochSeconds }));
  const names = readdirSync(out).filter((name) => name !== CHECKSUMS);
  writeChecksums(out, names);
  run(["sha256sum", "--check", "--strict", CHECKSUMS], out, process.env);
}

function run(
  argv: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const { exitCode } = Bun.spawnSync([...argv], {
    cwd,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")} ended with ${exitCode}`);
}

function treeProblem(): string | undefined {
  const changes = uncommitted(ROOT);
  if (changes.length === 0) return undefined;
  return `found changes that are not committed; want a clean checkout:\n${changes.join("\n")}`;
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function nextSteps(version: string): string {
  return `
${join("dist", version)} has all that is published. What is left to do by hand (docs/releasing.md):

  git show                                              # is it what shall be released?
  git tag --sign v${version} --message "varta-watch ${version}"
  gpg --local-user KEY --armor --detach-sign dist/${version}/${CHECKSUMS}
  git push origin HEAD v${version}
  publish dist/${version}, and the repositories that packaging/repo makes of its packages`;
}
