// The real daemon with a stream listener: beats over a connection are beats, and a stall is told.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { AF_UNIX, EPIPE, SOCK_STREAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { encode } from "../../src/wire/encode.ts";
import { sampleAt } from "../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const config = (directory: string, stream: string): string => `
[observer]
threshold = "400ms"

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"

[[listener]]
kind = "unix-stream"
path = "${directory}/${stream}"
`;

const ACCEPTED = 'varta_datagrams_accepted_total{listener="unix-stream-0"}';
const CONNECTIONS = 'varta_stream_connections{listener="unix-stream-0"}';
const CRC = 'varta_stream_closed_total{listener="unix-stream-0",reason="crc"}';

function connectTo(path: string): number {
  const fd = check(openSocket(AF_UNIX, SOCK_STREAM), "open");
  check(connect(fd, unixAddress(path)), "connect");
  return fd;
}

/** The daemon has closed its end: a byte more could not be sent. */
function isClosed(fd: number): boolean {
  return send(fd, new Uint8Array(0)) === -EPIPE;
}

function frame(nonce: number): Uint8Array {
  return encode({
    status: "ok",
    pid: process.pid,
    timestamp: BigInt(nonce),
    nonce: BigInt(nonce),
    payload: 0,
  });
}

test("frames over a connection are beats, and their silence is a stall", async () => {
  using own = new TemporaryDirectory();
  const directory = own.path;
  await using daemon = await DaemonProcess.start({
    directory,
    config: config(directory, "stream.sock"),
    ownListeners: true,
  });
  const fd = connectTo(daemon.path("stream.sock"));
  send(fd, frame(1));
  send(fd, frame(2).subarray(0, 20));
  send(fd, frame(2).subarray(20));
  await until("two beats", async () => sampleAt(await daemon.page(), ACCEPTED) === 2);
  await daemon.untilStalls(process.pid);
  const page = await daemon.page();
  expect([sampleAt(page, CONNECTIONS), sampleAt(page, CRC)]).toEqual([1, 0]);
  const wrong = frame(3);
  wrong[31]! ^= 1;
  send(fd, wrong);
  await until("its end", async () => sampleAt(await daemon.page(), CRC) === 1);
  expect(sampleAt(await daemon.page(), CONNECTIONS)).toBe(0);
  close(fd);
});

test("a reload moves the listener with its connections, and ends them with its name or with itself", async () => {
  using own = new TemporaryDirectory();
  const directory = own.path;
  await using daemon = await DaemonProcess.start({
    directory,
    config: config(directory, "stream.sock"),
    ownListeners: true,
  });
  const fd = connectTo(daemon.path("stream.sock"));
  send(fd, frame(1));
  await daemon.untilReceived(1, "unix-stream-0");
  writeFileSync(daemon.path("varta.toml"), config(directory, "other.sock"));
  daemon.signal("SIGHUP");
  await until("the new path", () => existsSync(daemon.path("other.sock")));
  const another = connectTo(daemon.path("other.sock"));
  send(another, frame(2));
  await daemon.untilReceived(2, "unix-stream-0");
  send(fd, frame(3));
  await daemon.untilReceived(3, "unix-stream-0");
  expect(existsSync(daemon.path("stream.sock"))).toBe(false);
  // By another name it is another listener with the same socket: clients connect again.
  const reload = (text: string) => {
    writeFileSync(daemon.path("varta.toml"), text);
    daemon.signal("SIGHUP");
  };
  const moved = config(directory, "other.sock");
  reload(moved.replace('kind = "unix-stream"', '$&\nname = "renamed"'));
  await until("the end of both connections", () => isClosed(fd) && isClosed(another));
  const again = connectTo(daemon.path("other.sock"));
  send(again, frame(4));
  await daemon.untilReceived(1, "renamed");
  reload(moved.slice(0, moved.lastIndexOf("[[listener]]")));
  await until("the end of its connection", () => isClosed(again));
  expect(existsSync(daemon.path("other.sock"))).toBe(false);
  for (const one of [fd, another, again]) close(one);
});
