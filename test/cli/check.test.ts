// `varta-watch check` reports what a start would find on this machine: each finding is made real,
// and the very program looks.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, close, inetAddress, openSocket, unixAddress } from "../../ffi/socket.ts";
import { runCommand } from "../support/command.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { freeUdpPorts } from "../support/free_ports.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
const ROOT = UID === 0;
/** Who this test runs as, in words. */
const USER = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();

let directory: TemporaryDirectory;

beforeEach(() => {
  directory = new TemporaryDirectory();
});

afterEach(() => {
  directory[Symbol.dispose]();
});

interface Checked {
  readonly exitCode: number;
  /** Problems without the name of the file, and the warnings. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What `check --json` says about `config`, in which DIR is the directory of the test. */
async function checked(config: string, ...args: readonly string[]): Promise<Checked> {
  const file = directory.at("varta.toml");
  writeFileSync(file, config.replaceAll("DIR", directory.path));
  const { stdout, exitCode } = await runCommand([
    ...PROGRAM,
    "check",
    "--json",
    "-c",
    file,
    ...args,
  ]);
  const { problems = [], warnings = [] } = JSON.parse(stdout) as {
    problems?: { where: string; text: string }[];
    warnings?: string[];
  };
  const plain = (text: string) => text.replaceAll(directory.path, "DIR");
  return {
    exitCode,
    problems: problems.map(({ where, text }) => plain(`${where}: ${text}`)),
    warnings: warnings.map(plain),
  };
}

function unix(path: string): string {
  return `[[listener]]\nkind = "unix"\npath = "${path}"\n`;
}

function udp(port: number, address = "127.0.0.1"): string {
  return `[[listener]]\nkind = "udp"\naddress = "${address}"\nport = ${port}\naccept_plaintext = true\n`;
}

describe("check finds", () => {
  test("no fault where a start would go well, and leaves nothing behind", async () => {
    const [port] = freeUdpPorts(1);
    const config = `${unix("DIR/v.sock")}${udp(port!)}[export]\nfile = "DIR/export"\n`;
    expect(await checked(config)).toEqual({ exitCode: 0, problems: [], warnings: [] });
    expect(Bun.spawnSync(["ls", directory.path]).stdout.toString()).toBe("varta.toml\n");
  });

  test("a directory that is missing, for sockets and for files", async () => {
    const files =
      '[audit]\nfile = "DIR/none/a"\n[export]\nfile = "DIR/none/e"\n[liveness]\nheartbeat_file = "DIR/none/h"\n';
    const { exitCode, problems } = await checked(
      `${unix("DIR/none/v.sock")}[metrics]\nlisten = "unix:DIR/none/m"\n${files}`,
    );
    expect(exitCode).toBe(78);
    const what = (path: string) =>
      `found DIR/none/${path}, whose directory DIR/none does not exist; want a directory in which user ${USER} can make files`;
    expect(problems.map((text) => text.replace(/ \(install .*\)$/, ""))).toEqual([
      `1st [[listener]]: path: ${what("v.sock")}`,
      `metrics.listen: ${what("m")}`,
      `audit.file: ${what("a")}`,
      `export.file: ${what("e")}`,
      `liveness.heartbeat_file: ${what("h")}`,
    ]);
  });

  test("a directory in which others could replace the file", async () => {
    mkdirSync(directory.at("open"));
    chmodSync(directory.at("open"), 0o777);
    expect((await checked(unix("DIR/open/v.sock"))).problems).toEqual([
      "1st [[listener]]: path: found DIR/open/v.sock, in DIR/open, a directory with mode 0777; want one that only its owner may write to (chmod go-w DIR/open)",
    ]);
    chmodSync(directory.at("open"), 0o1777);
    expect((await checked(unix("DIR/open/v.sock"))).problems).toEqual([]);
  });

  test("a file that others could change or replace", async () => {
    mkdirSync(directory.at("free"));
    chmodSync(directory.at("free"), 0o777);
    writeFileSync(directory.at("shared"), "");
    chmodSync(directory.at("shared"), 0o666);
    const { problems } = await checked(
      `${unix("DIR/v.sock")}[audit]\nfile = "DIR/shared"\n[export]\nfile = "DIR/free/e"\n`,
    );
    expect(problems).toEqual([
      `audit.file: found DIR/shared, which others may write to (mode 0666); want a regular file of user ${USER}, with one name`,
      "export.file: found DIR/free/e, which is in the directory DIR/free with mode 0777; want one that only its owner may write to (chmod go-w DIR/free), or a sticky one",
    ]);
  });

  test("a socket directory that is a link, and a path that is taken by a file", async () => {
    symlinkSync(".", directory.at("link"));
    writeFileSync(directory.at("taken"), "");
    expect((await checked(unix("DIR/link/v.sock") + unix("DIR/taken"))).problems).toEqual([
      "1st [[listener]]: path: found DIR/link/v.sock, in DIR/link, which is a symlink; want the real directory: a link could be turned to another place",
      "2nd [[listener]]: path: found DIR/taken, where there is a file that is no socket; want a free path",
    ]);
  });

  test("a file that is no file of the daemon", async () => {
    symlinkSync("/etc/passwd", directory.at("symlink"));
    writeFileSync(directory.at("first"), "");
    linkSync(directory.at("first"), directory.at("second"));
    const { problems } = await checked(
      '[audit]\nfile = "DIR/symlink"\n[export]\nfile = "DIR/second"\n[liveness]\nheartbeat_file = "DIR"\n',
    );
    const want = `want a regular file of user ${USER}, with one name`;
    expect(problems.filter((text) => !text.includes("/run/varta"))).toEqual([
      `audit.file: found DIR/symlink, which is a symlink; ${want}`,
      `export.file: found DIR/second, which has 2 hard links; ${want}`,
      `liveness.heartbeat_file: found DIR, which is not a regular file; ${want}`,
    ]);
  });

  test("a file that holds something else, which the start would not touch", async () => {
    using other = new TemporaryDirectory();
    const files = ["audit.log", "run.fired", "events", "heartbeat"];
    for (const file of files) writeFileSync(other.at(file), "somebody's\n");
    const config = (audit: string) => `[recovery]\ncommand = ["/bin/true"]
[audit]\nfile = "${other.at(audit)}"
[export]\nfile = "${other.at("events")}"
[liveness]\nheartbeat_file = "${other.at("heartbeat")}"\n`;
    const listener = `[[listener]]\nkind = "unix"\npath = "${other.at("sock")}"\n`;
    const texts = async (audit: string) =>
      (await checked(listener + config(audit))).problems.map((text) =>
        text.replaceAll(other.path, "OTHER").replace(/; want .*/, ""),
      );
    const rest = [
      "export.file: found OTHER/events, which holds something else",
      "liveness.heartbeat_file: found OTHER/heartbeat, which holds something else",
    ];
    expect(await texts("audit.log")).toEqual([
      "audit.file: found OTHER/audit.log, which holds something else",
      ...rest,
    ]);
    expect(await texts("run")).toEqual([
      "audit.file: found OTHER/run.fired, which holds something else",
      ...rest,
    ]);
    for (const file of files) writeFileSync(other.at(file), "");
    expect(await texts("audit.log")).toEqual([]);
    writeFileSync(other.at("audit.log"), "# varta-watch recovery audit v2\n");
    writeFileSync(other.at("events"), "1\tbeat\t\n");
    writeFileSync(other.at("heartbeat"), "12 345\n");
    expect(await texts("audit.log")).toEqual([]);
  });

  test("ports that another program has, with its name", async () => {
    const [port] = freeUdpPorts(1);
    const fd = check(openSocket(2, SOCK_DGRAM), "open a socket");
    check(bind(fd, inetAddress(Uint8Array.of(127, 0, 0, 1), port!)), "bind");
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port: tcpPort } = server.address() as { port: number };
    const program = process.argv0.split("/").at(-1);
    try {
      const metrics = `[metrics]\nlisten = "127.0.0.1:${tcpPort}"\n`;
      const { exitCode, problems } = await checked(`${udp(port!)}${metrics}`);
      expect(exitCode).toBe(78);
      const by = `which is in use by "${program}" (pid ${process.pid}); want a port that is free`;
      expect(problems).toEqual([
        `1st [[listener]]: port: found UDP 127.0.0.1:${port}, ${by}`,
        `metrics.listen: found TCP 127.0.0.1:${tcpPort}, ${by}`,
      ]);
    } finally {
      close(fd);
      server.close();
    }
  });

  test("an address that this machine does not have", async () => {
    expect((await checked(udp(4711, "192.0.2.1"))).problems).toEqual([
      "1st [[listener]]: port: found UDP 192.0.2.1:4711, which is no address of this machine; want an address of this machine",
    ]);
  });

  test("a socket on which another program listens, and none where its owner is gone", async () => {
    const fd = check(openSocket(1, SOCK_DGRAM), "open a socket");
    const path = directory.at("live.sock");
    check(bind(fd, unixAddress(path)), "bind");
    const live = await checked(unix("DIR/live.sock"));
    close(fd);
    expect(live.problems).toEqual([
      `1st [[listener]]: path: found DIR/live.sock, which is in use by "${process.argv0.split("/").at(-1)}" (pid ${process.pid}); want a path of its own`,
    ]);
    expect((await checked(unix("DIR/live.sock"))).problems).toEqual([]);
  });

  test("its own daemon at the sockets, which is no fault, and says so", async () => {
    await using daemon = await DaemonProcess.start();
    const path = daemon.socket;
    const { exitCode, problems, warnings } = await checked(unix(path));
    expect({ exitCode, problems }).toEqual({ exitCode: 0, problems: [] });
    expect(warnings).toEqual([
      `${path} is held by the varta-watch that runs now (pid ${daemon.pid})`,
    ]);
  });
});

