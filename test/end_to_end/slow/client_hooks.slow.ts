// The hooks for gunicorn and Celery of the README of the Python client, as they stand there: each
// worker is a member that beats. They need these programs (Debian: gunicorn, celery).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DaemonDoor } from "../../clients/daemon_door.ts";
import { runProgram } from "../../clients/run_program.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CLIENT = join(import.meta.dir, "../../../clients/python");
const [, gunicornConf, celeryHooks] = [
  ...readFileSync(join(CLIENT, "README.md"), "utf8").matchAll(/```python\n(.*?)```/gs),
].map(([, block]) => block!);
const gunicorn = Bun.which("gunicorn");
/** The Python of Debian, which alone has its modules. */
const celery = ["/usr/bin/python3", "-m", "celery"];
const HAS_CELERY =
  Bun.which(celery[0]!) !== null && Bun.spawnSync([...celery, "--version"]).exitCode === 0;

describe("a worker by the hooks of the README", () => {
  test.skipIf(gunicorn === null)("beats under gunicorn", async () => {
    await using door = await DaemonDoor.open();
    using directory = project({
      "gunicorn.conf.py": gunicornConf!,
      "app.py": "def app(environ, start):\n    start('200 OK', [])\n    return []\n",
    });
    const argv = [gunicorn!, "--workers", "2", "--bind", `unix:${directory.at("http.sock")}`];
    await using _ = started([...argv, "app:app"], directory, door);
    await until("two members", () => namesOf(door).length === 2);
    expect(await door.refused()).toBe(0);
  });

  test.skipIf(!HAS_CELERY)("beats under Celery, where tasks get done", async () => {
    await using door = await DaemonDoor.open();
    const broker = `
from celery import Celery
folders = {"data_folder_in": "queue", "data_folder_out": "queue"}
app = Celery("tasks", broker="filesystem://", broker_transport_options=folders)

@app.task
def work():
    pass
`;
    using directory = project({ "tasks.py": `${celeryHooks}${broker}` });
    mkdirSync(directory.at("queue"));
    const argv = [...celery, "--app", "tasks", "worker", "--concurrency", "1"];
    await using _ = started([...argv, "--without-gossip", "--without-mingle"], directory, door);
    await runProgram([...celery, "--app", "tasks", "call", "tasks.work"], { cwd: directory.path });
    await until("a member", () => namesOf(door).length === 1);
  });
});

/** Members that have come. */
function namesOf(door: DaemonDoor): string[] {
  return door.daemon.saying("member came").map(({ fields }) => fields.get("pid")!);
}

function project(files: Readonly<Record<string, string>>): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  cpSync(join(CLIENT, "varta_watch.py"), directory.at("varta_watch.py"));
  for (const [name, text] of Object.entries(files)) writeFileSync(directory.at(name), text);
  return directory;
}

function started(
  argv: readonly string[],
  directory: TemporaryDirectory,
  door: DaemonDoor,
): AsyncDisposable {
  const child = Bun.spawn([...argv], {
    cwd: directory.path,
    env: { ...process.env, VARTA_STREAM: "", VARTA_SOCKET: door.path("unix") },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}
