// A little of the contract of every client library (spec 21 section 3), in each language: what
// stands in the bytes, and that the real daemon takes them. The whole table is run by
// end_to_end/slow/clients.slow.ts.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import { clockNs } from "../../ffi/clock.ts";
import { endLeftovers } from "../support/daemon_process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { ROWS, runRow } from "./contract_rows.ts";
import { DaemonDoor } from "./daemon_door.ts";
import { DoorProcess, HAS_DOOR } from "./door_process.ts";
import { Driver, LANGUAGES } from "./driver.ts";

setDefaultTimeout(TEST_MS_MAX);

const [first] = ROWS;
let daemon: DaemonDoor;
beforeAll(async () => {
  daemon = await DaemonDoor.open();
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  endLeftovers();
});

for (const language of LANGUAGES) {
  const kind = language.doors[0]!;
  describe.skipIf(language.argv === undefined)(`the client for ${language.name}`, () => {
    test.concurrent(`at the daemon: ${first!.promise}`, async () => {
      await runRow(first!, { language, kind, door: daemon });
    });

    test.skipIf(!HAS_DOOR)("beats on the monotonic clock, and names the sender", async () => {
      await using door = await DoorProcess.open(kind);
      await using driver = new Driver(language);
      const beforeNs = clockNs(CLOCK_MONOTONIC);
      await driver.do(`${kind} ${door.path}`);
      // A runtime may connect in its own time.
      await until("three beats", async () => {
        await driver.do("beat ok 0");
        return door.heard.length >= 3;
      });
      const stamps = door.heard.map(({ frame }) => Number(frame.timestamp));
      expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
      expect(stamps[0]).toBeGreaterThanOrEqual(beforeNs);
      expect(stamps.at(-1)).toBeLessThanOrEqual(clockNs(CLOCK_MONOTONIC));
      expect(door.heard.every(({ by, frame }) => by === driver.pid && frame.pid === by)).toBe(true);
      expect(door.faults).toEqual([]);
    });
  });
}
