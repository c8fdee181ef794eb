// The events that people see, made from what happens (spec 16 section 11).
import { expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import { EventFeed } from "../../src/view/event_feed.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { stallOf } from "../recovery/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";

function feeding(): { feed: EventFeed; take: () => object[] } {
  const log = new EventLog();
  const agentName = (agent: number) => (agent === 9 ? "worker" : "");
  const feed = new EventFeed({ log, agentName, unixMsAtStart: () => 0 });
  return { feed, take: () => [...log.replay({}).events] };
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
