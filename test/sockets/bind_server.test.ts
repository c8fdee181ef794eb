// The socket of the metrics page through the real server (spec 13 section 1): the rules of every
// socket path hold for it.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { IS_LINUX, SOCK_STREAM } from "../../ffi/constants.ts";
import { umask } from "../../ffi/process.ts";
import { close } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../../src/base/limits.ts";
import { SocketPathError, type SocketPathFault } from "../../src/sockets/socket_path.ts";
import type { HttpServerOptions } from "../../src/http/http_server.ts";
import {
  type BindServerOptions,
  type BoundServer,
  bindServer,
} from "../../src/sockets/bind_server.ts";
import { listenUnix } from "../../src/sockets/listening_socket.ts";
import { leaveStale } from "../support/stale_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ServerFixture } from "../http/fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

let directory: TemporaryDirectory;
let path: string;

beforeEach(() => {
  directory = new TemporaryDirectory();
  path = directory.at("metrics.sock");
});

afterEach(() => directory[Symbol.dispose]());

function openUnix(changes: Partial<HttpServerOptions> = {}): Promise<ServerFixture> {
  return ServerFixture.open({ listen: { kind: "unix", path }, ...changes });
}

function bind(listenAt: BindServerOptions["listenAt"]): BoundServer {
  return bindServer({ path, mode: 0o600, gid: undefined, setBy: "metrics.listen", listenAt });
}

async function expectServed(at = path): Promise<void> {
  expect((await fetch("http://localhost/healthz", { unix: at })).status).toBe(200);
}

