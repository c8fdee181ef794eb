import { describe, expect, test } from "bun:test";
import { explainScreen } from "../../../src/cli/screens/explain.ts";
import { strangerScreen } from "../../../src/cli/screens/stranger.ts";
import type { ExplainView } from "../../../src/view/explain_view.ts";
import * as views from "./explain_views.ts";
import { printedScreens, terminal } from "./printed.ts";

const VIEWS: Readonly<Record<string, ExplainView>> = {
  hung: views.HUNG,
  spinning: views.SPINNING,
  traced: views.TRACED,
  killed: views.KILLED,
  "died unwatched": views.DIED_UNWATCHED,
  "ended cleanly": views.ENDED,
  replaced: views.REPLACED,
  "not proven": views.NOT_PROVEN,
  "another namespace": views.OTHER_NAMESPACE,
  muted: views.MUTED,
  "gave up": views.GAVE_UP,
  "storm limit": views.STORM,
  "no plan": views.NO_PLAN,
  remote: views.REMOTE,
  "no rule": views.NO_RULE,
  "held by the guard": views.HELD,
  "recovery waits for the guard": views.GUARDED,
};

describe("explain is printed as it is drawn:", () => {
  for (const [title, drawn] of printedScreens("explain.txt")) {
    const [name = "", width = ""] = title.split(", ");
    test(name, () => {
      const screen = terminal(Number(width));
      const printed =
        name === "stranger"
          ? strangerScreen(views.STRANGER, screen)
          : explainScreen(VIEWS[name]!, screen);
      expect(printed).toBe(drawn);
    });
  }
});

test("a pid that does not run is said in one sentence", () => {
  expect(strangerScreen({ ...views.STRANGER, runs: false }, terminal(80))).toBe(
    "pid 8123 does not run, and nothing is known of it.\n",
  );
});

describe("of one that is not stalled", () => {
  const { member } = views.NO_RULE;
  const beating = { ...views.NO_RULE, rule: { ...views.NO_RULE.rule, number: 1 } };

  test("and whose process is gone it is not said that it beats", () => {
    const { verdict } = views.DIED_UNWATCHED.member!;
    const ended: ExplainView = { ...beating, member: { ...member!, verdict } };
    const printed = explainScreen(ended, terminal(120));
    expect(printed).toContain("ok. Its process is gone, and its threshold is not over.");
    expect(printed).toContain("verdict   none yet: died while nobody watched");
    expect(printed).not.toContain("beats");
  });

  test("and owes no beats it is not said that it beats", () => {
    const goodbye = "2026-11-28T15:34:15.000Z";
    const stopping: ExplainView = {
      ...beating,
      state: "ok",
      member: { ...member!, goodbye },
      next: [{ what: "deadline", time: "2026-11-28T15:35:45.000Z" }],
    };
    const printed = explainScreen(stopping, terminal(120));
    expect(printed).toContain("none: it said goodbye, and has not ended yet");
    expect(printed).toContain("it is stalled if it has not ended before that");
    const greeted: ExplainView = {
      ...beating,
      state: "new",
      member: { ...member!, unbeaten: true },
    };
    const screen = explainScreen(greeted, terminal(120));
    expect(screen).toContain("none: it said hello, and has not beaten yet");
  });

  test("and may hold a dead connection since a restart it is said to be held for that", () => {
    const held = { ...member!, silence_ms: 5_400, cut_off: "held" } as const;
    const printed = explainScreen({ ...beating, state: "late", member: held }, terminal(120));
    expect(printed).toContain("It is silent, and its process runs: not judged yet.");
    expect(printed).toContain("none yet: silent for 5.4s of 5s, but its process runs");
    expect(printed).toContain("its client may hold a dead");
  });

  test("and is silent for longer than its threshold it is said why", () => {
    const silent: ExplainView = { ...beating, member: { ...member!, silence_ms: 5_400 } };
    const printed = explainScreen(silent, terminal(120));
    expect(printed).toContain("ok. It has a threshold more: the observer was away.");
    expect(printed).toContain("none yet: silent for 5.4s of 5s, of which not all counts");
  });
});

test("a threshold that is not that of its rule is told with that of the rule", () => {
  const rule = { ...views.HUNG.rule, threshold_ms: 20_000, rule_threshold_ms: 5_000 };
  const printed = explainScreen({ ...views.HUNG, rule }, terminal(120));
  expect(printed).toContain("threshold 20s (the rule: 5s), late 3s");
});

test("who has asked to be judged at once is not said to have been silent", () => {
  const said = { text: "", reloading: false, errno: 0, triggered: true };
  const triggered: ExplainView = { ...views.HUNG, member: { ...views.HUNG.member!, said } };
  const printed = explainScreen(triggered, terminal(120));
  expect(printed).toContain(". It says so itself.");
  expect(printed).toContain("it asked to be judged at once, with its last beat: WATCHDOG=trigger");
});

test("a stall that the daemon before has held is said to be held", () => {
  const printed = explainScreen({ ...views.MUTED, done: [] }, terminal(80));
  expect(printed).toContain('done      held (muted): "deploy 4.2", by root, since ');
});
