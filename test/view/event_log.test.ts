// What has happened lately (spec 16 section 11): what is kept, and what readers get and lose.
import { describe, expect, test } from "bun:test";
import { AGENT_EVENTS_MAX, AGENT_HISTORIES_MAX, EVENTS_KEPT_MAX } from "../../src/base/limits.ts";
import { EventLog } from "../../src/view/event_log.ts";
import type { EventFilter, EventReader } from "../../src/view/event_reader.ts";
import { EVENT_STREAMS_MAX, EventStreams } from "../../src/view/event_streams.ts";
import type { EventView, EventViewKind } from "../../src/view/event_view.ts";

function eventOf(agent: string, kind: EventViewKind = "stall", pid = 1): EventView {
  return { time: "2026-11-28T02:12:13.115Z", kind, agent, pid };
}

function addMany(log: EventLog, count: number, agent = "worker"): void {
  for (let pid = 1; pid <= count; pid++) log.add(eventOf(agent, "stall", pid), pid);
}

function readerOf(log: EventLog, filter: EventFilter = {}): EventReader {
  return log.reader(filter, () => {});
}

function textOf(reader: EventReader): string[] {
  return reader.read(EVENTS_KEPT_MAX).map(({ event: { agent, kind } }) => `${agent} ${kind}`);
}

describe("EventLog, for the next daemon", () => {
  function next(log: EventLog, bytesMax = 1e6): EventLog {
    const after = new EventLog();
    after.restore([...log.remembered(bytesMax)]);
    return after;
  }

  test("has the histories, in the order in which they were forgotten, and none of the events", () => {
    const log = new EventLog();
    for (let pid = 1; pid <= AGENT_EVENTS_MAX + 2; pid++) log.add(eventOf("a", "stall", pid), pid);
    log.add(eventOf("b"), 100);
    log.add(eventOf(""), 101);
    const after = next(log);
    expect(after.historyOf("a")).toEqual(log.historyOf("a"));
    expect(after.historyOf("b")).toEqual([eventOf("b")]);
    expect([...after.remembered(1e6)]).toEqual([...log.remembered(1e6)]);
    expect([after.seq, textOf(readerOf(after))]).toEqual([0, []]);
    after.add(eventOf("b", "resume"), 200);
    expect(after.historyOf("b")).toEqual([eventOf("b", "resume"), eventOf("b")]);
  });

  test("has as many as are in so many bytes: of who had one last, the newest first", () => {
    const log = new EventLog();
    for (const agent of ["a", "b", "b"]) log.add(eventOf(agent), 1);
    const bytes = JSON.stringify(eventOf("a")).length;
    const kept = (bytesMax: number) => [...log.remembered(bytesMax)].map(({ agent }) => agent);
    expect(kept(3 * bytes)).toEqual(["b", "b", "a"]);
    expect(kept(3 * bytes - 1)).toEqual(["b", "b"]);
    expect(kept(bytes - 1)).toEqual([]);
  });

  test("takes what is no event of that agent for nothing, whatever a file says", () => {
    const log = new EventLog();
    const json = JSON.stringify(eventOf("a"));
    const texts = [json, "rubbish", JSON.stringify(eventOf("b")), '{"agent":"a"}'];
    log.restore(texts.map((text) => ({ agent: "a", unixMs: 1, json: text })));
    expect(log.historyOf("a")).toEqual([eventOf("a")]);
  });

  test("has a stall that lasts since before once in its history, and again in the ring", () => {
    const log = new EventLog();
    log.add(eventOf("a"), 1);
    log.add(eventOf("b"), 1);
    log.add(eventOf("b", "resume"), 2);
    const after = next(log);
    for (const agent of ["a", "b"]) after.add(eventOf(agent), 3, true);
    after.add(eventOf("a", "stall", 2), 3, true);
    expect(after.historyOf("a").map(({ pid }) => pid)).toEqual([2, 1]);
    expect(after.historyOf("b").map(({ kind }) => kind)).toEqual(["stall", "resume", "stall"]);
    expect(textOf(readerOf(after))).toEqual(["a stall", "b stall", "a stall"]);
  });
});

describe("EventLog", () => {
  test("keeps the last 1,024, numbered without gaps", () => {
    const log = new EventLog();
    addMany(log, EVENTS_KEPT_MAX + 3);
    const events = readerOf(log).read(2 * EVENTS_KEPT_MAX);
    expect(events).toHaveLength(EVENTS_KEPT_MAX);
    expect(events.map(({ seq }) => seq)).toEqual(
      Array.from({ length: EVENTS_KEPT_MAX }, (_, at) => at + 4),
    );
    expect([events[0]!.event.pid, events.at(-1)!.event.pid]).toEqual([4, EVENTS_KEPT_MAX + 3]);
    expect(JSON.parse(events[0]!.json)).toEqual(events[0]!.event);
  });

  test("has the last ten of each agent, the newest first, whatever happens to others", () => {
    const log = new EventLog();
    for (let pid = 1; pid <= AGENT_EVENTS_MAX + 2; pid++) log.add(eventOf("a", "stall", pid), pid);
    for (let pid = 0; pid < EVENTS_KEPT_MAX; pid++) log.add(eventOf("noisy"), pid);
    const pids = log.historyOf("a").map(({ pid }) => pid);
    expect(pids).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect(log.historyOf("nobody")).toEqual([]);
  });

  test("forgets the agent to which nothing has happened for longest", () => {
    const log = new EventLog();
    log.add(eventOf("first"), 0);
    log.add(eventOf("second"), 0);
    log.add(eventOf("first"), 0);
    for (let at = 0; at < AGENT_HISTORIES_MAX - 1; at++) log.add(eventOf(`agent-${at}`), 0);
    expect(log.historyOf("second")).toEqual([]);
    expect(log.historyOf("first")).toHaveLength(2);
  });

  test("what is of no agent has no history", () => {
    const log = new EventLog();
    log.add(eventOf("", "observer_paused"), 0);
    expect(log.historyOf("")).toEqual([]);
  });
});

