// The journal of recoveries beside the state: made, set aside, and what an earlier version left.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { openStateJournal } from "../../src/daemon/state_journal.ts";
import { FiredJournal } from "../../src/recovery/fired_journal.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const ownerUid = process.geteuid!();

function opened(directory: TemporaryDirectory, auditFile?: string) {
  const lines: string[] = [];
  const log = { warn: (msg: string) => void lines.push(msg) };
  const path = directory.at("state");
  return { ...openStateJournal({ path, auditFile, ownerUid, log }), lines };
}

describe("openStateJournal()", () => {
  test("reads once what an earlier version noted beside its audit log, and leaves it there", () => {
    using directory = new TemporaryDirectory();
    const audit = directory.at("audit.log");
    const old = FiredJournal.open(`${audit}.fired`, { ownerUid, monotonicNs: () => 0 });
    old.began({ pid: 7, generation: 8, unixMs: 9 });
    old.close();
    const first = opened(directory, audit);
    expect(first.older).toEqual([{ pid: 7, generation: 8, unixMs: 9 }]);
    expect(first.lines).toEqual([]);
    first.journal!.close();
    expect(opened(directory, audit).older).toEqual([]);
    expect(existsSync(`${audit}.fired`)).toBe(true);
    expect(opened(directory).older).toEqual([]);
  });

  test("sets aside what is no journal, one copy at most, says so and begins anew", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    for (const content of ["first rubbish", "second rubbish"]) {
      writeFileSync(path, content, { mode: 0o600 });
      const { journal, lines } = opened(directory);
      expect(lines).toEqual(["recovery journal unreadable"]);
      expect(journal!.found).toEqual([]);
      expect(readFileSync(`${path}.bad`, "latin1")).toBe(content);
    }
  });

  test("touches nothing that is not the daemon's, says so and goes on without", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("precious"), "precious");
    symlinkSync(directory.at("precious"), directory.at("state.fired"));
    const { journal, lines } = opened(directory);
    expect([journal, lines]).toEqual([undefined, ["recoveries not noted"]]);
    expect(readFileSync(directory.at("precious"), "latin1")).toBe("precious");
  });
});
