// `npm run build`: the executables of every target in dist/, sealed and checked, with man pages and
// completions beside them. `--host-only` builds for this machine alone and downloads nothing;
// `--darwin` builds the ones for macOS instead.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { completionScript } from "../src/cli/completions.ts";
import { checkBinary, checkBytes } from "./binary/check.ts";
import { commitOf } from "./binary/commit.ts";
import { compile } from "./binary/compile.ts";
import { fetchRuntime } from "./binary/runtime.ts";
import {
  DARWIN_TARGETS,
  HOST_NAME,
  lockedPackage,
  packageVersion,
  requireLockedRuntime,
  ROOT,
  TARGETS,
} from "./binary/target.ts";
import { auditPage } from "./man/audit_page.ts";
import { configPage } from "./man/config_page.ts";
import { programPage } from "./man/program_page.ts";

const { values } = parseArgs({
  options: {
    "host-only": { type: "boolean", default: false },
    darwin: { type: "boolean", default: false },
    out: { type: "string", default: join(ROOT, "dist") },
  },
});

requireLockedRuntime();
const version = packageVersion();
const commit = commitOf(ROOT);
const work = mkdtempSync(join(tmpdir(), "varta-runtimes-"));
try {
  const targets = values.darwin ? DARWIN_TARGETS : TARGETS;
  const names = values["host-only"] ? [HOST_NAME] : targets.map(({ name }) => name);
  for (const name of names) await build(name);
  writePages(resolve(values.out));
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function build(targetName: string): Promise<void> {
  const startedNs = Bun.nanoseconds();
  const outFile = resolve(values.out, `varta-watch-${targetName}`);
  const runtime = await runtimeOf(targetName);
  await compile({ root: ROOT, targetName, runtime, version, commit, outFile });
  const line = `varta-watch ${version} (${commit}, bun ${lockedPackage("bun").version}, ${targetName})`;
  const problems =
    targetName === HOST_NAME ? await checkBinary(outFile, line) : checkBytes(outFile);
  if (problems.length > 0) throw new Error(`${outFile} is not fit to ship: ${problems.join("; ")}`);
  const seconds = (Bun.nanoseconds() - startedNs) / 1e9;
  const megabytes = statSync(outFile).size / 1e6;
  const sha256 = createHash("sha256").update(readFileSync(outFile)).digest("hex");
  console.log(`${outFile}  ${megabytes.toFixed(1)} MB  ${seconds.toFixed(1)} s`);
  console.log(`  ${line}\n  sha256 ${sha256}`);
}

// What packages install beside the executable, under the names that it has there.
function writePages(out: string): void {
  const files: readonly (readonly [string, string])[] = [
    ["man/varta-watch.8", programPage()],
    ["man/varta.toml.5", configPage()],
    ["man/varta-audit.5", auditPage()],
    ["completions/varta-watch.bash", completionScript("bash")!],
    ["completions/_varta-watch", completionScript("zsh")!],
    ["completions/varta-watch.fish", completionScript("fish")!],
  ];
  for (const [name, text] of files) {
    const path = join(out, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  console.log(`${out}: ${files.map(([name]) => name).join(", ")}`);
}

function runtimeOf(targetName: string): Promise<string> | string {
  if (values["host-only"]) return process.execPath;
  const target = [...TARGETS, ...DARWIN_TARGETS].find(({ name }) => name === targetName)!;
  return fetchRuntime(target, work);
}
