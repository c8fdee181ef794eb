// No garbage per beat: the engine logs every collection, and a million beats must not cause any
// (spec 04 section 11).
import { expect, setDefaultTimeout, test } from "bun:test";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

test("a million beats through pump() cause no garbage collection", () => {
  const child = Bun.spawnSync(
    [process.execPath, `${import.meta.dir}/beat_flood.ts`, "300000", "1000000"],
    { env: { ...process.env, BUN_JSC_logGC: "1" } },
  );
  const text = child.stderr.toString();
  const { accepted } = JSON.parse(child.stdout.toString()) as { accepted: number };
  expect(accepted).toBeGreaterThan(1_200_000);
  // The forced collection before the mark shows that collections are logged at all.
  const [before, after] = text.split("\nbegin\n");
  expect(before).toMatch(/GC/);
  const during = after!.split("\nend\n")[0]!;
  expect(during.match(/\[GC/g) ?? []).toEqual([]);
});
