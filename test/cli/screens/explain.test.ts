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
