// Sockets that outlive the daemon (spec 05 section 9): the real program under a service manager
// that keeps what it is given and hands it over at the next start.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { encode } from "../../../src/wire/encode.ts";
import { RawClient } from "../../http/raw_client.ts";
import { UdpPeer } from "../../listener/udp_peer.ts";
import { type DaemonOptions, DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { type Extra, FdKeeper, NO_KEEPER } from "../../support/fd_keeper.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { reload } from "../../support/reloads.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const ARGS = ["--threshold-ms", "60000"];
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

class Stage implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly keeper: FdKeeper;

  static async open(): Promise<Stage> {
    return new Stage(await FdKeeper.start());
  }

  private constructor(keeper: FdKeeper) {
    this.keeper = keeper;
  }

  get socket(): string {
    return this.directory.at("varta.sock");
  }

  start(options: DaemonOptions = {}, extras: readonly Extra[] = []): Promise<DaemonProcess> {
    return DaemonProcess.start({
      directory: this.directory.path,
      env: this.keeper.env,
      as: this.keeper.launcher(extras),
      args: ARGS,
      ...options,
    });
  }

  [Symbol.dispose](): void {
    this.keeper[Symbol.dispose]();
    this.directory[Symbol.dispose]();
  }
}

function beatOf(nonce: bigint): Uint8Array {
  const timestamp = BigInt(Math.round(performance.now() * 1e6));
  return encode({ status: "ok", pid: process.pid, nonce, payload: 0, timestamp });
}

function inodeAt(path: string): bigint {
  return lstatSync(path, { bigint: true }).ino;
}

