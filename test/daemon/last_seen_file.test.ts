import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { LastSeenFile } from "../../src/daemon/last_seen_file.ts";
import { LAST_SEEN_FILE, parseLastSeen } from "../../src/view/last_seen.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { viewOf } from "../support/views.ts";

setDefaultTimeout(TEST_MS_MAX);

test("last-seen takes the place of what a killed daemon left of it", async () => {
  using directory = new TempDirectory();
  writeFileSync(directory.join(`${LAST_SEEN_FILE}.tmp`), "half of a li");
  const view = viewOf(new ObserverHarness().observer);
  const errors: unknown[] = [];
  const file = new LastSeenFile({
    controlPath: () => directory.join("control.sock"),
    walk: () => view.walkStatus(),
    wallMs: () => 0,
    failed: (error) => errors.push(error),
  });
  await file.close();
  expect(errors).toEqual([]);
  expect(readdirSync(directory.path)).toEqual([LAST_SEEN_FILE]);
  expect(parseLastSeen(directory.read(LAST_SEEN_FILE))).toMatchObject({ final: true });
});
