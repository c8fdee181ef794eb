// docs/metrics.md is committed, because people read it without a program: it is what the rows say.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { metricsPage } from "../../../scripts/reference/metrics_page.ts";
import { FAMILIES } from "../../support/metric_families.ts";

const page = readFileSync(join(ROOT, "docs/metrics.md"), "utf8");

test('docs/metrics.md is what "npm run metrics" writes', () => {
  expect(page).toBe(metricsPage());
});

test("it has every family of the page in its order, with type, label values and meaning", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$/gm)];
  expect(rows.map(([, name]) => name)).toEqual(FAMILIES.map(({ name }) => name));
  for (const [at, { type, help, values, instanceLabels }] of FAMILIES.entries()) {
    const [, , rowType, labels, meaning] = rows[at]!;
    expect([rowType, meaning]).toEqual([type, help]);
    for (const word of [...values, ...instanceLabels]) expect(labels).toContain(word);
  }
});
