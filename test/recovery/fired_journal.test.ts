// The journal of recoveries that a killed daemon leaves.
import { describe, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { FIRED_JOURNAL_LINES } from "../../src/base/limits.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { FiredJournal } from "../../src/recovery/fired_journal.ts";
import { NO_STATE } from "../../src/recovery/fired_notes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { recoveryHarness, ScriptedRunner, stallOf } from "./harness.ts";

const UID = process.geteuid!();

function reopened(path: string, monotonicNs = () => 0): FiredJournal {
  return FiredJournal.open(path, { ownerUid: UID, monotonicNs });
}

describe("FiredJournal", () => {
  test("moves with every line in its place, over what stands there", () => {
    using directory = new TemporaryDirectory();
    const [from, to] = [directory.at("from"), directory.at("to")];
    const stale = reopened(to);
    for (let pid = 1; pid <= 9; pid++) stale.began({ pid, generation: 1, unixMs: 1 });
    const journal = reopened(from);
    journal.began({ pid: 11, generation: 1, unixMs: 1_000 });
    const line = journal.began({ pid: 12, generation: 1, unixMs: 1_001 });
    const move = journal.prepareMove(to);
    journal.began({ pid: 13, generation: 1, unixMs: 1_002 });
    move.commit();
    journal.forget(line);
    journal.began({ pid: 14, generation: 1, unixMs: 1_003 });
    expect(journal.path).toBe(to);
    expect(reopened(to).found.map(({ pid }) => pid)).toEqual([11, 13, 14]);
    expect(reopened(from).found.map(({ pid }) => pid)).toEqual([11, 12, 13]);
    expect([journal.takeFailures(), journal.takeReopened()]).toEqual([0, 0]);
  });

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

  test("refuses a link, a directory and a file of another user", () => {
    using directory = new TemporaryDirectory();
    symlinkSync("/dev/null", directory.at("link"));
    mkdirSync(directory.at("directory"));
    expect(() => reopened(directory.at("link"))).toThrow("must not be a symlink");
    expect(() => reopened(directory.at("directory"))).toThrow("found a directory");
  });

  test.skipIf(UID !== 0)("refuses a file of another user (skipped unless root)", () => {
    using directory = new TemporaryDirectory();
    reopened(directory.at("other")).close();
    chownSync(directory.at("other"), 12345, 12345);
    expect(() => reopened(directory.at("other"))).toThrow("must belong to uid 0, found uid 12345");
  });

  test("never writes to a file that has another name or other content", () => {
    using directory = new TemporaryDirectory();
    const precious = "precious content of another file\n";
    writeFileSync(directory.at("precious"), precious);
    linkSync(directory.at("precious"), directory.at("hard"));
    expect(() => reopened(directory.at("hard"))).toThrow("must have one hard link, found 2");
    writeFileSync(directory.at("foreign"), precious.repeat(3));
    expect(() => reopened(directory.at("foreign"))).toThrow(
      "found other content, want a journal of recoveries or an empty file",
    );
    expect(readFileSync(directory.at("precious"), "latin1")).toBe(precious);
    expect(readFileSync(directory.at("foreign"), "latin1")).toBe(precious.repeat(3));
  });

  test("takes zero bytes and a piece of a line, as a crash of the machine leaves them, for its own", () => {
    using directory = new TemporaryDirectory();
    for (const left of [Buffer.alloc(128), Buffer.from("fired 12 3")]) {
      writeFileSync(directory.at("fired"), left);
      expect(reopened(directory.at("fired")).found).toEqual([]);
    }
  });

  test("is made again with all its lines if it is removed", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    let ns = 0;
    const journal = reopened(path, () => ns);
    journal.began({ pid: 7, generation: 1, unixMs: 1 });
    unlinkSync(path);
    journal.began({ pid: 8, generation: 1, unixMs: 2 });
    expect([existsSync(path), journal.takeReopened()]).toEqual([false, 0]);
    ns = NS_PER_S;
    journal.began({ pid: 9, generation: 1, unixMs: 3 });
    expect([journal.takeReopened(), journal.takeReopened()]).toEqual([1, 0]);
    expect(reopened(path).found.map(({ pid }) => pid)).toEqual([7, 8, 9]);
    expect(lstatSync(path).mode & 0o7777).toBe(0o600);
  });

  test("goes on in the old file while something else has its name", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    let ns = 0;
    const journal = reopened(path, () => ns);
    renameSync(path, directory.at("moved"));
    writeFileSync(path, "precious");
    ns = NS_PER_S;
    journal.began({ pid: 9, generation: 1, unixMs: 3 });
    expect([journal.takeReopened(), journal.takeFailures()]).toEqual([0, 1]);
    expect(readFileSync(path, "latin1")).toBe("precious");
    expect(reopened(directory.at("moved")).found.map(({ pid }) => pid)).toEqual([9]);
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
    const { recovery } = recoveryHarness({
      runner,
      config: { command: ["/bin/recover"], debounceNs: DEBOUNCE_NS },
      unixMsAtStart: () => START_UNIX_MS,
    });
    recovery.notes.use(journal, NO_STATE, 0);
    return { recovery, runner };
  }

  test("that comes by a reload opens no window anew that is younger", () => {
    using directory = new TemporaryDirectory();
    const [first, second] = [directory.at("first"), directory.at("second")];
    reopened(first).began({ pid: 50, generation: 5, unixMs: START_UNIX_MS - 1_000 });
    const { recovery, runner } = started(first);
    reopened(second).began({ pid: 50, generation: 5, unixMs: START_UNIX_MS - 20_000 });
    recovery.notes.use(reopened(second), NO_STATE, NS_PER_S);
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 45 * NS_PER_S);
    expect(runner.spawnCount).toBe(0);
  });

  test("notes a recovery before the command begins", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const { recovery, runner } = started(path);
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), NS_PER_S);
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
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), NS_PER_S);
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
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 39 * NS_PER_S);
    expect(runner.spawnCount).toBe(0);
    recovery.decideOne(stallOf({ pid: 60, generation: 7 }), 39 * NS_PER_S);
    expect(runner.spawnCount).toBe(1);
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 40 * NS_PER_S);
    expect(runner.spawnCount).toBe(2);
  });

  test("holds that of the last owner of a pid, wherever its line stands in the ring", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    const before = reopened(path);
    before.began({ pid: 50, generation: 6, unixMs: START_UNIX_MS - 10_000 });
    before.began({ pid: 50, generation: 5, unixMs: START_UNIX_MS - 20_000 });
    const { recovery, runner } = started(path);
    recovery.decideOne(stallOf({ pid: 50, generation: 6 }), 49 * NS_PER_S);
    expect(runner.spawnCount).toBe(0);
  });

  test("does not hold it longer because the wall clock was set back", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("fired");
    reopened(path).began({ pid: 50, generation: 5, unixMs: START_UNIX_MS + 3_600_000 });
    const { recovery, runner } = started(path);
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), DEBOUNCE_NS);
    expect(runner.spawnCount).toBe(1);
  });
});
