// The runtimes that the JavaScript client is for, of exactly these versions, from npm's registry:
// the packages of their programs alone, without a script of theirs being run.
import { join } from "node:path";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { javascript, type Language } from "./driver.ts";

const NODES = { "Node 20": "20.20.2", "Node 22": "22.23.3", "Node 24": "24.22.3" } as const;
const DENO = "2.9.6";

const made = new TemporaryDirectory();
process.once("exit", () => made[Symbol.dispose]());

/** Without them where the registry cannot be reached: the tests are then left out. */
export async function fetchedRuntimes(): Promise<readonly Language[]> {
  const isHere = await fetched();
  const program = (...path: string[]) => (isHere ? made.at(join("node_modules", ...path)) : null);
  const nodes = Object.entries(NODES).map(([name, version]) =>
    javascript(name, [program(`node-${version}`, "bin/node")]),
  );
  const deno = [program(denoPackage(), "deno"), "run", "--allow-all", "--no-lock"];
  // By UDP it does not keep the contract: it never says that a port is closed.
  return [...nodes, { ...javascript("Deno", deno), doors: ["unix-stream"] }];
}

async function fetched(): Promise<boolean> {
  const nodes = Object.values(NODES).map((of) => `node-${of}@npm:node-linux-${process.arch}@${of}`);
  const wanted = [...nodes, `${denoPackage()}@${DENO}`];
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  const argv = ["npm", "install", ...quiet, "--prefix", made.path, ...wanted];
  const npm = Bun.spawn(argv, { cwd: made.path, stdout: "ignore", stderr: "pipe" });
  const said = await new Response(npm.stderr).text();
  if ((await npm.exited) === 0) return true;
  console.warn(`the runtimes of JavaScript were not fetched: ${said}`);
  return false;
}

function denoPackage(): string {
  return `@deno/linux-${process.arch}-glibc`;
}
