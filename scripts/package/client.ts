// The package of the JavaScript client: one file of code made of src/client for every runtime, one
// more with what Bun alone can load, and what clients/javascript has beside them. @noble/ciphers is
// in it, with its licence: nothing is installed with the package.
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "../binary/target.ts";

const SOURCES = join(ROOT, "clients/javascript");
const NOBLE = join(ROOT, "node_modules/@noble/ciphers");

/** Writes the files of the package into `directory`, which is made anew. */
export async function writeClientPackage(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(SOURCES)) cpSync(join(SOURCES, name), join(directory, name));
  cpSync(join(directory, "index.d.mts"), join(directory, "index.d.cts"));
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"])
    cpSync(join(ROOT, name), join(directory, name));
  cpSync(join(NOBLE, "LICENSE"), join(directory, "LICENSE-noble-ciphers"));
  const noble = JSON.parse(readFileSync(join(NOBLE, "package.json"), "utf8")).version;
  const header = `// varta-watch-client, made of src/client of varta-watch (MIT OR Apache-2.0).\n`;
  const includes = `// It includes @noble/ciphers ${noble} (MIT): see LICENSE-noble-ciphers.\n`;
  writeFileSync(join(directory, "index.cjs"), header + includes + (await bundle("package")));
  writeFileSync(join(directory, "bun.cjs"), header + (await bundle("bun_platform")));
  // Whatever the umask is: modes are in the tarball.
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644);
}

/** Packs `directory` as `npm pack` does; the path of the tarball in `out`. */
export function packClient(directory: string, out: string): string {
  const argv = ["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", out, directory];
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv, {
    env: {
      ...process.env,
      npm_config_cache: join(out, ".npm"),
      npm_config_update_notifier: "false",
    },
  });
  rmSync(join(out, ".npm"), { recursive: true, force: true });
  if (exitCode !== 0) throw new Error(`Cannot pack the client: ${stderr.toString()}`);
  const [packed] = JSON.parse(stdout.toString()) as [{ readonly filename: string }];
  return join(out, packed.filename);
}

async function bundle(entry: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(ROOT, "src/client", `${entry}.ts`)],
    root: ROOT,
    format: "cjs",
    target: "node",
    external: ["*/bun.cjs", "bun:ffi"],
  });
  // The bundler names the file that each part came from, by a path of this machine.
  return (await outputs[0]!.text()).replaceAll(/^\/\/ \S+\.[jt]s\n/gm, "");
}
