// The bind protocol against the real kernel (spec 05 section 4, invariant I15): only the daemon's
// own socket inode is ever removed.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { AF_UNIX, IS_LINUX, SOCK_DGRAM, SOCK_STREAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { effectiveUid, umask } from "../../ffi/process.ts";
import { bind, close, openSocket, unixAddress } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../../src/base/limits.ts";
import {
  SocketPathError,
  type SocketPathFault,
  unlinkBoundPath,
} from "../../src/sockets/socket_path.ts";
import {
  type BindDescriptorOptions,
  type BoundPath,
  bindDescriptor,
} from "../../src/sockets/bind_descriptor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import { HAS_PYTHON } from "../listener/hostile_sender.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { refusal } from "../support/socket_refusal.ts";
import { leaveStale } from "../support/stale_socket.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const AS_ROOT = effectiveUid() === 0;
const NOBODY = 65_534;

const opened: number[] = [];
afterEach(() => {
  for (const fd of opened.splice(0)) close(fd);
});

function newSocket(type = SOCK_DGRAM): number {
  const fd = check(openSocket(AF_UNIX, type), "open a socket");
  opened.push(fd);
  return fd;
}

function bindTo(path: string, changes: Partial<BindDescriptorOptions> = {}): BoundPath {
  const type = changes.type ?? SOCK_DGRAM;
  const fd = changes.fd ?? newSocket(type);
  return bindDescriptor({
    fd,
    type,
    path,
    mode: 0o600,
    gid: undefined,
    setBy: "--socket",
    ...changes,
  });
}

function inodeAt(path: string): bigint {
  return lstatSync(path, { bigint: true }).ino;
}

function modeAt(path: string): number {
  return lstatSync(path).mode & 0o7777;
}

/** "bound", or what was said. */
function outcomeOf(path: string): string {
  try {
    bindTo(path);
    return "bound";
  } catch (error) {
    if (error instanceof SocketPathError) return error.message;
    throw error;
  } finally {
    for (const fd of opened.splice(0)) close(fd);
  }
}

function expectRefused(fault: SocketPathFault, message: RegExp, work: () => unknown): void {
  const error = refusal(work);
  expect(error.message).toMatch(message);
  expect(error.fault).toBe(fault);
  expect(error.hint).not.toBe("");
}

function currentUmask(): number {
  const mask = umask(0o077);
  umask(mask);
  return mask;
}

/** What an unprivileged process gets that tries to bind `path`. */
function bindAsNobody(path: string, gid?: number): string {
  const root = `${import.meta.dir}/../..`;
  const script = [
    `import { bindDescriptor } from "${root}/src/sockets/bind_descriptor.ts";`,
    `import { openSocket } from "${root}/ffi/socket.ts";`,
    `const options = { fd: openSocket(${AF_UNIX}, ${SOCK_DGRAM}), type: ${SOCK_DGRAM}, mode: 0o600, gid: ${gid} };`,
    `try { bindDescriptor({ ...options, path: ${JSON.stringify(path)} }); console.log("bound"); }`,
    "catch (error) { console.log(error.name, error.fault, error.message); }",
  ];
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const bun = [process.execPath, "-e", script.join("\n")];
  return Bun.spawnSync(["setpriv", ...user, ...bun]).stdout.toString();
}

