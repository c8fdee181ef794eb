// The lines at the top of each client's README, as they stand there, beat; and what each client
// promises to the language that it is written in.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { DoorProcess, HAS_DOOR } from "./door_process.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CLIENTS = join(import.meta.dir, "../../clients");
const [python, node, cc, cxx] = ["python3", "node", "gcc", "g++"].map((tool) => Bun.which(tool));
const STRICT = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wconversion"];

describe.skipIf(python === null)("the client for Python", () => {
  test("beats three times by the lines of its README", async () => {
    await using daemon = await DaemonProcess.start();
    using directory = new TemporaryDirectory();
    cpSync(join(CLIENTS, "python/varta_watch.py"), directory.at("varta_watch.py"));
    writeFileSync(directory.at("program.py"), firstBlock("python"));
    await run([python!, directory.at("program.py")], { VARTA_SOCKET: daemon.socket });
    await daemon.untilReceived(3);
  });

  test("parses as Python 3.9", async () => {
    const program = "import ast,sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))";
    await run([python!, "-c", program, join(CLIENTS, "python/varta_watch.py")]);
  });

  test("keeps its promises to threads, asyncio and tests of others", async () => {
    await run([python!, join(import.meta.dir, "test_varta_watch.py")]);
  });
});

describe.skipIf(cc === null || cxx === null)("the client for C", () => {
  test("beats three times by the lines of its README, in C99 and in C++", async () => {
    await using daemon = await DaemonProcess.start();
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("program.c"), firstBlock("c"));
    const [source, program] = [directory.at("program.c"), directory.at("program")];
    const include = `-I${join(CLIENTS, "c")}`;
    const env = { VARTA_SOCKET: daemon.socket };
    await run([cc!, "-std=c99", ...STRICT, include, source, "-o", program]);
    await run([program], env);
    await daemon.untilReceived(3);
    await run([cxx!, "-std=c++11", "-x", "c++", ...STRICT, include, source, "-o", program]);
    await run([program], env);
    await daemon.untilReceived(6);
  });
});

describe.skipIf(node === null || !HAS_DOOR)("the client for Node", () => {
  test("beats by the lines of its README", async () => {
    await using door = await DoorProcess.open("unix-stream");
    using directory = installed();
    writeFileSync(directory.at("program.mjs"), firstBlock("javascript"));
    const child = Bun.spawn([node!, directory.at("program.mjs")], {
      env: { ...process.env, VARTA_STREAM: door.path },
    });
    await door.untilHeard(1);
    child.kill();
    await child.exited;
    expect(door.heard[0]!.by).toBe(child.pid);
    expect(door.faults).toEqual([]);
  });

  test("is one and the same by import and by require", async () => {
    using directory = installed();
    const program = `
      import { createRequire } from "node:module";
      import { connect } from "varta-watch-client";
      const required = createRequire(import.meta.url)("varta-watch-client");
      process.exit(required.connect("/nowhere") === connect("/nowhere") ? 0 : 1);`;
    writeFileSync(directory.at("program.mjs"), program);
    await run([node!, directory.at("program.mjs")]);
  });

  test("keeps no process alive, whether or not somebody listens", async () => {
    await using door = await DoorProcess.open("unix-stream");
    using directory = installed();
    const program = `
      const varta = require("varta-watch-client");
      const client = varta.connect(process.argv[2]);
      client.every(10);
      varta.connectUdp({ host: "127.0.0.1", port: 9 }).beat();
      client.beat();`;
    writeFileSync(directory.at("program.cjs"), program);
    for (const path of [door.path, "/nowhere/varta.sock"])
      await run([node!, directory.at("program.cjs"), path]);
  });

  test("beats by --import varta-watch-client/auto alone", async () => {
    await using door = await DoorProcess.open("unix-stream");
    using directory = installed();
    writeFileSync(directory.at("program.mjs"), "setInterval(() => {}, 1000);");
    const child = Bun.spawn([node!, "--import", "varta-watch-client/auto", "program.mjs"], {
      cwd: directory.path,
      env: { ...process.env, VARTA_STREAM: door.path },
    });
    await door.untilHeard(2);
    child.kill();
    await child.exited;
    expect(door.noncesOf(child.pid)).toEqual([1n, 2n]);
  });

  test("refuses a worker thread, and says what to do", async () => {
    using directory = installed();
    const program = `
      const { Worker, isMainThread } = require("node:worker_threads");
      if (isMainThread) new Worker(__filename).on("error", (error) => {
        process.exit(/beat in the main thread/.test(error.message) ? 0 : 1);
      });
      else require("varta-watch-client").connect("/nowhere");`;
    writeFileSync(directory.at("program.cjs"), program);
    await run([node!, directory.at("program.cjs")]);
  });
});

/** A directory with the package in node_modules. */
function installed(): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  mkdirSync(directory.at("node_modules"));
  const to = directory.at("node_modules/varta-watch-client");
  cpSync(join(CLIENTS, "javascript"), to, { recursive: true });
  return directory;
}

/** The first block of code of a client's README. */
function firstBlock(client: string): string {
  const text = readFileSync(join(CLIENTS, client, "README.md"), "utf8");
  return /```\w+\n(.*?)```/s.exec(text)![1]!;
}

/** Runs a program to its end; throws with what it said unless that is 0. */
async function run(argv: string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const child = Bun.spawn(argv, { env: { ...process.env, ...env }, stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${argv.join(" ")} failed: ${said}`);
}
