// The package of the JavaScript client, made once for the files of a run, and beside it what only
// the runner of the vectors uses.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeClientPackage } from "../../scripts/package/client.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const made = new TemporaryDirectory();
process.once("exit", () => made[Symbol.dispose]());

/** Has node_modules/varta-watch-client, and wire.cjs. */
export const BUILT: string = made.path;
export const PACKAGE: string = made.at("node_modules/varta-watch-client");

export const PACKAGE_FILES: readonly string[] = [
  ...["LICENSE-APACHE", "LICENSE-MIT", "LICENSE-noble-ciphers", "README.md"],
  ...["auto.cjs", "auto.d.cts", "bun.cjs", "index.cjs", "index.d.cts", "index.d.mts", "index.mjs"],
  "package.json",
];

await writeClientPackage(PACKAGE);
const { outputs } = await Bun.build({
  entrypoints: [join(import.meta.dir, "drivers/wire.ts")],
  format: "cjs",
  target: "node",
});
writeFileSync(made.at("wire.cjs"), await outputs[0]!.text());
