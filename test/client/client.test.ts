// The client against real sockets: a bound receiver reads what an observer would read.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { AF_UNIX, CLOCK_MONOTONIC, SOCK_DGRAM } from "../../ffi/constants.ts";
import { clockNs } from "../../ffi/clock.ts";
import { close, openSocket } from "../../ffi/socket.ts";
import type { AgentSystem } from "../../src/client/agent_system.ts";
import { bunPlatform } from "../../src/client/bun_platform.ts";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { type AgentStatus, connect } from "../../src/client/mod.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { BoundReceiver, frameOf } from "./bound_receiver.ts";
import { fixedSystem, settableSystem, unixEnd } from "./systems.ts";

setDefaultTimeout(TEST_MS_MAX);

const MORE_THAN_ANY_QUEUE = 2_000;

describe("client.beat()", () => {
  test("sends the 32 bytes of the specification", () => {
    using receiver = new BoundReceiver();
    using client = new Client(
      unixEnd(receiver.path),
      parts({ system: fixedSystem(0x1234, 3, 21) }),
    );
    expect(client.beat("degraded", 0xdead_beef)).toEqual({
      kind: "sent",
      reason: "",
      text: "Beat sent",
    });
    const [received] = receiver.receive();
    const expected = [
      ...[0x56, 0x41, 0x02, 0x01],
      ...[0x34, 0x12, 0x00, 0x00],
      // 3,000,000,021 ns = 0xb2d05e15
      ...[0x15, 0x5e, 0xd0, 0xb2, 0x00, 0x00, 0x00, 0x00],
      ...[0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
      ...[0xef, 0xbe, 0xad, 0xde],
    ];
    expect(received!.size).toBe(32);
    expect([...received!.bytes.subarray(0, 28)]).toEqual(expected);
    const words = new Uint32Array(received!.bytes.slice().buffer);
    expect(decodeFrame(words, 0)).toBe(0);
  });

  test("carries the pid that the kernel attests, and the monotonic clock", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    const beforeNs = clockNs(CLOCK_MONOTONIC);
    client.beat();
    const afterNs = clockNs(CLOCK_MONOTONIC);
    const [received] = receiver.receive();
    const frame = frameOf(received!);
    expect(received!.pid).toBe(process.pid);
    expect(frame.pid).toBe(process.pid);
    expect(Number(frame.timestamp)).toBeGreaterThanOrEqual(beforeNs);
    expect(Number(frame.timestamp)).toBeLessThanOrEqual(afterNs);
  });

  test("counts nonces from 1 and passes status and payload on", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    client.beat();
    client.beat("degraded");
    client.beat("critical", 0xffff_ffff);
    const rows = receiver.frames().map(({ status, nonce, payload }) => [status, nonce, payload]);
    expect(rows).toEqual([
      ["ok", 1n, 0],
      ["degraded", 2n, 0],
      ["critical", 3n, 0xffff_ffff],
    ]);
    expect(client.nextNonce).toBe(4n);
    expect(client.counters).toEqual({
      sent: 3,
      dropped: 0,
      queueFull: 0,
      noObserver: 0,
      failed: 0,
      connects: 1,
    });
  });

  test("wraps the nonce from 2^64-2 to 0", () => {
    using receiver = new BoundReceiver();
    const stream = new BeatStream(0xffff_ffff, 0xffff_fffe);
    using client = new Client(unixEnd(receiver.path), parts({ stream }));
    client.beat("critical");
    client.beat();
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([2n ** 64n - 2n, 0n]);
  });

  test("works when it is taken off the client, as setInterval does", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    const { beat } = client;
    expect(beat().kind).toBe("sent");
    expect(receiver.frames()).toHaveLength(1);
  });

  test("goes on with the nonces after close() and connect()", () => {
    using receiver = new BoundReceiver();
    const first = connect(receiver.path);
    first.beat();
    first.close();
    using second = connect(receiver.path);
    second.beat();
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([1n, 2n]);
  });

  test("shares one nonce stream between two clients of one path", () => {
    using receiver = new BoundReceiver();
    using a = connect(receiver.path);
    using b = connect(receiver.path);
    a.beat();
    b.beat();
    a.beat();
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([1n, 2n, 3n]);
  });
});

describe("client.beat() to a full queue", () => {
  test("is dropped, and the next beat re-sends the nonce", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    const sentCount = fill(client);
    expect(client.beat()).toEqual({
      kind: "dropped",
      reason: "queue_full",
      text: "Beat dropped: the queue to the observer is full",
    });
    expect(client.counters.queueFull).toBe(2);
    const before = receiver.frames().map((frame) => frame.nonce);
    expect(client.beat("degraded").kind).toBe("sent");
    const [after] = receiver.frames();
    expect(before).toEqual(Array.from({ length: sentCount }, (_, i) => BigInt(i + 1)));
    expect(after!.nonce).toBe(BigInt(sentCount + 1));
    expect(after!.status).toBe("degraded");
    expect(client.counters.connects).toBe(1);
  });
});

