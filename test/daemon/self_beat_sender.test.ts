// Beats of the daemon to itself by real sockets: to each kind of listener, by the way that agents
// have, and told when they stop to come round.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { LogFields } from "../../src/daemon/log.ts";
import { SelfBeatSender } from "../../src/daemon/self_beat_sender.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { SELF_BEATS, SelfBeats } from "../../src/observer/self_beats.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { ScriptedListener } from "../support/scripted_listener.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

let directory: TemporaryDirectory;
let listeners: Listener[];
let nowNs: number;
let lines: [string, LogFields][];
let beats: SelfBeats;
let sender: SelfBeatSender;
let guard: { lookPeriodNs: number };

beforeEach(() => {
  guard = { lookPeriodNs: Number.POSITIVE_INFINITY };
  directory = new TemporaryDirectory();
  listeners = [];
  nowNs = NS_PER_S;
  lines = [];
  let drawn = 0;
  // Time passes between two readings, as it does.
  beats = new SelfBeats({
    pid: process.pid,
    uid: 0,
    random: () => ++drawn,
    monotonicNs: () => ++nowNs,
  });
  const keep = (message: string, fields: LogFields = {}): void =>
    void lines.push([message, fields]);
  sender = new SelfBeatSender({
    beats,
    numbers: () => [...listeners.keys()],
    listenerOf: (number) => listeners[number]!,
    guard,
    log: { info: keep, warn: keep },
  });
});

afterEach(() => {
  sender.close();
  for (const listener of listeners) listener.close();
  directory[Symbol.dispose]();
});

function unix(name = "s"): UnixListener {
  const listener = new UnixListener({
    name,
    path: join(directory.path, name),
    mode: 0o600,
    gid: undefined,
    rcvbufBytes: 0,
    allowList: undefined,
  });
  listeners.push(listener);
  return listener;
}

function udp(address: string): UdpListener {
  const options = { name: address, address, port: 0, rcvbufBytes: 0, acceptRecovery: false };
  const listener = new UdpListener(options);
  listeners.push(listener);
  return listener;
}

/** Takes what waits at every listener; how many of it were self-beats. */
function receive(): number {
  let taken = 0;
  for (const [number, listener] of listeners.entries()) {
    const count = listener.receive(nowNs);
    const { words, frameWord } = listener.batch;
    for (let i = 0; i < count; i++) if (beats.takes(words, frameWord[i]!, number)) taken++;
  }
  return taken;
}

/** A second passes: what came is taken, and the next ones are sent. */
function second(): number {
  nowNs += NS_PER_S;
  const taken = receive();
  sender.maintain(nowNs);
  return taken;
}

