import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { OwnTimesReader } from "../../src/processes/own_times.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const FILES = {
  "self/schedstat": "1500 2500 7\n",
  "self/cgroup": "1:name=systemd:/\n0::/system.slice/varta-watch.service\n",
  stat: "cpu  10 20 30 40 50 60 70 800 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
  "pressure/io": "some avg10=0.00 total=999\nfull avg10=0.00 avg60=1.15 avg300=1.14 total=42\n",
  "root/system.slice/varta-watch.service/cgroup.stat.local": "frozen_usec 3000\n",
};

describe("OwnTimesReader", () => {
  test("reads each total where the kernel says it", () => {
    using directory = new TemporaryDirectory();
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(`${directory.path}/${name}`), { recursive: true });
      writeFileSync(`${directory.path}/${name}`, text);
    }
    const times = new OwnTimesReader(directory.path, `${directory.path}/root`).read();
    expect(times).toMatchObject({
      cpuNs: 1_500,
      runDelayNs: 2_500,
      stealNs: 8e9 / availableParallelism(),
      diskNs: 42_000,
      frozenNs: 3_000_000,
    });
  });

  test("says NaN of what is not there", () => {
    using directory = new TemporaryDirectory();
    const { suspendedNs, ...others } = new OwnTimesReader(directory.path, directory.path).read();
    expect(Object.values(others)).toEqual(Array(5).fill(Number.NaN));
    expect(suspendedNs).toBeGreaterThanOrEqual(-1e6);
  });
});
