import { describe, expect, test } from "bun:test";
import {
  forgetScreen,
  logLevelScreen,
  muteScreen,
  mutesScreen,
  unmuteScreen,
} from "../../../src/cli/screens/acts.ts";
import { eventLine, eventsEndLine, nameCellsOf } from "../../../src/cli/screens/events.ts";
import { daemonDown, daemonSilent, notPermitted } from "../../../src/cli/screens/no_answer.ts";
import { dryRunScreen, recoveryHead, recoveryLine } from "../../../src/cli/screens/recover.ts";
import { reloadScreen } from "../../../src/cli/screens/reload.ts";
import type { Screen } from "../../../src/cli/screens/screen.ts";
import type { EventView } from "../../../src/view/event_view.ts";
import * as views from "./acts_views.ts";
import { printedScreens, terminal, transcript } from "./printed.ts";

type Print = (screen: Screen) => string;

function eventLines(events: readonly EventView[], screen: Screen): string {
  const cells = nameCellsOf(
    events.map(({ agent }) => agent),
    screen,
  );
  return events.map((event) => eventLine(event, views.NIGHT, cells, screen)).join("");
}

const DOWN = {
  host: "mill-2",
  time: views.NIGHT,
  last: {
    time: "2026-11-28T02:05:12.000Z",
    agents: { ok: 4, bad: [{ state: "stalled", agents: ["worker"] }], beating: 30, members: 31 },
  },
} as const;

const FILES: Readonly<Record<string, Readonly<Record<string, Print>>>> = {
  "acts.txt": {
    mute: (screen) => muteScreen(views.MUTE, screen),
    mutes: (screen) => mutesScreen(views.MUTES, screen),
    unmute: (screen) => unmuteScreen(views.UNMUTE, screen),
    "no mutes": (screen) => mutesScreen(views.NO_MUTES, screen),
    forget: (screen) => forgetScreen(views.FORGET, screen),
    "log level": (screen) => logLevelScreen(views.LOG_LEVEL, views.NIGHT, screen),
  },
  "events.txt": {
    followed: (screen) => eventLines(views.FOLLOWED, screen),
    past: (screen) =>
      eventLines(views.PAST, screen) + eventsEndLine({ shown: 2, left_out: 41 }, 600_000),
  },
  "no_answer.txt": {
    down: (screen) => transcript(daemonDown(DOWN, screen), "error first"),
    stopped: () => transcript(daemonSilent(812, "T", 2_000), "error first"),
    "not permitted": () =>
      transcript(
        notPermitted({
          uid: 1000,
          user: "dana",
          socket: "/run/varta/control.sock",
          group: "varta",
        }),
        "error first",
      ),
  },
  "reload.txt": Object.fromEntries(
    Object.entries(views.RELOADS).map(([name, result]) => [
      name,
      (screen: Screen) => transcript(reloadScreen(result, screen), "error last"),
    ]),
  ),
  "recover.txt": {
    "dry run": (screen) => dryRunScreen(views.DRY_RUN, screen),
    "by hand": (screen) =>
      recoveryHead(views.BEGUN, screen) +
      views.BY_HAND_EVENTS.map((event) => recoveryLine(event, views.NIGHT, screen)).join(""),
  },
};

for (const [file, prints] of Object.entries(FILES))
  describe(`${file} is printed as it is drawn:`, () => {
    for (const [title, drawn] of printedScreens(file)) {
      const [name = "", width = ""] = title.split(", ");
      test(name, () => {
        expect(prints[name]!(terminal(Number(width)))).toBe(drawn);
      });
    }
  });

test("an agent that another mute still holds is not said to be unmuted", () => {
  const [one] = views.UNMUTE.unmuted;
  const still = { ...views.UNMUTE, unmuted: [{ ...one!, still: "*" }] };
  expect(unmuteScreen(still, terminal(80))).toBe(
    "The mute of indexer is over (20m before its end). The mute of * still holds it.\n",
  );
});

test("a slow reader of events learns how many it lost", () => {
  expect(eventLine(views.LOST, views.NIGHT, 1, terminal(80))).toBe(
    "03:14:00.000  lost      -  1204 events: this reader was too slow\n",
  );
});

test("a daemon that keeps no state is down, and since when is not known", () => {
  const { stdout, error } = daemonDown({ ...DOWN, last: undefined }, terminal(80));
  expect(error).toBe("the daemon on mill-2 is down");
  expect(stdout).toBe(
    "mill-2, 03:12:46 CET: not watched. Since when is not known: it left no state.\n",
  );
});

test("a daemon whose file cannot be read may have left a state at another place", () => {
  const unread = { file: "/etc/varta/v\u001b.toml", unread: "found a directory" };
  const { stdout } = daemonDown({ ...DOWN, last: undefined, unread }, terminal(200));
  expect(stdout).toBe(
    "mill-2, 03:12:46 CET: not watched. Since when is not known: it left no state at the usual " +
      "places, and /etc/varta/v\\u001b.toml does not say where it is: found a directory.\n",
  );
  expect(daemonDown({ ...DOWN, unread }, terminal(200)).stdout).not.toContain("toml");
});

test("a daemon that left no word of its end was there at least until it wrote its state", () => {
  const { stdout, error } = daemonDown(
    { ...DOWN, last: { time: DOWN.last.time, isAtLeast: true } },
    terminal(80),
  );
  expect(error).toBe("the daemon on mill-2 is down since 03:05:12 or later");
  expect(stdout).toBe("mill-2, 03:12:46 CET: not watched for 7m34s or less.\n");
});

test("a problem of a file is one line in a pipe", () => {
  const { stdout } = reloadScreen(views.RELOADS["problems"]!, terminal(80), true);
  expect(stdout.split("\n")).toHaveLength(3);
});

test("a change of long values is folded on a terminal, is one line in a pipe, and is never cut", () => {
  const given = views.RELOADS["changes"]!;
  const how = `"/run/varta/${"a".repeat(60)}.sock" -> "/run/varta/b.sock"`;
  const change = { where: "listener local", key: "path", how, effect: "" };
  const result = { ...given, changes: [change] };
  const piped = reloadScreen(result, terminal(80), true).stdout;
  expect(piped).toContain(`  listener local  path        ${how}\n`);
  const shown = reloadScreen(result, terminal(80)).stdout;
  expect(shown).toContain('"/run/varta/b.sock"\n');
  expect(shown).not.toContain("…");
});
