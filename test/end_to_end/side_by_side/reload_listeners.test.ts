// Listeners that come, go and change under the real program, while beats are sent (spec 17 section
// 7).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connectUdp } from "../../../src/client/mod.ts";
import { DaemonProcess, type DaemonState, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { refused, reload, SealedAgent } from "../../support/reloads.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(() => {
  endLeftovers();
  for (const directory of directories) directory[Symbol.dispose]();
});

const HOST = "127.0.0.1";

function unix(name: string, path: string, more = ""): string {
  return `[[listener]]\nname = "${name}"\nkind = "unix"\npath = "${path}"\n${more}\n`;
}

function udp(name: string, port: number, more = ""): string {
  const kind = 'kind = "udp"\naccept_plaintext = true';
  return `[[listener]]\nname = "${name}"\n${kind}\naddress = "${HOST}"\nport = ${port}\n${more}\n`;
}

const SLOW = '[observer]\nthreshold = "60s"\n[metrics]\nper_pid = true\n';

const directories: TemporaryDirectory[] = [];

/** What every file here begins with: a listener called "main". */
function main({ directory }: { readonly directory: string }): string {
  return `${SLOW}${unix("main", `${directory}/varta.sock`)}`;
}

async function start(config = ""): Promise<DaemonProcess> {
  const directory = new TemporaryDirectory();
  directories.push(directory);
  const { path } = directory;
  return await DaemonProcess.start({
    directory: path,
    ownListeners: true,
    config: `${main({ directory: path })}${config}`,
  });
}

/** Beats of this process from now on, one after the other, until it is stopped. */
class Beating {
  readonly #sender: Sender;
  readonly #over: Promise<void>;
  #isOver = false;
  sent = 0;

  constructor(path: string) {
    this.#sender = new Sender(path);
    this.#sender.connect();
    this.#over = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#sender.beat();
      this.sent += 1;
      await Bun.sleep(1);
    }
  }

  async end(): Promise<number> {
    this.#isOver = true;
    await this.#over;
    this.#sender[Symbol.dispose]();
    return this.sent;
  }
}