describe("bindDescriptor() and what is at the path", () => {
  test("binds a free path and remembers the inode that it made", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const bound = bindTo(path);
    expect(bound.path).toBe(path);
    expect(bound.ino).toBe(inodeAt(path));
    expect(bound.dev).toBe(lstatSync(path, { bigint: true }).dev);
    expect(lstatSync(path).isSocket()).toBe(true);
    expect(bound.directorySynced).toBe(true);
  });

  test("binds a relative name in the working directory", () => {
    using directory = new TemporaryDirectory();
    const before = process.cwd();
    process.chdir(directory.path);
    try {
      bindTo("v.sock");
      expect(lstatSync(directory.at("v.sock")).isSocket()).toBe(true);
    } finally {
      process.chdir(before);
    }
  });

  test("replaces a stale socket with a new inode", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    leaveStale(path, SOCK_DGRAM);
    const bound = bindTo(path);
    expect(inodeAt(path)).toBe(bound.ino);
    expect(bindTo(directory.at("other.sock")).ino).not.toBe(bound.ino);
  });

  test("replaces a stale one at the longest path that a socket can have", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v".repeat(SOCKET_PATH_BYTES_MAX - directory.path.length - 1));
    leaveStale(path, SOCK_DGRAM);
    expect(bindTo(path).ino).toBe(inodeAt(path));
    expect(readdirSync(directory.path)).toEqual([basename(path), `${basename(path)}.lock`]);
  });

  test("replaces a stale stream socket when a stream socket is bound", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    leaveStale(path, SOCK_STREAM);
    expect(bindTo(path, { type: SOCK_STREAM }).ino).toBe(inodeAt(path));
  });

  test("refuses a live owner, says so, and leaves its socket", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const first = bindTo(path);
    expectRefused(
      "AddrInUse",
      new RegExp(`another varta-watch is already running at ${path}$`),
      () => bindTo(path),
    );
    expect(inodeAt(path)).toBe(first.ino);
  });

  test("refuses a socket of another type, which cannot be probed, and leaves it", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const stream = newSocket(SOCK_STREAM);
    check(bind(stream, unixAddress(path)), "bind");
    const ino = inodeAt(path);
    expectRefused("PermissionDenied", /cannot probe socket: EPROTOTYPE/, () => bindTo(path));
    expect(inodeAt(path)).toBe(ino);
  });

  test("refuses a regular file and does not touch it", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    writeFileSync(path, "precious");
    const ino = inodeAt(path);
    expectRefused("AddrInUse", /not a socket, and it was not touched/, () => bindTo(path));
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(inodeAt(path)).toBe(ino);
  });

  test("refuses a directory at the path", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    mkdirSync(path);
    expectRefused("AddrInUse", /not a socket/, () => bindTo(path));
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  test("refuses a symbolic link at the path, even to a stale socket", () => {
    using directory = new TemporaryDirectory();
    const target = directory.at("target.sock");
    const ino = leaveStale(target, SOCK_DGRAM);
    const path = directory.at("v.sock");
    symlinkSync(target, path);
    expectRefused("AddrInUse", /not a socket/, () => bindTo(path));
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(inodeAt(target)).toBe(ino);
  });

  test.skipIf(!HAS_PYTHON)(
    "refuses a path whose socket changes while it is probed (needs python3 to change it fast enough)",
    async () => {
      using directory = new TemporaryDirectory();
      const path = directory.at("v.sock");
      const kept = ["a", "b"].map((name) => leaveStale(directory.at(name), SOCK_DGRAM));
      const script = [
        "import os, sys",
        "path, *stale = sys.argv[1:]",
        "while True:",
        "    for one in stale:",
        "        os.link(one, path + '.new')",
        "        os.rename(path + '.new', path)",
      ];
      const names = [path, directory.at("a"), directory.at("b")];
      const changer = Bun.spawn(["python3", "-c", script.join("\n"), ...names]);
      const messages = new Set<string>();
      await until("a change between the two looks", () => {
        for (let attempt = 0; attempt < 20; attempt++) messages.add(outcomeOf(path));
        return [...messages].some((message) => message.endsWith("changed while probing"));
      });
      changer.kill("SIGKILL");
      await changer.exited;
      // Whatever else happened: the sockets themselves are still there under their own names.
      expect(["a", "b"].map((name) => inodeAt(directory.at(name)))).toEqual(kept);
    },
    15_000,
  );

  test("refuses a dangling symbolic link at the path and creates nothing behind it", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    symlinkSync(directory.at("nowhere"), path);
    expectRefused("AddrInUse", /not a socket/, () => bindTo(path));
    expect(() => lstatSync(directory.at("nowhere"))).toThrow("ENOENT");
  });
});