describe(`check --user${NO_OTHER_USERS}`, () => {
  const asNobody = test.skipIf(NO_OTHER_USERS !== "");

  asNobody(
    "sees files, directories, programs, secrets and ports with the rights of that user",
    async () => {
      mkdirSync(directory.at("roots"));
      writeFileSync(directory.at("roots/program"), "#!/bin/sh\n");
      chmodSync(directory.at("roots/program"), 0o700);
      writeFileSync(directory.at("roots/key"), "0".repeat(64));
      chmodSync(directory.at("roots/key"), 0o600);
      const config = `${unix("DIR/roots/v.sock")}group = "root"
[[listener]]
kind = "secure-udp"
port = 81
key_file = "DIR/roots/key"
accept_recovery = false
[export]
file = "DIR/roots/export"
[recovery]
command = ["DIR/roots/program"]
`;
      expect((await checked(config)).problems).toEqual([]);
      const { exitCode, problems } = await checked(config, "--user", "65534");
      expect(exitCode).toBe(78);
      const user = "user nobody";
      expect(problems).toEqual([
        `1st [[listener]]: path: found DIR/roots/v.sock, in DIR/roots, where ${user} cannot make files; want a directory in which ${user} can make files`,
        `1st [[listener]]: group: found "root", a group that ${user} is not in; want a group of nobody: only root gives files to other groups`,
        `2nd [[listener]]: port: found UDP 127.0.0.1:81, which ${user} may not bind; want a port from 1024 on, or CAP_NET_BIND_SERVICE for the daemon`,
        "2nd [[listener]]: key_file: found DIR/roots/key, which cannot be opened (EACCES); want a regular file that the daemon can read",
        `export.file: found DIR/roots/export, in DIR/roots, where ${user} cannot make files; want a directory in which ${user} can make files`,
        "recovery.command, 1st item: found DIR/roots/program, which is not executable by this user; want a program that this user can execute",
      ]);
    },
  );

  asNobody("says for whom it has checked", async () => {
    const file = directory.at("empty.toml");
    mkdirSync(directory.at("nobodys"));
    chownSync(directory.at("nobodys"), 65_534, 65_534);
    writeFileSync(file, unix(directory.at("nobodys/v.sock")));
    const run = () => runCommand([...PROGRAM, "check", "--user", "nobody", "-c", file]);
    expect(await run()).toEqual({
      exitCode: 0,
      stdout: `varta-watch: no problems in ${file}, checked for user nobody\n`,
      stderr: "",
    });
    chmodSync(file, 0o600);
    const { exitCode, stderr } = await run();
    expect(stderr).toContain(
      "found a file that must not be read (EACCES); want a configuration file",
    );
    expect(exitCode).toBe(78);
  });

  asNobody("is for root alone", async () => {
    const argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...PROGRAM];
    const { exitCode, stderr } = await runCommand([...argv, "check", "--user", "root"], {
      cwd: "/",
    });
    expect(stderr).toBe(
      "varta-watch: error: cannot check for user root: found uid 65534, which may not become another user (EPERM (operation not permitted))\n" +
        "varta-watch: hint: sudo varta-watch check --user root\n",
    );
    expect(exitCode).toBe(77);
  });

  test("refuses a user that does not exist", async () => {
    const { exitCode, stderr } = await runCommand([...PROGRAM, "check", "--user", "no-such-user"]);
    expect(stderr).toStartWith(
      'varta-watch: error: cannot check for user "no-such-user": found no such user in /etc/passwd\n',
    );
    expect(exitCode).toBe(64);
  });
});

