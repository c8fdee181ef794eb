// The rules that every screen obeys, whatever is in its view.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { AGENT_STATES } from "../../../src/agents/agent_state.ts";
import { mutesScreen } from "../../../src/cli/screens/acts.ts";
import { checkCode } from "../../../src/cli/screens/check_code.ts";
import { cutMiddle, foldLines, widthOf } from "../../../src/cli/screens/cells.ts";
import { eventLine } from "../../../src/cli/screens/events.ts";
import { explainScreen } from "../../../src/cli/screens/explain.ts";
import {
  age,
  count,
  duration,
  lasted,
  rate,
  setDuration,
} from "../../../src/cli/screens/figures.ts";
import { membersScreen } from "../../../src/cli/screens/members.ts";
import { bar } from "../../../src/cli/screens/paint.ts";
import { jsonLine, plainMembers, plainStatus } from "../../../src/cli/screens/plain.ts";
import { reloadScreen } from "../../../src/cli/screens/reload.ts";
import type { Screen } from "../../../src/cli/screens/screen.ts";
import { statusScreen } from "../../../src/cli/screens/status.ts";
import { LOCAL, Times, UTC } from "../../../src/cli/screens/times.ts";
import { EVENT_VIEW_KINDS, type EventViewKind } from "../../../src/view/event_view.ts";
import type { ExplainView } from "../../../src/view/explain_view.ts";
import type { AgentStatusView, StatusView } from "../../../src/view/status_view.ts";
import { atLength } from "../../support/at_length.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { MUTES, RELOADS } from "./acts_views.ts";
import * as explained from "./explain_views.ts";
import { terminal } from "./printed.ts";
import {
  ALL_WELL,
  agentOf,
  FORTY,
  GUARD,
  MUTED,
  NIGHT,
  ONE_LATE,
  ONE_MISSING,
  ONE_STALLED,
  statusOf,
  WORKER_MEMBERS,
} from "./status_views.ts";

setDefaultTimeout(TEST_MS_MAX);

// Names that others have chosen: colours, bidi controls, wide and combining signs, spaces.
const foreignText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "a",
        "Z",
        " ",
        "\x1b[31m",
        "\n",
        "\u202e",
        "\u009b",
        "中",
        "e\u0301",
        "\u200b",
      ),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

const agentView: fc.Arbitrary<AgentStatusView> = fc
  .record({
    agent: foreignText,
    state: fc.constantFrom(...AGENT_STATES),
    members: fc.nat(200_000),
    silence: fc.option(fc.nat(2 ** 40)),
    threshold: fc.integer({ min: 10, max: 86_400_000 }),
    rate: fc.double({ min: 0, max: 1e7, noNaN: true }),
    reason: foreignText,
    isMuted: fc.boolean(),
  })
  .map(({ agent, state, members, silence, threshold, rate: perSecond, reason, isMuted }) =>
    agentOf(state, members, silence, threshold, perSecond, {
      agent,
      muted: isMuted ? { since: NIGHT, until: NIGHT, by: reason, reason } : null,
    }),
  );

const statusView: fc.Arbitrary<StatusView> = fc
  .array(agentView, { maxLength: 30 })
  .map((agents) => statusOf(NIGHT, agents));

const screens: fc.Arbitrary<Screen> = fc
  .record({ width: fc.integer({ min: 12, max: 200 }), ascii: fc.boolean() })
  .map(({ width, ascii }) => terminal(width, { ascii }));

function widest(text: string): number {
  return Math.max(...text.split("\n").map(widthOf));
}

const CONTROL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]/;

describe("whatever a view holds", () => {
  test("no line of status is wider than the terminal, and none has a control byte", () => {
    fc.assert(
      fc.property(statusView, screens, (view, screen) => {
        const text = statusScreen(view, screen);
        expect(widest(text)).toBeLessThanOrEqual(screen.width);
        expect(text).not.toMatch(CONTROL);
      }),
      { numRuns: atLength(30, 300) },
    );
  });

  test("plain output has as many words in every line, and all of its digits", () => {
    fc.assert(
      fc.property(statusView, (view) => {
        const lines = plainStatus(view).trimEnd().split("\n");
        for (const line of lines) expect(line.trim().split(/\s+/u)).toHaveLength(12);
        expect(lines).toHaveLength(view.agents.length + 1);
        expect(plainStatus(view)).not.toMatch(CONTROL);
      }),
      { numRuns: atLength(15, 150) },
    );
  });

  test("JSON is one line that reads back as the view, without a control byte", () => {
    fc.assert(
      fc.property(statusView, (view) => {
        const line = jsonLine(view);
        expect(line).not.toMatch(CONTROL);
        expect(line.indexOf("\n")).toBe(line.length - 1);
        expect(JSON.stringify(JSON.parse(line))).toBe(JSON.stringify(view));
      }),
      { numRuns: atLength(15, 150) },
    );
  });

  test("explain, members, mutes and reload stay within the terminal, too", () => {
    fc.assert(
      fc.property(foreignText, screens, (text, screen) => {
        const { HUNG } = explained;
        const who = { ...HUNG.member!.who, unit: text, script: text, user: text };
        const said = { text, reloading: true, errno: 13, triggered: false };
        const member = { ...HUNG.member!, who, said };
        const [one] = WORKER_MEMBERS.members;
        const printed = [
          explainScreen({ ...HUNG, agent: text, member }, screen),
          membersScreen({ ...WORKER_MEMBERS, members: [{ ...one!, unit: text, said }] }, screen),
          mutesScreen({ ...MUTES, mutes: [{ ...MUTES.mutes[0]!, agent: text, by: text }] }, screen),
          reloadScreen({ ...RELOADS["changes"]!, file: text }, screen).stdout,
        ].join("");
        expect(widest(printed)).toBeLessThanOrEqual(screen.width);
        expect(printed).not.toMatch(CONTROL);
      }),
      { numRuns: atLength(25, 250) },
    );
  });
});