/** The flags of the sockets that process `pid` has open, besides its standard streams. */
function socketFlags(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fd`)
    .filter((fd) => Number(fd) > 2)
    .filter((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:"))
    .map((fd) => readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))
    .map((info) => Number.parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8));
}

describe.skipIf(NO_KEEPER !== "")(`stored sockets${NO_KEEPER}`, () => {
  test.each(["SIGTERM", "SIGKILL"] as const)(
    "take what is sent between two daemons, after %s",
    async (signal) => {
      using stage = await Stage.open();
      const { keeper } = stage;
      using sender = new Sender(stage.socket);
      const first = await stage.start();
      await keeper.untilKept(2);
      const names = keeper.kept;
      const ino = inodeAt(stage.socket);
      expect(names[0]).toMatch(/^varta-beat-q[0-9]+-d[0-9]+-i[0-9]+-m600$/);
      expect(names[0]).toContain(`-i${ino}-`);
      expect(names[1]).toMatch(/^varta-control-q/);
      sender.connect();
      await sender.beats(2);
      await first.untilReceived(2);
      first.signal(signal);
      await first.exited();
      await first[Symbol.asyncDispose]();
      expect(existsSync(`${stage.socket}.lock`)).toBe(signal === "SIGKILL");
      await sender.beats(6);
      await using second = await stage.start();
      const state = await second.untilReceived(6);
      expect(state.listeners[0]).toMatchObject({ received: 6, accepted: 6, rejected: 0 });
      expect(inodeAt(stage.socket)).toBe(ino);
      expect(keeper.kept).toEqual(names);
      const [listening] = second.saying("listening");
      expect(listening!.fields.get("inherited")).toBe("true");
      for (const flags of socketFlags(second.pid)) {
        expect(flags & O_CLOEXEC).toBe(O_CLOEXEC);
        expect(flags & O_NONBLOCK).toBe(O_NONBLOCK);
      }
    },
  );

  test("are those of now, however often reloads change them", async () => {
    using stage = await Stage.open();
    const { keeper, directory } = stage;
    const other = directory.at("other.sock");
    const [port] = freeUdpPorts(1) as [number];
    const unix = (path: string, mode: string): string =>
      `[[listener]]\nkind = "unix"\npath = "${path}"\nmode = "${mode}"\n`;
    const udp = (at: string): string =>
      `[[listener]]\nkind = "udp"\naddress = "${at}"\nport = ${port}\naccept_plaintext = true\n`;
    const texts = [
      unix(other, "0600"),
      unix(other, "0660"),
      unix(other, "0660") + udp("127.0.0.1"),
      unix(other, "0660") + udp("0.0.0.0"),
      unix(stage.socket, "0660"),
      unix(stage.socket, "0600"),
    ];
    const config = texts.at(-1)!;
    const options = { args: ARGS, ownListeners: true, config };
    const first = await stage.start(options);
    for (const text of [...texts, ...texts]) await reload(first, text);
    await keeper.untilKept(2);
    await first.stop();
    await first[Symbol.asyncDispose]();
    const names = keeper.kept;
    expect(names.some((name) => name.endsWith("-m600"))).toBe(true);
    using sender = new Sender(stage.socket);
    await sender.beats(3);
    await using second = await stage.start(options);
    await second.untilReceived(3);
    expect(second.saying("descriptor closed")).toEqual([]);
    expect(keeper.kept).toEqual(names);
  });

  test("answer who came to the control socket between two daemons", async () => {
    using stage = await Stage.open();
    const first = await stage.start();
    await stage.keeper.untilKept(2);
    first.signal("SIGKILL");
    await first.exited();
    await first[Symbol.asyncDispose]();
    const client = await RawClient.open({ path: stage.directory.at("control.sock") });
    client.send('{"v":1,"do":"status"}\n');
    await using _second = await stage.start();
    await until("the answer", () => client.received.endsWith('{"done":true}\n'));
    client.end("");
  });

  test("are those of UDP listeners, too", async () => {
    using stage = await Stage.open();
    const [port] = freeUdpPorts(1) as [number];
    const udp = ["--udp-bind-addr", "127.0.0.1", "--udp-port", `${port}`];
    const args = [...ARGS, ...udp, "--i-accept-plaintext-udp"];
    const first = await stage.start({ args });
    await stage.keeper.untilKept(3);
    const names = stage.keeper.kept;
    expect(names).toContain(`varta-udp-p${port}-a127.0.0.1`);
    first.signal("SIGKILL");
    await first.exited();
    await first[Symbol.asyncDispose]();
    using peer = new UdpPeer({ address: "127.0.0.1", port });
    for (let nonce = 1n; nonce <= 6n; nonce++) peer.send(beatOf(nonce));
    await using second = await stage.start({ args });
    const { listeners } = await second.untilReceived(6, "udp-0");
    expect(listeners.find(({ name }) => name === "udp-0")).toMatchObject({ accepted: 6 });
    expect(stage.keeper.kept).toEqual(names);
    const inherited = second.saying("listening").map(({ fields }) => fields.get("inherited"));
    expect(inherited).toEqual(["true", "true"]);
  });

  test("of another path, or mode, are closed, and the store does not grow", async () => {
    using stage = await Stage.open();
    const { keeper, directory } = stage;
    const first = await stage.start();
    await keeper.untilKept(2);
    const [beat, control] = keeper.kept;
    const ino = inodeAt(stage.socket);
    await first.stop();
    await first[Symbol.asyncDispose]();
    const other = directory.at("other.sock");
    const second = await stage.start({
      args: [...ARGS, "--socket", other],
      ownListeners: true,
    });
    await keeper.untilKept(2);
    expect(keeper.kept).toContain(control!);
    expect(keeper.kept).not.toContain(beat!);
    expect(keeper.texts).toContain(`FDSTOREREMOVE=1\nFDNAME=${beat}\n`);
    expect(second.saying("descriptor closed")[0]!.fields.get("name")).toBe(beat!);
    // It was bound there, so its file is known to be its own.
    expect(existsSync(stage.socket)).toBe(false);
    expect(ino).not.toBe(inodeAt(other));
    await second.stop();
    await second[Symbol.asyncDispose]();
    const third = await stage.start({
      args: [...ARGS, "--socket", other, "--socket-mode", "0660"],
      ownListeners: true,
    });
    await keeper.untilKept(2);
    expect(third.saying("stored socket made anew")[0]!.fields.get("reason")).toBe(
      "it was made with mode 0600, want 0660",
    );
    expect(lstatSync(other).mode & 0o777).toBe(0o660);
    await third.stop();
    await third[Symbol.asyncDispose]();
  });

  test("are known by kind, file and name, whatever else is handed over", async () => {
    using stage = await Stage.open();
    const { keeper, directory } = stage;
    const first = await stage.start();
    await keeper.untilKept(2);
    const names = keeper.kept;
    first.signal("SIGKILL");
    await first.exited();
    await first[Symbol.asyncDispose]();
    await using second = await stage.start({}, [
      { name: names[0]!, kind: "udp" },
      { name: "varta-watch.socket", kind: "stream", path: directory.at("foreign.sock") },
      { name: "connection", kind: "file", path: directory.at("file") },
    ]);
    using sender = new Sender(stage.socket);
    await sender.beats(3);
    await second.untilReceived(3);
    expect(second.saying("listening")[0]!.fields.get("inherited")).toBe("true");
    expect(second.saying("descriptor closed")).toHaveLength(2);
    expect(second.saying("descriptors left alone")[0]!.fields.get("count")).toBe("1");
    expect(existsSync(directory.at("foreign.sock"))).toBe(true);
  });
});

describe.skipIf(NO_KEEPER !== "")(`sockets of a socket unit${NO_KEEPER}`, () => {
  test("are used as they are: not stored, not unlinked, and one warning says what differs", async () => {
    using stage = await Stage.open();
    const { keeper, socket, directory } = stage;
    const control = directory.at("control.sock");
    const daemon = await stage.start({}, [
      { name: "varta-watch.socket", kind: "dgram", path: socket, mode: 0o666 },
      { name: "varta-watch.socket", kind: "stream", path: control, mode: 0o660 },
    ]);
    const inodes = [inodeAt(socket), inodeAt(control)];
    using sender = new Sender(socket);
    await sender.beats(3);
    const state = await daemon.untilReceived(3);
    expect(state.listeners[0]!.accepted).toBe(3);
    const warnings = daemon.saying("socket unit differs");
    expect(warnings.map(({ fields }) => fields.get("found"))).toEqual([
      "SocketMode=0666, mode is 0600",
    ]);
    await daemon.stop();
    await daemon[Symbol.asyncDispose]();
    expect([inodeAt(socket), inodeAt(control)]).toEqual(inodes);
    expect(keeper.texts.filter((text) => text.startsWith("FDSTORE"))).toEqual([]);
  });
});
