// What has happened lately (spec 16 section 11): what is kept, and what readers get and lose.
import { describe, expect, test } from "bun:test";
import { AGENT_EVENTS_MAX, AGENT_HISTORIES_MAX, EVENTS_KEPT_MAX } from "../../src/base/limits.ts";
import { EventLog } from "../../src/view/event_log.ts";
import type { EventView, EventViewKind } from "../../src/view/event_view.ts";

function eventOf(agent: string, kind: EventViewKind = "stall", pid = 1): EventView {
  return { time: "2026-11-28T02:12:13.115Z", kind, agent, pid };
}

const SIZE = Buffer.byteLength(JSON.stringify(eventOf("worker")));

describe("EventLog", () => {
  test("keeps the last 1,024, numbered without gaps", () => {
    const log = new EventLog();
    for (let pid = 1; pid <= EVENTS_KEPT_MAX + 3; pid++) log.add(eventOf("a", "stall", pid), pid);
    const { events } = log.replay({});
    expect(log.seq).toBe(EVENTS_KEPT_MAX + 3);
    expect(events).toHaveLength(EVENTS_KEPT_MAX);
    expect([events[0]!.pid, events.at(-1)!.pid]).toEqual([4, EVENTS_KEPT_MAX + 3]);
  });

  test("replays by agent, kind and age, and says how many of that time it left out", () => {
    const log = new EventLog();
    log.add(eventOf("worker", "late"), 10);
    log.add(eventOf("worker", "stall"), 20);
    log.add(eventOf("api", "stall"), 30);
    log.add(eventOf("worker", "resume"), 40);
    const kindsOf = (filter: Parameters<EventLog["replay"]>[0]) => {
      const { events, leftOut } = log.replay(filter);
      return [events.map(({ agent, kind }) => `${agent} ${kind}`), leftOut];
    };
    expect(kindsOf({ agent: "worker", sinceUnixMs: 20 })).toEqual([
      ["worker stall", "worker resume"],
      1,
    ]);
    expect(kindsOf({ kinds: ["stall"] })).toEqual([["worker stall", "api stall"], 2]);
    expect(kindsOf({ sinceUnixMs: 41 })).toEqual([[], 0]);
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
  test("gets what comes, of those that it wants, and is woken once", () => {
    const log = new EventLog();
    let woken = 0;
    const reader = log.follow({ agent: "worker" }, () => woken++);
    log.add(eventOf("api"), 0);
    expect(woken).toBe(0);
    log.add(eventOf("worker", "late"), 0);
    log.add(eventOf("worker", "stall"), 0);
    expect(woken).toBe(1);
    expect([reader.take("t")?.kind, reader.take("t")?.kind, reader.take("t")]).toEqual([
      "late",
      "stall",
      undefined,
    ]);
    log.add(eventOf("worker", "resume"), 0);
    expect(woken).toBe(2);
  });

  test("that is too slow loses events, and is told how many before the next that it gets", () => {
    const log = new EventLog();
    const reader = log.follow({}, () => {}, 2 * SIZE);
    for (let at = 0; at < 5; at++) log.add(eventOf("worker"), 0);
    expect(reader.take("t")?.kind).toBe("stall");
    log.add(eventOf("worker"), 0);
    expect(reader.take("t")?.kind).toBe("stall");
    expect(reader.take("t")).toMatchObject({ kind: "lost", count: 3 });
    expect(reader.take("t")?.kind).toBe("stall");
    expect(reader.take("t")).toBeUndefined();
  });

  test("is told of what it lost although nothing comes any more", () => {
    const log = new EventLog();
    const reader = log.follow({}, () => {}, SIZE);
    log.add(eventOf("worker"), 0);
    log.add(eventOf("worker"), 0);
    expect(reader.take("t")?.kind).toBe("stall");
    expect(reader.take("later")).toEqual({ time: "later", kind: "lost", agent: "", count: 1 });
    expect(reader.take("t")).toBeUndefined();
  });

  test("that has left is given nothing", () => {
    const log = new EventLog();
    const reader = log.follow({}, () => {});
    reader.close();
    log.add(eventOf("worker"), 0);
    expect(reader.take("t")).toBeUndefined();
  });
});
