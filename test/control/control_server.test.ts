import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { AF_UNIX, SOCK_STREAM } from "../../ffi/constants.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { wholePiece } from "../../src/base/pieces.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { CONTROL, type RefusedReason } from "../../src/control/counters.ts";
import { answerLine, type Request } from "../../src/control/request.ts";
import { ControlHarness, DONE_LINE, STATUS_LINE } from "./harness.ts";

function answersIn(text: string): number {
  return text.split(DONE_LINE).length - 1;
}

/** What a request needs besides its name. */
const NAMED: Readonly<Record<string, string>> = { members: ',"agent":"worker"' };

function refused({ server }: ControlHarness, reason: RefusedReason): number {
  return server.counters.get(CONTROL.refused[reason]);
}

/** An answer of `pieces` pieces of `bytes` bytes. */
function longAnswer(pieces: number, bytes: number): Request {
  return {
    name: "long",
    right: "read",
    help: "",
    args: {},
    answer: "",
    run: () => {
      let left = pieces;
      return { next: () => (left-- > 0 ? `${"x".repeat(bytes - 1)}\n` : undefined) };
    },
  };
}

const ACT: Request = {
  name: "act",
  right: "act",
  help: "",
  args: {},
  answer: "",
  run: () => wholePiece(answerLine({ ok: true })),
};

/** Connections as the kernel attests them for `uid`. Nothing else runs meanwhile. */
function connectedAs(uid: number, count: number, path: string): number[] {
  process.seteuid!(uid);
  try {
    return Array.from({ length: count }, () => {
      const fd = openSocket(AF_UNIX, SOCK_STREAM);
      expect(connect(fd, unixAddress(path))).toBe(0);
      return fd;
    });
  } finally {
    process.seteuid!(0);
  }
}

