// What a daemon left behind, as the harness reads it (test/README.md).
import { describe, expect, test } from "bun:test";
import { appendFileSync, closeSync, openSync, writeFileSync } from "node:fs";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  auditedPids,
  chainFaults,
  descriptorKinds,
  ExportTail,
  notedRecoveries,
} from "./witness.ts";

const STALLED_MS = Date.parse("2026-01-02T03:04:06.678Z");

describe("ExportTail", () => {
  test("reads stalls and ends with their time, beats and starts, and no half row", () => {
    using directory = new TemporaryDirectory();
    const rows = [
      '{"t":"2026-01-02T03:04:05.678Z","observer_ns":0,"kind":"boot","pid":9}',
      '{"t":"2026-01-02T03:04:05.678Z","observer_ns":1,"kind":"beat","pid":7}',
      '{"t":"2026-01-02T03:04:06.678Z","observer_ns":2,"kind":"stall","pid":7}',
      '{"t":"2026-01-02T03:04:06.678Z","observer_ns":2,"kind":"exit","pid":6}',
      '{"t":"2026-01-02T03:04:06.678Z","observer_ns":3,"ki',
      '{"t":"2026-01-02T03:04:06.678Z","observer_ns":4,"kind":"beat","pid":8}',
    ];
    writeFileSync(directory.at("events"), rows.join("\n"));
    const { boots, beats, stalls, ends } = new ExportTail(directory.at("events")).look();
    expect({ boots, beats }).toEqual({ boots: [9], beats: [7] });
    expect(stalls).toMatchObject([{ pid: 7, atMs: STALLED_MS }]);
    expect(ends).toMatchObject([{ pid: 6, atMs: STALLED_MS }]);
  });

  test("takes a row once, when its end is there", () => {
    using directory = new TemporaryDirectory();
    const tail = new ExportTail(directory.at("events"));
    expect(tail.look().beats).toEqual([]);
    writeFileSync(directory.at("events"), '{"kind":"beat","pid":7}\n{"kind":"be');
    expect(tail.look().beats).toEqual([7]);
    appendFileSync(directory.at("events"), 'at","pid":8}\n');
    expect(tail.look().beats).toEqual([7, 8]);
    expect(tail.look().beats).toEqual([7, 8]);
  });
});

test("notedRecoveries() reads pid and time as the command wrote them", () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.at("notes"), "7 1700000000123\n8 1700000000456\n");
  expect(notedRecoveries(directory.at("notes"))).toEqual([
    { pid: 7, atMs: 1_700_000_000_123 },
    { pid: 8, atMs: 1_700_000_000_456 },
  ]);
});

test("auditedPids() takes the agents of spawn records, and no others", () => {
  using directory = new TemporaryDirectory();
  const lines = ["# head", "1\t2\t0\tboot\t99", "2\t3\t4\tspawn\t7\t100", "3\t4\t5\trefused\t8\tx"];
  writeFileSync(directory.at("audit"), `${lines.join("\n")}\n`);
  expect(auditedPids(directory.at("audit"))).toEqual([7]);
});

test("chainFaults() names a log that is not there, and one that was cut", () => {
  using directory = new TemporaryDirectory();
  expect(chainFaults(directory.at("audit"))).toEqual(["there is no audit log"]);
  const lines = ["# varta-watch recovery audit v2", "1\t2\t0\tboot\t99\t-\tfresh\tnonsense"];
  writeFileSync(directory.at("audit"), `${lines.join("\n")}\n`, { mode: 0o600 });
  expect(chainFaults(directory.at("audit"))[0]).toStartWith("the audit log is not whole: ");
});

test("descriptorKinds() counts what a process has open, by kind", () => {
  const kind = import.meta.path;
  const before = descriptorKinds(process.pid).get(kind) ?? 0;
  const fd = openSync(kind, "r");
  expect(descriptorKinds(process.pid).get(kind)).toBe(before + 1);
  closeSync(fd);
});