describe("EventReader", () => {
  test("gets what it wants, by agent, kinds and age, and counts what it left out of that time", () => {
    const log = new EventLog();
    log.add(eventOf("worker", "late"), 10);
    log.add(eventOf("worker", "stall"), 20);
    log.add(eventOf("api", "stall"), 30);
    log.add(eventOf("worker", "resume"), 40);
    const read = (filter: EventFilter) => {
      const reader = readerOf(log, filter);
      return [textOf(reader), reader.leftOut];
    };
    expect(read({ agent: "worker", sinceUnixMs: 20 })).toEqual([
      ["worker stall", "worker resume"],
      1,
    ]);
    expect(read({ kinds: ["stall"] })).toEqual([["worker stall", "api stall"], 2]);
    expect(read({ agent: "w?rk*", kinds: ["late", "resume"] })[0]).toEqual([
      "worker late",
      "worker resume",
    ]);
    expect(read({ sinceUnixMs: 41 })).toEqual([[], 0]);
  });

  test("of an agent gets the mutes that hold for it, however they were asked for", () => {
    const log = new EventLog();
    for (const target of ["*", "work*", "worker pid 4711", "worker", "api", "ap?", ""])
      log.add(eventOf(target, "mute"), 0);
    expect(textOf(readerOf(log, { agent: "worker" }))).toEqual([
      "* mute",
      "work* mute",
      "worker pid 4711 mute",
      "worker mute",
    ]);
  });

  test("tells what has happened from what happens", () => {
    const log = new EventLog();
    addMany(log, 2);
    const reader = readerOf(log);
    addMany(log, 1, "new");
    expect(reader.read(1)).toHaveLength(1);
    expect(reader.hasReplayed).toBe(false);
    expect(textOf(reader)).toEqual(["worker stall"]);
    expect([reader.hasReplayed, reader.hasAll]).toEqual([true, false]);
    expect(textOf(reader)).toEqual(["new stall"]);
    expect(reader.hasAll).toBe(true);
    expect(readerOf(new EventLog()).hasReplayed).toBe(true);
  });

  test("is woken for what it wants, if it had all that came before", () => {
    const log = new EventLog();
    let woken = 0;
    const reader = log.reader({ agent: "worker" }, () => woken++);
    log.add(eventOf("api"), 0);
    expect(woken).toBe(0);
    log.add(eventOf("worker", "late"), 0);
    log.add(eventOf("worker", "stall"), 0);
    expect(woken).toBe(1);
    expect(textOf(reader)).toEqual(["worker late", "worker stall"]);
    log.add(eventOf("worker", "resume"), 0);
    expect(woken).toBe(2);
  });

  test("that is too slow loses the oldest, and is told how many of those that it wants", () => {
    const log = new EventLog();
    const reader = readerOf(log, { agent: "worker" });
    addMany(log, 10);
    addMany(log, EVENTS_KEPT_MAX - 3, "api");
    expect(reader.hasAll).toBe(false);
    expect(reader.takeLost()).toBe(7);
    expect(reader.takeLost()).toBe(0);
    expect(textOf(reader)).toEqual(["worker stall", "worker stall", "worker stall"]);
    expect(reader.hasAll).toBe(true);
  });

  test("that waits for one agent does not fall back behind the events of others", () => {
    const log = new EventLog();
    const reader = readerOf(log, { agent: "worker" });
    addMany(log, 2 * EVENTS_KEPT_MAX, "api");
    expect(reader.hasAll).toBe(true);
    expect(reader.takeLost()).toBe(0);
  });

  test("goes on at a number, and is told what was given up since", () => {
    const log = new EventLog();
    addMany(log, EVENTS_KEPT_MAX + 10);
    const near = log.reader({}, () => {}, EVENTS_KEPT_MAX + 10);
    expect(near.read(5).map(({ seq }) => seq)).toEqual([EVENTS_KEPT_MAX + 10]);
    const far = log.reader({}, () => {}, 5);
    expect(far.takeLost()).toBe(6);
    expect(far.read(1)[0]!.seq).toBe(11);
  });

  test("that has left is asked about nothing", () => {
    const log = new EventLog();
    let woken = 0;
    log.reader({}, () => woken++).close();
    log.add(eventOf("worker"), 0);
    expect(woken).toBe(0);
  });
});

test("EventStreams lets so many follow at a time, and any number read what is kept", () => {
  const streams = new EventStreams(new EventLog(), "boot");
  const follow = () => streams.follow({}, { hasMore: () => {} });
  const readers = Array.from({ length: EVENT_STREAMS_MAX }, follow);
  expect(readers).not.toContain(undefined);
  expect(follow()).toBeUndefined();
  expect(streams.replay({}).hasAll).toBe(true);
  streams.leave(readers[0]!);
  expect(follow()).toBeDefined();
});
