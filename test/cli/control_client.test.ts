import { afterEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ask, controlPath } from "../../src/cli/control_client.ts";
import { UTC } from "../../src/cli/screens/times.ts";
import { PROGRAM } from "../support/program.ts";
import { runCommand } from "../support/command.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SCREEN = { width: 80, colour: false, ascii: true, zone: UTC };
const servers: { stop(now: boolean): void }[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

/** A daemon that answers each line with `answer`, and never where it has none. */
function daemonSaying(path: string, answer: string | undefined): void {
  const socket = {
    data(from: { write(text: string): number }) {
      if (answer !== undefined) from.write(answer);
    },
  };
  servers.push(Bun.listen({ unix: path, socket }));
}

/** A line in two parts, one of its characters in both; a line that is the last one; a refusal. */
const SERVES_IN_PIECES = `
const whole = Buffer.from('{"v":1,"n":"\\u00e9"}\\n');
const path = process.argv[1];
Bun.listen({ unix: path + ".new", socket: { async data(from, bytes) {
  const { do: name } = JSON.parse(bytes.toString());
  if (name === "refused")
    return from.write('{"v":1,"error":"refused","text":"refused (in_flight)"}\\n{"done":true}\\n');
  from.write(whole.subarray(0, 13));
  await Bun.sleep(20);
  from.write(whole.subarray(13));
  if (name === "half") return from.end();
  from.write('{"v":1,"n":2}\\n{"done":true}\\n');
} } });
// A file that is there before anybody listens would be a daemon that is down.
require("node:fs").renameSync(path + ".new", path);`;

function status(path: string) {
  return runCommand([...PROGRAM, "status", "--control", path]);
}

test("a daemon of another protocol is told from one that does not answer", async () => {
  using directory = new TemporaryDirectory();
  daemonSaying(directory.at("new.sock"), '{"v":2,"hello":1}\n{"done":true}\n');
  expect(await status(directory.at("new.sock"))).toEqual({
    stdout: "",
    stderr:
      "varta-watch: error: the daemon speaks protocol 2, this program 1\nvarta-watch: hint: systemctl restart varta-watch\n",
    exitCode: 76,
  });
});

test("a daemon that knows only another protocol says so itself", async () => {
  using directory = new TemporaryDirectory();
  const line = '{"v":3,"error":"bad_version","text":"found v 1; this daemon speaks 3"}\n';
  daemonSaying(directory.at("new.sock"), `${line}{"done":true}\n`);
  expect((await status(directory.at("new.sock"))).exitCode).toBe(76);
});

test("an act that is refused ends with 77", async () => {
  using directory = new TemporaryDirectory();
  const line = '{"v":1,"error":"not_permitted","text":"mute needs root"}\n';
  daemonSaying(directory.at("no.sock"), `${line}{"done":true}\n`);
  const { stderr, exitCode } = await status(directory.at("no.sock"));
  expect(stderr).toContain("may ask");
  expect(stderr).toContain("[control] operators");
  expect(exitCode).toBe(77);
});

test("an answer without its end is none: the daemon has ended in it", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("half.sock");
  const socket = {
    data(from: { end(text: string): unknown }) {
      from.end('{"v":1,"agents":[');
    },
  };
  servers.push(Bun.listen({ unix: path, socket }));
  expect((await status(path)).exitCode).toBe(69);
});

test("an answer that goes on is handed on line by line, and one that breaks off is none", () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("follow.sock");
  const socket = Bun.spawn([process.execPath, "-e", SERVES_IN_PIECES, path], { stdout: "pipe" });
  try {
    while (!existsSync(path)) Bun.sleepSync(5);
    const lines: string[] = [];
    const onLine = (line: string): void => void lines.push(line);
    const asked = { screen: SCREEN, patienceMs: 2_000, onLine };
    expect(ask(path, { do: "whole" }, asked)).toMatchObject({ ok: true });
    expect(lines).toEqual(['{"v":1,"n":"\u00e9"}', '{"v":1,"n":2}']);
    expect(ask(path, { do: "half" }, asked)).toMatchObject({ ok: false, exitCode: 69 });
    expect(lines).toHaveLength(3);
    expect(ask(path, { do: "refused" }, asked)).toMatchObject({
      ok: false,
      exitCode: 1,
      error: "refused (in_flight)",
    });
  } finally {
    socket.kill("SIGKILL");
  }
});

test("ask() gives up after its patience, with who listens", () => {
  using directory = new TemporaryDirectory();
  daemonSaying(directory.at("mute.sock"), undefined);
  const answer = ask(
    directory.at("mute.sock"),
    { do: "status" },
    { screen: SCREEN, patienceMs: 50 },
  );
  expect(answer).toMatchObject({ ok: false, exitCode: 75 });
  expect(answer).toHaveProperty(
    "error",
    `the daemon (pid ${process.pid}) did not answer within 50ms`,
  );
});

test("controlPath() is that of the user where there is one, else that of the system", () => {
  using directory = new TemporaryDirectory();
  expect(controlPath({}, 0)).toBe("/run/varta/control.sock");
  expect(controlPath({ XDG_RUNTIME_DIR: directory.path }, 1_000)).toBe("/run/varta/control.sock");
});

test("a path that no socket can have is wrong use", async () => {
  expect(await status(`/tmp/${"x".repeat(200)}`)).toEqual({
    stdout: "",
    stderr: "varta-watch: error: --control: found a path of 205 bytes; want at most 107\n",
    exitCode: 64,
  });
});