describe("client.beat() without an observer", () => {
  test("is dropped where the path does not exist", () => {
    using client = connect("/nowhere/varta.sock");
    expect(client.beat()).toEqual({
      kind: "dropped",
      reason: "no_observer",
      text: "Beat dropped: no observer listens there",
    });
    expect(client.counters.noObserver).toBe(1);
    expect(client.counters.connects).toBe(0);
  });

  test("is dropped where the path is a socket that no process holds", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path, { reconnectMs: 0 });
    client.beat();
    receiver.abandon();
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
  });

  test("is dropped where the path is a plain file, which refuses like a dead socket", () => {
    using receiver = new BoundReceiver();
    const file = `${receiver.path}.file`;
    writeFileSync(file, "");
    using client = connect(file);
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
  });

  test("fails with the system's reason where waiting cannot help", () => {
    using receiver = new BoundReceiver();
    using client = connect(`${receiver.path}/varta.sock`);
    expect(client.beat()).toEqual({
      kind: "failed",
      reason: "ENOTDIR",
      text: "cannot send beat: ENOTDIR (not a directory)",
    });
    expect(client.beat()).toBe(client.beat());
  });

  test("reaches an observer that started later, under the first nonce", () => {
    using receiver = new BoundReceiver();
    receiver.end();
    using client = connect(receiver.path, { reconnectMs: 0 });
    expect(client.beat().kind).toBe("dropped");
    receiver.bind();
    expect(client.beat().kind).toBe("sent");
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([1n]);
  });

  test("reaches an observer that was restarted, with the very same beat", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path, { reconnectMs: 0 });
    client.beat();
    receiver.end();
    receiver.bind();
    expect(client.beat().kind).toBe("sent");
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([2n]);
    expect(client.counters.connects).toBe(2);
  });

  test("tries to connect at most once per reconnectMs", () => {
    using receiver = new BoundReceiver();
    receiver.end();
    const system = settableSystem();
    using client = new Client(unixEnd(receiver.path), {
      ...parts({ system }),
      reconnectMs: 100,
      random: () => 0,
    });
    receiver.bind();
    system.nowNs = 99 * 1_000_000;
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
    expect(client.counters.connects).toBe(0);
    system.nowNs = 100 * 1_000_000;
    expect(client.beat().kind).toBe("sent");
    receiver.end();
    receiver.bind();
    system.nowNs = 150 * 1_000_000;
    expect(client.beat().kind).toBe("dropped");
    system.nowNs = 201 * 1_000_000;
    expect(client.beat().kind).toBe("sent");
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([2n]);
    expect(client.counters.connects).toBe(2);
  });
});

describe("client.beat() in a program that closed all its descriptors", () => {
  test("gets a new socket, and leaves alone the file that has the old number", () => {
    using receiver = new BoundReceiver();
    // The kernel gives the lowest free number: that of the socket opened and closed here.
    const fd = openSocket(AF_UNIX, SOCK_DGRAM);
    close(fd);
    using client = connect(receiver.path, { reconnectMs: 0 });
    expect(close(fd)).toBe(0);
    const file = openSync("/dev/null", "w");
    expect(file).toBe(fd);
    expect(client.beat().kind).toBe("sent");
    expect(writeSync(file, "still ours")).toBe(10);
    closeSync(file);
    expect(receiver.frames().map((frame) => frame.nonce)).toEqual([1n]);
    expect(client.counters.connects).toBe(2);
  });
});

describe("client.beat() after a fork", () => {
  test("starts a nonce stream and a socket of its own for the new pid", () => {
    using receiver = new BoundReceiver();
    const system = settableSystem();
    system.pidNow = 4_000;
    using client = new Client(unixEnd(receiver.path), parts({ system }));
    client.beat();
    client.beat();
    system.pidNow = 4_001;
    client.beat();
    const rows = receiver.frames().map((frame) => [frame.pid, frame.nonce]);
    expect(rows).toEqual([
      [4_000, 1n],
      [4_000, 2n],
      [4_001, 1n],
    ]);
    expect(client.counters.connects).toBe(2);
    expect(client.pid).toBe(4_001);
  });

  test("gives another real process its own pid and nonces", async () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    client.beat();
    const script = `import { connect } from "${import.meta.dir}/../../src/client/mod.ts";
      const client = connect("${receiver.path}"); client.beat(); client.beat();`;
    const child = Bun.spawn([process.execPath, "-e", script], { stderr: "pipe" });
    expect(await new Response(child.stderr).text()).toBe("");
    const rows = receiver.receive().map((received) => {
      const frame = frameOf(received);
      return [received.pid, frame.pid, frame.nonce];
    });
    expect(rows).toEqual([
      [process.pid, process.pid, 1n],
      [child.pid, child.pid, 1n],
      [child.pid, child.pid, 2n],
    ]);
  });
});

