// docs/configuration.md is committed, because people read it without a program: it is what the rows
// say.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { configurationPage } from "../../../scripts/reference/configuration_page.ts";
import { LISTENER_KEYS } from "../../../src/config/keys/listener_keys.ts";
import { STEP_KEYS } from "../../../src/config/keys/recovery_step.ts";
import { TABLES } from "../../../src/config/keys/tables.ts";

const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");

test('docs/configuration.md is what "npm run schema" writes', () => {
  expect(page).toBe(configurationPage());
});

test("it has every key with its meaning", () => {
  const tables = [...Object.values(TABLES), ...Object.values(LISTENER_KEYS), STEP_KEYS];
  const rows = tables.flatMap((keys) =>
    Object.entries<{ readonly help: string }>(keys).map(([name, { help }]) => ({ name, help })),
  );
  expect(rows.length).toBeGreaterThan(80);
  const lines = page.split("\n");
  const missing = rows.filter(
    ({ name, help }) =>
      !lines.some((line) => line.startsWith(`| \`${name}\` |`) && line.endsWith(`| ${help} |`)),
  );
  expect(missing).toEqual([]);
});
