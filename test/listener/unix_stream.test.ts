// The Unix stream listener with real sockets and real senders (spec 05 section 10).
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  AF_UNIX,
  EPIPE,
  F_DUPFD_CLOEXEC,
  IS_LINUX,
  POLLIN,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { openPipe, type Pipe } from "../../ffi/pipe.ts";
import { PollSet } from "../../ffi/poll.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { STREAM_CONNECTIONS_PER_PID_MAX } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { crc32c } from "../../src/wire/crc32c.ts";
import { CLOSE_REASONS } from "../../src/listener/stream_close.ts";
import { STREAM } from "../../src/listener/stream_counters.ts";
import { StreamPlaces } from "../../src/listener/stream_places.ts";
import {
  UnixStreamListener,
  type UnixStreamListenerOptions,
} from "../../src/listener/unix_stream.ts";
import { UnixStreamSocket } from "../../src/listener/unix_stream_socket.ts";
import { fromListener } from "../../src/observer/library.ts";
import { nowGeneration } from "../../src/processes/generation.ts";
import { KeptSockets } from "../../src/sockets/kept_sockets.ts";
import { encode } from "../../src/wire/encode.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const opened: Disposable[] = [];
afterEach(() => {
  for (const one of opened.splice(0).reverse()) one[Symbol.dispose]();
});

function listen(changes: Partial<UnixStreamListenerOptions> = {}): UnixStreamListener {
  const directory = new TemporaryDirectory();
  opened.push(directory);
  const listener = new UnixStreamListener({
    name: "main",
    path: directory.at("s.sock"),
    mode: 0o600,
    gid: undefined,
    allowList: undefined,
    places: new StreamPlaces(),
    fdEnd: Number.POSITIVE_INFINITY,
    nowGeneration,
    ...changes,
  });
  opened.push({ [Symbol.dispose]: () => listener.close() });
  return listener;
}

function connectTo({ path }: UnixStreamListener): number {
  const fd = check(openSocket(AF_UNIX, SOCK_STREAM), "open");
  check(connect(fd, unixAddress(path)), "connect");
  return fd;
}

/** Ends with the test. */
function client(listener: UnixStreamListener): number {
  const fd = connectTo(listener);
  opened.push({ [Symbol.dispose]: () => close(fd) });
  return fd;
}

const OWN = { pid: process.pid };

function frame(nonce: number, pid = process.pid): Uint8Array {
  return encode({ status: "ok", pid, timestamp: 1n, nonce: BigInt(nonce), payload: nonce });
}

interface Row {
  readonly verdict: number;
  readonly origin: number;
  readonly pid: number;
  readonly uid: number;
  readonly payload: number;
  readonly hasPidfd: boolean;
}

/** All that has come, and then nothing waits. */
function drain(listener: UnixStreamListener, nowNs = 0): Row[] {
  const rows: Row[] = [];
  const { batch } = listener;
  for (;;) {
    const count = check(listener.receive(nowNs), "receive");
    for (let i = 0; i < count; i++)
      rows.push({
        verdict: batch.verdict[i]!,
        origin: batch.origin[i]!,
        pid: batch.peerPid[i]!,
        uid: batch.peerUid[i]!,
        payload: batch.words[batch.frameWord[i]! + 6]!,
        hasPidfd: batch.pidfd[i]! >= 0 && listener.senderHasPid(i),
      });
    if (count < batch.countMax) return rows;
  }
}

function payloads(rows: readonly Row[]): number[] {
  return rows.map(({ payload }) => payload);
}