describe.skipIf(!IS_LINUX)("bindDescriptor() and other daemons (flock of Linux)", () => {
  test("never leaves the path without a socket while it replaces a stale one", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    leaveStale(path, SOCK_DGRAM);
    const look = `
      import { lstatSync } from "node:fs";
      let looks = 0, absent = 0;
      console.log("looking");
      process.on("SIGTERM", () => { console.log(JSON.stringify({ looks, absent })); process.exit(); });
      setInterval(() => {
        for (let i = 0; i < 2_000; i++, looks++)
          if (lstatSync(process.env.AT, { throwIfNoEntry: false }) === undefined) absent++;
      }, 0);`;
    const child = Bun.spawn([process.execPath, "-e", look], {
      env: { ...process.env, AT: path },
      stdout: "pipe",
    });
    const reader = child.stdout.getReader();
    await reader.read();
    for (let i = 0; i < 200; i++) {
      bindTo(path).lock?.release();
      for (const fd of opened.splice(0)) close(fd);
      await Bun.sleep(0);
    }
    child.kill("SIGTERM");
    const { value } = await reader.read();
    const { looks, absent } = JSON.parse(new TextDecoder().decode(value));
    expect(looks).toBeGreaterThan(0);
    expect(absent).toBe(0);
  });

  test("refuses a path whose lock another process has, with its pid, and touches nothing", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const ino = leaveStale(path, SOCK_DGRAM);
    using holder = await lockHolder(`${path}.lock`);
    expectRefused("AddrInUse", new RegExp(`already running at ${path} as pid 4711$`), () =>
      bindTo(path),
    );
    expect(inodeAt(path)).toBe(ino);
    holder[Symbol.dispose]();
    await holder.ended;
    expect(bindTo(path).ino).not.toBe(ino);
  });

  test("shares its lock with itself, and takes the lock file along with the last socket", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const first = bindTo(path);
    expect(readFileSync(`${path}.lock`, "utf8")).toBe(`${process.pid}\n`);
    expect(lstatSync(`${path}.lock`).mode & 0o777).toBe(0o600);
    unlinkSync(path);
    const second = bindTo(path);
    unlinkBoundPath(first);
    expect(lstatSync(`${path}.lock`).isFile()).toBe(true);
    unlinkBoundPath(second);
    expect(() => lstatSync(`${path}.lock`)).toThrow("ENOENT");
  });

  test("locks anew where the lock was removed, and is refused if another daemon came first", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const first = bindTo(path);
    unlinkSync(path);
    unlinkSync(`${path}.lock`);
    const second = bindTo(path);
    expect(readFileSync(`${path}.lock`, "utf8")).toBe(`${process.pid}\n`);
    unlinkSync(path);
    unlinkSync(`${path}.lock`);
    using _holder = await lockHolder(`${path}.lock`);
    expectRefused("AddrInUse", /as pid 4711$/, () => bindTo(path));
    for (const bound of [first, second]) unlinkBoundPath(bound);
    expect(lstatSync(`${path}.lock`).isFile()).toBe(true);
  });

  test("follows no link that stands in the place of the lock", () => {
    using directory = new TemporaryDirectory();
    symlinkSync(directory.at("elsewhere"), directory.at("v.sock.lock"));
    expectRefused("PermissionDenied", /its lock .* must not be a symlink/, () =>
      bindTo(directory.at("v.sock")),
    );
    expect(() => lstatSync(directory.at("elsewhere"))).toThrow("ENOENT");
  });
});

