// Events that the daemon before this one left as JSON (spec 18 section 3): what is one, and that
// nothing else is.
import { describe, expect, test } from "bun:test";
import { eventOfJson, recoveryOfJson } from "../../src/view/event_check.ts";
import type { EventView } from "../../src/view/event_view.ts";
import { DONE_JSON, EVENT_JSON } from "../snapshot/states.ts";

const TIME = "2026-11-28T02:12:13.115Z";
const EVENTS: readonly EventView[] = [
  { time: TIME, kind: "stall", agent: "a", pid: 1, silence_ms: 9, threshold_ms: 8, muted: true },
  {
    ...{ time: TIME, kind: "stall", agent: "a", pid: 1, verdict: "traced" },
    tracer: { pid: 2, comm: "gdb", user: "" },
  },
  {
    ...{ time: TIME, kind: "gone", agent: "a", pid: 1, by_pid: 3, detail: "replaced" },
    end: { time: TIME, exit_status: 0, signal: null },
    unwatched: { after: TIME, before: TIME },
  },
  { time: TIME, kind: "missing", agent: "a", members: 0, expected: 2 },
  { time: TIME, kind: "recovery", agent: "a", pid: 1, recovery: { id: 1, what: "interrupted" } },
  {
    ...{ time: TIME, kind: "recovery", agent: "a", pid: 1 },
    recovery: {
      ...{ id: 1, what: "refused", plan: "p", step: 1, steps: 2, kind: "exec", target: "/bin/x" },
      ...{ result: "exit 1", took_ms: 1.5, reason: "gave_up", why: "" },
      ...{ used: 3, limit: 3, window_ms: 60_000 },
    },
  },
];

describe("eventOfJson()", () => {
  test.each(EVENTS.map((event) => [event.kind, event] as const))("reads a %s", (_kind, event) => {
    expect(eventOfJson(JSON.stringify(event))).toEqual(event);
  });

  test.each([
    ["no JSON", ""],
    ["half of it", EVENT_JSON.slice(0, 40)],
    ["null", "null"],
    ["a list", `[${EVENT_JSON}]`],
    ["one without its agent", JSON.stringify({ time: TIME, kind: "stall" })],
    ["another kind", EVENT_JSON.replace('"kind":"recovery"', '"kind":"beat"')],
    ["a field of no event", EVENT_JSON.replace('"pid"', '"__proto__":{"pid":1},"pid"')],
    ["one that is inherited", EVENT_JSON.replace('"pid"', '"constructor"')],
    ["a pid that is a text", EVENT_JSON.replace("4712", '"4712"')],
    ["a negative number", EVENT_JSON.replace("4712", "-4712")],
    ["a time with more behind it", EVENT_JSON.replace('115Z"', '115Z\\n"')],
    ["a day that there is not", EVENT_JSON.replace("2026-11-28", "2026-13-41")],
    ["a text that is too long", EVENT_JSON.replace("SIGTERM", "x".repeat(600))],
    ["a recovery that is none", EVENT_JSON.replace('"what":"step"', '"what":"toString"')],
    ["deep nesting", `${"[".repeat(5_000)}${"]".repeat(5_000)}`],
  ])("takes %s for none", (_what, json) => {
    expect(eventOfJson(json)).toBeUndefined();
  });
});

test("recoveryOfJson() reads what was done, and takes an event for none", () => {
  expect(recoveryOfJson(DONE_JSON)).toEqual({ id: 3, what: "refused", reason: "gave_up", used: 3 });
  expect(recoveryOfJson(EVENT_JSON)).toBeUndefined();
});
