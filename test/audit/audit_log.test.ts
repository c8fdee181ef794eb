import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, mkdirSync, symlinkSync } from "node:fs";
import fc from "fast-check";
import { AUDIT } from "../../src/audit/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { type DecisionReason, REASONS } from "../../src/events/outcome_words.ts";
import { TWIN_HEADER, twinChain, TWIN_ZEROS } from "../reference/audit_writer_twin.ts";
import { atLength } from "../support/at_length.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { columnOf } from "../support/since.ts";
import { counted } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { AuditDirectory, DrivenLog, refusal, UNIX_MS, verifyLog } from "./audit_fixture.ts";
import { FaultyDisk } from "./faulty_disk.ts";

setDefaultTimeout(TEST_MS_MAX);

describe("AuditLog", () => {
  test("begins a new file with the header and a synced boot record, mode 0600", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const { log } = await DrivenLog.open(directory.log, { calls: disk.calls });
    const body = "1\t1700000000000\t0\tboot\t1234\t-\tfresh";
    const line = `${body}\t${twinChain(TWIN_ZEROS, "boot", body)}\n`;
    expect(directory.read()).toBe(`${TWIN_HEADER}${line}`);
    expect(disk.syncs).toBe(1);
    expect(lstatSync(directory.log).mode & 0o7777).toBe(0o600);
    expect(log.bootReason).toBe("fresh");
    expect(log.directorySyncError).toBeUndefined();
    await log.close();
  });

  test("writes what recovery did, in order, byte for byte", async () => {
    using directory = new AuditDirectory();
    const driven = await DrivenLog.open(directory.log);
    const program = "/usr/bin/restart";
    await driven.record(
      outcomeOf("spawn", { observerNs: 5_000_000_000, program, templateSizeBytes: 21 }),
      outcomeOf("timeout"),
      outcomeOf("complete", { observerNs: 6_000_000_000, durationNs: 1_000_000_000 }),
      outcomeOf("refused"),
    );
    await driven.log.close();
    const rows = directory.rows().map((columns) => columns.slice(0, -1).join(" "));
    expect(rows.slice(1)).toEqual([
      `2 ${UNIX_MS} 5000000000 spawn 4242 5001 exec ${program} inline 21`,
      `3 ${UNIX_MS} 6000000000 complete 4242 5001 reaped 0 - 1000000000 0 0 false`,
      `4 ${UNIX_MS} 7000000000 refused 4242 debounced`,
    ]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("refuses a symlink, a directory and a foreign kind of file", async () => {
    using directory = new AuditDirectory();
    symlinkSync("/dev/null", directory.log);
    await expect(DrivenLog.open(directory.log)).rejects.toThrow("must not be a symlink");
    const other = `${directory.path}/other`;
    mkdirSync(other);
    await expect(DrivenLog.open(other)).rejects.toThrow();
    await expect(DrivenLog.open("/dev/null")).rejects.toThrow("must be a regular file");
  });

  test("drops and counts what comes after close(), which may be called twice", async () => {
    using directory = new AuditDirectory();
    const { log } = await DrivenLog.open(directory.log);
    log.record(refusal(1), UNIX_MS);
    await Promise.all([log.close(), log.close()]);
    log.record(refusal(2), UNIX_MS);
    expect(counted(log.counters, AUDIT.dropped)).toBe(1);
    expect(directory.rows().length).toBe(2);
  });

  test("keeps any records intact", async () => {
    const text = fc.string({ unit: "binary", maxLength: 20 });
    const tail = fc.uint8Array({ maxLength: 40 });
    const outcome: fc.Arbitrary<RecoveryOutcome> = fc.oneof(
      fc
        .record({
          observerNs: fc.double({ min: 0, max: 1e15, noNaN: true }),
          pid: fc.nat(),
          reason: fc.constantFrom(...(Object.keys(REASONS) as DecisionReason[])),
          dryRun: fc.boolean(),
        })
        .map((fields) => outcomeOf("refused", fields)),
      fc
        .record({
          observerNs: fc.nat(),
          pid: fc.nat(),
          childPid: fc.nat(),
          program: text,
          source: text,
          templateSizeBytes: fc.nat(),
        })
        .map((fields) => outcomeOf("spawn", fields)),
      fc
        .record({
          completion: fc.constantFrom("reaped" as const, "killed" as const, "reap_failed" as const),
          observerNs: fc.nat(),
          pid: fc.nat(),
          childPid: fc.nat(),
          exitCode: fc.option(fc.nat(255), { nil: Number.NaN }),
          signal: fc.option(fc.nat(64), { nil: Number.NaN }),
          durationNs: fc.nat(),
          captured: fc.option(
            fc.record({
              isAudited: fc.boolean(),
              stdoutSizeBytes: fc.nat(),
              stderrSizeBytes: fc.nat(),
              truncated: fc.boolean(),
              stdoutTail: tail,
              stderrTail: tail,
            }),
            { nil: undefined },
          ),
        })
        .map((fields) => outcomeOf("complete", fields)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(outcome, { maxLength: 30 }), fc.nat(), async (outcomes, unixMs) => {
        using directory = new AuditDirectory();
        const { log } = await DrivenLog.open(directory.log);
        for (const next of outcomes) log.record(next, unixMs);
        await log.close();
        const { verdict, findings } = verifyLog(directory.log);
        expect(findings).toEqual([]);
        expect(verdict.recordCount).toBe(outcomes.length + 1);
      }),
      { numRuns: atLength(8, 80) },
    );
  });
});

describe("sync", () => {
  test.each([
    [1, 5],
    [2, 3],
    [3, 2],
    [9, 1],
  ])("with syncEvery = %d, boot and four records take %d fdatasync calls", async (every, syncs) => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await DrivenLog.open(directory.log, { syncEvery: every, calls: disk.calls });
    await driven.refuse(1, 2, 3, 4);
    expect(disk.syncs).toBe(syncs);
    await driven.log.close();
    const [sumNs, ...buckets] = columnOf(driven.log.counters, "varta_audit_fsync_seconds");
    expect(buckets.reduce((sum, count) => sum + count)).toBe(disk.syncs - 1);
    expect(sumNs).toBeGreaterThan(0);
  });

  test("happens for every record of a pass, one by one", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    // Whatever the disk of this machine takes for them.
    const given = { calls: disk.calls, monotonicNs: () => 0 };
    const driven = await DrivenLog.open(directory.log, given);
    await driven.record(...[1, 2, 3, 4, 5].map(refusal));
    expect([disk.writes, disk.syncs]).toEqual([6, 6]);
    await driven.log.close();
    expect(disk.syncs).toBe(6);
  });

  test("follows syncIntervalNs, also when no further record comes", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    let monotonicNs = 0;
    const driven = await DrivenLog.open(directory.log, {
      syncEvery: 100,
      syncIntervalNs: NS_PER_S,
      monotonicNs: () => monotonicNs,
      calls: disk.calls,
    });
    await driven.refuse(1);
    expect(disk.syncs).toBe(2);
    await driven.refuse(2, 3);
    expect(disk.syncs).toBe(2);
    expect(driven.log.nextDeadlineNs()).toBe(NS_PER_S);
    driven.nowNs = NS_PER_S;
    monotonicNs = NS_PER_S;
    await driven.settle();
    expect(disk.syncs).toBe(3);
    expect(driven.log.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    await driven.log.close();
  });

  test("that is over its budget is counted, and one more covers the rest of the pass", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    let monotonicNs = 0;
    const driven = await DrivenLog.open(directory.log, {
      monotonicNs: () => monotonicNs,
      calls: disk.calls,
    });
    disk.beforeSync = () => {
      monotonicNs += 51 * NS_PER_MS;
    };
    await driven.record(...Array.from({ length: 20 }, (_, i) => refusal(i)));
    expect(disk.syncs).toBe(3);
    expect(counted(driven.log.counters, AUDIT.fsyncBudgetExceeded)).toBe(2);
    expect(counted(driven.log.counters, AUDIT.fsyncBudgetExceeded)).toBe(0);
    expect(counted(driven.log.counters, AUDIT.flushBudgetExceeded)).toBe(0);
    await driven.log.close();
    expect(verifyLog(directory.log).last).toStartWith("intact: 21 records, seq 1..21, head ");
  });

  test("that fails is reported and tried again after a second, its record is written once", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await DrivenLog.open(directory.log, { calls: disk.calls });
    disk.syncError = "EIO";
    await driven.refuse(1);
    expect(driven.log.takeError()).toMatchObject({ code: "EIO" });
    expect(driven.log.nextDeadlineNs()).toBe(NS_PER_S);
    disk.syncError = undefined;
    driven.nowNs = NS_PER_S;
    await driven.settle();
    expect(disk.syncs).toBe(3);
    expect(driven.log.takeError()).toBeUndefined();
    expect(driven.log.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    await driven.log.close();
    expect(directory.rows().length).toBe(2);
  });
});

