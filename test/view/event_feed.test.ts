// The events that people see, made from what happens (spec 16 section 11).
import { expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import { eventOfJson } from "../../src/view/event_check.ts";
import { EventFeed } from "../../src/view/event_feed.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { stallOf } from "../recovery/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";

function feeding(): { feed: EventFeed; take: () => object[] } {
  const log = new EventLog();
  const agentName = (agent: number) => (agent === 9 ? "worker" : "");
  const feed = new EventFeed({ log, agentName, unixMsAtStart: () => 0 });
  const reader = log.reader({}, () => {});
  return { feed, take: () => reader.read(100).map(({ event }) => event) };
}

test("a stall has its silence, its verdict, and whether its agent is muted", () => {
  const { feed, take } = feeding();
  const verdict = { ...NOTHING_FOUND, verdict: "traced", tracerPid: 6_188 } as const;
  feed.stalled(stallOf({ verdict, isMuted: true }));
  feed.stalled(stallOf());
  const whole = { time: "1970-01-01T00:00:07.000Z", kind: "stall", agent: "worker", pid: 4_242 };
  const silence = { silence_ms: 5_000, threshold_ms: 5_000 };
  const tracer = { pid: 6_188, comm: "", user: "" };
  expect(take()).toEqual([
    { ...whole, ...silence, verdict: "traced", tracer, muted: true },
    { ...whole, ...silence },
  ]);
});

const TRIGGER = "at its own word: WATCHDOG=trigger";

test("a stall in a state file is one still, since a goodbye and at its own word, too", () => {
  const { feed, take } = feeding();
  feed.stalled(stallOf({ observerNs: 95 * NS_PER_S, goodbyeNs: 5 * NS_PER_S }));
  feed.stalled(stallOf({ isTriggered: true }));
  const events = take();
  expect(events).toMatchObject([{ goodbye_ms: 90_000 }, { detail: TRIGGER }]);
  expect(events.map((event) => eventOfJson(JSON.stringify(event)))).toEqual(events as never);
});

test("a refusal that is not news is none, and one for a mute is held", () => {
  const { feed, take } = feeding();
  const refused = outcomeOf("refused", { agent: 9, reason: "muted", label: "held", error: "" });
  feed.outcome(refused);
  feed.outcome({ ...refused, isRepeated: true });
  expect(take()).toMatchObject([{ kind: "recovery", recovery: { what: "held", reason: "muted" } }]);
});

test("text that came from elsewhere is bounded", () => {
  const { feed, take } = feeding();
  feed.outcome(outcomeOf("refused", { agent: 9, error: "x".repeat(9_000), isRepeated: false }));
  expect(JSON.stringify(take()).length).toBeLessThan(500);
});

test("a mute begins and ends under the name of what is muted", () => {
  const { feed, take } = feeding();
  const by = { byUid: 0, byPid: 1, by: "varta-watch" };
  const mute = { observerNs: NS_PER_S, target: "work*", reason: "deploy", forNs: 1, ...by };
  feed.muted({ ...mute, phase: "begin", how: "" });
  feed.muted({ ...mute, phase: "end", how: "expired", reason: "" });
  expect(take()).toMatchObject([
    { kind: "mute", agent: "work*", detail: "muted: deploy" },
    { kind: "mute", agent: "work*", detail: "mute ended" },
  ]);
});

test("an act says who asked; one that mutes is there as the mute", () => {
  const { feed, take } = feeding();
  const act = { observerNs: NS_PER_S, target: "worker", byUid: 0, byPid: 1, by: "varta-watch" };
  const done = { ...act, pid: 4_711, detail: "recovery 51", isRefused: false } as const;
  feed.acted({ ...done, act: "recover" }, "dana");
  feed.acted({ ...done, act: "forget", pid: Number.NaN, detail: "it beats", isRefused: true }, "7");
  feed.acted({ ...done, act: "mute" }, "dana");
  const gate = "refused (no_plan): it has no plan";
  feed.acted({ ...done, act: "recover", detail: gate, isRefused: true }, "dana");
  feed.acted({ ...done, act: "unmute", isRefused: true, detail: "no mute holds" }, "dana");
  expect(take()).toMatchObject([
    { kind: "act", agent: "worker", pid: 4_711, detail: "recover by dana: recovery 51" },
    { kind: "act", agent: "worker", detail: "forget by 7 refused: it beats" },
    { kind: "act", agent: "worker", pid: 4_711, detail: `recover by dana ${gate}` },
    { kind: "act", agent: "worker", detail: "unmute by dana refused: no mute holds" },
  ]);
});

test("what happens to the daemon is of no agent", () => {
  const { feed, take } = feeding();
  feed.booted("1.2.3", 812, 0);
  feed.reloaded("reload failed: /etc/varta.toml:3:1", NS_PER_S);
  feed.paused(2 * NS_PER_S, NS_PER_S);
  feed.stopping("SIGTERM", NS_PER_S);
  expect(take()).toEqual([
    event("boot", "1970-01-01T00:00:00.000Z", "varta-watch 1.2.3, pid 812"),
    event("reload", "1970-01-01T00:00:01.000Z", "reload failed: /etc/varta.toml:3:1"),
    event("observer_paused", "1970-01-01T00:00:01.000Z", "for 2000ms"),
    event("shutdown", "1970-01-01T00:00:01.000Z", "SIGTERM"),
  ]);
});

function event(kind: string, time: string, detail: string): object {
  return { time, kind, agent: "", detail };
}
