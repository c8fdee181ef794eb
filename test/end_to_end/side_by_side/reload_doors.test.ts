// What a reload changes of the doors of the real program (spec 17 section 7): addresses, modes,
// keys and tokens, while scrapers, askers and senders go on.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { NS_PER_MS } from "../../../src/base/time.ts";
import { PATIENCE_NS } from "../../../src/control/patience.ts";
import { RawClient, request } from "../../http/raw_client.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { refused, reload, replace, SealedAgent } from "../../support/reloads.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const HOST = "127.0.0.1";
const PATIENCE_MS = PATIENCE_NS / NS_PER_MS;
const [KEY_A, KEY_B] = ["5a".repeat(32), "c3".repeat(32)];

function scrape(port: number, token?: string): Promise<Response> {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  return fetch(`http://${HOST}:${port}/metrics`, {
    headers: { connection: "close", ...(authorization && { authorization }) },
    keepalive: false,
  });
}

function isServed(port: number): Promise<boolean> {
  return scrape(port).then(
    () => true,
    () => false,
  );
}

function metrics(port: number, more = ""): string {
  return `[metrics]\nlisten = "${HOST}:${port}"\nrate_limit_burst = 0\n${more}`;
}

/** A TCP port is free where the UDP port is that no test has. */
function freePorts(count: number): number[] {
  return freeUdpPorts(count);
}