describe("a duration", () => {
  test("has one form for each size", () => {
    const texts = [310, 1_999, 38_211, 271_400, 42_000_000, 241_200_000].map(duration);
    expect(texts).toEqual(["310ms", "1.9s", "38s", "4m31s", "11h40m", "2d19h"]);
  });

  test("is at most six cells, and has no space", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 42), (ms) => {
        for (const text of [duration(ms), lasted(ms)]) expect(text).toMatch(/^\S{2,6}$/);
      }),
    );
  });

  test("that is set is said exactly, as it is written", () => {
    const texts = [0, 500, 1_500, 5_000, 60_000, 90_000, 600_000, 86_400_000].map(setDuration);
    expect(texts).toEqual(["0s", "500ms", "1500ms", "5s", "60s", "90s", "10m", "24h"]);
  });

  test("that is over has a decimal below a minute", () => {
    expect([41, 7_100, 37_114, 61_000].map(lasted)).toEqual(["41ms", "7.1s", "37.1s", "1m01s"]);
  });

  test("since something has one unit", () => {
    const texts = [33_900, 240_000, 69_000_000, 172_800_000].map(age);
    expect(texts).toEqual(["33s ago", "4m ago", "19h ago", "2d ago"]);
  });
});

test("a number is whole up to 9999, then has three digits", () => {
  const texts = [0, 9_999, 10_000, 18_114, 420_000, 1_204_000, 2.5e12].map(count);
  expect(texts).toEqual(["0", "9999", "10.0k", "18.1k", "420k", "1.20M", "2500G"]);
});

test("a rate is never rounded to none", () => {
  const texts = [0, 0.001, 0.02, 0.1, 7, 160, 12_400].map(rate);
  expect(texts).toEqual(["0", "<0.01", "0.02", "0.1", "7.0", "160", "12.4k"]);
});

test("the last cell of a bar is lit from the threshold on, and never before", () => {
  expect(bar(4_999, 5_000, 6, false)).toBe("█████░");
  expect(bar(5_000, 5_000, 6, false)).toBe("██████");
  expect(bar(null, 5_000, 6, false)).toBe("······");
  expect(bar(2_500, 5_000, 6, true)).toBe("###...");
});

test("a long name is cut in the middle, with both ends", () => {
  expect(cutMiddle("checkout-eu-west-1-blue", 14, false)).toBe("checkou…1-blue");
  expect(cutMiddle("checkout-eu-west-1-blue", 14, true)).toBe("checko..1-blue");
  expect(widthOf(cutMiddle("请求处理服务请求处理服务", 14, false))).toBeLessThanOrEqual(14);
});

test("a sentence is folded at words, and a word only where it must", () => {
  expect(foldLines("one two three", 9, 2)).toEqual(["one two", "  three"]);
  expect(foldLines("abcdefghijkl", 6, 2)).toEqual(["abc", "  def", "  ghi", "  jkl"]);
});

describe("colours", () => {
  const coloured = statusScreen(FORTY, terminal(80, { colour: true }));

  test("move nothing by a cell", () => {
    expect(Bun.stripANSI(coloured)).toBe(statusScreen(FORTY, terminal(80)));
  });

  test("say where to look: red and bold is an alarm, cyan is muted, ok has none", () => {
    const row = (name: string) => coloured.split("\n").find((line) => line.includes(name))!;
    expect(row("worker")).toStartWith("\x1b[31m✗\x1b[0m \x1b[1mworker\x1b[0m");
    expect(row("indexer")).toStartWith("\x1b[36m✗\x1b[0m indexer");
    expect(row("billing")).toContain("\x1b[33mlate\x1b[0m");
    expect(row("api ")).toStartWith("· api             ok   ");
  });
});

test("ASCII has no other signs", () => {
  expect(statusScreen(FORTY, terminal(80, { ascii: true }))).toMatch(/^[\n -~]*$/);
});