/** A process that has the lock of `file`, and wrote 4711 into it. */
async function lockHolder(file: string) {
  const child = Bun.spawn(["flock", "--no-fork", file, "sh", "-c", "echo locked; exec sleep 60"], {
    stdout: "pipe",
  });
  await child.stdout.getReader().read();
  writeFileSync(file, "4711\n");
  return {
    ended: child.exited,
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}

describe("bindDescriptor() and the parent directory", () => {
  test("refuses a directory that does not exist and says how to make it", () => {
    using directory = new TemporaryDirectory();
    const error = refusal(() => bindTo(directory.at("none/v.sock")));
    expect(error.fault).toBe("InvalidInput");
    expect(error.message).toBe(
      `cannot bind ${directory.at("none/v.sock")}: its directory ${directory.at("none")} does not exist`,
    );
    expect(error.hint).toContain(`install -d -m 0755 ${directory.at("none")}`);
  });

  test("refuses a file as parent", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("file"), "");
    expectRefused("InvalidInput", /is not a directory/, () => bindTo(directory.at("file/v.sock")));
    expectRefused("InvalidInput", /does not exist/, () => bindTo(directory.at("file/deep/v.sock")));
  });

  test("refuses a symbolic link as parent, even to a good directory", () => {
    using directory = new TemporaryDirectory();
    mkdirSync(directory.at("real"), { mode: 0o755 });
    symlinkSync(directory.at("real"), directory.at("link"));
    expectRefused("InvalidInput", /is a symbolic link/, () => bindTo(directory.at("link/v.sock")));
  });

  test.each(["0777", "0775", "0757", "0722"])(
    "refuses a parent of mode %s without sticky bit and mentions the bit",
    (octal) => {
      using directory = new TemporaryDirectory();
      const parent = directory.at("parent");
      mkdirSync(parent);
      chmodSync(parent, Number.parseInt(octal, 8));
      const error = refusal(() => bindTo(`${parent}/v.sock`));
      expect(error.fault).toBe("PermissionDenied");
      expect(error.message).toContain("sticky bit");
      expect(error.message).toContain(`has mode ${octal}`);
    },
  );

  test.each(["1777", "0755", "0700", "0711"])("accepts a parent of mode %s", (octal) => {
    using directory = new TemporaryDirectory();
    const parent = directory.at("parent");
    mkdirSync(parent);
    chmodSync(parent, Number.parseInt(octal, 8));
    expect(bindTo(`${parent}/v.sock`).directorySynced).toBe(true);
  });

  test.skipIf(!AS_ROOT)("refuses a parent of a foreign owner (giving one away needs root)", () => {
    using directory = new TemporaryDirectory();
    chownSync(directory.path, NOBODY, NOBODY);
    expectRefused(
      "PermissionDenied",
      /found .* owned by uid 65534; want uid 0 or root, because/,
      () => bindTo(directory.at("v.sock")),
    );
  });

  test("reports that a directory above is closed, as a fault of the world", () => {
    expectRefused("PermissionDenied", /cannot stat .*ENAMETOOLONG/, () =>
      bindTo(`/${"d".repeat(300)}/v.sock`),
    );
  });
});

