// The journal of recoveries that a killed daemon leaves behind.
import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { FIRED_JOURNAL_LINES } from "../../src/base/limits.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { FiredJournal } from "../../src/recovery/fired_journal.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { bench, ScriptedRunner, stallOf } from "./harness.ts";

const UID = process.geteuid!();

function reopened(path: string): FiredJournal {
  return FiredJournal.open(path, UID);
}

describe("FiredJournal", () => {
  test("keeps what began without being closed, in lines of 64 bytes, mode 0600", () => {
    using directory = new TemporaryDirectory();
    const journal = reopened(directory.at("fired"));
    expect(journal.found).toEqual([]);
    journal.began({ pid: 4242, generation: 777, unixMs: 1_700_000_000_123.9 });
    journal.began({ pid: 4243, generation: Number.NaN, unixMs: 1_700_000_000_124 });
    expect(readFileSync(directory.at("fired"), "latin1")).toBe(
      `${"fired 4242 777 1700000000123".padEnd(63)}\n${"fired 4243 - 1700000000124".padEnd(63)}\n`,
    );
    expect(lstatSync(directory.at("fired")).mode & 0o7777).toBe(0o600);
    expect(reopened(directory.at("fired")).found).toEqual([
      { pid: 4242, generation: 777, unixMs: 1_700_000_000_123 },
      { pid: 4243, generation: Number.NaN, unixMs: 1_700_000_000_124 },
    ]);
  });

  test("forgets what did not begin", () => {
    using directory = new TemporaryDirectory();
    const journal = reopened(directory.at("fired"));
    const line = journal.began({ pid: 2, generation: 1, unixMs: 1 });
    journal.began({ pid: 3, generation: 1, unixMs: 2 });
    journal.forget(line);
    expect(reopened(directory.at("fired")).found).toEqual([{ pid: 3, generation: 1, unixMs: 2 }]);
  });

  test("overwrites its oldest line when it is full, also after a restart", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const journal = reopened(path);
    for (let i = 0; i < FIRED_JOURNAL_LINES + 2; i++)
      journal.began({ pid: 100 + i, generation: 1, unixMs: 1_000 + i });
    const next = reopened(path);
    expect(next.found).toHaveLength(FIRED_JOURNAL_LINES);
    expect(Math.min(...next.found.map(({ pid }) => pid))).toBe(102);
    next.began({ pid: 9, generation: 1, unixMs: 9_000_000 });
    const pids = reopened(path).found.map(({ pid }) => pid);
    expect(pids).toContain(9);
    expect(pids).not.toContain(102);
    expect(pids).toContain(103);
  });

  test("takes a damaged line for none, and a longer file for its first lines", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    reopened(path).began({ pid: 7, generation: 8, unixMs: 9 });
    const good = readFileSync(path);
    const torn = Buffer.concat([Buffer.alloc(64, "x"), good, Buffer.from("fired 1 1 1")]);
    writeFileSync(path, torn);
    expect(reopened(path).found).toEqual([{ pid: 7, generation: 8, unixMs: 9 }]);
  });

  test("refuses a link, a directory and a file of somebody else", () => {
    using directory = new TemporaryDirectory();
    symlinkSync("/dev/null", directory.at("link"));
    mkdirSync(directory.at("directory"));
    expect(() => reopened(directory.at("link"))).toThrow(/ELOOP|symbolic/);
    expect(() => reopened(directory.at("directory"))).toThrow();
    reopened(directory.at("other")).close();
    expect(() => FiredJournal.open(directory.at("other"), UID + 1)).toThrow(
      `of uid ${UID}; want one of uid ${UID + 1}`,
    );
  });

  test("counts what it cannot write and goes on", () => {
    using directory = new TemporaryDirectory();
    const journal = reopened(directory.at("fired"));
    journal.close();
    journal.began({ pid: 2, generation: 1, unixMs: 1 });
    expect(journal.takeFailures()).toBe(1);
    expect(journal.takeFailures()).toBe(0);
  });
});

describe("Recovery with a journal", () => {
  const DEBOUNCE_NS = 60 * NS_PER_S;
  const START_UNIX_MS = 1_700_000_000_000;

  function started(path: string) {
    const runner = new ScriptedRunner();
    const journal = reopened(path);
    const { recovery } = bench({
      runner,
      config: { command: ["/bin/recover"], debounceNs: DEBOUNCE_NS },
      unixMsAtStart: () => START_UNIX_MS,
    });
    recovery.useJournal(journal, 0);
    recovery.beginTurn();
    return { recovery, runner };
  }

  test("notes a recovery before the command begins", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const { recovery, runner } = started(path);
    recovery.decide(stallOf({ pid: 50, generation: 5 }), NS_PER_S);
    expect(runner.spawnCount).toBe(1);
    expect(reopened(path).found).toEqual([
      { pid: 50, generation: 5, unixMs: START_UNIX_MS + 1_000 },
    ]);
  });

  test("forgets one whose command could not be started: its debounce did not begin either", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const { recovery, runner } = started(path);
    runner.spawnError = "ENOENT";
    recovery.decide(stallOf({ pid: 50, generation: 5 }), NS_PER_S);
    expect(reopened(path).found).toEqual([]);
  });

  test("holds the debounce of the daemon before it, for the same process only and for as long as it lasts", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const before = reopened(path);
    // Fired 20 s before this daemon started.
    before.began({ pid: 50, generation: 5, unixMs: START_UNIX_MS - 20_000 });
    before.began({ pid: 60, generation: 6, unixMs: START_UNIX_MS - 20_000 });
    const { recovery, runner } = started(path);
    recovery.decide(stallOf({ pid: 50, generation: 5 }), 39 * NS_PER_S);
    expect(runner.spawnCount).toBe(0);
    recovery.decide(stallOf({ pid: 60, generation: 7 }), 39 * NS_PER_S);
    expect(runner.spawnCount).toBe(1);
    recovery.decide(stallOf({ pid: 50, generation: 5 }), 40 * NS_PER_S);
    expect(runner.spawnCount).toBe(2);
  });

  test("does not hold it longer because the wall clock was set back", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    reopened(path).began({ pid: 50, generation: 5, unixMs: START_UNIX_MS + 3_600_000 });
    const { recovery, runner } = started(path);
    recovery.decide(stallOf({ pid: 50, generation: 5 }), DEBOUNCE_NS);
    expect(runner.spawnCount).toBe(1);
  });
});
