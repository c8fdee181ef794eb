// The checks around a socket path on their own, against the real kernel (spec 05 section 4). What
// they come to for a bind is in the tests of the files that bind: bind_descriptor.test.ts and
// bind_server.test.ts.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import {
  AF_UNIX,
  EACCES,
  EADDRINUSE,
  EAGAIN,
  IS_LINUX,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { umask } from "../../ffi/process.ts";
import { bind, close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";
import {
  bindRefused,
  bindWithMode,
  boundSocket,
  changeAccess,
  checkGroup,
  checkParent,
  staleSocket,
  unlinkBoundPath,
} from "../../src/sockets/socket_path.ts";
import { refusal } from "../support/socket_refusal.ts";
import { leaveStale } from "../support/stale_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const TYPES = [
  ["datagram", SOCK_DGRAM],
  ["stream", SOCK_STREAM],
] as const;
const SETTINGS: readonly string[] = ["--socket", "metrics.listen"];

const opened: number[] = [];
afterEach(() => {
  for (const fd of opened.splice(0)) close(fd);
});

function newSocket(type: number): number {
  const fd = check(openSocket(AF_UNIX, type), "open a socket");
  opened.push(fd);
  return fd;
}

function bindTo(path: string, type: number): number {
  const fd = newSocket(type);
  check(bind(fd, unixAddress(path)), "bind");
  return fd;
}

describe("checkParent()", () => {
  test("accepts a directory of the daemon's user, and a sticky one", () => {
    using directory = new TemporaryDirectory();
    checkParent(directory.at("v.sock"));
    chmodSync(directory.path, 0o1777);
    checkParent(directory.at("v.sock"));
  });

  test("refuses a missing directory, a file, a link, and one that others may write to", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("file"), "");
    mkdirSync(directory.at("real"));
    symlinkSync("real", directory.at("link"));
    const open = directory.at("open");
    mkdirSync(open);
    chmodSync(open, 0o770);
    const said = ["none", "file", "link", "open"].map((name) => {
      const { fault, message } = refusal(() => checkParent(directory.at(`${name}/v.sock`)));
      return `${fault}: ${message.slice(message.lastIndexOf(directory.path))}`;
    });
    expect(said).toEqual([
      `InvalidInput: ${directory.at("none")} does not exist`,
      `InvalidInput: ${directory.at("file")} is not a directory`,
      `InvalidInput: ${directory.at("link")} is a symbolic link`,
      `PermissionDenied: ${open} has mode 0770: others may write to it and it has no sticky bit`,
    ]);
  });
});

describe("staleSocket()", () => {
  test("finds nothing wrong with a free path", () => {
    using directory = new TemporaryDirectory();
    const options = { path: directory.at("v.sock"), type: SOCK_STREAM, setBy: "--socket" };
    expect(staleSocket(options)).toBeUndefined();
  });

  test.each(TYPES)("knows a stale %s socket, and leaves it", (_name, type) => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const ino = leaveStale(path, type);
    expect(staleSocket({ path, type, setBy: "--socket" })?.ino).toBe(ino);
    expect(lstatSync(path, { bigint: true }).ino).toBe(ino);
  });

  test("does not ask one that is to be replaced, though it answers", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindTo(path, SOCK_DGRAM);
    const replaces = lstatSync(path, { bigint: true });
    const options = { path, type: SOCK_DGRAM, setBy: "--socket" };
    expect(staleSocket({ ...options, replaces })?.ino).toBe(replaces.ino);
    const other = { dev: replaces.dev, ino: replaces.ino + 1n };
    expect(refusal(() => staleSocket({ ...options, replaces: other })).message).toContain(
      "already running",
    );
  });

  test.each(SETTINGS)("names %s where another path would help", (setBy) => {
    using directory = new TemporaryDirectory();
    const file = directory.at("file");
    writeFileSync(file, "precious");
    const notOurs = refusal(() => staleSocket({ path: file, type: SOCK_DGRAM, setBy }));
    expect(notOurs.hint).toBe(`move it away, or give another path with ${setBy}`);
    expect(readFileSync(file, "utf8")).toBe("precious");
    const path = directory.at("v.sock");
    bindTo(path, SOCK_DGRAM);
    const live = refusal(() => staleSocket({ path, type: SOCK_DGRAM, setBy }));
    expect(live.hint).toBe(`stop it first, or give this one another path with ${setBy}`);
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  // Other systems answer a full queue as they answer a stale socket.
  test.skipIf(!IS_LINUX)("takes a stream socket for alive whose queue is full", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    // It accepts in turns of the runtime, and there is none before this test ends.
    using _listener = Bun.listen({ unix: path, socket: { data() {} } });
    const address = unixAddress(path);
    let result = 0;
    while (result === 0) result = connect(newSocket(SOCK_STREAM), address);
    expect(result).toBe(-EAGAIN);
    const options = { path, type: SOCK_STREAM, setBy: "metrics.listen" } as const;
    expect(refusal(() => staleSocket(options)).message).toContain("already running");
    expect(lstatSync(path).isSocket()).toBe(true);
  });
});

