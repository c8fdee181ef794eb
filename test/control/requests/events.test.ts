// Events over the control socket (spec 16 section 11), with the kernel's sockets and the test's
// time: what is replayed, what is followed, and what becomes of a reader that does not read.
import { describe, expect, test } from "bun:test";
import { EVENTS_KEPT_MAX } from "../../../src/base/limits.ts";
import { NS_PER_S } from "../../../src/base/time.ts";
import { CONTROL } from "../../../src/control/counters.ts";
import { EVENT_STREAMS_MAX } from "../../../src/view/event_streams.ts";
import type { EventViewKind } from "../../../src/view/event_view.ts";
import type { RawClient } from "../../http/raw_client.ts";
import { joinMembers } from "../../support/named_members.ts";
import { ControlHarness, DONE_LINE } from "../harness.ts";

const FOLLOW = '{"v":1,"do":"events","follow":true}\n';
const REPLAYED = '{"v":1,"shown":0,"left_out":0}\n';
const KEEP_ALIVE = '{"v":1,"alive":true}\n';

function happen(
  { events }: ControlHarness,
  agent: string,
  kind: EventViewKind = "stall",
  detail = "",
): void {
  events.add({ time: "2026-11-28T02:12:13.115Z", kind, agent, detail }, events.seq);
}

async function following(harness: ControlHarness): Promise<RawClient> {
  const client = await harness.client();
  client.send(FOLLOW);
  await harness.turn("the replay", () => client.received.includes("shown"));
  return client;
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

describe("the request events", () => {
  test("answers with what is kept of an agent and of kinds, and how much else there was", async () => {
    using harness = new ControlHarness();
    happen(harness, "worker", "late");
    happen(harness, "api", "stall");
    happen(harness, "worker", "stall");
    const line = '{"v":1,"do":"events","agent":"work*","kind":"stall,exit"}\n';
    const time = "2026-11-28T02:12:13.115Z";
    expect(lines(await harness.ask(line))).toEqual([
      { v: 1, seq: 3, time, kind: "stall", agent: "worker", detail: "" },
      { v: 1, shown: 1, left_out: 2 },
      { done: true },
    ]);
  });

  test("goes back as far as it is asked to, by the clock of the wall", async () => {
    using harness = new ControlHarness();
    // The wall clock of the harness stands at 0.
    const event = { time: "", kind: "stall", agent: "worker" } as const;
    for (const unixMs of [-6, -5, 0]) harness.events.add(event, unixMs);
    const got = lines(await harness.ask('{"v":1,"do":"events","since":"5ms"}\n'));
    expect(got.map(({ seq }) => seq)).toEqual([2, 3, undefined, undefined]);
    expect(got[2]).toEqual({ v: 1, shown: 2, left_out: 0 });
  });

  test("refuses a name that nothing has, and takes one of an agent to which nothing happened", async () => {
    using harness = new ControlHarness();
    joinMembers(harness.observer, [100], () => "worker");
    const refused = await harness.ask('{"v":1,"do":"events","agent":"wroker","follow":true}\n');
    expect(lines(refused)[0]).toMatchObject({
      error: "no_such_agent",
      hint: "did you mean worker?",
    });
    expect(await harness.ask('{"v":1,"do":"events","agent":"worker"}\n')).toBe(
      REPLAYED + DONE_LINE,
    );
    happen(harness, "gone");
    expect(await harness.ask('{"v":1,"do":"events","agent":"gone"}\n')).toContain('"shown":1');
  });

  test("goes on with what comes, until the asker leaves", async () => {
    using harness = new ControlHarness();
    happen(harness, "worker", "late");
    const client = await following(harness);
    expect(lines(client.received).map(({ kind }) => kind)).toEqual(["late", undefined]);
    happen(harness, "worker", "stall");
    await harness.turn("the stall", () => client.received.includes('"stall"'));
    expect(harness.server.connections).toBe(1);
    client[Symbol.dispose]();
    await harness.turn("the end", () => harness.server.connections === 0);
  });

  test("says every 2 s that there is nothing to say, and ends nobody who listens", async () => {
    using harness = new ControlHarness();
    const client = await following(harness);
    for (let count = 1; count <= 40; count++) {
      harness.pass(2 * NS_PER_S);
      const want = REPLAYED + KEEP_ALIVE.repeat(count);
      await harness.turn("a line", () => client.received.length >= want.length);
      expect(client.received).toBe(want);
    }
  });

  test("lets 16 follow at a time; the next one is told so, and its connection goes on", async () => {
    using harness = new ControlHarness();
    const { streams } = harness;
    const others = Array.from({ length: EVENT_STREAMS_MAX - 1 }, () =>
      streams.follow({}, { hasMore: () => {} }),
    );
    const client = await following(harness);
    const text = await harness.ask(`${FOLLOW}{"v":1,"do":"events"}\n`);
    expect(lines(text)[0]).toMatchObject({ error: "too_many" });
    expect(text).toContain('"shown":0');
    client[Symbol.dispose]();
    await harness.turn("a place", () => harness.server.connections === 0);
    await following(harness);
    expect(others).not.toContain(undefined);
  });

  test("tells a reader that was too slow how many it lost, and goes on with the rest", async () => {
    using harness = new ControlHarness();
    const client = await following(harness);
    client.pause();
    const text = "x".repeat(4_000);
    const count = 3 * EVENTS_KEPT_MAX;
    for (let at = 0; at < count; at++) {
      happen(harness, "worker", "stall", text);
      harness.server.serveSlice(1_000_000);
    }
    client.resume();
    await harness.turn("the last one", () => client.received.includes(`"seq":${count},`));
    const got = lines(client.received).slice(1);
    const lost = got.filter(({ kind }) => kind === "lost").map((line) => Number(line["count"]));
    expect(lost.length).toBeGreaterThan(0);
    const lostInAll = lost.reduce((sum, one) => sum + one, 0);
    expect(got.length - lost.length + lostInAll).toBe(count);
    // What came before it and what comes after it are that far apart.
    const at = got.findIndex(({ kind }) => kind === "lost");
    expect(Number(got[at + 1]!["seq"]) - Number(got[at - 1]!["seq"])).toBe(lost[0]! + 1);
  });

  test("closes one that takes no byte for 30 s, however much happens meanwhile", async () => {
    using harness = new ControlHarness();
    const client = await following(harness);
    client.pause();
    const text = "x".repeat(4_000);
    for (let second = 0; second < 29; second++) {
      for (let at = 0; at < 100; at++) happen(harness, "worker", "stall", text);
      for (let at = 0; at < 20; at++) harness.server.serveSlice(1_000_000);
      harness.pass(NS_PER_S);
      expect(harness.server.connections).toBe(1);
    }
    for (let second = 0; second < 2; second++) harness.pass(NS_PER_S);
    expect(harness.server.connections).toBe(0);
    expect(harness.server.counters.get(CONTROL.refused.unread)).toBe(1);
  });

  test("has the last events, and says that the daemon ends", async () => {
    using harness = new ControlHarness();
    const client = await following(harness);
    happen(harness, "", "shutdown");
    harness.server.beginClose();
    await harness.turn("the end", () => client.hasEnded);
    const [, event, closing, done] = lines(client.received);
    expect(event).toMatchObject({ kind: "shutdown" });
    expect(closing).toMatchObject({ error: "closing" });
    expect(done).toEqual({ done: true });
  });
});