describe("a pass", () => {
  test("over 10 ms outside fdatasync is counted", async () => {
    using directory = new AuditDirectory();
    let monotonicNs = 0;
    const driven = await DrivenLog.open(directory.log, {
      monotonicNs: () => (monotonicNs += 6 * NS_PER_MS),
    });
    await driven.refuse(1);
    expect(counted(driven.log.counters, AUDIT.flushBudgetExceeded)).toBe(1);
    expect(counted(driven.log.counters, AUDIT.flushBudgetExceeded)).toBe(0);
    await driven.log.close();
  });
});

/** Of which a pass makes three. */
const SLOW_SYNC_NS = 20 * NS_PER_MS;

describe("a slow disk", () => {
  test("holds up no turn, fills the ring, drops and counts, and leaves a gap in seq only", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await DrivenLog.open(directory.log, { calls: disk.calls });
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    disk.beforeSync = () => {
      reached.resolve();
      return gate.promise;
    };
    // The sync of the first record is under way when the others come.
    driven.log.record(refusal(1), UNIX_MS);
    await driven.turn();
    await reached.promise;
    for (let pid = 2; pid <= 1000; pid++) {
      driven.log.record(refusal(pid), UNIX_MS);
      if (pid % 10 === 0) await driven.turn();
    }
    expect(driven.log.queuedCount).toBe(256);
    expect(counted(driven.log.counters, AUDIT.dropped)).toBe(744);
    expect(driven.edges.map(({ level }) => level)).toEqual(["warn", "critical"]);
    expect(counted(driven.log.counters, AUDIT.ringWatermark.warn)).toBe(1);
    expect(counted(driven.log.counters, AUDIT.ringWatermark.critical)).toBe(1);
    expect(directory.rows().length).toBe(2);
    gate.resolve();
    await driven.settle();
    await driven.refuse(2000);
    await driven.log.close();
    const rows = directory.rows();
    expect(rows.map((columns) => Number(columns[4])).slice(1)).toEqual([
      ...Array.from({ length: 256 }, (_, i) => i + 1),
      2000,
    ]);
    expect(rows.at(-1)![0]).toBe("1002");
    const { findings, verdict } = verifyLog(directory.log);
    expect(findings).toEqual(["audit.log:259: records 258..1001 were lost (ring overflow)"]);
    expect(verdict.isIntact).toBe(true);
  });

  test("costs no record while fewer than a ring come during one sync", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    let nowNs = 0;
    const driven = await DrivenLog.open(directory.log, {
      calls: disk.calls,
      monotonicNs: () => nowNs,
    });
    let pid = 0;
    disk.beforeSync = () => {
      nowNs += SLOW_SYNC_NS;
      for (let i = 0; i < 50 && pid < 1000; i++) driven.log.record(refusal(++pid), UNIX_MS);
    };
    await driven.refuse(0);
    await driven.log.close();
    expect(counted(driven.log.counters, AUDIT.dropped)).toBe(0);
    expect(disk.syncs).toBeLessThan(100);
    const pids = directory.rows().map((columns) => Number(columns[4]));
    expect(pids.slice(1)).toEqual(Array.from({ length: 1001 }, (_, i) => i));
    expect(verifyLog(directory.log).findings).toEqual([]);
  });
});