describe("bindDescriptor() and permissions", () => {
  for (const mask of [0o000, 0o022, 0o077, 0o777]) {
    test.each(["0600", "0660", "0666", "0777", "0000"])(
      `makes mode %s exactly, under umask ${mask.toString(8)}, and restores the umask`,
      (octal) => {
        const mode = Number.parseInt(octal, 8);
        using directory = new TemporaryDirectory();
        const before = umask(mask);
        try {
          bindTo(directory.at("v.sock"), { mode });
          expect(currentUmask()).toBe(mask);
        } finally {
          umask(before);
        }
        expect(modeAt(directory.at("v.sock"))).toBe(mode);
      },
    );
  }

  test("uses the permission bits of the mode only", () => {
    using directory = new TemporaryDirectory();
    bindTo(directory.at("v.sock"), { mode: 0o1640 });
    expect(modeAt(directory.at("v.sock"))).toBe(0o640);
  });

  test("restores the umask when the kernel refuses the bind", () => {
    using directory = new TemporaryDirectory();
    const before = umask(0o027);
    try {
      expectRefused("PermissionDenied", /EBADF/, () => bindTo(directory.at("v.sock"), { fd: -1 }));
      expect(currentUmask()).toBe(0o027);
      bindTo(directory.at("v.sock"));
      expectRefused("AddrInUse", /already running/, () => bindTo(directory.at("v.sock")));
      expect(currentUmask()).toBe(0o027);
    } finally {
      umask(before);
    }
  });

  test.skipIf(!AS_ROOT)("gives the socket to a group (a foreign group needs root)", () => {
    using directory = new TemporaryDirectory();
    bindTo(directory.at("v.sock"), { mode: 0o660, gid: NOBODY });
    const status = lstatSync(directory.at("v.sock"));
    expect([status.uid, status.gid, status.mode & 0o777]).toEqual([0, NOBODY, 0o660]);
  });

  // Root may use any group, so an unprivileged process makes the attempt.
  const noAttempt = AS_ROOT ? NO_OTHER_USERS : "";
  test.skipIf(noAttempt !== "")(
    `removes its socket again if the group cannot be set${noAttempt}`,
    () => {
      using directory = new TemporaryDirectory();
      const gid = 2 ** 32 - 2;
      if (AS_ROOT) {
        chownSync(directory.path, NOBODY, NOBODY);
        expect(bindAsNobody(directory.at("v.sock"), 0)).toMatch(
          /^SocketPathError PermissionDenied cannot give .*v\.sock to group 0: EPERM/,
        );
      } else {
        expectRefused("PermissionDenied", /cannot give/, () =>
          bindTo(directory.at("v.sock"), { gid }),
        );
      }
      expect(() => lstatSync(directory.at("v.sock"))).toThrow("ENOENT");
    },
  );

  test.skipIf(NO_OTHER_USERS !== "")(
    `reports that a stale socket of another user cannot be replaced${NO_OTHER_USERS}`,
    () => {
      using directory = new TemporaryDirectory();
      chmodSync(directory.path, 0o1777);
      const ino = leaveStale(directory.at("v.sock"), SOCK_DGRAM);
      chmodSync(directory.at("v.sock"), 0o777);
      const child = bindAsNobody(directory.at("v.sock"));
      expect(child).toMatch(
        /^SocketPathError PermissionDenied cannot bind .*: cannot replace the stale socket there: EPERM/,
      );
      expect(inodeAt(directory.at("v.sock"))).toBe(ino);
    },
  );
});

describe("unlinkBoundPath()", () => {
  test("removes its socket", () => {
    using directory = new TemporaryDirectory();
    const bound = bindTo(directory.at("v.sock"));
    unlinkBoundPath(bound);
    expect(() => lstatSync(bound.path)).toThrow("ENOENT");
  });

  test("finds nothing wrong with a missing file", () => {
    using directory = new TemporaryDirectory();
    const bound = bindTo(directory.at("v.sock"));
    unlinkSync(bound.path);
    expect(() => unlinkBoundPath(bound)).not.toThrow();
  });

  test("leaves the socket of a newer instance at the same path", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const older = bindTo(path);
    // Kept under another name, so that its inode number cannot be given to the newer one.
    renameSync(path, directory.at("moved"));
    const newer = bindTo(path);
    unlinkBoundPath(older);
    expect(inodeAt(path)).toBe(newer.ino);
  });

  test("leaves a file that took the place of its socket", () => {
    using directory = new TemporaryDirectory();
    const bound = bindTo(directory.at("v.sock"));
    renameSync(bound.path, directory.at("moved"));
    writeFileSync(bound.path, "precious");
    unlinkBoundPath(bound);
    expect(readFileSync(bound.path, "utf8")).toBe("precious");
  });
});
