// The client's beats leave nothing for the collector: it would stop the agent.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

setDefaultTimeout(60_000);

const PROGRAM = join(import.meta.dir, "../../client/million_beats.ts");

describe("a million beats", () => {
  test("cause no garbage collection", async () => {
    const child = Bun.spawn([process.execPath, PROGRAM], {
      env: { ...process.env, BUN_JSC_logGC: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const log = err.split("\n");
    const from = log.indexOf("start");
    const to = log.indexOf("end");
    expect(out).toBe("1000000 received\n");
    expect(from).toBeGreaterThanOrEqual(0);
    // One collection may clean up after the start; one object per beat would cause four.
    const collections = log.slice(from + 1, to).filter((line) => line.includes(": START"));
    expect(collections.length).toBeLessThan(2);
  });
});
