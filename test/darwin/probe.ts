// Runs on the emulated Mac: what the program believes, and what its calls do there.
// `probe.ts DIRECTORY` prints JSON.
import { readFileSync } from "node:fs";
import * as constants from "../../ffi/constants.ts";
import * as layout from "../../ffi/layout.ts";
import { openPipe } from "../../ffi/pipe.ts";
import { ReceiveBatch, HEADER_LENGTH, HEADER_STRIDE } from "../../ffi/receive_batch.ts";
import * as socket from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../../src/base/limits.ts";
import { connect } from "../../src/client/mod.ts";
import { defaultSocket } from "../../src/config/runtime_directory.ts";

const directory = process.argv[2]!;

console.log(
  JSON.stringify({
    platform: `${process.platform} ${process.arch}`,
    layout: tables(),
    constants: numbers(),
    descriptors: descriptors(),
    paths: paths(),
    unixAddress: [...socket.unixAddress("/a").bytes],
    atPath: [...socket.unixAddress("@a").bytes],
    ipv4: [...socket.inetAddress(Uint8Array.of(127, 0, 0, 1), 0x1234).bytes],
    ipv6: [...socket.inetAddress(new Uint8Array(16).fill(7), 0x1234, 5).bytes],
    datagrams: [...datagrams()],
    udp: udp(),
    options: options(),
  }),
);

function tables(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(layout).filter(([, table]) => typeof table === "object"),
  );
}

function numbers(): Record<string, number> {
  const found = Object.entries(constants).filter(([, value]) => typeof value === "number");
  return Object.fromEntries(found) as Record<string, number>;
}

/** Flags of each descriptor as Linux shows them. */
function descriptors(): Record<string, number> {
  const pipe = openPipe();
  if (typeof pipe === "number") throw new Error(`pipe: ${pipe}`);
  return {
    socket: flagsOf(socket.openSocket(constants.AF_UNIX, constants.SOCK_DGRAM)),
    readEnd: flagsOf(pipe.readFd),
    writeEnd: flagsOf(pipe.writeFd),
  };
}

function flagsOf(fd: number): number {
  return Number.parseInt(
    /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))![1]!,
    8,
  );
}

function paths(): Record<string, unknown> {
  const longest = `${directory}/`.padEnd(SOCKET_PATH_BYTES_MAX, "x");
  const beat = (path: string) => {
    const result = connect(path, { warn: false }).beat();
    return result.reason === "" ? "sent" : result.reason;
  };
  return {
    longest: SOCKET_PATH_BYTES_MAX,
    free: beat(longest),
    tooLong: beat(`${longest}x`),
    root: defaultSocket(0, {}).path,
    user: defaultSocket(501, { TMPDIR: "/var/folders/zz/T/" }).path,
  };
}

/** Beats that the observer's side of the longest path takes in one batch. */
function* datagrams(): Generator<number> {
  const path = `${directory}/`.padEnd(SOCKET_PATH_BYTES_MAX, "r");
  const fd = socket.openSocket(constants.AF_UNIX, constants.SOCK_DGRAM);
  yield socket.bind(fd, socket.unixAddress(path));
  const client = connect(path);
  for (let i = 0; i < 3; i++) client.beat();
  const batch = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: false });
  const count = batch.receive(fd);
  yield count;
  for (let i = 0; i < count; i++) yield batch.words[i * HEADER_STRIDE + HEADER_LENGTH]!;
  yield batch.receive(fd);
}

/** Bytes that arrive over IPv4 and IPv6, by sendto and by connect and send. */
function udp(): number[] {
  return [Uint8Array.of(127, 0, 0, 1), ipv6Loopback()].map((host) => {
    const { family } = socket.inetAddress(host, 0);
    const receiver = socket.openSocket(family, constants.SOCK_DGRAM);
    if (host.length === 16 && socket.setIpv6Only(receiver) < 0) return -1;
    if (socket.bind(receiver, socket.inetAddress(host, 0)) < 0) return -2;
    const to = socket.inetAddress(host, socket.boundPort(receiver));
    const sender = socket.openSocket(family, constants.SOCK_DGRAM);
    socket.sendTo(sender, new Uint8Array(new ArrayBuffer(5)), to);
    socket.connect(sender, to);
    socket.send(sender, new Uint8Array(new ArrayBuffer(7)));
    const batch = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: false });
    const count = batch.receive(receiver);
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += batch.words[i * HEADER_STRIDE + HEADER_LENGTH]!;
    return bytes;
  });
}

function ipv6Loopback(): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));
}

function options(): Record<string, number> {
  const fd = socket.openSocket(constants.AF_INET, constants.SOCK_DGRAM);
  return {
    set: socket.setSocketOption(fd, constants.SO_RCVBUF, 16_384),
    got: socket.getSocketOption(fd, constants.SO_RCVBUF),
    sendBuffer: socket.setSocketOption(fd, constants.SO_SNDBUF, 16_384),
    reuse: socket.setSocketOption(fd, constants.SO_REUSEADDR, 1),
    drops: socket.kernelDrops(fd),
  };
}
