// The package of the JavaScript client: what is in it, that the lines of its README beat, and what
// it promises to a program. end_to_end/slow/client_package.slow.ts packs and installs it.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endLeftovers } from "../support/daemon_process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { BUILT, PACKAGE, PACKAGE_FILES } from "./built_package.ts";
import { DaemonDoor } from "./daemon_door.ts";
import { runProgram } from "./run_program.ts";

setDefaultTimeout(TEST_MS_MAX);

const node = Bun.which("node");
const README = readFileSync(join(PACKAGE, "README.md"), "utf8");

let door: DaemonDoor;
beforeAll(async () => {
  door = await DaemonDoor.open();
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  endLeftovers();
});

test("the package has these files, no dependency and no script", () => {
  expect(readdirSync(PACKAGE).toSorted()).toEqual(PACKAGE_FILES.toSorted());
  const manifest = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  expect(Object.keys(manifest).filter((key) => /dependenc|scripts|gyp/i.test(key))).toEqual([]);
  expect(README).toContain(`${manifest.name}-${manifest.version}.tgz`);
});

describe.skipIf(node === null)("the client in Node", () => {
  const at = (name: string, program: string) => {
    writeFileSync(join(BUILT, name), program);
    return [node!, join(BUILT, name)];
  };

  test("beats by the lines of its README", async () => {
    const [, program] = at("readme.mjs", /```js\n(.*?)```/s.exec(README)![1]!);
    const child = Bun.spawn([node!, program!], {
      env: { ...process.env, VARTA_STREAM: door.path("unix-stream") },
    });
    await door.untilBeats(child.pid, 1);
    child.kill();
    await child.exited;
  });

  test("is one and the same by import and by require", async () => {
    const program = `
      import { createRequire } from "node:module";
      import { connect } from "varta-watch-client";
      const required = createRequire(import.meta.url)("varta-watch-client");
      process.exit(required.connect("/nowhere") === connect("/nowhere") ? 0 : 1);`;
    await runProgram(at("same.mjs", program));
  });

  test("keeps no process alive, whether or not somebody listens", async () => {
    const program = `
      const varta = require("varta-watch-client");
      const client = varta.connect(process.argv[2]);
      client.every(10);
      varta.connectUdp({ host: "127.0.0.1", port: 9 }).beat();
      client.beat();`;
    const argv = at("alive.cjs", program);
    for (const path of [door.path("unix-stream"), "/nowhere/varta.sock"])
      await runProgram([...argv, path]);
  });

  test("beats by --import varta-watch-client/auto alone", async () => {
    const [, program] = at("auto.mjs", "setInterval(() => {}, 1000);");
    const child = Bun.spawn([node!, "--import", "varta-watch-client/auto", program!], {
      cwd: BUILT,
      env: { ...process.env, VARTA_STREAM: door.path("unix-stream") },
    });
    await door.untilBeats(child.pid, 1);
    child.kill();
    await child.exited;
  });

  test("refuses a worker thread, and says what to do", async () => {
    const program = `
      const { Worker, isMainThread } = require("node:worker_threads");
      if (isMainThread) new Worker(__filename).on("error", (error) => {
        process.exit(/connect in the main thread/.test(error.message) ? 0 : 1);
      });
      else require("varta-watch-client").connect("/nowhere");`;
    await runProgram(at("worker.cjs", program));
  });

  test("warns once of a cause, names the endpoint, and beats on", async () => {
    const program = `
      const client = require("varta-watch-client").connect("/nowhere/varta.sock");
      process.removeAllListeners("warning");
      const warnings = [];
      process.on("warning", ({ name, code, message }) => warnings.push([name, code, message]));
      const timer = setInterval(() => {
        client.beat();
        if (client.counters.noObserver < 5) return;
        clearInterval(timer);
        console.log(JSON.stringify(warnings));
      }, 5);`;
    const said = await runProgram(at("warns.cjs", program));
    const text = "Beat dropped: no observer listens there [/nowhere/varta.sock]";
    expect(JSON.parse(said)).toEqual([["VartaWatch", "no_observer", text]]);
  });

  test("beats at an interval while isAlive() says so, and after a wrapped call", async () => {
    const program = `
      const { FakeClient } = require("varta-watch-client");
      const client = new FakeClient();
      const answers = [true, "degraded", false, "down", "critical"];
      const isAlive = async () => {
        const answer = answers.shift() ?? false;
        if (answer === "down") throw new Error("down");
        return answer;
      };
      const repeat = client.every(1, isAlive);
      const double = client.wrap(async (value) => 2 * value);
      const fail = client.wrap(() => { throw new Error("no"); });
      const look = setInterval(async () => {
        if (answers.length > 0) return;
        clearInterval(look);
        repeat.stop();
        const before = client.beats.map(({ status }) => status);
        const doubled = await double(21);
        try { fail(); } catch {}
        console.log(JSON.stringify([before, doubled, client.beats.length]));
      }, 1);`;
    const said = await runProgram(at("every.cjs", program));
    expect(JSON.parse(said)).toEqual([["ok", "degraded", "critical"], 42, 4]);
  });
});

test("the client under Bun beats to whichever kind of listener is at a path", async () => {
  const program = `
    const { connect } = require("varta-watch-client");
    for (const path of process.argv.slice(2)) console.log(connect(path).beat().kind);`;
  writeFileSync(join(BUILT, "either.cjs"), program);
  const paths = [door.path("unix"), door.path("unix-stream")];
  const child = Bun.spawn([process.execPath, join(BUILT, "either.cjs"), ...paths]);
  expect(await new Response(child.stdout).text()).toBe("sent\nsent\n");
  // Two listeners, two numberings of one process: the second is refused or begins anew.
  await until("its beat", () => door.beatsOf(child.pid).length >= 1);
});
