import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { controlPage } from "../../../scripts/reference/control_page.ts";
import { REQUESTS } from "../../../src/control/requests.ts";

const page = readFileSync(join(ROOT, "docs/control.md"), "utf8");

test('docs/control.md is what "npm run control" writes', () => {
  expect(page).toBe(controlPage());
});

test("every request has its section, with its arguments", () => {
  for (const { name, args } of REQUESTS) {
    const section = page.split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    for (const field of Object.keys(args)) expect(section).toContain(`| \`${field}\` |`);
  }
});