describe("bindWithMode()", () => {
  test("hands on the result and restores the umask, also after a throw", () => {
    const before = umask(0o027);
    try {
      expect(bindWithMode(0o640, () => 7)).toBe(7);
      const failing = () =>
        bindWithMode(0o640, () => {
          throw new Error("no");
        });
      expect(failing).toThrow("no");
      expect(umask(0o027)).toBe(0o027);
    } finally {
      umask(before);
    }
  });
});

describe("boundSocket()", () => {
  test("remembers the inode of a socket of the wanted mode", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindWithMode(0o640, () => bindTo(path, SOCK_STREAM));
    const { dev, ino } = lstatSync(path, { bigint: true });
    expect(boundSocket(path, { mode: 0o640, gid: undefined })).toEqual({ path, dev, ino });
  });

  test("removes a socket of another mode and says which it has", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindWithMode(0o666, () => bindTo(path, SOCK_STREAM));
    const { fault, message } = refusal(() => boundSocket(path, { mode: 0o600, gid: undefined }));
    expect(`${fault}: ${message}`).toBe(
      `PermissionDenied: cannot bind ${path}: found mode 0666 of the socket; want 0600`,
    );
    expect(() => lstatSync(path)).toThrow("ENOENT");
  });

  test("refuses what took the place of the socket, and leaves it", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    writeFileSync(path, "precious");
    expect(refusal(() => boundSocket(path, { mode: 0o600, gid: undefined })).fault).toBe(
      "AddrInUse",
    );
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});

describe("bindRefused()", () => {
  test("tells a path that is in use from one that may not be made", () => {
    expect(bindRefused("/s", EADDRINUSE).fault).toBe("AddrInUse");
    const refused = bindRefused("/s", EACCES);
    expect(refused.fault).toBe("PermissionDenied");
    expect(refused.message).toBe("cannot bind /s: EACCES (permission denied)");
  });
});

describe("changeAccess()", () => {
  const access = (mode: number) => ({ mode, gid: undefined });

  test("changes the mode of the socket that was made, and of nothing that came later", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindWithMode(0o600, () => bindTo(path, SOCK_STREAM));
    const bound = boundSocket(path, access(0o600));
    changeAccess(bound, access(0o600), access(0o664));
    expect(lstatSync(path).mode & 0o777).toBe(0o664);
    renameSync(path, directory.at("moved"));
    writeFileSync(path, "precious", { mode: 0o600 });
    changeAccess(bound, access(0o664), access(0o666));
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.getuid?.() !== 0)("gives it to a group, and back to the daemon's", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindWithMode(0o660, () => bindTo(path, SOCK_STREAM));
    const bound = boundSocket(path, access(0o660));
    changeAccess(bound, access(0o660), { mode: 0o660, gid: 65_533 });
    expect(lstatSync(path).gid).toBe(65_533);
    expect(lstatSync(path).mode & 0o777).toBe(0o660);
    changeAccess(bound, { mode: 0o660, gid: 65_533 }, access(0o660));
    expect(lstatSync(path).gid).toBe(process.getegid!());
  });
});

describe("checkGroup()", () => {
  test("leaves nothing beside the socket", () => {
    using directory = new TemporaryDirectory();
    checkGroup(directory.at("v.sock"), process.getegid!());
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("says which group cannot be given the socket", () => {
    const { fault, message, hint } = refusal(() => checkGroup("/nowhere/v.sock", 7));
    expect(`${fault}: ${message}`).toStartWith(
      "PermissionDenied: cannot give /nowhere/v.sock to group 7: ",
    );
    expect(hint).toBe("the daemon must be root or a member of that group");
  });
});

describe("unlinkBoundPath()", () => {
  test("removes the socket that was made, and nothing that came later", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    bindWithMode(0o600, () => bindTo(path, SOCK_STREAM));
    const first = boundSocket(path, { mode: 0o600, gid: undefined });
    // Kept under another name, so that its inode number cannot be given to the second one.
    renameSync(path, directory.at("moved"));
    bindWithMode(0o600, () => bindTo(path, SOCK_STREAM));
    const second = boundSocket(path, { mode: 0o600, gid: undefined });
    unlinkBoundPath(first);
    expect(lstatSync(path, { bigint: true }).ino).toBe(second.ino);
    unlinkBoundPath(second);
    expect(() => lstatSync(path)).toThrow("ENOENT");
    expect(() => unlinkBoundPath(second)).not.toThrow();
  });
});