function closed({ streams }: UnixStreamListener): Record<string, number> {
  const counts = CLOSE_REASONS.map(
    (reason) => [reason, streams.get(STREAM.closed[reason])] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

function connectionsOf({ streams }: UnixStreamListener): number {
  streams.refresh(0);
  return streams.get(STREAM.connections);
}

/** A child that writes `bytes` into the open descriptor of a connection of ours. */
async function writeAsChild(fd: number, bytes: Uint8Array): Promise<number> {
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  const child = Bun.spawn(["sh", "-c", `printf '${octal}' >&3`], {
    stdio: ["ignore", "inherit", "inherit", fd],
  });
  expect(await child.exited).toBe(0);
  return child.pid;
}

describe.if(IS_LINUX)("UnixStreamListener", () => {
  test("takes hellos and byes among the frames, and closes after one that is broken", () => {
    const listener = listen();
    const fd = client(listener);
    const hello = encodeControl({ kind: "hello", ...OWN, nonce: 1n, intervalMs: 0, name: "web" });
    const bye = encodeControl({ kind: "bye", ...OWN, nonce: 3n });
    send(fd, Uint8Array.from([...hello, ...frame(2), ...bye, ...frame(4)]));
    const rows = drain(listener);
    expect(rows.map(({ verdict }) => verdict)).toEqual([
      VERDICT_CONTROL,
      VERDICT_PASS,
      VERDICT_CONTROL,
      VERDICT_PASS,
    ]);
    expect(rows[0]).toMatchObject({ origin: ORIGIN_KERNEL_ATTESTED, pid: process.pid });
    expect(closed(listener)).toEqual({});
    // What it says may be wrong, and the next one still begins where it ends.
    const unknown = hello.slice();
    unknown[3] = 9;
    new DataView(unknown.buffer).setUint32(60, crc32c(unknown.subarray(0, 60)), true);
    send(fd, Uint8Array.from([...unknown, ...frame(5)]));
    expect(drain(listener).map(({ verdict }) => verdict)).toEqual([VERDICT_CONTROL, VERDICT_PASS]);
    expect(closed(listener)).toEqual({});
    bye[60]! ^= 1;
    send(fd, bye);
    expect(drain(listener).map(({ verdict }) => verdict)).toEqual([VERDICT_CONTROL]);
    expect(closed(listener)).toEqual({ crc: 1 });
  });

  test("takes the frames of a connection in their order, attested by the kernel", () => {
    const listener = listen();
    const fd = client(listener);
    for (let i = 1; i <= 5; i++) send(fd, frame(i));
    const rows = drain(listener);
    expect(payloads(rows)).toEqual([1, 2, 3, 4, 5]);
    expect(rows[0]).toMatchObject({
      verdict: VERDICT_PASS,
      origin: ORIGIN_KERNEL_ATTESTED,
      pid: process.pid,
      uid: effectiveUid(),
    });
    expect(closed(listener)).toEqual({});
  });

  test("its descriptor is readable when a connection waits, and when a frame came", () => {
    const listener = listen();
    const poll = new PollSet(1);
    poll.add(listener.fd, POLLIN);
    expect(poll.wait(0)).toBe(0);
    const fd = client(listener);
    expect(poll.wait(0)).toBe(1);
    drain(listener);
    expect(poll.wait(0)).toBe(0);
    send(fd, frame(1));
    expect(poll.wait(0)).toBe(1);
    expect(payloads(drain(listener))).toEqual([1]);
    expect(poll.wait(0)).toBe(0);
  });

  test("two frames in one write, and one cut at every byte, are what was sent", () => {
    const listener = listen();
    const fd = client(listener);
    send(fd, Uint8Array.from([...frame(1), ...frame(2)]));
    expect(payloads(drain(listener))).toEqual([1, 2]);
    for (let cut = 1; cut < 32; cut++) {
      send(fd, frame(cut + 2).subarray(0, cut));
      expect(drain(listener)).toEqual([]);
      send(fd, frame(cut + 2).subarray(cut));
      expect(payloads(drain(listener))).toEqual([cut + 2]);
    }
    expect(closed(listener)).toEqual({});
  });

  test.each([
    ["magic", 0],
    ["version", 2],
    ["crc", 30],
  ])("a frame with a wrong %s is handed on, and ends its connection", (reason, at) => {
    const listener = listen();
    const fd = client(listener);
    const wrong = frame(1);
    wrong[at]! ^= 0x40;
    send(fd, wrong);
    send(fd, frame(2));
    expect(drain(listener)).toHaveLength(1);
    expect(closed(listener)).toEqual({ [reason]: 1 });
    expect(connectionsOf(listener)).toBe(0);
  });

  test("a well-formed frame that is refused does not end it", () => {
    const listener = listen();
    const fd = client(listener);
    send(fd, encode({ status: "ok", pid: 4_000, timestamp: 1n, nonce: 1n, payload: 1 }));
    send(fd, frame(2));
    expect(payloads(drain(listener))).toEqual([1, 2]);
    expect(connectionsOf(listener)).toBe(1);
  });

  test("a child that writes into the connection of its parent is the child", async () => {
    const listener = listen();
    const fd = client(listener);
    send(fd, frame(1));
    const child = await writeAsChild(fd, frame(2));
    send(fd, frame(3));
    const rows = drain(listener);
    expect(rows.map(({ pid }) => pid)).toEqual([process.pid, child, process.pid]);
    // The child has ended, and the word of the parent's pidfd is not for it.
    expect(rows.map(({ hasPidfd }) => hasPidfd)).toEqual([true, false, true]);
    expect(closed(listener)).toEqual({});
  });

  test("half a frame never joins another sender's half", async () => {
    const listener = listen();
    const fd = client(listener);
    send(fd, frame(1).subarray(0, 16));
    await writeAsChild(fd, frame(1).subarray(16));
    send(fd, frame(2));
    expect(drain(listener)).toEqual([]);
    expect(closed(listener)).toEqual({ mixed_senders: 1 });
  });

  test("what the client closed is told apart by whether it was within a frame", () => {
    const listener = listen();
    const whole = connectTo(listener);
    send(whole, frame(1));
    close(whole);
    const half = connectTo(listener);
    send(half, frame(2).subarray(0, 31));
    close(half);
    expect(payloads(drain(listener))).toEqual([1]);
    expect(closed(listener)).toEqual({ by_client: 1, half_frame: 1 });
  });

  test("a connection without a frame is closed after five seconds, one with frames stays", () => {
    const listener = listen();
    const beating = client(listener);
    client(listener);
    send(beating, frame(1));
    drain(listener);
    drain(listener, 5 * NS_PER_S - 1);
    expect(connectionsOf(listener)).toBe(2);
    expect(listener.nextDueNs).toBe(5 * NS_PER_S);
    drain(listener, 5 * NS_PER_S);
    expect(closed(listener)).toEqual({ late_frame: 1 });
    expect(connectionsOf(listener)).toBe(1);
  });

  test("what came while the daemon stood still is read before it is late", () => {
    const listener = listen();
    const fd = client(listener);
    send(fd, frame(1).subarray(0, 10));
    drain(listener);
    send(fd, frame(1).subarray(10));
    expect(payloads(drain(listener, 5.5 * NS_PER_S))).toEqual([1]);
    send(fd, frame(2).subarray(0, 10));
    drain(listener, 5.5 * NS_PER_S);
    send(fd, frame(2).subarray(10));
    expect(payloads(drain(listener, 3_600 * NS_PER_S))).toEqual([2]);
    expect(closed(listener)).toEqual({});
  });

  test("the last frames of a process that has ended are taken, and then its connection is closed", async () => {
    const listener = listen();
    const script = `
      import os, select, socket, sys
      s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.connect(sys.argv[1])
      s.send(bytes.fromhex(sys.argv[2]))
      if os.fork() == 0: select.select([0], [], [])
    `.replaceAll(/^ {6}/gm, "");
    // The runtime's own pipe would be closed with the first of the two.
    const { readFd, writeFd } = openPipe() as Pipe;
    const child = Bun.spawn(["python3", "-c", script, listener.path, frame(7).toHex()], {
      stdin: readFd,
      stdout: "ignore",
    });
    await child.exited;
    expect(payloads(drain(listener))).toEqual([7]);
    expect(closed(listener)).toEqual({ process_ended: 1 });
    // What it left behind ends.
    for (const fd of [readFd, writeFd]) close(fd);
  });

  test("one process has 16 connections, and a place that it gives back is there again", () => {
    const listener = listen();
    const fds = Array.from({ length: STREAM_CONNECTIONS_PER_PID_MAX }, () => connectTo(listener));
    client(listener);
    drain(listener);
    expect(closed(listener)).toEqual({ limit_pid: 1 });
    close(fds.pop()!);
    drain(listener);
    client(listener);
    drain(listener);
    expect(closed(listener)).toEqual({ limit_pid: 1, by_client: 1 });
    expect(connectionsOf(listener)).toBe(STREAM_CONNECTIONS_PER_PID_MAX);
    for (const fd of fds) close(fd);
  });

  test("who is not on the allow list is closed before anything is read", () => {
    const listener = listen({ allowList: new AllowList([effectiveUid() + 1], []) });
    send(client(listener), frame(1));
    expect(drain(listener)).toEqual([]);
    expect(closed(listener)).toEqual({ uid: 1 });
  });

  test("no connection has a descriptor that is reserved", () => {
    const listener = listen({ fdEnd: 4 });
    client(listener);
    drain(listener);
    expect(closed(listener)).toEqual({ descriptors: 1 });
  });

  test("a connection that floods has one frame of a look, and each of the others has its turn", () => {
    const listener = listen();
    const flooding = client(listener);
    const quiet = client(listener);
    drain(listener);
    for (let i = 0; i < 100; i++) send(flooding, frame(1));
    send(quiet, frame(2));
    const count = listener.receive(0);
    expect(count).toBe(2);
    expect(listener.batch.countMax).toBe(2);
  });

  test("that is to end takes what has come, and its clients find that out with the next frame", () => {
    const listener = listen();
    const fd = client(listener);
    drain(listener);
    send(fd, frame(1));
    listener.beginEnd();
    expect(send(fd, frame(2))).toBe(-EPIPE);
    // Another one waits for the next daemon.
    client(listener);
    expect(payloads(drain(listener))).toEqual([1]);
    expect(closed(listener)).toEqual({ by_client: 1 });
  });

  test("says of a frame whether more waits of its connection", () => {
    const listener = listen();
    const long = client(listener);
    const short = client(listener);
    drain(listener);
    for (let i = 1; i <= 2; i++) send(long, frame(i));
    send(short, frame(3));
    const wereLast = [];
    for (let received = 0; received < 3; ) {
      const count = listener.receive(0);
      for (let i = 0; i < count; i++) wereLast.push(listener.wasLast(i));
      received += count;
    }
    expect(wereLast).toEqual([false, true, true]);
  });

  test("has a deadline for what it closes by age, which its observer knows of", () => {
    const listener = listen();
    const observer = fromListener(listener, { thresholdNs: NS_PER_S });
    expect(observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    client(listener);
    observer.poll();
    const { lastNs } = observer.clock;
    expect(observer.nextDeadline()).toBeWithin(lastNs + 4 * NS_PER_S, lastNs + 5 * NS_PER_S + 1);
  });

  test("descriptors are as many as before when it is closed", () => {
    const before = openDescriptors();
    const listener = listen();
    const fds = Array.from({ length: 5 }, () => connectTo(listener));
    drain(listener);
    // The connection at both ends, and a pidfd.
    expect(openedSince(before).length).toBeGreaterThanOrEqual(15);
    for (const fd of fds) close(fd);
    drain(listener);
    const left = client(listener);
    send(left, frame(1));
    drain(listener);
    listener.close();
    expect(openedSince(before).filter((one) => !one.startsWith(`${left} `))).toEqual([]);
  });

  test("a socket file that was lost is bound again, and who is connected stays so", async () => {
    const listener = listen();
    const fd = client(listener);
    drain(listener);
    await Bun.file(listener.path).delete();
    expect(listener.isInPlace()).toBe(false);
    listener.rebind();
    expect(listener.isInPlace()).toBe(true);
    send(fd, frame(1));
    send(client(listener), frame(2));
    expect(payloads(drain(listener)).sort()).toEqual([1, 2]);
  });

  test("it moves to another socket, and who is connected stays so", () => {
    const listener = listen();
    const fd = client(listener);
    drain(listener);
    const directory = new TemporaryDirectory();
    opened.push(directory);
    const path = directory.at("other.sock");
    const socket = new UnixStreamSocket({ path, mode: 0o600, gid: undefined });
    listener.moveTo(socket, true);
    expect(existsSync(listener.path)).toBe(false);
    const another = check(openSocket(AF_UNIX, SOCK_STREAM), "open");
    check(connect(another, unixAddress(path)), "connect");
    send(fd, frame(1));
    send(another, frame(2));
    expect(payloads(drain(listener)).sort()).toEqual([1, 2]);
    close(another);
  });

  test("the socket of one that gave it away outlives it", () => {
    const listener = listen();
    const { socket, path } = listener;
    listener.forsake();
    listener.close();
    expect(existsSync(path)).toBe(true);
    socket.close();
    expect(existsSync(path)).toBe(false);
  });

  test("what was sent between two daemons waits in the listening socket", () => {
    const names: string[] = [];
    const store = { add: (name: string) => names.push(name), remove: () => {}, has: () => true };
    const reports = {
      madeAnew: (_: string, reason: string) => expect(reason).toBe(""),
      disagrees: () => {},
      closed: () => {},
      leftAlone: () => {},
    };
    const before = new KeptSockets({ store, passed: [], queueLength: 10, reports });
    const listener = listen({ kept: before });
    expect(names[0]).toStartWith("varta-stream-q10-");
    const stored = libc.fcntl(listener.socket.fd, F_DUPFD_CLOEXEC, 0);
    before.beginEnd();
    listener.close();
    const fd = client(listener);
    send(fd, frame(1));
    // Another length of datagram queues is nothing to a stream.
    const passed = [{ fd: stored, name: names[0]! }];
    const after = new KeptSockets({ store, passed, queueLength: 512, reports });
    const { path } = listener;
    const next = listen({ path, kept: after });
    const [row] = drain(next);
    expect(row).toMatchObject({ payload: 1, pid: process.pid, hasPidfd: true });
    after.beginEnd();
  });

  test("a frame passes the checks of the observer in their order", () => {
    const listener = listen();
    const observer = fromListener(listener, { thresholdNs: NS_PER_S });
    const fd = client(listener);
    send(fd, frame(1));
    send(fd, frame(2, 4_000));
    send(fd, frame(1));
    send(fd, frame(3));
    const wrong = frame(4);
    wrong[30]! ^= 0x40;
    send(fd, wrong);
    const events: string[] = [];
    do {
      const event = observer.poll();
      if (event !== undefined) events.push(event.kind);
    } while (observer.lastPollConsumed);
    // The one between is out of order, which is counted and not told.
    expect(events).toEqual(["beat", "auth-failure", "beat", "decode"]);
    expect(closed(listener)).toEqual({ crc: 1 });
  });
});
