// The Unix listener with real sockets and real senders (spec 05 section 3; invariants I3, I9, I15,
// I16).
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dlopen } from "bun:ffi";
import { closeSync, existsSync, lstatSync, openSync, unlinkSync } from "node:fs";
import {
  AF_UNIX,
  ENOTSOCK,
  IS_LINUX,
  POLLIN,
  SO_PASSRIGHTS,
  SO_RCVBUF,
  SOCK_DGRAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { PollSet } from "../../ffi/poll.ts";
import { effectiveUid } from "../../ffi/process.ts";
import {
  close,
  connect,
  getSocketOption,
  openSocket,
  send,
  sendTo,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_REASONS,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { UnixListener, type UnixListenerOptions } from "../../src/listener/unix.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { HAS_PYTHON, HostileSender } from "./hostile_sender.ts";

setDefaultTimeout(TEST_MS_MAX);

const AS_ROOT = effectiveUid() === 0;

interface Row {
  readonly verdict: number;
  readonly origin: number;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly words: readonly number[];
}

const open: UnixListener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

function listen(
  directory: TemporaryDirectory,
  changes: Partial<UnixListenerOptions> = {},
): UnixListener {
  const listener = new UnixListener({
    name: "main",
    path: directory.at("v.sock"),
    mode: 0o600,
    gid: undefined,
    rcvbufBytes: 0,
    allowList: undefined,
    ...changes,
  });
  open.push(listener);
  return listener;
}

/** A listener to which the kernel lets descriptors through, as one before Linux 6.16 does. */
function listenToAll(directory: TemporaryDirectory): UnixListener {
  const listener = listen(directory);
  setSocketOption(listener.fd, SO_PASSRIGHTS, 1);
  return listener;
}

const CHANGED = { name: "main", mode: 0o600, gid: undefined, rcvbufBytes: 0, allowList: undefined };

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const other = new Uint8Array(size);
  other.set(bytes.subarray(0, size));
  return other;
}

function sendOne(path: string, bytes: Uint8Array): void {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
  check(sendTo(fd, bytes, unixAddress(path)), "send");
  close(fd);
}

/** The next `wanted` datagrams; fails after five seconds without one. */
function take(listener: UnixListener, wanted: number): Row[] {
  const rows: Row[] = [];
  const poll = new PollSet(1);
  poll.add(listener.fd, POLLIN);
  while (rows.length < wanted) {
    if (poll.wait(5_000) !== 1) throw new Error(`got ${rows.length} of ${wanted} datagrams`);
    const count = check(listener.receive(0), "receive");
    for (let i = 0; i < count; i++) rows.push(rowAt(listener, i));
  }
  return rows;
}

function rowAt({ batch }: UnixListener, i: number): Row {
  const start = batch.frameWord[i]!;
  return {
    verdict: batch.verdict[i]!,
    origin: batch.origin[i]!,
    pid: batch.peerPid[i]!,
    uid: batch.peerUid[i]!,
    gid: batch.peerGid[i]!,
    words: [...batch.words.subarray(start, start + 8)],
  };
}

function countBy(rows: readonly Row[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verdict } of rows) {
    const name = REJECT_REASONS[verdict] ?? "pass";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe("UnixListener.receive()", () => {
  test("returns 0 on an empty socket, without blocking", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const startMs = performance.now();
    for (let i = 0; i < 1_000; i++) expect(listener.receive(0)).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test("takes 64 bytes for a hello where it takes hellos, and for a wrong size where not", () => {
    using directory = new TemporaryDirectory();
    const bytes = encodeControl({ kind: "hello", pid: 7, nonce: 1n, intervalMs: 0, name: "web" });
    for (const [takesControl, verdict, length] of [
      [true, VERDICT_CONTROL, 64],
      [false, REJECT_WRONG_SIZE, 33],
    ] as const) {
      const listener = listen(directory, { takesControl, path: directory.at(`${length}.sock`) });
      for (const size of [63, 64, 65]) sendOne(listener.path, resized(bytes, size));
      const rows = take(listener, 3);
      const wrong = REJECT_WRONG_SIZE;
      expect(rows.map((row) => row.verdict)).toEqual([wrong, verdict, wrong]);
      expect(rows[1]).toMatchObject({ pid: process.pid, uid: process.getuid!() });
      if (!takesControl) continue;
      const at = listener.batch.frameWord[1]! * 4;
      expect(listener.batch.bytes.subarray(at, at + length)).toEqual(bytes);
      // So it is by another mode, and after a change.
      listener.change({ ...CHANGED, path: listener.path });
      sendOne(listener.path, bytes);
      expect(take(listener, 1)[0]!.verdict).toBe(VERDICT_CONTROL);
    }
  });

  test("passes a datagram of 32 bytes with the credentials of its sender", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    sendOne(
      listener.path,
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
    const [row] = take(listener, 1);
    expect(row).toEqual({
      verdict: VERDICT_PASS,
      origin: ORIGIN_KERNEL_ATTESTED,
      pid: process.pid,
      uid: effectiveUid(),
      gid: process.getegid!(),
      words: [
        0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918,
        0x1f1e1d1c,
      ],
    });
  });

  test.each([0, 1, 31, 33, 60, 64, 65_507])(
    "calls a datagram of %d bytes a wrong size and names its sender, on a quiet socket and a busy one",
    (sizeBytes) => {
      using directory = new TemporaryDirectory();
      const listener = listen(directory);
      for (let i = 0; i < 20; i++) {
        sendOne(listener.path, new Uint8Array(sizeBytes));
        const [row] = take(listener, 1);
        expect([row!.verdict, row!.pid, row!.uid]).toEqual([
          REJECT_WRONG_SIZE,
          process.pid,
          effectiveUid(),
        ]);
      }
    },
  );

  test("tells good from bad datagrams of one batch, each for itself, batch after batch", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    for (let round = 0; round < 50; round++) {
      const sizes = [32, 33, 32, 0, 32];
      for (const size of sizes) sendOne(listener.path, new Uint8Array(size));
      const rows = take(listener, sizes.length);
      expect(rows.map(({ verdict }) => verdict === VERDICT_PASS)).toEqual(
        sizes.map((s) => s === 32),
      );
      expect(rows.map(({ pid }) => pid)).toEqual(sizes.map(() => process.pid));
    }
  });

  test.skipIf(!HAS_PYTHON)(
    "has credentials on a datagram that was sent the moment the path existed (needs python3)",
    async () => {
      using directory = new TemporaryDirectory();
      const rounds = 20;
      const script = [
        "import socket, sys",
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
        `for i in range(${rounds}):`,
        "    while True:",
        "        try:",
        "            s.sendto(b'V' * 32, sys.argv[1] + str(i))",
        "            break",
        "        except (FileNotFoundError, ConnectionRefusedError, PermissionError): pass",
      ];
      const path = directory.at("v.sock");
      const sender = Bun.spawn(["python3", "-c", script.join("\n"), path]);
      try {
        for (let i = 0; i < rounds; i++) {
          const [row] = take(listen(directory, { path: `${path}${i}` }), 1);
          expect([row!.verdict, row!.origin, row!.pid]).toEqual([
            VERDICT_PASS,
            ORIGIN_KERNEL_ATTESTED,
            sender.pid,
          ]);
        }
      } finally {
        sender.kill("SIGKILL");
        await sender.exited;
      }
    },
  );
});

describe.skipIf(!IS_LINUX)("UnixListener and when its datagrams were sent (Linux)", () => {
  /** A listener whose clock of start times is set by hand. */
  function timed(directory: TemporaryDirectory) {
    const time = { generation: 100 };
    const listener = listen(directory, { nowGeneration: () => time.generation });
    const receiveAt = (generation: number): [number, number] => {
      time.generation = generation;
      return [listener.receive(0), listener.batch.sentAfterGeneration];
    };
    const send = (count: number) => {
      for (let i = 0; i < count; i++) sendOne(listener.path, new Uint8Array(32));
    };
    return { listener, receiveAt, send };
  }

  test("before its first receive that is when it was bound", () => {
    using directory = new TemporaryDirectory();
    const { receiveAt, send } = timed(directory);
    send(1);
    expect(receiveAt(200)).toEqual([1, 100]);
  });

  test("the receive that takes the last ones says nothing about those, but about the next", () => {
    using directory = new TemporaryDirectory();
    const { receiveAt, send } = timed(directory);
    send(1);
    expect(receiveAt(200)).toEqual([1, 100]);
    send(1);
    expect(receiveAt(300)).toEqual([1, 200]);
    expect(receiveAt(400)).toEqual([0, 300]);
    send(1);
    expect(receiveAt(500)).toEqual([1, 400]);
  });

  test("a full batch is no sign that the socket was empty", () => {
    using directory = new TemporaryDirectory();
    const { listener, receiveAt, send } = timed(directory);
    const batches = Math.floor((listener.queueLength ?? 11) / BATCH_SIZE);
    if (batches === 0) return;
    send(batches * BATCH_SIZE);
    for (let i = 1; i <= batches; i++) expect(receiveAt(200 + i)).toEqual([BATCH_SIZE, 100]);
    expect(receiveAt(300)).toEqual([0, 100]);
    send(1);
    expect(receiveAt(400)).toEqual([1, 300]);
  });

  test("nor is a receive that failed, or one that the next call calls broken off", () => {
    using directory = new TemporaryDirectory();
    const { listener, receiveAt, send } = timed(directory);
    expect(receiveAt(200)).toEqual([0, 100]);
    const { dup, dup2 } = dlopen("libc.so.6", {
      dup: { args: ["i32"], returns: "i32" },
      dup2: { args: ["i32", "i32"], returns: "i32" },
    }).symbols;
    const socket = dup(listener.fd);
    const file = openSync("/dev/null", "r");
    dup2(file, listener.fd);
    expect(receiveAt(300)).toEqual([-ENOTSOCK, 100]);
    dup2(socket, listener.fd);
    closeSync(file);
    close(socket);
    send(1);
    expect(receiveAt(400)).toEqual([1, 100]);
  });

  test("without a clock nothing is ever known", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    listener.receive(0);
    sendOne(listener.path, new Uint8Array(32));
    expect(listener.receive(0)).toBe(1);
    expect(listener.batch.sentAfterGeneration).toBeNaN();
  });
});

describe.skipIf(!HAS_PYTHON)("UnixListener and attached descriptors (needs python3)", () => {
  test("discards them in the kernel: thousands leave the descriptors as they were", async () => {
    using directory = new TemporaryDirectory();
    const listener = listenToAll(directory);
    await using sender = new HostileSender();
    const { path } = listener;
    sender.send({ path, count: 1, sizeBytes: 32 });
    take(listener, 1);
    const before = openDescriptors();
    sender.send({ path, count: 2_000, sizeBytes: 32, descriptors: 1 });
    sender.send({ path, count: 50, sizeBytes: 32, descriptors: 5 });
    sender.send({ path, count: 100, sizeBytes: 32, descriptors: 253 });
    expect(countBy(take(listener, 2_150))).toEqual({ ctrl_truncated: 2_150 });
    expect(openedSince(before)).toEqual([]);
  });

  test("truncated control data wins over a wrong size", async () => {
    using directory = new TemporaryDirectory();
    const listener = listenToAll(directory);
    await using sender = new HostileSender();
    for (const sizeBytes of [0, 31, 33, 64])
      sender.send({ path: listener.path, count: 10, sizeBytes, descriptors: 1 });
    const rows = take(listener, 40);
    expect(countBy(rows)).toEqual({ ctrl_truncated: 40 });
    expect(rows.every(({ verdict, pid }) => verdict === REJECT_CTRL_TRUNCATED && pid === 0)).toBe(
      true,
    );
  });

  test("a good datagram after them has its credentials", async () => {
    using directory = new TemporaryDirectory();
    const listener = listenToAll(directory);
    await using sender = new HostileSender();
    for (let round = 0; round < 5; round++) {
      sender.send({ path: listener.path, count: 2, sizeBytes: 32, descriptors: 253 });
      sender.send({ path: listener.path, count: 1, sizeBytes: 32 });
    }
    const rows = take(listener, 15);
    expect(countBy(rows)).toEqual({ ctrl_truncated: 10, pass: 5 });
    for (const { verdict, pid } of rows)
      expect(pid).toBe(verdict === VERDICT_PASS ? sender.pid : 0);
  });
});

describe("UnixListener.rebind()", () => {
  const frame = new Uint8Array(32);

  function connected(path: string): number {
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    check(connect(fd, unixAddress(path)), "connect");
    return fd;
  }

  test("makes a socket at the path, and goes on with what the old one holds and gets", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory, { mode: 0o620 });
    const sender = connected(listener.path);
    check(send(sender, frame), "send");
    unlinkSync(listener.path);
    expect(listener.isInPlace()).toBe(false);
    const formerFd = listener.fd;
    listener.rebind(0);
    expect(listener.isInPlace()).toBe(true);
    expect(lstatSync(listener.path).mode & 0o777).toBe(0o620);
    expect(listener.formerFd).toBe(formerFd);
    expect(listener.receive(0)).toBe(1);
    check(send(sender, frame), "send");
    sendOne(listener.path, frame);
    expect([listener.receive(0), listener.receive(0), listener.receive(0)]).toEqual([1, 1, 0]);
    close(sender);
  });

  test("lets neither socket wait until the other one is empty", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const sender = connected(listener.path);
    unlinkSync(listener.path);
    listener.rebind(0);
    let formerTaken = 0;
    for (let turn = 0; turn < 4; turn++) {
      check(send(sender, frame), "send");
      sendOne(listener.path, new Uint8Array(31));
      listener.receive(0);
      if (listener.batch.verdict[0] === VERDICT_PASS) formerTaken++;
    }
    expect(formerTaken).toBe(2);
    close(sender);
  });

  test("knows of each socket when it was empty", () => {
    using directory = new TemporaryDirectory();
    let generation = 100;
    const listener = listen(directory, { nowGeneration: () => generation });
    const sender = connected(listener.path);
    unlinkSync(listener.path);
    generation = 200;
    listener.rebind(0);
    generation = 300;
    const seen: number[] = [];
    check(send(sender, frame), "send");
    sendOne(listener.path, frame);
    for (let i = 0; i < 2; i++) {
      expect(listener.receive(0)).toBe(1);
      seen.push(listener.batch.sentAfterGeneration);
    }
    expect(seen.sort()).toEqual([100, 200]);
    close(sender);
  });

  test("that fails leaves everything as it was, and no descriptor behind", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const { fd } = listener;
    const before = openDescriptors();
    expect(() => listener.rebind(0)).toThrow("another varta-watch is already running");
    expect(openedSince(before)).toEqual([]);
    expect([listener.fd, listener.formerFd]).toEqual([fd, -1]);
    sendOne(listener.path, frame);
    expect(listener.receive(0)).toBe(1);
  });

  test("closes the socket before the last one, and close() closes all and removes its file", () => {
    using directory = new TemporaryDirectory();
    const before = openDescriptors();
    const listener = listen(directory);
    for (let i = 0; i < 3; i++) {
      unlinkSync(listener.path);
      listener.rebind(0);
    }
    // Two sockets, and the lock of their path.
    expect(openedSince(before)).toHaveLength(3);
    listener.close();
    expect(openedSince(before)).toEqual([]);
    expect(existsSync(listener.path)).toBe(false);
  });
});

