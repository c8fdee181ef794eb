// The tree that a package installs, made from packaging/files.map: the one list of files that both
// formats are built from. Modes and times are set here, and everything belongs to root in the
// archive.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "../binary/target.ts";

export interface Architecture {
  /** Of the executable in dist/. */
  readonly target: string;
  readonly deb: string;
  readonly rpm: string;
}

export const ARCHITECTURES: readonly Architecture[] = [
  { target: "linux-x64", deb: "amd64", rpm: "x86_64" },
  { target: "linux-arm64", deb: "arm64", rpm: "aarch64" },
];

export interface PackageJob {
  readonly architecture: Architecture;
  /** An empty directory. */
  readonly work: string;
  readonly out: string;
  readonly version: string;
  readonly release: string;
  /** In place of the shipped configuration, for tests of upgrades. */
  readonly config: string | undefined;
  readonly fast: boolean;
  readonly epochSeconds: number;
  /** The tarball of the JavaScript client. */
  readonly clientPackage: string;
}

export interface BuiltPackage {
  readonly path: string;
  /** The executable, taken out of the package again. */
  readonly binary: string;
}

export type PackageFormat = "deb" | "rpm";

export interface MappedFile {
  readonly source: string;
  readonly destination: string;
  readonly mode: number;
  readonly kind: "plain" | "config" | "gz" | "doc" | "license";
  readonly format: "both" | PackageFormat;
}

const FILES_MAP = join(ROOT, "packaging/files.map");
const CONFIG = "packaging/varta.toml";

export function mappedFiles(format: PackageFormat): MappedFile[] {
  const lines = readFileSync(FILES_MAP, "utf8").split("\n");
  const files = lines
    .filter((line) => /^[^#\s]/.test(line))
    .map((line): MappedFile => {
      const [source, destination, mode, kind, only] = line.trim().split(/\s+/);
      return {
        source: source!,
        destination: destination!,
        mode: Number.parseInt(mode!, 8),
        kind: kind as MappedFile["kind"],
        format: only as MappedFile["format"],
      };
    });
  return files.filter((file) => file.format === "both" || file.format === format);
}

/** Fills `root`. */
export function stage(root: string, format: PackageFormat, job: PackageJob): void {
  mkdirSync(root, { recursive: true });
  for (const file of mappedFiles(format)) put(join(root, file.destination), file, job);
}

function put(path: string, file: MappedFile, job: PackageJob): void {
  const source = sourceOf(file, job);
  if (!existsSync(source))
    throw new Error(`Cannot package: there is no ${source}; run "npm run build" first`);
  mkdirSync(dirname(path), { recursive: true });
  if (file.kind === "gz") writeFileSync(path, compressed(readFileSync(source)));
  else copyFileSync(source, path);
  chmodSync(path, file.mode);
}

function sourceOf({ source }: MappedFile, job: PackageJob): string {
  if (source === "@binary") return join(ROOT, "dist", `varta-watch-${job.architecture.target}`);
  if (source === "@client") return job.clientPackage;
  if (source === CONFIG && job.config !== undefined) return resolve(job.config);
  return join(ROOT, source);
}

/** As `gzip -9n`: without a name or a time. */
export function compressed(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 9 });
}

/** Gives every directory mode 0755, and everything the one time. */
export function settle(root: string, epochSeconds: number): void {
  for (const path of tree(root)) {
    if (path.isDirectory) chmodSync(path.path, 0o755);
    utimesSync(path.path, epochSeconds, epochSeconds);
  }
}

interface TreePath {
  readonly path: string;
  readonly isDirectory: boolean;
}

/** Everything below and including `root`, the inner first. */
function tree(root: string): TreePath[] {
  const inside = readdirSync(root, { withFileTypes: true }).flatMap((entry): TreePath[] => {
    const path = join(root, entry.name);
    return entry.isDirectory() ? tree(path) : [{ path, isDirectory: false }];
  });
  return [...inside, { path: root, isDirectory: true }];
}

/** Paths of the files below `root`, relative to it, in the order of their bytes. */
export function filesBelow(root: string): string[] {
  const files = tree(root).filter(({ isDirectory }) => !isDirectory);
  return files.map(({ path }) => path.slice(root.length + 1)).sort();
}

/**
 * Of zstd, in both formats: dpkg reads it as of Debian 12, and rpm as of 4.14. docs/packaging.md
 * has the sizes and times of other levels.
 */
const COMPRESSION_LEVEL = 12;

export function compressionLevel({ fast }: PackageJob): number {
  return fast ? 1 : COMPRESSION_LEVEL;
}

export function runTool(argv: readonly string[], job: PackageJob): void {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], {
    env: {
      ...process.env,
      SOURCE_DATE_EPOCH: String(job.epochSeconds),
      // Fixed because the bytes depend on it; the option of the same meaning is an error to an
      // older dpkg.
      DPKG_DEB_THREADS_MAX: "2",
      LC_ALL: "C.UTF-8",
      TZ: "UTC",
    },
  });
  if (exitCode === 0) return;
  throw new Error(`${argv.join(" ")} exited with ${exitCode}:\n${stdout}${stderr}`);
}
