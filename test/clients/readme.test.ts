// The lines at the top of the READMEs of Python and C, as they stand there, beat; and what these
// clients promise to their language. package.test.ts is the same of JavaScript.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { runProgram } from "./run_program.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CLIENTS = join(import.meta.dir, "../../clients");
const [python, cc, cxx] = ["python3", "gcc", "g++"].map((tool) => Bun.which(tool));
const STRICT = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wconversion"];

describe.skipIf(python === null)("the client for Python", () => {
  test("beats three times by the lines of its README", async () => {
    await using daemon = await DaemonProcess.start();
    using directory = new TemporaryDirectory();
    cpSync(join(CLIENTS, "python/varta_watch.py"), directory.at("varta_watch.py"));
    writeFileSync(directory.at("program.py"), blocks("python")[0]!);
    await runProgram([python!, directory.at("program.py")], {
      env: { VARTA_SOCKET: daemon.socket },
    });
    await daemon.untilReceived(3);
  });

  test("parses as Python 3.9", async () => {
    const program = "import ast,sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))";
    await runProgram([python!, "-c", program, join(CLIENTS, "python/varta_watch.py")]);
  });

  test("keeps its promises to threads, asyncio and tests of others", async () => {
    await runProgram([python!, join(import.meta.dir, "test_varta_watch.py")]);
  });
});

describe.skipIf(cc === null || cxx === null)("the client for C", () => {
  test("beats three times by the lines of its README, in C99 and in C++", async () => {
    await using daemon = await DaemonProcess.start();
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("program.c"), blocks("c")[0]!);
    const [source, program] = [directory.at("program.c"), directory.at("program")];
    const include = `-I${join(CLIENTS, "c")}`;
    const options = { env: { VARTA_SOCKET: daemon.socket } };
    await runProgram([cc!, "-std=c99", ...STRICT, include, source, "-o", program]);
    await runProgram([program], options);
    await daemon.untilReceived(3);
    await runProgram([cxx!, "-std=c++11", "-x", "c++", ...STRICT, include, source, "-o", program]);
    await runProgram([program], options);
    await daemon.untilReceived(6);
  });

  test("tells a crash by the handler of its README, and the process dies as without it", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--export-file", "events.tsv"] });
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("program.c"), blocks("c")[1]!);
    const to = [
      `-I${join(CLIENTS, "c")}`,
      directory.at("program.c"),
      "-o",
      directory.at("program"),
    ];
    await runProgram([cc!, "-std=c99", ...STRICT, ...to]);
    const child = Bun.spawn([directory.at("program")], {
      env: { ...process.env, VARTA_STREAM: "", VARTA_SOCKET: daemon.socket },
    });
    await child.exited;
    expect(child.signalCode).toBe("SIGABRT");
    await daemon.untilReceived(2);
    await daemon.stop();
    const beats = daemon.exported("events.tsv").map(([, , , nonce, status]) => [nonce, status]);
    expect(beats).toEqual([
      ["1", "ok"],
      [String(2n ** 64n - 1n), "critical"],
    ]);
  });

  test("keeps its promises to loops, logs and tests of others, in C99 and in C++", async () => {
    using directory = new TemporaryDirectory();
    const source = join(import.meta.dir, "test_varta.c");
    const to = [`-I${join(CLIENTS, "c")}`, source, "-o", directory.at("program")];
    for (const compiler of [
      [cc!, "-std=c99"],
      [cxx!, "-std=c++11", "-x", "c++"],
    ]) {
      await runProgram([...compiler, ...STRICT, ...to]);
      await runProgram([directory.at("program")]);
    }
  });
});

/** The blocks of code of a client's README. */
function blocks(client: string): string[] {
  const text = readFileSync(join(CLIENTS, client, "README.md"), "utf8");
  return [...text.matchAll(/```\w+\n(.*?)```/gs)].map(([, block]) => block!);
}