describe.concurrent("a reload", () => {
  test("with listeners that come and go loses no beat of the one that stays, and no descriptor", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await start();
    const more = (i: number) =>
      [unix("more", daemon.path("more.sock")), udp("net", port), ""][i % 3]!;
    const beating = new Beating(daemon.socket);
    for (let i = 0; i < 3; i++) await reload(daemon, `${main(daemon)}${more(i)}`);
    const before = socketsOf(daemon.pid);
    for (let i = 0; i < 12; i++) {
      await reload(daemon, `${main(daemon)}${more(i)}`);
      expect(existsSync(daemon.path("more.sock"))).toBe(i % 3 === 0);
    }
    // The socket that carries self-beats to "net" goes a second after it.
    await until("no socket more than before", () => socketsOf(daemon.pid) <= before);
    const sent = await beating.end();
    const { listeners } = await daemon.untilReceived(sent);
    expect(listeners).toMatchObject([{ name: "main", accepted: sent, rejected: 0 }]);
    expect(daemon.saying("agent stalled")).toEqual([]);
  });

  test("that removes a listener says how many members it had; with its name its numbers go on", async () => {
    await using daemon = await start();
    const more = `${main(daemon)}${unix("more", daemon.path("more.sock"))}`;
    await reload(daemon, more);
    const sender = new Sender(daemon.path("more.sock"));
    await sender.beats(3);
    await daemon.untilReceived(3, "more");
    const received = 'varta_datagrams_received_total{listener="more"}';
    await until("the page", async () => (await daemon.page()).samples.get(received) === 3);
    await reload(daemon, main(daemon));
    const [said] = daemon.saying("listener removed");
    expect(said!.fields.get("listener")).toBe("more");
    expect(said!.fields.get("members")).toBe("1");
    await until("the page", async () => !(await daemon.page()).samples.has(received));
    await reload(daemon, more);
    await sender.beats(2);
    await daemon.untilReceived(5, "more");
    await until("the page", async () => (await daemon.page()).samples.get(received) === 5);
    sender[Symbol.dispose]();
  });

  test("lets two listeners exchange their paths, with what is connected to them", async () => {
    await using daemon = await start();
    const [a, b] = [daemon.path("a.sock"), daemon.path("b.sock")];
    await reload(daemon, `${main(daemon)}${unix("one", a)}${unix("two", b)}`);
    const beating = new Beating(a);
    await daemon.untilReceived(5, "one");
    await reload(daemon, `${main(daemon)}${unix("one", b)}${unix("two", a)}`);
    const { listeners } = await daemon.state();
    const before = listeners.find(({ name }) => name === "one")!.received;
    await daemon.untilReceived(5, "two");
    const sent = await beating.end();
    await daemon.untilReceived(sent - before, "two");
    const state = await daemon.state();
    expect(state.listeners.find(({ name }) => name === "one")!.received).toBe(before);
    expect(state.agents).toBe(1);
  });

  test("moves a listener: the old path goes, and who is connected to it is heard", async () => {
    await using daemon = await start();
    const [a, b] = [daemon.path("a.sock"), daemon.path("b.sock")];
    await reload(daemon, `${main(daemon)}${unix("one", a)}`);
    const beating = new Beating(a);
    await daemon.untilReceived(3, "one");
    await reload(daemon, `${main(daemon)}${unix("one", b)}`);
    expect([existsSync(a), existsSync(b)]).toEqual([false, true]);
    const later = new Beating(b);
    const { sent: soFar } = beating;
    await until("more beats", () => beating.sent > soFar + 3);
    const sent = (await beating.end()) + (await later.end());
    const { listeners, agents } = await daemon.untilReceived(sent, "one");
    expect(listeners.find(({ name }) => name === "one")!.received).toBe(sent);
    expect(agents).toBe(1);
  });

  test("takes over mode and who may beat without another socket", async () => {
    await using daemon = await start();
    const path = daemon.path("a.sock");
    await reload(daemon, `${main(daemon)}${unix("one", path)}`);
    const { ino } = statSync(path);
    const sender = new Sender(path);
    sender.connect();
    await sender.beat();
    await daemon.untilReceived(1, "one");
    const strict = 'mode = "0666"\nallow_uids = [65530]';
    await reload(daemon, `${main(daemon)}${unix("one", path, strict)}`);
    await sender.beat();
    await daemon.untilReceived(2, "one");
    await reload(daemon, `${main(daemon)}${unix("one", path, 'mode = "0620"')}`);
    await sender.beat();
    const { listeners } = await daemon.untilReceived(3, "one");
    expect(listeners.find(({ name }) => name === "one")).toMatchObject({
      accepted: 2,
      rejected: 1,
    });
    expect(statSync(path)).toMatchObject({ ino, mode: 0o140620 });
    sender[Symbol.dispose]();
  });

  test("renames a listener: its socket and its members are those of the new name", async () => {
    await using daemon = await start();
    const path = daemon.path("a.sock");
    await reload(daemon, `${main(daemon)}${unix("old", path)}`);
    const { ino } = statSync(path);
    const beating = new Beating(path);
    await daemon.untilReceived(3, "old");
    await reload(daemon, `${main(daemon)}${unix("young", path)}`);
    await daemon.untilReceived(3, "young");
    await beating.end();
    expect(statSync(path).ino).toBe(ino);
    expect(daemon.saying("listener removed")[0]!.fields.has("members")).toBe(false);
    expect((await daemon.state()).agents).toBe(1);
  });

  test("that removes a listener takes the recoveries with it that it accepted", async () => {
    const [port] = freeUdpPorts(1) as [number];
    const directory = new TemporaryDirectory();
    directories.push(directory);
    const { path } = directory;
    const config =
      `${unix("main", `${path}/varta.sock`)}[observer]\nthreshold = "4s"\n` +
      `[recovery]\ncommand = ["/bin/touch", "${path}/recovered"]\n`;
    await using daemon = await DaemonProcess.start({
      directory: path,
      ownListeners: true,
      config: `${config}${udp("net", port, "accept_recovery = true")}`,
    });
    const plain = connectUdp({ host: HOST, port });
    plain.beat();
    await daemon.untilReceived(1, "net");
    await reload(daemon, config);
    plain.close();
    await daemon.untilSays("recovery refused");
    const [said] = daemon.saying("recovery refused");
    expect(said!.fields.get("reason")).toBe("unauthenticated_transport");
    expect(existsSync(`${path}/recovered`)).toBe(false);
  });

  test("gives the socket of a port to a listener of another kind, and beats another origin", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await start(udp("net", port));
    const plain = connectUdp({ host: HOST, port });
    plain.beat();
    await daemon.untilReceived(1, "net");
    await reload(daemon, `${main(daemon)}${udp("net", port, "accept_recovery = true")}`);
    plain.beat();
    const { listeners } = await daemon.untilReceived(2, "net");
    expect(listeners.find(({ name }) => name === "net")).toMatchObject({ accepted: 2 });
    writeFileSync(daemon.path("key"), KEY, { mode: 0o600 });
    const sealed =
      `[[listener]]\nname = "net"\nkind = "secure-udp"\nport = ${port}\n` +
      `key_file = "${daemon.path("key")}"\n`;
    await reload(daemon, `${main(daemon)}${sealed}`);
    plain.beat();
    await daemon.untilReceived(3, "net");
    using agent = new SealedAgent(port, KEY, 31_003);
    agent.send();
    const after = await daemon.untilReceived(4, "net");
    expect(after.listeners.find(({ name }) => name === "net")).toMatchObject({
      accepted: 3,
      rejected: 1,
    });
    plain.close();
  });

  test("opens a port to all addresses, and back, without a beat that is lost", async () => {
    const [port] = freeUdpPorts(1) as [number];
    const all = (name: string) => udp(name, port).replace(HOST, "0.0.0.0");
    await using daemon = await start(udp("net", port));
    const client = connectUdp({ host: HOST, port });
    for (const listener of [all("net"), udp("net", port), all("other"), udp("net", port)]) {
      client.beat();
      await until("the beat", async () => beatsOf(await daemon.state()) >= 1);
      await reload(daemon, `${main(daemon)}${listener}`);
    }
    client.beat();
    await daemon.untilReceived(4, "net");
    expect(beatsOf(await daemon.state())).toBe(4);
    client.close();
  });

  test("that cannot bind one listener opens none, and works once the path is free", async () => {
    const [port, taken] = freeUdpPorts(2) as [number, number];
    await using daemon = await start(udp("net", port));
    const path = daemon.path("a.sock");
    writeFileSync(path, "a file");
    const config = `${main(daemon)}${udp("net", taken)}${unix("one", path)}`;
    const [at, problem] = await refused(daemon, config);
    expect(at).toBe(`${daemon.path("varta.toml")}:20:8`);
    expect(problem).toContain("the file there is not a socket");
    // The port that was bound for it is free again, and the old one is still served.
    const plain = connectUdp({ host: HOST, port });
    plain.beat();
    await daemon.untilReceived(1, "net");
    rmSync(path);
    await reload(daemon, config);
    const moved = connectUdp({ host: HOST, port: taken });
    moved.beat();
    await daemon.untilReceived(2, "net");
    for (const client of [plain, moved]) client.close();
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

const KEY = "5a".repeat(32);

/** Beats of all listeners but the first. */
function beatsOf({ listeners }: DaemonState): number {
  return listeners.slice(1).reduce((sum, { accepted }) => sum + accepted, 0);
}

/** How many sockets, and sets of them, the process holds. */
function socketsOf(pid: number): number {
  const held = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return held.filter((link) => link.startsWith("socket:") || link.includes("eventpoll")).length;
}
