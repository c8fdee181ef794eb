// What asker and log hear of a change (spec 17 section 6).
import { describe, expect, test } from "bun:test";
import type { Config } from "../../../src/config/config.ts";
import { diffConfigs } from "../../../src/config/diff/diff.ts";
import type { LoadSuccess } from "../../../src/config/load_result.ts";
import { shownChange } from "../../../src/daemon/reload/shown_changes.ts";
import { FixtureHost } from "../../config/fixture_host.ts";

const LISTENER = '[[listener]]\nkind = "unix"\npath = "/run/varta/varta.sock"\n';
const NOON_MS = Date.parse("2026-11-28T12:00:00.000Z");

function rule(name: string, more = ""): string {
  return `[[agent]]\nname = "${name}"\nmatch = { comm = "${name}" }\n${more}\n`;
}

async function configOf(text: string): Promise<Config> {
  using fixture = new FixtureHost();
  return ((await fixture.load(LISTENER + text)) as LoadSuccess).config;
}

/** Both texts of each change: of the first rule before there are 3 members, of the second 5. */
async function shown(
  { before, after }: { before: string; after: string },
  have: readonly (readonly [number, number])[] | undefined,
) {
  const [old, now] = [await configOf(before), await configOf(after)];
  const around = {
    before: old,
    after: now,
    had: new Map([
      [0, 3],
      [1, 5],
    ]),
    have: have === undefined ? undefined : new Map(have),
    unixMs: NOON_MS,
  };
  return diffConfigs(old, now).map((change) => {
    const { line, effect } = shownChange(change, around);
    return [line, effect];
  });
}

describe("shownChange()", () => {
  test("of a shorter threshold says how many members there are, and from when on they are judged", async () => {
    const before = rule("worker", 'threshold = "5s"');
    const after = rule("worker", 'threshold = "2s"');
    expect(await shown({ before, after }, [[0, 8]])).toEqual([
      [
        "threshold of agent worker: 5s -> 2s, 8 members",
        "8 members, judged from 2026-11-28T12:00:02.000Z",
      ],
    ]);
    expect(await shown({ before: after, after: before }, [[0, 1]])).toEqual([
      ["threshold of agent worker: 2s -> 5s, 1 member", "1 member"],
    ]);
  });

  test("of more expected members says from when on too few are missing", async () => {
    const before = rule("worker", "expect = 8");
    const after = rule("worker", "expect = 10");
    const line = "expect of agent worker: 8 -> 10, 8 members";
    expect(await shown({ before, after }, [[0, 8]])).toEqual([
      [line, "8 members, missing after 2026-11-28T12:00:30.000Z"],
    ]);
    expect(await shown({ before, after }, [[0, 10]])).toEqual([
      ["expect of agent worker: 8 -> 10, 10 members", "10 members"],
    ]);
  });

  test("of a rule that has gone says how many members it had, of a new one how many it has", async () => {
    const before = rule("api") + rule("worker");
    const after = rule("cron") + rule("worker");
    expect(await shown({ before, after }, [[0, 2]])).toEqual([
      ["rule cron: added, 2 members", "2 members"],
      ["rule api: removed, 3 members", "3 members"],
    ]);
  });

  test("of what is only tried says whose members it would be about, and of a new rule nothing", async () => {
    const before = rule("api") + rule("worker");
    const after = rule("cron") + rule("worker", 'threshold = "1s"');
    expect(await shown({ before, after }, undefined)).toEqual([
      ["rule cron: added", ""],
      ["threshold of agent worker: 5s -> 1s, 5 members", "5 members"],
      ["rule api: removed, 3 members", "3 members"],
    ]);
  });

  test("of what is no rule has no members", async () => {
    const after = "[limits]\nglobal_rate = 7\n";
    expect(await shown({ before: "", after }, [])).toEqual([
      ["limits.global_rate: 50000 -> 7", ""],
    ]);
  });
});
