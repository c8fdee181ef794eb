// Gets the runtime of a target from the npm registry through `npm ci`, which refuses every byte
// that does not fit the integrity of package-lock.json. The runtime's own cross-compilation
// download is never used: it checks nothing.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LockedPackage, lockedPackage, type Target } from "./target.ts";

/** Installs the runtime of `target` below `directory` and returns the path of its executable. */
export async function fetchRuntime(target: Target, directory: string): Promise<string> {
  const { runtimePackage } = target;
  const project = join(directory, target.name);
  mkdirSync(project, { recursive: true });
  writeProject(project, runtimePackage, lockedPackage(runtimePackage));
  const npm = Bun.spawn(
    [
      ...["npm", "ci", "--prefix", project, "--ignore-scripts", "--no-audit", "--no-fund"],
      ...["--loglevel=error", `--os=${target.os}`, `--cpu=${target.cpu}`],
      ...(target.libc === undefined ? [] : [`--libc=${target.libc}`]),
    ],
    { cwd: project, env: withoutOuterProject(), stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const said = await new Response(npm.stderr).text();
  if ((await npm.exited) !== 0)
    throw new Error(`Cannot get ${runtimePackage}: npm ci ended with ${npm.exitCode}:\n${said}`);
  const executable = join(project, "node_modules", runtimePackage, "bin/bun");
  // npm leaves an optional dependency out without a word if its bytes are not the ones of the lock
  // file.
  if (!existsSync(executable))
    throw new Error(
      `Cannot get ${runtimePackage}: what the registry has does not fit the integrity in package-lock.json`,
    );
  return executable;
}

/** A project that depends on one package, locked as in package-lock.json. */
export function writeProject(project: string, name: string, locked: LockedPackage): void {
  const { version, integrity, os, cpu, libc } = locked;
  // An optional dependency may be of another platform than the one that installs it.
  const root = { name: "runtime", version: "1.0.0", optionalDependencies: { [name]: version } };
  const lock = {
    ...{ name: root.name, version: root.version, lockfileVersion: 3, requires: true },
    packages: {
      "": root,
      [`node_modules/${name}`]: { version, integrity, os, cpu, libc, optional: true },
    },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify({ ...root, private: true }));
  writeFileSync(join(project, "package-lock.json"), JSON.stringify(lock));
}

// Under `npm run` the environment names this project; the registry and proxy settings in it are
// kept.
function withoutOuterProject(): Record<string, string | undefined> {
  const names = Object.keys(process.env).filter(
    (name) =>
      !/^(npm_package_|npm_lifecycle_|npm_config_local_prefix$|npm_config_prefix$)/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