test.skipIf(!ROOT)("root checks for root where no unit is installed", async () => {
  expect((await checked(udp(82))).problems).toEqual([]);
});

test("check --explain says which rule a running process would get", async () => {
  const file = directory.at("explain.toml");
  const rules =
    `[[agent]]\nmatch = { unit = "no-such@*.service" }\n` +
    `[[agent]]\nmatch = { uid = ${UID}, exe = "*" }\nname = "test"\n`;
  writeFileSync(file, unix(directory.at("explain.sock")) + rules);
  const command = [...PROGRAM, "check", "-c", file, "--explain"];
  const found = await runCommand([...command, String(process.pid)]);
  expect(found.stderr).toBe("");
  expect(found.stdout).toContain(`pid ${process.pid} runs (`);
  expect(found.stdout).toContain(`would be  agent test, by the 2nd [[agent]] (${file}:6)`);
  expect(found.stdout).toContain(`2nd [[agent]], ${file}:6: uid = "${UID}", exe = "*"`);
  expect(found.exitCode).toBe(0);
  const asJson = await runCommand([...command, String(process.pid), "--json"]);
  expect([asJson.stderr, asJson.exitCode]).toEqual(["", 0]);
  expect(JSON.parse(asJson.stdout)).toMatchObject({
    ok: true,
    warnings: [],
    explained: { pid: process.pid, agent: "test", rule: { number: 2, place: `${file}:6` } },
  });
  const gone = await runCommand([...command, "4194304"]);
  expect(gone.stderr).toStartWith("varta-watch: error: pid 4194304 does not run");
  expect([gone.stdout, gone.exitCode]).toEqual(["", 1]);
  writeFileSync(file, `${unix(directory.at("explain.sock"))}${rules}late = "1h"\n`);
  const wrong = await runCommand([...command, String(process.pid)]);
  expect(wrong.stderr).toContain("agent test: late: found");
  expect([wrong.stdout, wrong.exitCode]).toEqual(["", 78]);
});
