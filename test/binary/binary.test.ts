// The compiled executable itself: that it is this program, sealed and whole, that the check would
// notice if it were not, and that the self-watchdog ends a loop that hangs. Run by
// `npm run test:binary`, which builds what is tested here.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { checkBinary, checkBytes } from "../../scripts/binary/check.ts";
import { removeEntry } from "../../scripts/binary/entry.ts";
import { SEALED_NAMES } from "../../scripts/binary/seal.ts";
import { lockedPackage, packageVersion } from "../../scripts/binary/target.ts";
import { ServiceManager } from "../daemon/service_manager.ts";
import { IS_GIVEN, PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const BINARY = PROGRAM[0]!;
/** The same program with test hooks. */
const HOOKED = process.env["VARTA_TEST_HOOKED_PROGRAM"] ?? "";
const COMMIT = process.env["VARTA_COMMIT"] ?? "";
const LINE = `varta-watch ${packageVersion()} (${COMMIT}, bun ${lockedPackage("bun").version}, ${process.platform}-${process.arch})`;

setDefaultTimeout(60_000);

let directory: TemporaryDirectory;

beforeAll(() => {
  directory = new TemporaryDirectory();
});

afterAll(() => directory[Symbol.dispose]());

describe.skipIf(!IS_GIVEN)("the executable (built by npm run test:binary)", () => {
  test("is this program and nothing else, whatever its environment and directory hold", async () => {
    expect(await checkBinary(BINARY, LINE)).toEqual([]);
  });

  test("has no test hooks", () => {
    const { stderr, exitCode } = Bun.spawnSync([BINARY, "--inject-wedge-ms", "0"]);
    expect(stderr.toString()).toContain("--inject-wedge-ms: found an unknown option");
    expect(exitCode).toBe(64);
  });

  test("says where a fault is in the sources", () => {
    const bytes = readFileSync(BINARY);
    expect(bytes.includes("src/daemon/loop.ts")).toBe(true);
  });
});

describe.skipIf(!IS_GIVEN)("checkBinary() (needs npm run test:binary)", () => {
  test("notices an executable that was not sealed, by its bytes and by what it does", async () => {
    const bytes = readFileSync(BINARY);
    for (const { name } of SEALED_NAMES) unseal(bytes, name);
    removeEntry(bytes);
    const path = directory.at("unsealed");
    writeFileSync(path, bytes, { mode: 0o755 });
    expect(checkBytes(path)).toHaveLength(SEALED_NAMES.length + 1);
    const said = (await checkBinary(path, LINE)).join("\n");
    for (const name of [
      "BUN_BE_BUN=1",
      "BUN_OPTIONS=--version",
      "BUN_INSPECT: opens a debugger port",
    ])
      expect(said).toContain(`obeys ${name}`);
    expect(said).toContain("is an interpreter");
    expect(said).toContain("does not work in a removed directory");
    expect(said).toContain("writes what its environment names: BUN_BYTECODE_DIGEST_OUT");
  });

  test.skipIf(Bun.which("strip") === null)(
    "notices a stripped executable (needs strip)",
    async () => {
      const path = directory.at("stripped");
      copyFileSync(BINARY, path);
      expect(Bun.spawnSync(["strip", path]).exitCode).toBe(0);
      expect((await checkBinary(path, LINE)).join()).toStartWith("is not this program (stripped?)");
    },
  );

  test("notices another version", async () => {
    expect((await checkBinary(BINARY, "varta-watch 9.9.9")).join()).toContain(LINE);
  });
});

describe.skipIf(HOOKED === "").concurrent("the self-watchdog (needs npm run test:binary)", () => {
  test("ends a loop that hangs by SIGALRM, within its deadline", async () => {
    const { signal, ms } = await endOf(
      ["--self-watchdog-secs", "1", "--inject-wedge-ms", "300"],
      {},
    );
    expect(signal).toBe("SIGALRM");
    // The last turn before the endless one began at most one wait before it was due.
    expect(ms).toBeWithin(1_000, 3_000);
  });

  test("is on by itself, with four seconds, where the service manager has a watchdog", async () => {
    using manager = new ServiceManager("abstract");
    const { signal, ms } = await endOf(["--inject-wedge-ms", "300"], {
      NOTIFY_SOCKET: manager.name,
      WATCHDOG_USEC: "60000000",
    });
    expect(signal).toBe("SIGALRM");
    expect(ms).toBeWithin(4_000, 7_000);
    expect(manager.read().at(-1)).toBe("WATCHDOG=1\n");
  });

  test("is off by itself elsewhere: the loop hangs for ever", async () => {
    const child = hooked(["--inject-wedge-ms", "0"], {});
    await Bun.sleep(6_000);
    expect(child.signalCode).toBeNull();
    child.kill("SIGTERM");
    await Bun.sleep(500);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    child.kill("SIGKILL");
    await child.exited;
  });

  test("lets a daemon live that only waits", async () => {
    const child = hooked(["--self-watchdog-secs", "1", "--shutdown-after-secs", "3"], {});
    expect(await child.exited).toBe(0);
  });
});

function hooked(args: readonly string[], env: Readonly<Record<string, string>>) {
  const socket = directory.at(`${crypto.randomUUID().slice(0, 8)}.sock`);
  return Bun.spawn([HOOKED, "--socket", socket, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

async function endOf(args: readonly string[], env: Readonly<Record<string, string>>) {
  const startedMs = performance.now();
  const child = hooked(args, env);
  await child.exited;
  return { signal: child.signalCode, ms: performance.now() - startedMs };
}

/** Makes the executable read `name` from its environment again. */
function unseal(executable: Buffer, name: string): void {
  const sealed = Buffer.from(`\0${name.slice(1)}`);
  for (let at = executable.indexOf(sealed); at >= 0; at = executable.indexOf(sealed, at))
    executable[at] = name.charCodeAt(0);
}
