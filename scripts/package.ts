// `npm run package`: Debian and RPM packages of both architectures in dist/, the tarball of the
// JavaScript client, and their checksums. It checks for the tools that it needs, then builds the
// executables, then the packages. `--deb`, `--rpm` and `--client` make what they name alone,
// `--host-only` what is for this machine's architecture, which downloads nothing. They are the same
// bytes for the same commit: SOURCE_DATE_EPOCH, or else the time of the commit, is the time of
// everything inside. For tests: `--no-build` takes the executables that are in dist/, `--fast`
// compresses badly, `--release` and `--config` make the second package of an upgrade.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkBinary, checkBytes } from "./binary/check.ts";
import { HOST_NAME, packageVersion, ROOT } from "./binary/target.ts";
import { packClient, writeClientPackage } from "./package/client.ts";
import { buildDeb } from "./package/deb.ts";
import { buildRpm } from "./package/rpm.ts";
import {
  ARCHITECTURES,
  type Architecture,
  type PackageFormat,
  type PackageJob,
} from "./package/stage.ts";
import { toolProblem } from "./package/tools.ts";
import { writeChecksums } from "./release/checksums.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(ROOT, "dist") },
    deb: { type: "boolean", default: false },
    rpm: { type: "boolean", default: false },
    client: { type: "boolean", default: false },
    "host-only": { type: "boolean", default: false },
    "no-build": { type: "boolean", default: false },
    release: { type: "string", default: "1" },
    config: { type: "string" },
    fast: { type: "boolean", default: false },
  },
});

const out = resolve(values.out);
try {
  await main();
} catch (error) {
  console.error(`package: error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const formats = (["deb", "rpm"] as const).filter((format) => values[format]);
  const isAll = formats.length === 0 && !values.client;
  const wanted: readonly PackageFormat[] = isAll ? ["deb", "rpm"] : formats;
  const problem = toolProblem(wanted);
  if (problem !== undefined) throw new Error(problem);
  mkdirSync(out, { recursive: true });
  if (isAll || values.client) await buildClient();
  if (wanted.length > 0) await buildPackages(wanted);
  const isOurs = /\.(deb|rpm|tgz)$|^varta-watch-linux-/;
  writeChecksums(
    out,
    readdirSync(out).filter((name) => isOurs.test(name)),
  );
}

async function buildClient(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "varta-package-"));
  try {
    console.log(await packedClient(work, out));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function packedClient(work: string, to: string): Promise<string> {
  const directory = join(work, "client");
  await writeClientPackage(directory);
  return packClient(directory, to);
}

async function buildPackages(wanted: readonly PackageFormat[]): Promise<void> {
  const epochSeconds = epoch();
  if (!values["no-build"]) await buildExecutables();
  for (const architecture of ARCHITECTURES) {
    if (values["host-only"] && architecture.target !== HOST_NAME) continue;
    for (const format of wanted) await buildPackage(format, architecture, epochSeconds);
  }
}

async function buildExecutables(): Promise<void> {
  const options = values["host-only"] ? ["--host-only"] : [];
  const build = Bun.spawn([process.execPath, join(ROOT, "scripts/build.ts"), ...options], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if ((await build.exited) !== 0) throw new Error("Cannot package: the build failed");
}

async function buildPackage(
  format: PackageFormat,
  architecture: Architecture,
  epochSeconds: number,
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "varta-package-"));
  try {
    const job: PackageJob = {
      architecture,
      clientPackage: await packedClient(work, work),
      work,
      out,
      // A pre-release sorts before its release in both formats by "~".
      version: packageVersion().replace("-", "~"),
      release: values.release,
      config: values.config,
      fast: values.fast,
      epochSeconds,
    };
    const startedNs = Bun.nanoseconds();
    const { path, binary } = format === "deb" ? buildDeb(job) : buildRpm(job);
    await requireWhole(binary, architecture.target);
    const megabytes = Bun.file(path).size / 1e6;
    const seconds = (Bun.nanoseconds() - startedNs) / 1e9;
    console.log(`${path}  ${megabytes.toFixed(1)} MB  ${seconds.toFixed(1)} s`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// Packaging tools strip executables, which makes this one a bare JavaScript runtime and is no error
// to them: so the file that came out of the package is checked.
async function requireWhole(binary: string, target: string): Promise<void> {
  const original = join(ROOT, "dist", `varta-watch-${target}`);
  const problems = target === `linux-${process.arch}` ? await runs(binary) : checkBytes(binary);
  if (!readFileSync(binary).equals(readFileSync(original)))
    problems.push(`differs from ${original}`);
  if (problems.length > 0)
    throw new Error(`The executable in the package is not fit to ship: ${problems.join("; ")}`);
}

function runs(binary: string): Promise<string[]> {
  const { stdout } = Bun.spawnSync([
    join(ROOT, "dist", `varta-watch-linux-${process.arch}`),
    "version",
  ]);
  return checkBinary(binary, stdout.toString().trim());
}

function epoch(): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined && /^[0-9]+$/.test(given)) return Number(given);
  const { stdout, exitCode } = Bun.spawnSync(["git", "-C", ROOT, "log", "-1", "--format=%ct"], {
    stderr: "ignore",
  });
  if (exitCode === 0) return Number(stdout.toString().trim());
  throw new Error("Cannot date the packages: there is no git here, so set SOURCE_DATE_EPOCH");
}
