// The control socket and the commands that ask at it, against the real daemon: as root, as a
// reader, as a stranger, and of a daemon that is down or stopped.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { connect } from "../../../src/client/mod.ts";
import { RawClient } from "../../http/raw_client.ts";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { NO_OTHER_USERS } from "../../support/other_users.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const READER = 65_530;
const STRANGER = 65_531;
const DONE_LINE = '{"done":true}\n';

const CONFIG = `
[observer]
threshold = "60s"

[[agent]]
name = "cron"
match = { comm = "no-such-program" }
expect = 1
`;

function status(path: string, ...args: string[]): Promise<CommandResult> {
  return runCommand([...PROGRAM, "status", "--control", path, ...args]);
}

function statusAs(id: number, path: string): Promise<CommandResult> {
  const ids = [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
  return runCommand(["setpriv", ...ids, ...PROGRAM, "status", "--control", path]);
}

function openDaemon(extra = ""): Promise<DaemonProcess> {
  return DaemonProcess.start({ config: `${CONFIG}${extra}`, metrics: false });
}

describe.concurrent("varta-watch status", () => {
  test("prints the answer of the daemon, which is beside its first socket by default", async () => {
    await using daemon = await openDaemon();
    const path = daemon.path("control.sock");
    expect(statSync(path).mode & 0o777).toBe(0o660);

    const json = await status(path, "--json");
    expect(json.stderr).toBe("");
    expect(JSON.parse(json.stdout)).toMatchObject({
      v: 1,
      observer: { state: "ok" },
      counts: { new: 1, stalled: 0 },
      agents: [{ agent: "cron", state: "new", members: 0, expected: 1 }],
    });
    expect(json.exitCode).toBe(0);

    const plain = await status(path, "--plain", "--exit-code");
    const cells = plain.stdout.split("\n").map((line) => line.split(/ +/));
    expect(cells[0]!.slice(0, 3)).toEqual(["AGENT", "STATE", "MUTED"]);
    expect(cells[1]!.slice(0, 6)).toEqual(["cron", "new", "no", "0", "0", "1"]);
    expect(plain.exitCode).toBe(0);

    const unknown = await status(path, "cran");
    expect(unknown).toEqual({
      stdout: "",
      stderr:
        'varta-watch: error: no agent is called "cran"\nvarta-watch: hint: did you mean cron?\n',
      exitCode: 1,
    });
    const members = await status(path, "cron", "--members", "--human", "--utc");
    expect(members.stdout).toContain("cron is new. 0 of 1 member beats.");
    const screen = await status(path, "--human", "--ascii");
    expect(screen.stdout).toContain("\n+ cron            new           0/1  ......      -/60s");

    const explained = await runCommand([...PROGRAM, "explain", "--control", path, "cron"]);
    expect(explained.stdout).toStartWith("cron: new.");
    expect(explained.exitCode).toBe(0);

    expect(await daemon.stop()).toBe(0);
    expect(() => statSync(path)).toThrow();
    const down = await status(path, "--utc");
    expect(down.stderr).toMatch(
      /^varta-watch: error: the daemon on \S+ is down since [\d:]{8}\nvarta-watch: hint: systemctl status varta-watch\n$/,
    );
    expect(down.stdout).toMatch(
      /, [\d:]{8} UTC: not watched for \d+(ms|\.\ds)\.\nKnown at [\d:]{8}: 0 ok; 0 of 1 member beats\.\n$/,
    );
    expect(down.exitCode).toBe(69);
    const parsed = await status(path, "--json");
    expect(parsed.stdout).toBe("");
    expect(parsed.exitCode).toBe(69);
  });

  test("ends with 69 if there is no daemon, and with 3 as a check", async () => {
    using directory = new TemporaryDirectory();
    const down = await status(directory.at("control.sock"));
    expect(down.stderr).toMatch(
      /^varta-watch: error: the daemon on \S+ is down\nvarta-watch: hint: systemctl status varta-watch\n$/,
    );
    expect(down.exitCode).toBe(69);
    expect((await status(directory.at("control.sock"), "--exit-code")).exitCode).toBe(3);
  });

  test("gives up after 2 s if the daemon is stopped, and says which process that is", async () => {
    await using daemon = await openDaemon();
    daemon.signal("SIGSTOP");
    try {
      const argv = [...PROGRAM, "status", "--control", daemon.path("control.sock")];
      const { stderr, exitCode } = await runCommand(argv, { isAskedOnce: true });
      expect(stderr).toBe(
        `varta-watch: error: the daemon (pid ${daemon.pid}) did not answer within 2s\nvarta-watch: hint: it is stopped (state T): kill -CONT ${daemon.pid}\n`,
      );
      expect(exitCode).toBe(75);
    } finally {
      daemon.signal("SIGCONT");
    }
  });

  test.skipIf(NO_OTHER_USERS !== "")(
    `answers a member of the group, and no stranger${NO_OTHER_USERS}`,
    async () => {
      await using daemon = await openDaemon(`\n[control]\ngroup = ${READER}\n`);
      chmodSync(daemon.directory, 0o755);
      const path = daemon.path("control.sock");
      expect(statSync(path).gid).toBe(READER);
      expect((await statusAs(READER, path)).exitCode).toBe(0);
      const stranger = await statusAs(STRANGER, path);
      expect(stranger.stderr).toStartWith(
        `varta-watch: error: you (uid ${STRANGER}) may not ask ${path}\nvarta-watch: hint: be root`,
      );
      expect(stranger.exitCode).toBe(77);
    },
  );
});

describe.concurrent("the control socket", () => {
  test("of another daemon is left alone: by default with a warning, by name with an error", async () => {
    await using first = await openDaemon();
    const path = first.path("control.sock");
    const other = first.path("other.sock");
    const listener = `[[listener]]\nkind = "unix"\npath = "${other}"\n`;
    await using second = await DaemonProcess.start({
      config: listener,
      ownListeners: true,
      directory: first.directory,
      metrics: false,
    });
    expect(second.saying("control socket off")).toHaveLength(1);
    expect(second.saying("control")).toHaveLength(0);
    expect((await status(path)).exitCode).toBe(0);
    await second.stop();

    const named = new DaemonProcess({
      config: `${listener}[control]\npath = "${path}"\n`,
      ownListeners: true,
      directory: first.directory,
      metrics: false,
    });
    expect(await named.exited()).toBe(1);
    expect(named.stderr).toContain(`cannot bind ${path}`);
    expect((await status(path)).exitCode).toBe(0);
  });

  test("holds up no verdict while 20 askers never read, and answers 24 requests after them", async () => {
    await using daemon = await DaemonProcess.start({
      config: '[observer]\nthreshold = "300ms"\n',
      metrics: false,
    });
    const path = daemon.path("control.sock");
    const deaf = await Promise.allSettled(
      Array.from({ length: 20 }, () => RawClient.open({ path })),
    );
    const open = deaf.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const client of open) {
      client.pause();
      client.send('{"v":1,"do":"status"}\n'.repeat(2_000));
    }
    using agent = connect(daemon.socket);
    expect(agent.beat("ok", 0).kind).toBe("sent");
    await daemon.untilStalls(process.pid);
    const { fields } = daemon.stallsOf(process.pid)[0]!;
    // To answer all that was asked would take several seconds.
    expect(Number(fields.get("silence_ms"))).toBeLessThan(2_000);

    for (const client of open) client[Symbol.dispose]();
    let received = "";
    // Their places are free when the daemon has seen that they are gone.
    await until("a place", async () => {
      using reader = await RawClient.open({ path });
      reader.end('{"v":1,"do":"status"}\n'.repeat(24));
      await until("the end of the answers", () => reader.hasEnded);
      ({ received } = reader);
      return !received.includes('"error":"too_many"');
    });
    expect(received.split(DONE_LINE)).toHaveLength(25);
    expect(received).toContain(`"state":"stalled"`);
  });
});