describe.concurrent("a reload", () => {
  test("moves the metrics page: there is one at any time, and connections go on", async () => {
    const [old, next] = freePorts(2) as [number, number];
    await using daemon = await DaemonProcess.start({ config: metrics(old), metrics: false });
    using kept = await RawClient.open({ port: old });
    kept.send(request("/"));
    await until("the first answer", () => kept.statuses.length === 1);
    let isOver = false;
    let [scrapes, misses, moves] = [0, 0, 0];
    const scraper = async () => {
      while (!isOver) {
        const movesBefore = moves;
        // It may move back between two questions.
        const again = () => scrape(old).catch(() => undefined);
        const answer = await scrape(old).catch(() => scrape(next).catch(again));
        // A scraper that had to wait while it moved twice may have come too late for each.
        if ((await answer?.text()) === undefined && moves === movesBefore) misses += 1;
        scrapes += 1;
      }
    };
    const scrapers = [scraper(), scraper()];
    for (let i = 0; i < 7; i++) {
      await reload(daemon, metrics(i % 2 === 0 ? next : old));
      moves += 1;
      // A connection that is quiet for long is closed, whatever moves.
      kept.send(request("/-/ready"));
      await until("the answer", () => kept.statuses.length === 1 + moves);
    }
    isOver = true;
    await Promise.all(scrapers);
    expect(misses).toBe(0);
    expect(scrapes).toBeGreaterThan(6);
    expect((await scrape(next)).status).toBe(200);
    expect(await isServed(old)).toBe(false);
    expect(new Set(kept.statuses)).toEqual(new Set([200]));
    expect(daemon.saying("metrics").at(-1)!.fields.get("url")).toBe(
      `http://${HOST}:${next}/metrics`,
    );
  });

  test("with another mode of the control socket leaves it there for who asks in a loop", async () => {
    const control = (mode: string) => `[control]\nmode = "${mode}"\n`;
    await using daemon = await DaemonProcess.start({ config: control("0660"), metrics: false });
    const path = daemon.path("control.sock");
    let isOver = false;
    let answers = 0;
    const asker = async () => {
      while (!isOver) {
        const askedMs = performance.now();
        const answer = await status(path);
        // The daemon gives up on who says nothing for 5 s, as a busy machine may have it.
        if (answer === "" && performance.now() - askedMs >= PATIENCE_MS) continue;
        expect(answer).toContain('{"done":true}');
        answers += 1;
      }
    };
    const askers = [asker(), asker()];
    const { ino } = statSync(path);
    for (const mode of ["0600", "0666", "0640", "0660", "0600"]) {
      await reload(daemon, control(mode));
      expect(statSync(path).mode & 0o777).toBe(Number.parseInt(mode, 8));
    }
    isOver = true;
    await Promise.all(askers);
    expect(answers).toBeGreaterThan(5);
    expect(statSync(path).ino).toBe(ino);
  });

  test("moves the control socket, and a connection of before goes on", async () => {
    await using daemon = await DaemonProcess.start({ config: "[log]\n", metrics: false });
    const [old, next] = [daemon.path("control.sock"), daemon.path("other.sock")];
    using kept = await RawClient.open({ path: old });
    kept.send(STATUS);
    await until("the first answer", () => kept.received.endsWith(DONE));
    await reload(daemon, `[control]\npath = "${next}"\n`);
    expect(existsSync(old)).toBe(false);
    kept.send(STATUS);
    await until("the second answer", () => kept.received.split(DONE).length === 3);
    expect(await status(next)).toContain(DONE);
    await until("the file beside it", () => existsSync(daemon.path("last-seen")));
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(next)).toBe(false);
  });

  test("answers who asked for it at the socket that it moves, or gives up", async () => {
    using directory = new TemporaryDirectory();
    const { path } = directory;
    const [port] = freePorts(1) as [number];
    const local = `[[listener]]\nkind = "unix"\npath = "${path}/varta.sock"\n`;
    const away = `[[listener]]\nkind = "udp"\naccept_plaintext = true\nport = ${port}\n`;
    const moved = `${local}[control]\npath = "${path}/moved.sock"\n`;
    const options = { directory: path, config: local, ownListeners: true, metrics: false };
    await using daemon = await DaemonProcess.start(options);
    const reloads = async (socket: string, text: string) => {
      using client = await RawClient.open({ path: daemon.path(socket) });
      replace(daemon, text);
      client.send('{"v":1,"do":"reload"}\n');
      await until("the answer", () => client.received.endsWith(DONE));
      expect(client.received).toContain('"applied":true');
    };
    await reloads("control.sock", moved);
    expect(existsSync(daemon.path("control.sock"))).toBe(false);
    await reloads("moved.sock", away);
    await until("the socket to go", () => !existsSync(daemon.path("moved.sock")));
    await reload(daemon, local);
    expect(await status(daemon.path("control.sock"))).toContain(DONE);
    expect(await daemon.stop()).toBe(0);
  });

  test("opens the port of the metrics page to all addresses, and back", async () => {
    const [port] = freePorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      files: { token: KEY_A },
      config: metrics(port),
      metrics: false,
    });
    const token = `token_file = "${daemon.path("token")}"\n`;
    const all = metrics(port, token).replace(HOST, "0.0.0.0");
    for (const config of [all, metrics(port), all]) {
      await reload(daemon, config);
      expect((await scrape(port, KEY_A)).status).toBe(200);
    }
    expect(await daemon.stop()).toBe(0);
  });

  test("switches the metrics page off and on", async () => {
    const [port] = freePorts(1) as [number];
    await using daemon = await DaemonProcess.start({ config: metrics(port), metrics: false });
    expect((await scrape(port)).status).toBe(200);
    await reload(daemon, "[log]\n");
    await until("the page to be off", async () => !(await isServed(port)));
    await reload(daemon, metrics(port));
    expect((await scrape(port)).status).toBe(200);
    expect(await daemon.stop()).toBe(0);
  });

  test("that cannot bind an address changes nothing, says where, and works once it is free", async () => {
    const [old, taken] = freePorts(2) as [number, number];
    const file = (port: number, rate: number) =>
      `[limits]\nglobal_rate = ${rate}\n${metrics(port)}`;
    await using daemon = await DaemonProcess.start({ config: file(old, 7), metrics: false });
    const other = Bun.serve({ hostname: HOST, port: taken, fetch: () => new Response("other") });
    const [at, problem] = await refused(daemon, file(taken, 8));
    expect(at).toBe(`${daemon.path("varta.toml")}:4:10`);
    expect(problem).toContain(`cannot serve metrics on ${HOST}:${taken}: bind: `);
    expect(problem).toContain("ss -ltnp");
    expect((await scrape(old)).status).toBe(200);
    expect(daemon.saying("configuration changed")).toEqual([]);
    await other.stop(true);
    await reload(daemon, file(taken, 8));
    expect((await scrape(taken)).status).toBe(200);
    await until("both changes", () => daemon.saying("configuration changed").length === 2);
  });

  test("closes what it had bound when another door cannot be", async () => {
    const [old, next] = freePorts(2) as [number, number];
    await using daemon = await DaemonProcess.start({ config: metrics(old), metrics: false });
    const taken = daemon.path("taken.sock");
    writeFileSync(taken, "a file");
    const control = `[control]\npath = "${taken}"\n`;
    const [at, problem] = await refused(daemon, `${control}${metrics(next)}`);
    expect(at).toBe(`${daemon.path("varta.toml")}:2:8`);
    expect(problem).toContain("is not a socket");
    expect(await isServed(next)).toBe(false);
    await reload(daemon, metrics(next));
    expect((await scrape(next)).status).toBe(200);
  });

  test("takes a new token from the same file, and shows neither", async () => {
    const [port] = freePorts(1) as [number];
    const config = metrics(port, 'token_file = "{dir}/token"\n');
    await using daemon = await DaemonProcess.start({
      files: { token: KEY_A },
      config: metrics(port),
      metrics: false,
    });
    const guarded = config.replace("{dir}", daemon.directory);
    await reload(daemon, guarded);
    expect((await scrape(port)).status).toBe(401);
    expect((await scrape(port, KEY_A)).status).toBe(200);
    writeFileSync(daemon.path("token"), KEY_B);
    await reload(daemon, guarded);
    expect((await scrape(port, KEY_A)).status).toBe(401);
    expect((await scrape(port, KEY_B)).status).toBe(200);
    expect(daemon.stderr).toContain('change="metrics.token_file: (secret)"');
    expect(daemon.stderr).not.toContain(KEY_B);
    await reload(daemon, metrics(port));
    expect((await scrape(port)).status).toBe(200);
  });

  test("rotates the keys of a listener without a lost frame", async () => {
    const [port] = freePorts(1) as [number];
    const listener = (directory: string, more = "") =>
      `[[listener]]\nname = "edge"\nkind = "secure-udp"\nport = ${port}\n` +
      `key_file = "${directory}/key"\n${more}`;
    using directory = new TemporaryDirectory();
    const files = { key: KEY_A, accepted: KEY_A };
    const config = listener(directory.path);
    await using daemon = new DaemonProcess({ directory: directory.path, files, config });
    await daemon.ready();
    using old = new SealedAgent(port, KEY_A, 31_001);
    using young = new SealedAgent(port, KEY_B, 31_002);
    old.begin();
    writeFileSync(daemon.path("key"), KEY_B);
    const accepting = listener(
      directory.path,
      `accepted_key_file = "${directory.path}/accepted"\n`,
    );
    await reload(daemon, accepting);
    young.begin();
    for (let i = 0; i < 5; i++) {
      const both = `${KEY_A}\n${"11".repeat(31)}0${i}\n`;
      writeFileSync(daemon.path("accepted"), both);
      await reload(daemon, accepting);
    }
    const sent = old.end() + young.end();
    const { listeners } = await daemon.untilReceived(sent, "edge");
    expect(listeners.find(({ name }) => name === "edge")).toMatchObject({
      received: sent,
      accepted: sent,
      rejected: 0,
    });
    await reload(daemon, listener(directory.path));
    old.send();
    young.send();
    const after = await daemon.untilReceived(sent + 2, "edge");
    expect(after.listeners.find(({ name }) => name === "edge")).toMatchObject({ rejected: 1 });
    expect(daemon.stderr).toContain('change="accepted_key_file of listener edge: (secret)"');
  });
});

const DONE = '{"done":true}\n';
const STATUS = '{"v":1,"do":"status"}\n';

/** The answer of the socket at `path`, to its end. */
async function status(path: string): Promise<string> {
  using client = await RawClient.open({ path });
  client.end(STATUS);
  await until("the answer", () => client.hasEnded);
  return client.received;
}