async function expectRefused(fault: SocketPathFault, message: RegExp, at = path): Promise<void> {
  const before = namesIn(directory.path);
  const error = await openUnix({ listen: { kind: "unix", path: at } }).then(
    () => new Error("the bind was expected to be refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SocketPathError)) throw error;
  expect(error.message).toMatch(message);
  expect(error.fault).toBe(fault);
  expect(error.hint).not.toBe("");
  expect(namesIn(directory.path)).toEqual(before);
}

function namesIn(at: string): string[] {
  return readdirSync(at, { recursive: true, encoding: "utf8" }).sort();
}

describe("HttpServer on a unix socket", () => {
  test("serves with the wanted mode, without the limiter, and leaves nothing behind", async () => {
    {
      const limits = { socketMode: 0o660, rateLimitPerSec: 1, rateLimitBurst: 1 };
      await using fixture = await openUnix(limits);
      expect(fixture.server.address).toBe(`unix:${path}`);
      expect(lstatSync(path).mode & 0o777).toBe(0o660);
      expect(namesIn(directory.path)).toEqual(["metrics.sock", "metrics.sock.lock"]);
      for (let i = 0; i < 3; i++) {
        const response = await fetch("http://localhost/metrics", { unix: path });
        expect(response.status).toBe(200);
        expect(await response.text()).toContain("varta_watch_uptime_seconds");
      }
    }
    expect(namesIn(directory.path)).toEqual([]);
  });

  test("serves by whatever name a client calls it", async () => {
    await using _fixture = await openUnix();
    expect((await fetch("http://evil.example/metrics", { unix: path })).status).toBe(200);
  });

  test.each(["0600", "0660", "0666"])("makes mode %s exactly under any umask", async (octal) => {
    for (const mask of [0o000, 0o077, 0o777]) {
      const before = umask(mask);
      try {
        await using _fixture = await openUnix({ socketMode: Number.parseInt(octal, 8) });
        expect(lstatSync(path).mode & 0o7777).toBe(Number.parseInt(octal, 8));
      } finally {
        expect(umask(before)).toBe(mask);
      }
    }
  });

  test("serves at the longest path that a socket can have", async () => {
    const name = "m".repeat(SOCKET_PATH_BYTES_MAX - directory.path.length - 1);
    await using _fixture = await openUnix({ listen: { kind: "unix", path: directory.at(name) } });
    expect(namesIn(directory.path)).toEqual([name, `${name}.lock`]);
    await expectServed(directory.at(name));
  });

  // Elsewhere the private name is a whole path.
  test.skipIf(!IS_LINUX)("serves in a directory whose path leaves no room beside", async () => {
    const deep = directory.at("d".repeat(SOCKET_PATH_BYTES_MAX - directory.path.length - 3));
    mkdirSync(deep);
    await using _fixture = await openUnix({ listen: { kind: "unix", path: `${deep}/m` } });
    await expectServed(`${deep}/m`);
  });
});

describe("HttpServer and what is at the path of its unix socket", () => {
  test("refuses a regular file, and does not touch it", async () => {
    writeFileSync(path, "precious");
    await expectRefused("AddrInUse", /the file there is not a socket, and it was not touched$/);
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("refuses a path where a process listens, which goes on", async () => {
    await using first = await openUnix();
    await expectRefused("AddrInUse", /another varta-watch is already running at /);
    expect(first.server.closed).toBe(false);
    await expectServed();
  });

  test("replaces a stale socket", async () => {
    leaveStale(path, SOCK_STREAM);
    await using _fixture = await openUnix();
    await expectServed();
  });

  test("replaces a stale socket at the private name, as a daemon leaves it that ended in between", async () => {
    let made = "";
    const { fd, bound } = bind((at) => {
      made = basename(at);
      return listenUnix(at, 1);
    });
    close(fd);
    expect(made).toBe(`metrics.sock.${process.pid}`);
    linkSync(bound.path, directory.at(made));
    await using _fixture = await openUnix();
    await expectServed();
    expect(namesIn(directory.path)).toEqual(["metrics.sock", "metrics.sock.lock"]);
  });

  test("refuses a path that is taken while the socket is made, and stops serving", () => {
    let made = -1;
    const binding = () =>
      bind((at) => {
        made = listenUnix(at, 1);
        writeFileSync(path, "precious");
        return made;
      });
    expect(binding).toThrow(`cannot bind ${path}: EADDRINUSE`);
    expect(made).toBeGreaterThan(0);
    expect(() => fstatSync(made)).toThrow("EBADF");
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(namesIn(directory.path)).toEqual(["metrics.sock"]);
  });

  test("reports a bind that the system refuses as a fault of the path", () => {
    const binding = () => bind(() => listenUnix(directory.at("none/m"), 1));
    expect(binding).toThrow(SocketPathError);
    expect(binding).toThrow(`cannot bind ${path}: ENOENT`);
  });

  test("removes no file that took the place of its socket", async () => {
    const fixture = await openUnix();
    rmSync(path);
    writeFileSync(path, "somebody else's");
    await fixture[Symbol.asyncDispose]();
    expect(readFileSync(path, "utf8")).toBe("somebody else's");
  });

  test("removes no socket of a newer server", async () => {
    const older = await openUnix();
    // Kept under another name, so that its inode number cannot be given to the newer one.
    renameSync(path, directory.at("moved"));
    await using _newer = await openUnix();
    await older[Symbol.asyncDispose]();
    await expectServed();
  });
});

describe("HttpServer and the directory of its unix socket", () => {
  test("refuses one that does not exist", async () => {
    await expectRefused("InvalidInput", /directory .*none does not exist$/, directory.at("none/m"));
  });

  test("refuses a symbolic link, even to a good directory", async () => {
    mkdirSync(directory.at("real"));
    symlinkSync("real", directory.at("link"));
    await expectRefused("InvalidInput", /link is a symbolic link$/, directory.at("link/m"));
  });

  test.each(["0770", "0707"])("refuses mode %s without sticky bit", async (octal) => {
    chmodSync(directory.path, Number.parseInt(octal, 8));
    await expectRefused("PermissionDenied", new RegExp(`has mode ${octal}: .* no sticky bit$`));
  });

  test("accepts a sticky one", async () => {
    chmodSync(directory.path, 0o1777);
    await using _fixture = await openUnix();
    await expectServed();
  });
});
