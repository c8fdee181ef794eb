// What binaries are built for, and the runtime each of them carries: the package of that platform,
// at the version and with the integrity that package-lock.json states.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

export interface Target {
  /** As in the name of the executable. */
  readonly name: string;
  readonly os: string;
  readonly cpu: string;
  /** Undefined where there is only one. */
  readonly libc: string | undefined;
  readonly runtimePackage: string;
}

/** The released binaries. The x64 one needs SSE4.2; both need glibc 2.17 or newer. */
export const TARGETS: readonly Target[] = [
  linuxTarget("x64", "@oven/bun-linux-x64"),
  linuxTarget("arm64", "@oven/bun-linux-aarch64"),
];

/** Built on demand and not released: not yet run on a Mac (docs/install.md). */
export const DARWIN_TARGETS: readonly Target[] = [
  darwinTarget("arm64", "@oven/bun-darwin-aarch64"),
  darwinTarget("x64", "@oven/bun-darwin-x64"),
];

/** The platform that this script runs on. */
export const HOST_NAME = `${process.platform}-${process.arch}`;

export interface LockedPackage {
  readonly version: string;
  /** "sha512-..." of the tarball. */
  readonly integrity: string;
  /** As an expression of SPDX. */
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  /** Only for development, or for one platform as the runtimes are. */
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/** The entry of `name` in package-lock.json. */
export function lockedPackage(name: string): LockedPackage {
  const entry = lockedPackages()[`node_modules/${name}`];
  if (entry?.integrity?.startsWith("sha512-") !== true)
    throw new Error(`Cannot build: package-lock.json has no ${name} with a sha512 integrity`);
  return entry;
}

/** The packages that go into the executable, by name. */
export function bundledPackages(): Readonly<Record<string, LockedPackage>> {
  const names = Object.entries(lockedPackages())
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path]) => path.replace(/^node_modules\//, ""));
  return Object.fromEntries(names.map((name) => [name, lockedPackage(name)]));
}

function lockedPackages(): Readonly<Record<string, LockedPackage>> {
  const lock = JSON.parse(readFileSync(`${ROOT}package-lock.json`, "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  return lock.packages;
}

/** The bundler must be the very runtime that the lock file names: another one makes other bytes. */
export function requireLockedRuntime(): void {
  const { version } = lockedPackage("bun");
  if (Bun.version === version) return;
  throw new Error(
    `Cannot build: this is bun ${Bun.version}, package-lock.json wants ${version}; run "npm ci && npm run build"`,
  );
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
    readonly version: string;
  };
  return version;
}

function linuxTarget(cpu: string, runtimePackage: string): Target {
  return { name: `linux-${cpu}`, os: "linux", cpu, libc: "glibc", runtimePackage };
}

function darwinTarget(cpu: string, runtimePackage: string): Target {
  return { name: `darwin-${cpu}`, os: "darwin", cpu, libc: undefined, runtimePackage };
}