describe("SelfBeatSender", () => {
  test("sends one a second to every listener, and none in between", () => {
    unix();
    udp("127.0.0.1");
    const beganNs = nowNs;
    sender.maintain(beganNs);
    sender.maintain(beganNs + NS_PER_S - 1);
    expect(sender.nextDeadlineNs()).toBe(beganNs + NS_PER_S);
    expect(receive()).toBe(2);
    expect(second()).toBe(0);
    expect(second()).toBe(2);
    expect(lines).toEqual([]);
  });

  test("sends more of them while the guard waits for one", () => {
    unix();
    sender.maintain(nowNs);
    const sentNs = nowNs;
    guard.lookPeriodNs = 150 * NS_PER_MS;
    expect(sender.nextDeadlineNs()).toBeLessThanOrEqual(sentNs + 150 * NS_PER_MS);
    receive();
    sender.maintain(sentNs + 150 * NS_PER_MS);
    expect(receive()).toBe(1);
    guard.lookPeriodNs = Number.POSITIVE_INFINITY;
    expect(sender.nextDeadlineNs()).toBe(sentNs + 150 * NS_PER_MS + NS_PER_S);
  });

  test("is attested by the kernel as the daemon", () => {
    const listener = unix();
    sender.maintain(nowNs);
    expect(listener.receive(nowNs)).toBe(1);
    expect(listener.batch.peerPid[0]).toBe(process.pid);
  });

  test.each(["0.0.0.0", "::", "::1"])("reaches a socket that is bound to %s", (address) => {
    udp(address);
    sender.maintain(nowNs);
    expect(receive()).toBe(1);
  });

  test("sends none where only those who have a key get in", () => {
    listeners.push(new ScriptedListener({ kind: "secure-udp" }));
    for (let i = 0; i < 8; i++) second();
    expect(beats.areRound()).toBe(true);
    expect(beats.counters.get(SELF_BEATS.ended.lost)).toBe(0);
  });

  test("tries a full queue again after 50 ms, and one place is enough", () => {
    const listener = unix();
    const { queueLength } = listener;
    const flood = new SelfBeats({ pid: 7, uid: 0, random: () => 0, monotonicNs: () => nowNs });
    const flooder = new SelfBeatSender({
      beats: flood,
      numbers: () => [0],
      listenerOf: () => listener,
      log: { info: () => {}, warn: () => {} },
    });
    for (let sent = 0; sent < queueLength!; sent++) {
      flood.refused(0);
      flooder.maintain(nowNs + sent * NS_PER_S);
    }
    flooder.close();
    const refusedNs = nowNs;
    sender.maintain(refusedNs);
    expect(beats.counters.get(SELF_BEATS.ended.refused)).toBe(1);
    expect(sender.nextDeadlineNs()).toBe(refusedNs + 50 * NS_PER_MS);
    expect(beats.refusedAgain).toBe(0);
    sender.maintain(refusedNs + 50 * NS_PER_MS);
    expect(beats.refusedAgain).toBe(1);
    receive();
    sender.maintain(refusedNs + 100 * NS_PER_MS);
    expect(receive()).toBe(1);
    beats.refused(0);
    expect(beats.refusedAgain).toBe(1);
  });

  test("tells once of a socket whose file is gone, and once of its return", () => {
    const listener = unix();
    sender.maintain(nowNs);
    second();
    rmSync(listener.path);
    for (let i = 0; i < 8; i++) second();
    expect(beats.areRound()).toBe(false);
    expect(lines).toEqual([
      [
        "self-beat missing",
        expect.objectContaining({ listener: "s", reason: expect.stringContaining("ENOENT") }),
      ],
    ]);
    listener.rebind(nowNs);
    for (let i = 0; i < 3; i++) second();
    expect(beats.areRound()).toBe(true);
    expect(lines.slice(1)).toEqual([["self-beat is back", { listener: "s" }]]);
  });

  test("tells of one that was sent and is not received", () => {
    unix();
    for (let i = 0; i < 6; i++) {
      sender.maintain(nowNs);
      nowNs += NS_PER_S;
    }
    expect(lines.map(([message, { reason }]) => [message, reason])).toEqual([
      ["self-beat missing", "it was sent, and never received"],
    ]);
    expect(beats.counters.get(SELF_BEATS.ended.lost)).toBe(1);
  });

  test.skipIf(process.getuid?.() === 0)(
    "knows nothing of a socket that it may not write to",
    () => {
      const listener = unix();
      chmodSync(listener.path, 0o070);
      for (let i = 0; i < 8; i++) second();
      expect(lines.map(([message]) => message)).toEqual(["self-beat not possible"]);
      expect(beats.areRound()).toBe(true);
      chmodSync(listener.path, 0o700);
      for (let i = 0; i < 3; i++) second();
      expect(lines.map(([message]) => message).slice(1)).toEqual(["self-beat is back"]);
    },
  );

  test("goes on with the listeners that a reload opened and without those that it closed", () => {
    const before = unix("before");
    sender.maintain(nowNs);
    before.close();
    listeners.length = 0;
    unix("after");
    for (let i = 0; i < 6; i++) second();
    expect(beats.areRound()).toBe(true);
    expect(lines).toEqual([]);
  });

  test("keeps no socket for a kind of address that no listener has any more", () => {
    unix();
    sender.maintain(nowNs);
    const before = openDescriptors();
    const gone = udp("127.0.0.1");
    second();
    listeners.pop();
    gone.close();
    second();
    expect(openedSince(before)).toEqual([]);
  });
});
