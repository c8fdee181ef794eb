// The pages of docs/spec name what the program has: every metric, key, option, reason and kind. A
// feature that is not in them is not specified, and what is in them alone is gone.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/binary/target.ts";
import { withCommandTable } from "../scripts/spec/command_table.ts";
import { REJECT_REASONS } from "../src/base/reject_reason.ts";
import { findCommand } from "../src/cli/commands.ts";
import { REMOVED_OPTIONS } from "../src/config/legacy_options.ts";
import { CONFIG_OPTIONS } from "../src/config/options.ts";
import { CHECKS } from "../src/doctor/checks.ts";
import { LOG_KINDS } from "../src/daemon/log.ts";
import { REASONS } from "../src/events/outcome_words.ts";
import { STEP_KINDS } from "../src/events/step_kind.ts";
import { DROP_REASONS } from "../src/http/counters.ts";
import { DECODE_ERROR_KINDS } from "../src/wire/decode_error.ts";

const SPEC = join(ROOT, "docs/spec");

function page(name: string): string {
  return readFileSync(join(SPEC, name), "utf8");
}

/** The words of `wanted` that do not stand by themselves in `text`. */
function missing(text: string, wanted: Iterable<string>): string[] {
  const words = new Set(text.match(/[\w-]+/g));
  return [...new Set(wanted)].filter((word) => !words.has(word));
}

test("the index has every page", () => {
  const readme = page("README.md");
  const pages = readdirSync(SPEC).filter((name) => name !== "README.md");
  expect(pages.length).toBeGreaterThan(12);
  expect(pages.filter((name) => !readme.includes(`](${name})`))).toEqual([]);
});

describe("the page of the configuration has", () => {
  const text = page("07-config.md");

  test("every option, and those that are gone", () => {
    const options = [...CONFIG_OPTIONS.map(({ name }) => name), ...REMOVED_OPTIONS.keys()];
    expect(
      missing(
        text,
        options.map((name) => `--${name}`),
      ),
    ).toEqual([]);
  });

  test('the commands of the program, as "npm run commands" writes them', () => {
    expect(withCommandTable(text)).toBe(text);
    expect(text).toContain(findCommand("help")!.summary);
  });
});

test.each([
  ["19-doctor.md", "check of doctor", CHECKS.map(({ name }) => name)],
  ["01-wire.md", "kind of decode error", DECODE_ERROR_KINDS],
  ["08-metrics.md", "reject reason", REJECT_REASONS],
  ["10-recovery.md", "kind of step", STEP_KINDS],
  ["11-audit.md", "reason of a decision", Object.keys(REASONS)],
  ["12-liveness.md", "kind of log line with a cooldown", LOG_KINDS],
  ["13-http.md", "reason to refuse a client", DROP_REASONS],
])("%s has every %s", (name, _, words) => {
  expect(words.length).toBeGreaterThan(3);
  expect(missing(page(name), words)).toEqual([]);
});