describe("a failed write", () => {
  test("keeps its record at the front, and is tried again after a second or with the next one", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await DrivenLog.open(directory.log, { calls: disk.calls });
    disk.freeBytes = 0;
    await driven.refuse(1);
    expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
    expect(driven.log.queuedCount).toBe(1);
    expect(driven.log.nextDeadlineNs()).toBe(NS_PER_S);
    driven.nowNs = NS_PER_S;
    await driven.settle();
    expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
    await driven.refuse(2);
    expect(driven.log.queuedCount).toBe(2);
    disk.freeBytes = Number.POSITIVE_INFINITY;
    await driven.refuse(3);
    expect(driven.log.queuedCount).toBe(0);
    await driven.log.close();
    expect(directory.rows().map((columns) => columns[4])).toEqual(["1234", "1", "2", "3"]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("at any byte of a record goes on at that byte", async () => {
    for (let freeBytes = 1; freeBytes < 260; freeBytes += 7) {
      using directory = new AuditDirectory();
      const disk = new FaultyDisk();
      const driven = await DrivenLog.open(directory.log, { calls: disk.calls, syncEvery: 2 });
      disk.freeBytes = freeBytes;
      disk.bytesPerWrite = 50;
      await driven.record(refusal(1), refusal(2), refusal(3));
      disk.freeBytes = Number.POSITIVE_INFINITY;
      driven.nowNs = NS_PER_S;
      await driven.settle();
      await driven.log.close();
      expect(verifyLog(directory.log).last).toStartWith("intact: 4 records, seq 1..4,");
    }
  });

  test("at the close costs what it costs, reported and counted, and does not wait", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await DrivenLog.open(directory.log, { calls: disk.calls });
    disk.freeBytes = 0;
    for (let pid = 1; pid <= 7; pid++) driven.log.record(refusal(pid), UNIX_MS);
    await driven.log.close();
    expect(counted(driven.log.counters, AUDIT.dropped)).toBe(7);
    expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
    expect(driven.log.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });
});