describe("ControlServer", () => {
  test("answers a client that has ended its sending half, and then closes", async () => {
    using harness = new ControlHarness({ members: 3 });
    const text = await harness.ask(STATUS_LINE);
    expect(text).toStartWith('{"v":1,"host":"mill-2",');
    expect(text).toEndWith(`]}\n${DONE_LINE}`);
    expect(harness.server.connections).toBe(0);
  });

  test("takes the end of what a client sends for the end of its line", async () => {
    using harness = new ControlHarness();
    expect(answersIn(await harness.ask(STATUS_LINE.trimEnd()))).toBe(1);
  });

  test("answers a request that comes byte by byte", async () => {
    using harness = new ControlHarness();
    const client = await harness.client();
    for (const byte of STATUS_LINE) {
      client.send(byte);
      await Bun.sleep(0);
      harness.server.serveSlice(1_000_000);
    }
    await harness.turn("the answer", () => client.received.endsWith(DONE_LINE));
    expect(answersIn(client.received)).toBe(1);
  });

  test("answers 24 requests in one piece, each whole and in order", async () => {
    using harness = new ControlHarness({ members: 40 });
    const asked = Array.from({ length: 24 }, (_, at) => (at % 2 === 0 ? "status" : "members"));
    const lines = asked.map((name) => `{"v":1,"do":"${name}"${NAMED[name] ?? ""}}\n`);
    const text = await harness.ask(lines.join(""));
    const answers = text.split(DONE_LINE).slice(0, -1);
    expect(answers.map((one) => (one.includes('"counts"') ? "status" : "members"))).toEqual(asked);
    expect(harness.server.counters.get(CONTROL.requests)).toBe(24);
    for (const line of text.trimEnd().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
  });

  test("holds no more than its bound for a client that does not read, and gives it up", async () => {
    let made = 0;
    const endless = { ...longAnswer(1, 1), run: () => ({ next: () => `${made++}`.padEnd(4_096) }) };
    using harness = new ControlHarness({ requests: [endless] });
    const client = await harness.client();
    client.pause();
    client.send('{"v":1,"do":"long"}\n');
    await harness.turn("the answer", () => made > 0);
    let before = -1;
    while (made > before) {
      before = made;
      for (let turn = 0; turn < 20; turn++) harness.server.serveSlice(1_000_000);
    }
    // What the kernel takes for a Unix socket, and 64 KiB.
    expect(made * 4_096).toBeLessThan(4 * 219_264 + 2 * 65_536);
    harness.pass(5 * NS_PER_S);
    expect(harness.server.connections).toBe(0);
    expect(refused(harness, "unread")).toBe(1);
  });

  test("sends an answer whole that is longer than what the kernel takes at once", async () => {
    using harness = new ControlHarness({ requests: [longAnswer(500, 8_192)] });
    const text = await harness.ask('{"v":1,"do":"long"}\n');
    expect(text.length).toBe(500 * 8_192 + DONE_LINE.length);
    expect(text).toEndWith(`x\n${DONE_LINE}`);
  });

  test("cuts a line without an end at 64 KiB, with one error", async () => {
    using harness = new ControlHarness();
    const client = await harness.client();
    client.send("x".repeat(4 * 1_024 * 1_024));
    await harness.turn("the end", () => client.hasEnded);
    expect(client.received).toBe(
      `{"v":1,"error":"too_long","text":"a line of more than 65536 bytes"}\n${DONE_LINE}`,
    );
    expect(refused(harness, "too_long")).toBe(1);
  });

  test("gives garbage one error line, whatever follows it", async () => {
    using harness = new ControlHarness();
    const text = await harness.ask(`\x00\xff garbage\n${"more\n".repeat(50)}${STATUS_LINE}`);
    expect(answersIn(text)).toBe(1);
    expect(text).toContain('"error":"bad_line"');
    expect(refused(harness, "bad_line")).toBe(1);
  });

  test("goes on after a request that it does not know, and after another protocol", async () => {
    using harness = new ControlHarness();
    const text = await harness.ask(`{"v":1,"do":"x"}\n{"v":9,"do":"status"}\n${STATUS_LINE}`);
    const errors = text.split("\n").map((line) => JSON.parse(line || "{}")["error"]);
    expect(errors.filter(Boolean)).toEqual(["unknown_request", "bad_version"]);
    expect(answersIn(text)).toBe(3);
  });

  test("has patience of 5 s with a line, and none with a connection that asks nothing", async () => {
    using harness = new ControlHarness();
    const slow = await harness.client();
    const silent = await harness.client();
    slow.send('{"v":1');
    await harness.turn("both", () => harness.server.connections === 2 && slow.received === "");
    await Bun.sleep(1);
    harness.server.serveSlice(1_000_000);
    harness.pass(5 * NS_PER_S);
    await harness.turn("their ends", () => slow.hasEnded && silent.hasEnded);
    expect(slow.received).toContain('"error":"too_slow"');
    expect(silent.received).toBe("");
    expect([refused(harness, "too_slow"), refused(harness, "idle")]).toEqual([1, 1]);
  });

  test("keeps 8 connections of a user, and tells the next one", async () => {
    using harness = new ControlHarness();
    for (let i = 0; i < 8; i++) await harness.client();
    await harness.turn("eight", () => harness.server.connections === 8);
    const ninth = await harness.client();
    await harness.turn("its end", () => ninth.hasEnded);
    expect(ninth.received).toContain('"error":"too_many"');
    expect(refused(harness, "too_many")).toBe(1);
  });

  test.skipIf(process.geteuid!() !== 0)(
    "keeps no place from root when six other users hold eight each (only root can be them)",
    async () => {
      using harness = new ControlHarness({ mode: 0o666 });
      chmodSync(dirname(harness.server.path), 0o755);
      const others = [1, 2, 3, 4, 5, 6, 7].map((n) => 65_500 + n);
      const held = others.flatMap((uid) => connectedAs(uid, 8, harness.server.path));
      await harness.turn("48", () => harness.server.connections === 48);
      await harness.turn("eight refused", () => refused(harness, "too_many") === 8);
      for (let i = 0; i < 8; i++) await harness.client();
      await harness.turn("root", () => harness.server.connections === 56);
      expect(refused(harness, "too_many")).toBe(8);
      for (const fd of held) close(fd);
    },
  );

  test("lets root act, and no answer of an act is given to another user", async () => {
    const isRoot = process.geteuid!() === 0;
    using harness = new ControlHarness({ requests: [ACT] });
    const text = await harness.ask('{"v":1,"do":"act"}\n');
    expect(harness.acts).toEqual([isRoot ? "did act" : "refused act"]);
    expect(text).toContain(isRoot ? '{"v":1,"ok":true}' : '"error":"not_permitted"');
  });

  test("does nothing for one who has gone before it was asked", async () => {
    using harness = new ControlHarness({ requests: [ACT], daemonUid: process.geteuid!() });
    const fd = openSocket(AF_UNIX, SOCK_STREAM);
    expect(connect(fd, unixAddress(harness.server.path))).toBe(0);
    expect(send(fd, Buffer.from('{"v":1,"do":"act"}\n'))).toBeGreaterThan(0);
    close(fd);
    await harness.turn("its end", () => refused(harness, "unread") === 1);
    expect(harness.acts).toEqual([]);
    expect(harness.server.connections).toBe(0);
  });

  test("takes no beat of one who has gone before it was asked, and else of anybody", async () => {
    const ran: string[] = [];
    const beat: Request = {
      ...ACT,
      right: "beat",
      run: () => {
        ran.push("beat");
        return wholePiece("");
      },
    };
    using harness = new ControlHarness({ requests: [beat] });
    const fd = openSocket(AF_UNIX, SOCK_STREAM);
    expect(connect(fd, unixAddress(harness.server.path))).toBe(0);
    expect(send(fd, Buffer.from('{"v":1,"do":"act"}\n'))).toBeGreaterThan(0);
    close(fd);
    await harness.turn("its end", () => refused(harness, "unread") === 1);
    expect(ran).toEqual([]);
    expect(await harness.ask('{"v":1,"do":"act"}\n')).toBe(DONE_LINE);
    expect(ran).toEqual(["beat"]);
    // No act: nothing of it is noted.
    expect(harness.acts).toEqual([]);
  });

  test("lets a stream wait for what is to come", async () => {
    let wake = () => {};
    const waiting: (string | undefined)[] = ["one\n"];
    const stream: Request = {
      ...longAnswer(0, 0),
      run: (_args, _sources, asker) => {
        wake = () => asker.wake();
        return { next: () => (waiting.length === 0 ? null : waiting.shift()) };
      },
    };
    using harness = new ControlHarness({ requests: [stream] });
    const client = await harness.client();
    client.send('{"v":1,"do":"long"}\n');
    await harness.turn("one", () => client.received === "one\n");
    expect(harness.server.pending).toBe(false);
    waiting.push("two\n", undefined);
    wake();
    await harness.turn("two", () => client.received === `one\ntwo\n${DONE_LINE}`);
  });

  test("ends within a second when it is closed, whoever does not read", async () => {
    const endless = { ...longAnswer(1, 1), run: () => ({ next: () => "x".repeat(4_096) }) };
    using harness = new ControlHarness({ requests: [endless] });
    const client = await harness.client();
    client.pause();
    client.send('{"v":1,"do":"long"}\n');
    await harness.turn("the request", () => harness.server.connections === 1);
    harness.server.beginClose();
    harness.pass(NS_PER_S);
    expect(harness.server.closed).toBe(true);
  });
});
