// Who follows the events of the real daemon and does not read (spec 16 section 11): beats of
// others are heard in time, the memory of the daemon is bounded, and who reads again is told what
// was lost.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { EVENT_STREAMS_MAX } from "../../../src/view/event_streams.ts";
import { RawClient, request } from "../../http/raw_client.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const TOKEN = "11".repeat(32);
const BEARER = `Authorization: Bearer ${TOKEN}\r\n`;
const FOLLOW = '{"v":1,"do":"events","follow":true,"kind":"mute"}\n';
/** Of 8 connections of a uid one is for who acts. */
const DEAF = 7;
/** Each is a mute and its end: two events. */
const MUTES = 1_300;

function residentMib({ pid }: DaemonProcess): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(line![1]) / 1_024;
}

function openIn({ path }: TemporaryDirectory): Promise<DaemonProcess> {
  const config = `
[observer]
threshold = "3s"

[metrics]
token_file = "${path}/token"

[[agent]]
name = "worker"
match = { uid = ${process.getuid?.()} }
`;
  return DaemonProcess.start({ config, files: { token: TOKEN }, directory: path });
}

async function listening(daemon: DaemonProcess): Promise<RawClient> {
  const client = await RawClient.open({ port: daemon.metricsPort });
  client.send(request("/v1/events", BEARER));
  await until("the answer", () => /replayed|503/.test(client.received));
  return client;
}

async function following(daemon: DaemonProcess): Promise<RawClient> {
  const client = await RawClient.open({ path: daemon.path("control.sock") });
  client.send(FOLLOW);
  await until("the replay", () => client.received.includes("shown"));
  return client;
}

/** Mutes that begin and end, over one connection. */
async function muteOften(daemon: DaemonProcess, times: number): Promise<void> {
  using client = await RawClient.open({ path: daemon.path("control.sock") });
  const reason = "a reason as long as reasons are when somebody says what is deployed, and where";
  const mute = `{"v":1,"do":"mute","target":"worker","for":"1h","reason":"${reason}"}\n`;
  client.end(`${mute}{"v":1,"do":"unmute","target":"worker"}\n`.repeat(times));
  await until("the answers", () => client.hasEnded);
  expect(client.received).not.toContain('"error"');
}

function kindsOf({ received }: RawClient): { kind?: string; count?: number; seq?: number }[] {
  return received
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

describe.concurrent.if(IS_LINUX)("23 that follow the events and never read", () => {
  test("delay no beat, cost no memory, and are told what they lost", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await openIn(directory);
    await using agents = new MortalAgents(daemon.socket);
    await agents.start();
    await daemon.untilReceived(1);
    const clients = [];
    for (let at = 0; at < EVENT_STREAMS_MAX; at++) clients.push(await listening(daemon));
    for (let at = 0; at < DEAF; at++) clients.push(await following(daemon));
    for (const client of clients) client.pause();
    using late = await listening(daemon);
    expect(late.statuses).toEqual([503]);
    await muteOften(daemon, MUTES / 10);
    const beforeMib = residentMib(daemon);
    await muteOften(daemon, MUTES);
    expect(residentMib(daemon) - beforeMib).toBeLessThan(40);
    // It beats every 50 ms, and every beat was heard in time.
    expect(daemon.saying("agent stalled")).toEqual([]);

    const reader = clients.at(-1)!;
    reader.resume();
    const last = () => Number(kindsOf(reader).findLast(({ seq }) => seq !== undefined)?.seq);
    await until("the last one", () => {
      const lines = kindsOf(reader);
      const lost = lines.reduce(
        (sum, { kind, count = 0 }) => sum + (kind === "lost" ? count : 0),
        0,
      );
      const got = lines.filter(({ kind }) => kind === "mute").length;
      return lost > 0 && got + lost === 2 * (MUTES + MUTES / 10) && last() > 0;
    });
    for (const client of clients) client[Symbol.dispose]();
    // Their places are free when the daemon has nothing more to tell them, too.
    using again = await listening(daemon);
    expect(again.statuses).toEqual([200]);
    await daemon.stop();
    await until("the end", () => again.hasEnded);
    expect(again.received).toMatch(/\nevent: shutdown\ndata: \{[^\n]+"detail":"SIGTERM"\}\n\n$/);
  });
});

describe.concurrent.if(IS_LINUX)("the events by HTTP", () => {
  test("need the token, and a client of before a restart begins anew", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await openIn(directory);
    expect((await daemon.fetch("/v1/events")).status).toBe(401);
    using client = await listening(daemon);
    const id = /\nid: ([0-9a-f]{16}-\d+)\nevent: boot\n/.exec(client.received)![1]!;
    expect(client.received).toContain("Content-Type: text/event-stream");
    await daemon.stop();

    await using next = await openIn(directory);
    const headers = { authorization: `Bearer ${TOKEN}`, "last-event-id": id };
    const response = await next.fetch("/v1/events?kind=boot", headers);
    const { value } = await response.body!.getReader().read();
    expect(Buffer.from(value!).toString()).toMatch(
      /^retry: 2000\n\nevent: reset\ndata: \{"v":1,"boot":"[0-9a-f]{16}"\}\n\nid: [0-9a-f]{16}-1\nevent: boot\n/,
    );
  });

  test("are refused without a token on a loopback address", async () => {
    await using daemon = await DaemonProcess.start({ config: "" });
    const answer = await daemon.fetch("/v1/events");
    expect([answer.status, await answer.text()]).toEqual([403, "this needs metrics.token_file\n"]);
  });
});

test("another program asks over the socket, and may end its half before the answer", async () => {
  await using daemon = await DaemonProcess.start({ config: "", metrics: false });
  const path = daemon.path("control.sock");
  const hasNetcat = Bun.which("nc") !== null;
  const program = hasNetcat ? ["nc", "-U", path] : ["python3", "-c", PYTHON, path];
  const { stdout } = await runCommand(program, { stdin: '{"v":1,"do":"status"}\n' });
  expect(stdout).toMatch(/^\{"v":1,"host":[^\n]+\}\n\{"done":true\}\n$/);
});

const PYTHON = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
while (b := s.recv(65536)): sys.stdout.buffer.write(b)
`;
