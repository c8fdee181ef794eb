// How many beats a client sends in a second.
import { expect, test } from "bun:test";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { BEATS_PER_SECOND_MAX } from "../../src/client/rate_limit.ts";
import { BoundReceiver } from "./bound_receiver.ts";
import { settableSystem, unixEnd } from "./systems.ts";

test("what is more is dropped, uses no number, and is taken in the next second", () => {
  using receiver = new BoundReceiver();
  const system = settableSystem();
  using client = new Client(unixEnd(receiver.path), {
    stream: new BeatStream(),
    system,
    reconnectMs: 0,
    perSecond: 3,
  });
  const kinds = () => [1, 2, 3, 4].map(() => client.beat().reason);
  expect(kinds()).toEqual(["", "", "", "rate"]);
  system.nowNs = 999e6;
  expect(client.beat()).toMatchObject({ kind: "dropped", reason: "rate" });
  expect(client.crashBeat().kind).toBe("sent");
  expect(client.nextNonce).toBe(4n);
  expect(receiver.receive()).toHaveLength(4);
  system.nowNs = 1e9;
  expect(kinds()).toEqual(["", "", "", "rate"]);
  expect(receiver.receive()).toHaveLength(3);
  expect(client.counters).toMatchObject({ sent: 7, dropped: 3 });
});

test("the bound is far above what an observer takes of one process", () => {
  using receiver = new BoundReceiver();
  const system = settableSystem();
  using client = new Client(unixEnd(receiver.path), {
    stream: new BeatStream(),
    system,
    reconnectMs: 0,
  });
  let taken = 0;
  while (client.beat().kind === "sent") if (++taken % 8 === 0) receiver.receive();
  expect(taken).toBe(BEATS_PER_SECOND_MAX);
  expect(client.beat().reason).toBe("rate");
});