describe("a time of day", () => {
  test("in UTC says so", () => {
    const text = statusScreen(ONE_STALLED, terminal(80, { zone: UTC }));
    expect(text).toStartWith("mill-2, 02:12:46 UTC: 1 stalled.\n");
  });

  test("that is a day or more away has its date", () => {
    const times = new Times(NIGHT, UTC);
    expect(times.at("2026-11-27T02:12:47.000Z")).toBe("02:12:47");
    expect(times.at("2026-11-27T02:12:46.000Z")).toBe("2026-11-27 02:12:46");
  });

  test("here has the offset of this machine, and a name", () => {
    const ms = Date.parse(NIGHT);
    expect(LOCAL.offsetMinutesAt(ms)).toBe(-new Date(ms).getTimezoneOffset());
    expect(LOCAL.nameAt(ms)).toMatch(/^[A-Z]{2,5}([+-]\d+(:\d\d)?)?$/);
  });
});

test("members in a pipe have what they have said in one more cell, if any has", () => {
  const [one, ...others] = WORKER_MEMBERS.members;
  const said = { text: "382 requests", reloading: false, errno: 0, triggered: false };
  const lines = plainMembers({ ...WORKER_MEMBERS, members: [{ ...one!, said }, ...others] });
  const rows = lines.trimEnd().split("\n");
  const cellsOf = (row: string) => row.trim().split(/\s+/u);
  expect(cellsOf(rows[1]!).slice(9).join(" ")).toBe('"382 requests"');
  for (const row of [rows[0]!, ...rows.slice(2)]) expect(cellsOf(row)).toHaveLength(10);
});

test("members in a pipe have a word in every cell, too", () => {
  const lines = plainMembers(WORKER_MEMBERS).trimEnd().split("\n");
  expect(lines).toHaveLength(9);
  for (const line of lines) expect(line.trim().split(/\s+/u)).toHaveLength(9);
});

test("an event of any kind has a line, also with no field of its own", () => {
  for (const kind of EVENT_VIEW_KINDS satisfies readonly EventViewKind[]) {
    const line = eventLine({ time: NIGHT, kind, agent: "worker" }, NIGHT, 6, terminal(80));
    expect(line).toStartWith(`03:12:46.301  ${kind}`);
    expect(line).not.toMatch(/undefined|NaN/);
  }
});

test("facts that a daemon does not have leave no hole in explain", () => {
  const { HUNG } = explained;
  const bare: ExplainView = {
    ...HUNG,
    since: null,
    done: [{ what: "refused", time: NIGHT, reason: "gave_up" }],
    next: [{ what: "nothing" }],
    history: [],
    member: {
      ...HUNG.member!,
      verdict: {
        ...HUNG.member!.verdict!,
        verdict: "exited",
        end: { time: "", exit_status: null, signal: 9 },
      },
    },
  };
  const text = explainScreen(bare, terminal(80));
  expect(text).not.toMatch(/undefined|NaN|null/);
  expect(text).toContain("  verdict   exited: killed by SIGKILL (9)\n");
  expect(text).toContain("refused (gave_up): its budget of recoveries is used up\n");
  expect(text).toContain("  next      nothing. It counts as back with its next beat.\n");
});

test("what is muted or gone is never folded away: it is not plainly ok", () => {
  const last = FORTY.agents.find(({ agent }) => agent === "shard-19")!;
  const muted = { ...last, agent: "zz-muted", muted: MUTES.mutes[0]! };
  const gone = { ...last, agent: "zz-gone", state: "gone" } as const;
  const text = statusScreen({ ...FORTY, agents: [...FORTY.agents, muted, gone] }, terminal(80));
  expect(text).toContain("zz-muted");
  expect(text).toContain("zz-gone");
  expect(text).toContain("  and 22 more that are ok: varta-watch status --all\n");
});

test("a check is ok, a warning or critical; what is muted counts as ok", () => {
  const codes = [ALL_WELL, MUTED, ONE_LATE, GUARD, ONE_MISSING, ONE_STALLED].map(checkCode);
  expect(codes).toEqual([0, 0, 1, 1, 2, 2]);
});

test("--all folds nothing", () => {
  const rows = (text: string) => text.split("\n").filter((line) => line.includes(" ok ")).length;
  expect(rows(statusScreen(FORTY, terminal(80), { all: true }))).toBe(33);
  expect(rows(statusScreen(FORTY, terminal(80)))).toBe(13);
});

test("the end of who said goodbye is told as that, and its status where the kernel told one", () => {
  const lineOf = (exit_status: number | null) => {
    const end = { time: NIGHT, exit_status, signal: null };
    const gone = {
      time: NIGHT,
      kind: "gone",
      agent: "worker",
      pid: 7,
      end,
      detail: "goodbye",
    } as const;
    return eventLine(gone, NIGHT, 6, terminal(80));
  };
  expect(lineOf(7)).toContain("pid 7, said goodbye, exit status 7");
  expect(lineOf(null)).toContain("pid 7, said goodbye\n");
});