describe("client.beat() with the wrong things", () => {
  test("refuses everything that is not an agent's status, without using up a nonce", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    const garbage: unknown[] = [
      "stall",
      "OK",
      "",
      null,
      0,
      1,
      Number.NaN,
      {},
      [],
      Symbol("ok"),
      1n,
    ];
    for (const status of garbage)
      expect(client.beat(status as AgentStatus)).toMatchObject({
        kind: "failed",
        reason: "bad_status",
      });
    expect(receiver.receive()).toEqual([]);
    expect(client.nextNonce).toBe(1n);
    expect(client.counters.failed).toBe(garbage.length);
  });

  test("refuses every payload that is not an unsigned 32-bit integer", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    const garbage: unknown[] = [
      -1,
      0x1_0000_0000,
      0.5,
      Number.NaN,
      Infinity,
      "5",
      null,
      {},
      5n,
      Symbol(),
    ];
    for (const payload of garbage) {
      const failed = { kind: "failed", reason: "bad_payload" };
      expect(client.beat("ok", payload as number)).toMatchObject(failed);
      expect(client.crashBeat(payload as number)).toMatchObject(failed);
    }
    expect(receiver.receive()).toEqual([]);
  });

  test("fails on every path that cannot be one, and never throws", () => {
    const garbage: unknown[] = [
      "",
      "a\0b",
      "/x".repeat(54),
      "ä".repeat(54),
      null,
      5,
      {},
      Symbol(),
      1n,
    ];
    for (const path of garbage) {
      using client = connect(path as string, null as never);
      expect(client.beat()).toMatchObject({ kind: "failed", reason: "bad_path" });
      expect(client.crashBeat()).toMatchObject({ kind: "failed", reason: "bad_path" });
    }
    using longest = connect(`/${"x".repeat(106)}`, { reconnectMs: Number.NaN });
    expect(longest.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
  });

  test("is sent by a process with pid 1, which a listener for containers takes", () => {
    using receiver = new BoundReceiver();
    using client = new Client(unixEnd(receiver.path), parts({ system: fixedSystem(1, 0, 0) }));
    expect(client.beat()).toMatchObject({ kind: "sent" });
    expect(receiver.receive().map(({ size }) => size)).toEqual([32]);
  });

  test("fails after close(), which may be called twice", () => {
    using receiver = new BoundReceiver();
    const client = connect(receiver.path);
    const listenerCount = process.listenerCount("unhandledRejection");
    client.close();
    client.close();
    client.installCrashBeat();
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "closed" });
    expect(process.listenerCount("unhandledRejection")).toBe(listenerCount);
    expect(receiver.receive()).toEqual([]);
  });
});

describe("client.crashBeat()", () => {
  test("is Critical with the terminal nonce and a timestamp above every one before", () => {
    using receiver = new BoundReceiver();
    using client = new Client(unixEnd(receiver.path), parts({ system: fixedSystem(77, 9, 1) }));
    client.beat();
    client.crashBeat();
    client.crashBeat(5);
    client.beat();
    const rows = receiver.frames().map((f) => [f.status, f.nonce, f.timestamp, f.payload]);
    expect(rows).toEqual([
      ["ok", 1n, 9_000_000_001n, 0],
      ["critical", 2n ** 64n - 1n, 9_000_000_002n, 0],
      ["critical", 2n ** 64n - 1n, 9_000_000_003n, 5],
      ["ok", 2n, 9_000_000_003n, 0],
    ]);
  });

  test("connects although it is not time to", () => {
    using receiver = new BoundReceiver();
    receiver.end();
    using client = connect(receiver.path, { reconnectMs: 3_600_000 });
    receiver.bind();
    expect(client.beat().kind).toBe("dropped");
    expect(client.crashBeat().kind).toBe("sent");
  });
});

function parts(given: { stream?: BeatStream; system?: AgentSystem }) {
  return {
    stream: given.stream ?? new BeatStream(),
    system: given.system ?? bunPlatform.system,
    reconnectMs: 0,
  };
}

/** Beats until the queue is full; how many were taken. */
function fill(client: Client): number {
  for (let i = 0; i < MORE_THAN_ANY_QUEUE; i++) if (client.beat().kind !== "sent") return i;
  throw new Error("the queue never filled");
}
