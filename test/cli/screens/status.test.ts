import { describe, expect, test } from "bun:test";
import { membersScreen } from "../../../src/cli/screens/members.ts";
import { plainStatus } from "../../../src/cli/screens/plain.ts";
import { statusScreen } from "../../../src/cli/screens/status.ts";
import { printedScreens, terminal } from "./printed.ts";
import * as views from "./status_views.ts";

const VIEWS: Readonly<Record<string, (width: number) => string>> = {
  "all is well": (width) => statusScreen(views.ALL_WELL, terminal(width)),
  "one stalled": (width) => statusScreen(views.ONE_STALLED, terminal(width)),
  "one late": (width) => statusScreen(views.ONE_LATE, terminal(width)),
  "one missing": (width) => statusScreen(views.ONE_MISSING, terminal(width)),
  muted: (width) => statusScreen(views.MUTED, terminal(width)),
  "observer paused": (width) => statusScreen(views.PAUSED, terminal(width)),
  "observer paused again and again": (width) => statusScreen(views.ASLEEP, terminal(width)),
  "guard active": (width) => statusScreen(views.GUARD, terminal(width)),
  "self-beats missing": (width) => statusScreen(views.UNHEARD, terminal(width)),
  "self-beats slow": (width) => statusScreen(views.SLOWLY_HEARD, terminal(width)),
  "guard with evidence": (width) => statusScreen(views.GUARD_EVIDENCE, terminal(width)),
  "forty agents": (width) => statusScreen(views.FORTY, terminal(width)),
  "no agent yet": (width) => statusScreen(views.NO_AGENT, terminal(width)),
  "beats refused": (width) => statusScreen(views.BEATS_REFUSED, terminal(width)),
  "long name": (width) => statusScreen(views.LONG_NAME, terminal(width)),
  members: (width) => membersScreen(views.WORKER_MEMBERS, terminal(width)),
  plain: () => plainStatus(views.PLAIN),
};

describe("status is printed as it is drawn:", () => {
  for (const [title, drawn] of printedScreens("status.txt")) {
    const [name = "", width = ""] = title.split(", ");
    test(`${name} at ${width}`, () => {
      expect(VIEWS[name]!(Number(width))).toBe(drawn);
    });
  }
});
