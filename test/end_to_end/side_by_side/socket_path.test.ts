// One socket path, one owner: a live one is never taken over, a stale one is replaced and its
// agents find their way back, and what is not a socket is never touched (spec 05 section 4).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Client, connect } from "../../../src/client/mod.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

describe.concurrent("the socket path", () => {
  test("of a live daemon is refused to a second one, which says why", async () => {
    await using first = await DaemonProcess.start();
    await using second = new DaemonProcess({ directory: first.directory });
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toContain(
      `varta-watch: error: cannot bind ${first.socket}: another varta-watch is already running at ${first.socket}`,
    );
    expect(second.stderr).toMatch(/^varta-watch: hint: \S/m);
    expect(second.stdout).toBe("");
    await beatUntilSent(connect(first.socket));
    await first.untilReceived(1);
    expect(await first.stop()).toBe(0);
    expect(existsSync(first.socket)).toBe(false);
  });

  test("of a killed daemon is taken over, and a client goes on with its next nonce", async () => {
    await using first = await DaemonProcess.start();
    const client = connect(first.socket, { reconnectMs: 1 });
    for (let sent = 0; sent < 3; sent++) await beatUntilSent(client);
    await first.untilReceived(3);
    first.signal("SIGKILL");
    await first.exited();
    expect(existsSync(first.socket)).toBe(true);
    expect(client.beat().kind).toBe("dropped");

    await using second = await DaemonProcess.start({
      directory: first.directory,
      args: ["--export-file", "events.tsv"],
    });
    for (let sent = 0; sent < 5; sent++) await beatUntilSent(client);
    await second.untilReceived(5);
    const page = await second.page();
    expect(sampleAt(page, `varta_beats_total{pid="${process.pid}"}`)).toBe(5);
    await second.stop();
    const nonces = second.exported("events.tsv").map(([, , , nonce]) => nonce);
    expect(nonces).toEqual(["4", "5", "6", "7", "8"]);
    client.close();
  });

  test("is left to a newer daemon when the older one ends late", async () => {
    await using older = await DaemonProcess.start();
    older.signal("SIGSTOP");
    // The path is removed by hand, and another one is started.
    unlinkSync(older.socket);
    unlinkSync(`${older.socket}.lock`);
    await using newer = await DaemonProcess.start({ directory: older.directory });
    older.signal("SIGCONT");
    expect(await older.stop()).toBe(0);
    await beatUntilSent(connect(newer.socket));
    await newer.untilReceived(1);
  });

  test("that is removed is bound again: old and new agents are heard, and it is said and counted", async () => {
    await using daemon = await DaemonProcess.start();
    using old = new Sender(daemon.socket);
    old.connect();
    unlinkSync(daemon.socket);
    await daemon.untilSays("socket bound again");
    await old.beat();
    using young = new Sender(daemon.socket);
    await young.beat({ nonce: 10n });
    await daemon.untilReceived(2);
    expect(daemon.saying("socket file lost")).toHaveLength(1);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_socket_file_lost_total")).toBe(1);
    await untilHealthy(daemon);
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("that another daemon took is left to it: the health page fails until that one ends", async () => {
    await using first = await DaemonProcess.start();
    first.signal("SIGSTOP");
    unlinkSync(first.socket);
    unlinkSync(`${first.socket}.lock`);
    await using second = await DaemonProcess.start({ directory: first.directory });
    first.signal("SIGCONT");
    await first.untilSays("socket bind failed, retrying");
    expect((await first.fetch("/-/healthy")).status).toBe(503);
    expect((await first.fetch("/-/ready")).status).toBe(503);
    await beatUntilSent(connect(second.socket));
    await second.untilReceived(1);
    expect(await second.stop()).toBe(0);
    await first.untilSays("socket bound again");
    await untilHealthy(first);
    expect(existsSync(first.socket)).toBe(true);
  });

  test.each(["a regular file", "a directory", "a link to nowhere"])(
    "with %s at it is refused and left as it is",
    async (what) => {
      using directory = new TemporaryDirectory();
      const path = join(directory.path, "varta.sock");
      if (what === "a regular file") writeFileSync(path, "precious");
      if (what === "a directory") mkdirSync(path);
      if (what === "a link to nowhere") symlinkSync("nowhere", path);
      const before = lstatSync(path);
      await using daemon = new DaemonProcess({ directory: directory.path });
      expect(await daemon.exited()).toBe(1);
      expect(daemon.stderr).toContain(
        `varta-watch: error: cannot bind ${path}: the file there is not a socket, and it was not touched`,
      );
      expect(daemon.stderr).toMatch(/^varta-watch: hint: \S/m);
      expect(lstatSync(path)).toEqual(before);
    },
  );
});

describe.concurrent("the socket path of the metrics page", () => {
  test("is taken over from a killed daemon, and refused while that one lives", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("metrics.sock");
    const options = { args: ["--prom-addr", `unix:${path}`], metrics: false };
    await using first = await DaemonProcess.start(options);
    await using second = new DaemonProcess(options);
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toContain(
      `varta-watch: error: cannot bind ${path}: another varta-watch is already running at ${path} as pid ${first.pid}\n` +
        "varta-watch: hint: stop it first, or give this one another path with metrics.listen\n",
    );
    expect(existsSync(second.socket)).toBe(false);
    first.signal("SIGKILL");
    await first.exited();
    await using third = await DaemonProcess.start(options);
    expect((await fetch("http://localhost/-/healthy", { unix: path })).status).toBe(200);
    expect(await third.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("is bound again when it is removed", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("metrics.sock");
    await using daemon = await DaemonProcess.start({
      args: ["--prom-addr", `unix:${path}`],
      metrics: false,
    });
    unlinkSync(path);
    await daemon.untilSays("socket bound again");
    expect(daemon.saying("socket bound again")[0]!.fields.get("socket")).toBe("metrics");
    expect((await fetch("http://localhost/-/healthy", { unix: path })).status).toBe(200);
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("is refused in a directory that others may write to", async () => {
    using directory = new TemporaryDirectory();
    chmodSync(directory.path, 0o775);
    const path = directory.at("metrics.sock");
    await using daemon = new DaemonProcess({
      config: `[metrics]\nlisten = "unix:${path}"\n`,
      metrics: false,
    });
    expect(await daemon.exited()).toBe(1);
    expect(daemon.stderr).toContain(
      `varta-watch: error: cannot bind ${path}: ${directory.path} has mode 0775: others may write to it and it has no sticky bit\n` +
        `varta-watch: hint: chmod go-w ${directory.path}, or set the sticky bit (chmod +t)\n`,
    );
    expect(existsSync(path)).toBe(false);
  });
});

/** A self-beat may have been under way by the socket that it was without. */
function untilHealthy(daemon: DaemonProcess): Promise<void> {
  return until("the daemon to be healthy", async () => {
    return (await daemon.fetch("/-/healthy")).status === 200;
  });
}

function beatUntilSent(client: Client): Promise<void> {
  return until("a beat to be sent", () => client.beat().kind === "sent");
}
