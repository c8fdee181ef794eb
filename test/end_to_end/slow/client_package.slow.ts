// The package of the JavaScript client as a person gets it: packed, installed in a fresh directory,
// beating, and compiled against.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packClient, writeClientPackage } from "../../../scripts/package/client.ts";
import { BUILT, PACKAGE, PACKAGE_FILES } from "../../clients/built_package.ts";
import { DaemonDoor } from "../../clients/daemon_door.ts";
import { runProgram } from "../../clients/run_program.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const node = Bun.which("node");
const ROOT = join(import.meta.dir, "../../..");
const README = readFileSync(join(PACKAGE, "README.md"), "utf8");

describe.skipIf(node === null)("the tarball of the client", () => {
  test("has the files of the package, and is the same bytes when it is made again", async () => {
    using directory = new TemporaryDirectory();
    const pack = async (name: string) => {
      await writeClientPackage(directory.at(name));
      return readFileSync(packClient(directory.at(name), directory.path));
    };
    const first = await pack("a");
    expect((await pack("elsewhere")).equals(first)).toBe(true);
    const tarball = join(directory.path, "varta-watch-client-0.1.0.tgz");
    const listed = (await runProgram(["tar", "-tzf", tarball])).trimEnd().split("\n");
    expect(listed.toSorted()).toEqual(PACKAGE_FILES.map((name) => `package/${name}`).toSorted());
  });

  test("installed in a fresh directory beats by the lines of its README, attested", async () => {
    await using door = await DaemonDoor.open();
    using directory = new TemporaryDirectory();
    const tarball = packClient(PACKAGE, directory.path);
    const install = ["npm", "install", "--offline", "--no-audit", "--no-fund", tarball];
    await runProgram(install, { cwd: directory.path });
    writeFileSync(directory.at("program.mjs"), /```js\n(.*?)```/s.exec(README)![1]!);
    const child = Bun.spawn([node!, "program.mjs"], {
      cwd: directory.path,
      env: { ...process.env, VARTA_STREAM: door.path("unix-stream") },
    });
    await door.untilBeats(child.pid, 1);
    child.kill();
    await child.exited;
    expect(await door.refused()).toBe(0);
  });
});

test.skipIf(node === null)("the processes of a cluster are members of their own", async () => {
  await using door = await DaemonDoor.open();
  const program = `
    const cluster = require("node:cluster");
    if (cluster.isPrimary) for (const _ of "ab") cluster.fork();
    const client = require("varta-watch-client").connect();
    setInterval(client.beat, 10);`;
  writeFileSync(join(BUILT, "cluster.cjs"), program);
  const env = { ...process.env, VARTA_STREAM: door.path("unix-stream") };
  const primary = Bun.spawn([node!, join(BUILT, "cluster.cjs")], {
    env,
    stdio: ["ignore", "ignore", "ignore"],
  });
  const members = () => door.daemon.saying("member came").map((line) => pidOf(line)!);
  await until("three members", () => members().length === 3);
  for (const pid of members()) {
    await door.untilBeats(pid, 2);
    expect(door.noncesOf(pid).slice(0, 2)).toEqual([1n, 2n]);
  }
  expect(await door.refused()).toBe(0);
  primary.kill();
  await primary.exited;
});

test("a strict TypeScript program compiles against it, by import and by require", async () => {
  const program = `
    import { type BeatResult, type Client, connect, connectSecureUdp, FakeClient } from "varta-watch-client";
    import "varta-watch-client/auto";
    const client: Client = connect("/run/varta/stream.sock", { reconnectMs: 50 });
    const result: BeatResult = client.beat("degraded", 7);
    if (result.kind === "dropped" && result.reason === "queue_full") client.crashBeat();
    const double: (value: number) => Promise<number> = client.wrap(async (value: number) => 2 * value);
    client.every(1000, async () => true).stop();
    connectSecureUdp({ host: "192.0.2.1", port: 1, masterKey: new Uint8Array(32) }).close();
    const fake: Pick<Client, "beat" | "close"> = new FakeClient();
    fake.beat();
    {
      using block = connect();
      using inTests = new FakeClient();
      for (const either of [block, inTests]) either.beat();
    }
    // @ts-expect-error: only the observer says "stall"
    client.beat("stall");
    export { double };`;
  writeFileSync(join(BUILT, "consumer.mts"), program);
  writeFileSync(join(BUILT, "consumer.cts"), program);
  const settings = {
    compilerOptions: {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ noUncheckedSideEffectImports: true, module: "nodenext", target: "es2022" },
      ...{ noEmit: true, skipLibCheck: false, types: [], lib: ["es2022"] },
    },
    files: ["consumer.mts", "consumer.cts"],
  };
  writeFileSync(join(BUILT, "tsconfig.json"), JSON.stringify(settings));
  await runProgram([join(ROOT, "node_modules/.bin/tsc"), "-p", BUILT]);
});
