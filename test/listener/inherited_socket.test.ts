// A Unix listener on a socket that the daemon before has left (spec 05 section 9.1).
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, unlinkSync } from "node:fs";
import { AF_UNIX, IS_LINUX, SO_PASSCRED, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { attachFilter } from "../../ffi/socket_filter.ts";
import { bindWithMode } from "../../src/sockets/socket_path.ts";
import { KeptSockets } from "../../src/sockets/kept_sockets.ts";
import { readQueueLength } from "../../src/sockets/queue_length.ts";
import { storedNameText } from "../../src/sockets/stored_name.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { UnixSocket } from "../../src/listener/unix_socket.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { Sender } from "../support/sender.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const MODE = 0o600;
/** BPF_RET | BPF_K with 0 bytes: every datagram is dropped. */
const DROP_ALL = [{ code: 0x06, jt: 0, jf: 0, k: 0 }];
const NOW = 1_000;

let directory: TemporaryDirectory;
let path: string;

beforeEach(() => {
  directory = new TemporaryDirectory();
  path = directory.at("v.sock");
});

afterEach(() => directory[Symbol.dispose]());

const removed: string[] = [];
const store = { add: () => {}, remove: (name: string) => void removed.push(name), has: () => true };
const SILENT = { madeAnew: () => {}, disagrees: () => {}, closed: () => {}, leftAlone: () => {} };

function left(): number {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
  check(setSocketOption(fd, SO_PASSCRED, 1), "SO_PASSCRED");
  check(
    bindWithMode(MODE, () => bind(fd, unixAddress(path))),
    "bind",
  );
  return fd;
}

function keptWith(fd: number): KeptSockets {
  const { dev, ino } = lstatSync(path, { bigint: true });
  const queueLength = readQueueLength();
  const name = storedNameText({
    role: "beat",
    queueLength: queueLength ?? 0,
    dev,
    ino,
    mode: MODE,
  });
  return new KeptSockets({ store, passed: [{ fd, name }], queueLength, reports: SILENT });
}

function listenerOn(kept: KeptSockets): UnixListener {
  const options = { name: "local", path, mode: MODE, gid: undefined };
  const socket = new UnixSocket({ ...options, kept }, () => NOW);
  const all = { ...options, rcvbufBytes: 0, allowList: undefined, nowGeneration: () => NOW };
  return new UnixListener(all, socket);
}

describe.skipIf(!IS_LINUX)("UnixListener on an inherited socket (Linux)", () => {
  test("receives what was sent before it began, and takes nobody for proven by that", async () => {
    const fd = left();
    using sender = new Sender(path);
    await sender.beats(2);
    const listener = listenerOn(keptWith(fd));
    expect(listener.fd).toBe(fd);
    expect(listener.receive(0)).toBe(2);
    expect(listener.batch.peerPid[0]).toBe(process.pid);
    expect(listener.batch.sentAfterGeneration).toBeNaN();
    // That receive found it empty: what comes from now on is new.
    await sender.beat();
    expect(listener.receive(0)).toBe(1);
    expect(listener.batch.sentAfterGeneration).toBe(NOW);
    listener.close();
  });

  test("takes off the filter that the daemon before has left on it", async () => {
    const fd = left();
    expect(attachFilter(fd, DROP_ALL)).toBe(0);
    const listener = listenerOn(keptWith(fd));
    using sender = new Sender(path);
    await sender.beat();
    expect(listener.receive(0)).toBe(1);
    listener.close();
  });

  test("leaves its file at the end of the process, and removes it when it is given up", () => {
    const before = openDescriptors();
    for (const isEnd of [true, false]) {
      if (existsSync(path)) throw new Error("the one before is still there");
      removed.length = 0;
      const kept = keptWith(left());
      const listener = listenerOn(kept);
      if (isEnd) kept.beginEnd();
      listener.close();
      expect([existsSync(path), removed.length]).toEqual(isEnd ? [true, 0] : [false, 1]);
      expect(existsSync(`${path}.lock`)).toBe(false);
      directory[Symbol.dispose]();
      directory = new TemporaryDirectory();
      path = directory.at("v.sock");
    }
    expect(openedSince(before)).toEqual([]);
  });

  test("binds one anew where its file was lost, and gives up the old one in the store", () => {
    removed.length = 0;
    const listener = listenerOn(keptWith(left()));
    unlinkSync(path);
    expect(listener.isInPlace()).toBe(false);
    listener.rebind(0);
    expect(listener.isInPlace()).toBe(true);
    expect(removed).toHaveLength(1);
    listener.close();
    expect(removed).toHaveLength(2);
    expect(existsSync(path)).toBe(false);
  });
});
