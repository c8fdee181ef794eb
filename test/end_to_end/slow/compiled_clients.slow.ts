// The clients for Go and Java by the lines of their READMEs, at the real daemon, and the tests that
// the Go package has of its own. The contract is in clients.slow.ts.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goEnvironment } from "../../clients/compiled_languages.ts";
import { DaemonDoor } from "../../clients/daemon_door.ts";
import { runProgram } from "../../clients/run_program.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CLIENTS = join(import.meta.dir, "../../../clients");
const GO_CLIENT = join(CLIENTS, "go");
const [go, java, javac] = ["go", "java", "javac"].map((tool) => Bun.which(tool));

describe.skipIf(go === null)("the client for Go", () => {
  test("passes its own tests with the race detector, go vet and gofmt", async () => {
    const options = { cwd: GO_CLIENT, env: goEnvironment() };
    await runProgram([go!, "vet", "./..."], options);
    await runProgram([go!, "test", "-race", "-count=1", "./..."], options);
    expect(await runProgram(["gofmt", "-l", GO_CLIENT])).toBe("");
  });

  test("beats three times by the lines of its README", async () => {
    await using daemon = await DaemonDoor.open();
    using directory = new TemporaryDirectory();
    const options = { cwd: directory.path, env: goEnvironment() };
    writeFileSync(directory.at("main.go"), blockOf("go", "go"));
    await runProgram([go!, "mod", "init", "program"], options);
    const line = blockOf("go", "sh").replace("/PATH/TO/clients/go", GO_CLIENT);
    await runProgram(["sh", "-c", line], options);
    await runProgram([go!, "build", "-o", "program", "."], options);
    await runProgram([directory.at("program")], {
      env: { VARTA_STREAM: daemon.path("unix-stream") },
    });
    await daemon.daemon.untilReceived(3, "unix-stream-0");
  });
});

describe.skipIf(java === null || javac === null)("the client for Java", () => {
  test("beats three times by the lines of its README, and compiles in a package", async () => {
    await using daemon = await DaemonDoor.open();
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("Program.java"), blockOf("java", "java"));
    cpSync(join(CLIENTS, "java/VartaWatch.java"), directory.at("VartaWatch.java"));
    const strict = ["--release", "17", "-Xlint:all", "-Werror", "-d", directory.path];
    const sources = ["Program.java", "VartaWatch.java"].map((file) => directory.at(file));
    await runProgram([javac!, ...strict, ...sources]);
    await runProgram([java!, "-cp", directory.path, "Program"], {
      env: { VARTA_STREAM: daemon.path("unix-stream") },
    });
    await daemon.daemon.untilReceived(3, "unix-stream-0");

    mkdirSync(directory.at("org"));
    const source = readFileSync(directory.at("VartaWatch.java"), "utf8");
    writeFileSync(directory.at("org/VartaWatch.java"), `package org;\n${source}`);
    await runProgram([javac!, ...strict, directory.at("org/VartaWatch.java")]);
  });
});

/** The first block of a kind of a client's README. */
function blockOf(client: string, kind: string): string {
  const text = readFileSync(join(CLIENTS, client, "README.md"), "utf8");
  return new RegExp(`\`\`\`${kind}\\n(.*?)\`\`\``, "s").exec(text)![1]!;
}
