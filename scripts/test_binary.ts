// `npm run test:binary`: builds this machine's executable as it is released, and a second one with
// test hooks, both in a temporary directory, and runs the tests of the executable against them.
// Tests that start the program, as `npm test` does with the compiled checkout, can be given too:
// npm run test:binary -- ./test/end_to_end
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "./binary/compile.ts";
import { HOST_NAME, packageVersion, requireLockedRuntime, ROOT } from "./binary/target.ts";

/** They find the program by VARTA_TEST_PROGRAM. */
const SUITES = ["./test/binary"];
const COMMIT = "test";

requireLockedRuntime();
const work = mkdtempSync(join(tmpdir(), "varta-binary-"));
// Some tests run the program as another user.
chmodSync(work, 0o755);
try {
  const program = join(work, "varta-watch");
  const hooked = join(work, "varta-watch-hooked");
  await build(program, false);
  await build(hooked, true);
  const given = process.argv.slice(2);
  const { exited } = Bun.spawn([process.execPath, "test", ...(given.length > 0 ? given : SUITES)], {
    cwd: ROOT,
    env: {
      ...process.env,
      VARTA_TEST_PROGRAM: program,
      VARTA_TEST_HOOKED_PROGRAM: hooked,
      VARTA_COMMIT: COMMIT,
    },
    stdio: ["inherit", "inherit", "inherit"],
  });
  process.exitCode = await exited;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function build(outFile: string, testHooks: boolean): Promise<void> {
  return compile({
    root: ROOT,
    targetName: HOST_NAME,
    runtime: process.execPath,
    version: packageVersion(),
    commit: COMMIT,
    outFile,
    testHooks,
  });
}
