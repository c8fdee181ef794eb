// `npm run build:check`: builds this machine's binary and the tarball of the JavaScript client
// twice, from two copies of the sources at different paths, under another time zone, umask and user
// directory, and compares the results byte for byte.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bundledPackages, ROOT } from "./binary/target.ts";

const SOURCES = [
  "src",
  "ffi",
  "scripts",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "bunfig.toml",
  "packaging",
  "varta.toml.example",
  "clients",
  "LICENSE-MIT",
  "LICENSE-APACHE",
];

const work = mkdtempSync(join(tmpdir(), "varta-twice-"));
try {
  const first = buildIn("a", { TZ: "UTC", HOME: work }, "022");
  // The runtime makes its cache in HOME: a home elsewhere, and inside of what is removed.
  const home = join(work, "home");
  const second = buildIn("much/deeper/below/b", { TZ: "Asia/Tokyo", HOME: home }, "077");
  if (!first.equals(second)) throw new Error("Two builds of the same sources differ");
  console.log(`two builds are the same ${first.length} bytes`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function buildIn(place: string, environment: Record<string, string>, umask: string): Buffer {
  const root = join(work, place);
  mkdirSync(root, { recursive: true });
  for (const source of [...SOURCES, ...productionPackages()])
    cpSync(join(ROOT, source), join(root, source), { recursive: true });
  const out = join(root, "dist");
  const path = `${dirname(Bun.which("npm") ?? "")}:/usr/bin:/bin`;
  const env = { PATH: path, VARTA_COMMIT: "reproducible", ...environment };
  for (const argv of [
    ["scripts/build.ts", "--host-only", "--out", out],
    ["scripts/package.ts", "--client", "--out", out],
  ]) {
    const { exitCode, stderr } = Bun.spawnSync(
      ["sh", "-c", `umask ${umask}; exec "$@"`, "sh", process.execPath, ...argv],
      { cwd: root, env },
    );
    if (exitCode !== 0) throw new Error(`Cannot build in ${root}:\n${stderr.toString()}`);
  }
  const isBuilt = new RegExp(`^varta-watch-${process.platform}-${process.arch}$|\\.tgz$`);
  const names = readdirSync(out).filter((name) => isBuilt.test(name));
  return Buffer.concat(names.toSorted().map((name) => readFileSync(join(out, name))));
}

/** Directories of everything that is bundled: links would let the builds share a path. */
function productionPackages(): string[] {
  return Object.keys(bundledPackages()).map((name) => `node_modules/${name}`);
}
