// The contract of the client libraries (spec 21 section 3) in full: every language and runtime, at
// every door that it has, at the real daemon.
import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { goLanguage, javaLanguage } from "../../clients/compiled_languages.ts";
import { rowsOf, runRow } from "../../clients/contract_rows.ts";
import { DaemonDoor } from "../../clients/daemon_door.ts";
import { BUN, C, PYTHON } from "../../clients/driver.ts";
import { fetchedRuntimes } from "../../clients/runtimes.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

let daemon: DaemonDoor;
beforeAll(async () => {
  daemon = await DaemonDoor.open();
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  endLeftovers();
});

const compiled = [await goLanguage(), await javaLanguage()];

for (const language of [PYTHON, C, BUN, ...compiled, ...(await fetchedRuntimes())]) {
  for (const kind of language.doors) {
    describe.skipIf(language.argv === undefined)(`${language.name} at a ${kind} door`, () => {
      const rows = rowsOf(language, kind).map((row) => [row.promise, row] as const);
      test.concurrent.each(rows)("%s", async (_, row) => {
        if (row.ownDaemon !== true) {
          await runRow(row, { language, kind, door: daemon });
          return;
        }
        await using door = await DaemonDoor.open();
        await runRow(row, { language, kind, door });
      });
    });
  }
}
