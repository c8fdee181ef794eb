// Sockets that were handed over, on real sockets (spec 05 section 9): what is taken, what is made
// anew, and what becomes of the rest. A descriptor that "was handed over" is a copy here.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  unlinkSync,
} from "node:fs";
import {
  AF_UNIX,
  F_SETFD,
  F_SETFL,
  IS_LINUX,
  SO_PASSCRED,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { bind, close, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { listenUnix } from "../../src/sockets/listening_socket.ts";
import { isTaken, KeptSockets, type WantedSocket } from "../../src/sockets/kept_sockets.ts";
import { type SocketRole, storedNameText } from "../../src/sockets/stored_name.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const QUEUE_LENGTH = 512;

let directory: TemporaryDirectory;
let path: string;
let said: string[];
let before: ReadonlySet<string>;

beforeEach(() => {
  before = openDescriptors();
  directory = new TemporaryDirectory();
  path = directory.at("v.sock");
  said = [];
});

afterEach(() => {
  directory[Symbol.dispose]();
  expect(openedSince(before)).toEqual([]);
});

const store = {
  add: (name: string) => void said.push(`add ${name}`),
  remove: (name: string) => void said.push(`remove ${name}`),
  has: () => true,
};

interface Passed {
  readonly fd: number;
  readonly name: string;
}

function keptWith(passed: readonly Passed[], queueLength: number | undefined = QUEUE_LENGTH) {
  return new KeptSockets({
    store,
    passed,
    queueLength,
    reports: {
      madeAnew: (at, reason) => said.push(`anew ${at}: ${reason}`),
      disagrees: (at, differences) => said.push(`disagrees ${at}: ${differences.join("; ")}`),
      closed: (name, reason) => said.push(`closed ${name}: ${reason}`),
      leftAlone: (fds) => said.push(`left alone ${fds.length}`),
    },
  });
}

function datagramSocket(at = path, passesCredentials = true): number {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
  check(setSocketOption(fd, SO_PASSCRED, passesCredentials ? 1 : 0), "SO_PASSCRED");
  check(bind(fd, unixAddress(at)), "bind");
  chmodSync(at, 0o600);
  return fd;
}

/** The name of what is at the path now. */
function nameOf(role: SocketRole = "beat", changes: { mode?: number; queue?: number } = {}) {
  const { dev, ino } = lstatSync(path, { bigint: true });
  const { mode = 0o600, queue = QUEUE_LENGTH } = changes;
  return storedNameText({ role, queueLength: queue, dev, ino, mode });
}

function wanted(changes: Partial<WantedSocket> = {}): WantedSocket {
  return { role: "beat", path, mode: 0o600, gid: undefined, setBy: "--socket", ...changes };
}

describe.skipIf(!IS_LINUX)("KeptSockets.take() of a stored socket (Linux)", () => {
  test("takes the one whose file is at the path, locks that, and removes nothing", () => {
    const fd = datagramSocket();
    const kept = keptWith([{ fd, name: nameOf() }]);
    const taken = kept.take(wanted());
    if (!isTaken(taken)) throw new Error("it was not taken");
    expect([taken.fd, taken.isOfUnit]).toEqual([fd, false]);
    expect(taken.bound.ino).toBe(lstatSync(path, { bigint: true }).ino);
    expect(existsSync(`${path}.lock`)).toBe(true);
    expect(kept.tookOver(path)).toBe(true);
    kept.closeRest();
    expect(said).toEqual([]);
    taken.bound.lock?.release();
    close(fd);
  });

  test("finds it by its name wherever it stands in the list", () => {
    const fd = datagramSocket();
    const other = datagramSocket(directory.at("other.sock"));
    const name = nameOf();
    const kept = keptWith([
      { fd: other, name: name.replace(/-i[0-9]+/, "-i1") },
      { fd, name },
    ]);
    const taken = kept.take(wanted());
    expect(isTaken(taken) && taken.fd).toBe(fd);
    if (isTaken(taken)) taken.bound.lock?.release();
    kept.closeRest();
    expect(said).toEqual([
      `remove ${name.replace(/-i[0-9]+/, "-i1")}`,
      `closed ${name.replace(/-i[0-9]+/, "-i1")}: no configured path has its file`,
    ]);
    close(fd);
  });

  test.each([
    ["made with another mode", { mode: 0o660 }, {}, "it was made with mode 0660, want 0600"],
    ["wanted with another mode", {}, { mode: 0o666 }, "it was made with mode 0600, want 0666"],
    [
      "made when queues were shorter",
      { queue: 10 },
      {},
      "its queue has length 10, net.unix.max_dgram_qlen is 512",
    ],
    ["wanted for another group", {}, { gid: 4_711 }, /^its file has group [0-9]+, want 4711$/],
  ] as const)("gives up one that is %s, and lets its file be replaced", (_, made, want, reason) => {
    const fd = datagramSocket();
    const name = nameOf("beat", made);
    const kept = keptWith([{ fd, name }]);
    const found = kept.take(wanted(want));
    if (isTaken(found)) throw new Error("it was taken");
    expect(found?.ino).toBe(lstatSync(path, { bigint: true }).ino);
    expect(said[0]).toBe(`remove ${name}`);
    expect(said[1]!.slice(`anew ${path}: `.length)).toMatch(reason);
    expect(said).toHaveLength(2);
  });

  test("gives up one whose file was given another mode since", () => {
    const fd = datagramSocket();
    chmodSync(path, 0o666);
    keptWith([{ fd, name: nameOf() }]).take(wanted());
    expect(said[1]).toBe(`anew ${path}: its file has mode 0666, want 0600`);
  });

  test("does not compare queues where the setting cannot be read", () => {
    const fd = datagramSocket();
    const taken = keptWith([{ fd, name: nameOf() }], undefined);
    const found = taken.take(wanted());
    expect(isTaken(found)).toBe(true);
    if (isTaken(found)) found.bound.lock?.release();
    close(fd);
  });

  test("gives up what has its name and is a socket of another kind", () => {
    const stream = check(openSocket(AF_UNIX, SOCK_STREAM), "open a socket");
    const real = datagramSocket();
    keptWith([{ fd: stream, name: nameOf() }]).take(wanted());
    expect(said[1]).toBe(`anew ${path}: it is a socket of another kind`);
    close(real);
  });

  test("does not take one whose file was replaced", () => {
    const fd = datagramSocket();
    const name = nameOf();
    unlinkSync(path);
    const other = datagramSocket();
    const kept = keptWith([{ fd, name }]);
    expect(kept.take(wanted())).toBeUndefined();
    kept.closeRest();
    expect(said).toEqual([`remove ${name}`, `closed ${name}: no configured path has its file`]);
    expect(lstatSync(path).isSocket()).toBe(true);
    close(other);
  });

  test("takes a control socket by its own role alone", () => {
    const fd = check(listenUnix(path, 1), "listen");
    chmodSync(path, 0o600);
    const kept = keptWith([{ fd, name: nameOf("control", { queue: 10 }) }]);
    expect(kept.take(wanted())).toBeUndefined();
    const taken = kept.take(wanted({ role: "control" }));
    expect(isTaken(taken) && taken.fd).toBe(fd);
    if (isTaken(taken)) taken.bound.lock?.release();
    close(fd);
  });
});

describe.skipIf(!IS_LINUX)("KeptSockets.take() of a socket of a unit (Linux)", () => {
  test("takes what is bound to the path, and says what differs", () => {
    const fd = datagramSocket(path, false);
    chmodSync(path, 0o666);
    const kept = keptWith([{ fd, name: "varta-watch.socket" }]);
    const taken = kept.take(wanted());
    expect(isTaken(taken) && taken.isOfUnit).toBe(true);
    expect(existsSync(`${path}.lock`)).toBe(false);
    expect(said).toEqual([
      `disagrees ${path}: SocketMode=0666, mode is 0600; ` +
        "PassCredentials=no: who sent what waits in it is unknown",
    ]);
    expect(kept.release(fd)).toBe(false);
    expect(said).toHaveLength(1);
    close(fd);
  });

  test("closes what nobody wants, and leaves its file", () => {
    const other = directory.at("other.sock");
    const fd = datagramSocket(other);
    const kept = keptWith([{ fd, name: "x" }]);
    expect(kept.take(wanted())).toBeUndefined();
    kept.closeRest();
    expect(said).toEqual([
      `closed x: no listener, and not the control socket, is at ${other} with its type`,
    ]);
    expect(existsSync(other)).toBe(true);
  });
});

describe.skipIf(!IS_LINUX)("KeptSockets and numbers that were not handed over (Linux)", () => {
  test("touches nothing that is no socket, and none of the daemon's own", () => {
    const file = openSync(directory.at("file"), "w");
    const own = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
    const socket = datagramSocket();
    const name = nameOf();
    close(socket);
    libc.fcntl(file, F_SETFL, 0);
    const kept = keptWith([
      { fd: file, name },
      { fd: own, name: "" },
      { fd: 4_000, name: "" },
    ]);
    kept.closeRest();
    expect(said).toEqual([`remove ${name}`, "left alone 3"]);
    expect(flagsOf(file) & O_NONBLOCK).toBe(0);
    closeSync(file);
    expect(close(own)).toBe(0);
  });

  test("closes a second one of a name that was taken, and leaves file and store to the first", () => {
    const fd = datagramSocket();
    const second = check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate it");
    const name = nameOf();
    const kept = keptWith([
      { fd, name },
      { fd: second, name },
    ]);
    const taken = kept.take(wanted());
    kept.closeRest();
    expect(said).toEqual([`closed ${name}: no configured path has its file`]);
    expect(existsSync(path)).toBe(true);
    if (isTaken(taken)) taken.bound.lock?.release();
    close(fd);
  });
});

const F_DUPFD_CLOEXEC = 1_030;

describe.skipIf(!IS_LINUX)("KeptSockets and the store (Linux)", () => {
  test("stores what was bound, and takes it out when it is closed", () => {
    const fd = datagramSocket();
    const kept = keptWith([]);
    kept.keep(fd, wanted(), lstatSync(path, { bigint: true }));
    const name = nameOf();
    expect(kept.release(fd)).toBe(false);
    expect(kept.release(fd)).toBe(false);
    expect(said).toEqual([`add ${name}`, `remove ${name}`]);
    close(fd);
  });

  test("leaves it there when the process ends", () => {
    const fd = datagramSocket();
    const kept = keptWith([]);
    kept.keep(fd, wanted(), lstatSync(path, { bigint: true }));
    kept.beginEnd();
    expect(kept.release(fd)).toBe(true);
    expect(said).toEqual([`add ${nameOf()}`]);
    close(fd);
  });

  test("stores it under another name when its mode changes", () => {
    const fd = datagramSocket();
    const kept = keptWith([]);
    kept.keep(fd, wanted(), lstatSync(path, { bigint: true }));
    const name = nameOf();
    kept.changeMode(fd, 0o600);
    kept.changeMode(fd, 0o640);
    expect(said.slice(1)).toEqual([`remove ${name}`, `add ${nameOf("beat", { mode: 0o640 })}`]);
    close(fd);
  });

  test("makes what was handed over close-on-exec and non-blocking", () => {
    const fd = datagramSocket();
    // As systemd hands them over.
    libc.fcntl(fd, F_SETFD, 0);
    libc.fcntl(fd, F_SETFL, 0);
    expect(flagsOf(fd) & (O_CLOEXEC | O_NONBLOCK)).toBe(0);
    const kept = keptWith([{ fd, name: "x" }]);
    expect(flagsOf(fd) & (O_CLOEXEC | O_NONBLOCK)).toBe(O_CLOEXEC | O_NONBLOCK);
    kept.closeRest();
  });
});

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

function flagsOf(fd: number): number {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  return Number.parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8);
}
