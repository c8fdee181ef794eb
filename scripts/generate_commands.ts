// `npm run commands`: writes the table of commands in docs/spec/07-config.md from the rows that the
// program has. The page is committed, and a test fails when its table is stale.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./binary/target.ts";
import { PAGE, withCommandTable } from "./spec/command_table.ts";

const path = join(ROOT, PAGE);
writeFileSync(path, withCommandTable(readFileSync(path, "utf8")));
