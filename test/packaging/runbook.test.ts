// The runbook is complete and right: a section for each alert, verdict and reason, short enough to
// be read at night, with commands that exist.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { REASONS } from "../../src/events/outcome_words.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import { CLOSE_REASONS } from "../../src/listener/stream_close.ts";
import { RULES } from "./recording/recordings.ts";

const LINES_MAX = 45;

const text = readFileSync(join(ROOT, "packaging/prometheus/runbook.md"), "utf8");
/** By heading, as it is written. */
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split("\n")[0]!, section] as const),
);

test("each alert, verdict and reason of a refusal has its section", () => {
  const alerts = [...readFileSync(RULES, "utf8").matchAll(/- alert: (\w+)/g)].map(
    ([, name]) => name!,
  );
  const wanted = [...alerts, ...STALL_VERDICTS, ...Object.keys(REASONS)];
  expect([...sections.keys()].sort()).toEqual(wanted.sort());
});

test("a section is read in a minute", () => {
  const long = [...sections].filter(([, section]) => section.trim().split("\n").length > LINES_MAX);
  expect(long.map(([name]) => name)).toEqual([]);
});

test("each reason for which a stream connection is closed has a remedy in the handbook", () => {
  const handbook = readFileSync(join(ROOT, "docs/operating.md"), "utf8");
  const [, table] = handbook.split("### Stream connections that are closed");
  const named = [...table!.split("\n###")[0]!.matchAll(/^\| (`.+?`) \| /gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, reason]) => reason!),
  );
  expect(named.filter((name) => name !== "reason").sort()).toEqual([...CLOSE_REASONS].sort());
});

test("every command of varta-watch in it exists", () => {
  const named = [...text.matchAll(/varta-watch ([a-z]+)(?=[ `\n])/g)].map(
    ([, command]) => command!,
  );
  const commands = COMMANDS.map(({ name }) => name.split(" ")[0]!);
  const inCode = named.filter(
    (word) => text.includes(`\`varta-watch ${word}`) || text.includes(`    varta-watch ${word}`),
  );
  expect(inCode.length).toBeGreaterThan(3);
  expect(inCode.filter((word) => !commands.includes(word))).toEqual([]);
});