describe("UnixListener and the identity of senders", () => {
  test.skipIf(!HAS_PYTHON || !AS_ROOT)(
    "reports what the kernel accepted: root may state another live pid, uid and gid (needs root and python3)",
    async () => {
      using directory = new TemporaryDirectory();
      const listener = listen(directory);
      await using sender = new HostileSender();
      const credentials = { pid: process.pid, uid: 1234, gid: 4_000_000_000 };
      sender.send({ path: listener.path, count: 1, sizeBytes: 32, credentials });
      const [row] = take(listener, 1);
      expect([row!.verdict, row!.origin, row!.pid, row!.uid, row!.gid]).toEqual([
        VERDICT_PASS,
        ORIGIN_KERNEL_ATTESTED,
        process.pid,
        1234,
        4_000_000_000,
      ]);
    },
  );

  test.skipIf(!AS_ROOT)(
    "calls a sender that its pid namespace cannot name SocketModeOnly, never attested (needs root)",
    async () => {
      using directory = new TemporaryDirectory();
      const path = directory.at("v.sock");
      // The listener lives in a child pid namespace, where this process, outside, has no pid.
      const script = [
        `import { UnixListener } from "${import.meta.dir}/../../src/listener/unix.ts";`,
        "const listener = new UnixListener({ name: 'x', path: process.argv.at(-1), mode: 0o600,",
        "  gid: undefined, rcvbufBytes: 0, allowList: undefined });",
        "console.log('bound');",
        "while (listener.receive(0) === 0) await Bun.sleep(1);",
        "const { verdict, origin, peerPid } = listener.batch;",
        "console.log(JSON.stringify([verdict[0], origin[0], peerPid[0]]));",
        "listener.close();",
      ];
      const child = Bun.spawn(
        [
          "unshare",
          "--pid",
          "--fork",
          "--kill-child",
          process.execPath,
          "-e",
          script.join("\n"),
          path,
        ],
        { stdout: "pipe", stderr: "inherit" },
      );
      const lines: string[] = [];
      for await (const chunk of child.stdout) {
        lines.push(...new TextDecoder().decode(chunk).trim().split("\n"));
        if (lines.length === 1) sendOne(path, new Uint8Array(32));
      }
      expect(lines).toEqual(["bound", JSON.stringify([VERDICT_PASS, ORIGIN_SOCKET_MODE_ONLY, 0])]);
    },
  );
});

