// What `check` says of the limit of descriptors where stream connections are to have some.
import { expect, test } from "bun:test";
import { descriptorWarnings } from "../../../src/config/checks/descriptor_rule.ts";
import type { UnitSettings } from "../../../src/config/checks/unit_file.ts";
import type { Config } from "../../../src/config/config.ts";

function warningsOf(limit: string | undefined, kind = "unix-stream"): string[] {
  const config = { listeners: [{ kind }], tracker: { pidfdsMax: 16_384 } } as unknown as Config;
  const keys = new Map(limit === undefined ? [] : [["LimitNOFILE", [limit]]]);
  const unit = { name: "varta-watch.service", keys } as unknown as UnitSettings;
  return descriptorWarnings(config, unit);
}

test("descriptorWarnings() adds up connections, pidfds of members and the rest", () => {
  expect(warningsOf("25088")).toEqual([]);
  expect(warningsOf("25087")).toEqual([
    "the daemon may have 25087 descriptors (LimitNOFILE= of varta-watch.service) and need 25088: 8192 for 4096 stream connections, 16384 for tracker.pidfds_max, 512 for the rest; connections beyond its limit are closed",
  ]);
});

test("descriptorWarnings() takes the hard limit, to which the runtime raises the soft one", () => {
  expect(warningsOf("1024:65536")).toEqual([]);
  expect(warningsOf("1024:4096")).toHaveLength(1);
  expect(warningsOf("infinity")).toEqual([]);
  expect(warningsOf(undefined)).toEqual([]);
});

test("descriptorWarnings() has nothing to say without a stream listener", () => {
  expect(warningsOf("1024", "unix")).toEqual([]);
});