describe("UnixListener and its socket", () => {
  test("reports the receive buffer as the kernel granted it", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory, { rcvbufBytes: 65_536 });
    expect(listener.rcvbufBytes).toBe(getSocketOption(listener.fd, SO_RCVBUF));
    // Linux doubles what was asked for.
    expect(listener.rcvbufBytes).toBe(131_072);
  });

  test("leaves the kernel's buffer alone when none is asked for", () => {
    using directory = new TemporaryDirectory();
    expect(listen(directory).rcvbufBytes).toBe(0);
  });

  test("close() removes its socket file, once, and may be called again", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const own = [...openDescriptors()].find((one) => one.startsWith(`${listener.fd} socket:`))!;
    listener.close();
    expect(() => lstatSync(listener.path)).toThrow("ENOENT");
    expect(openDescriptors()).not.toContain(own);
    const newer = listen(directory);
    listener.close();
    expect(lstatSync(newer.path).isSocket()).toBe(true);
    expect(newer.receive(0)).toBe(0);
  });

  test("a constructor that is refused leaks no descriptor", () => {
    using directory = new TemporaryDirectory();
    listen(directory);
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) expect(() => listen(directory)).toThrow("already running");
    expect(openedSince(before)).toEqual([]);
  });

  test("reports what it is", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory, { name: "agents" });
    expect([listener.kind, listener.name, listener.allowList]).toEqual([
      "unix",
      "agents",
      undefined,
    ]);
  });
});
