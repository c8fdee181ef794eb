import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, readdirSync, renameSync, unlinkSync } from "node:fs";
import { AUDIT } from "../../src/audit/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { TWIN_HEADER } from "../reference/audit_writer_twin.ts";
import { counted } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import {
  AuditDirectory,
  DrivenLog,
  refusal,
  restart,
  UNIX_MS,
  verifyLog,
} from "./audit_fixture.ts";
import { FaultyDisk } from "./faulty_disk.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Two records reach it. */
const BYTES_MAX = 340;

// Durations are another test's business: on a busy machine a rotation may well take longer than its
// budget.
function openSmall(directory: AuditDirectory, disk = new FaultyDisk()): Promise<DrivenLog> {
  return DrivenLog.open(directory.log, {
    bytesMax: BYTES_MAX,
    calls: disk.calls,
    monotonicNs: () => 0,
  });
}

function pids(directory: AuditDirectory, suffix = ""): number[] {
  const rows = directory.rows(suffix).filter((columns) => columns[3] === "refused");
  return rows.map((columns) => Number(columns[4]));
}

describe("rotation", () => {
  test("goes by a size that was changed meanwhile, in one chain", async () => {
    using directory = new AuditDirectory();
    const driven = await DrivenLog.open(directory.log, { monotonicNs: () => 0 });
    await driven.refuse(1, 2, 3, 4);
    driven.log.change({
      bytesMax: BYTES_MAX,
      syncEvery: 1,
      syncIntervalNs: 0,
      fsyncBudgetNs: 1e12,
      rotationBudgetNs: 1e12,
    });
    await driven.refuse(5, 6);
    await driven.log.close();
    expect(pids(directory, ".1")).toEqual([1, 2, 3, 4, 5]);
    expect(pids(directory)).toEqual([6]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("links the new file to the old one by a boot record in sequence", async () => {
    using directory = new AuditDirectory();
    const driven = await openSmall(directory);
    await driven.refuse(1, 2);
    await driven.log.close();
    const old = directory.rows(".1");
    expect(pids(directory, ".1")).toEqual([1, 2]);
    expect(directory.read()).toStartWith(TWIN_HEADER);
    const [boot] = directory.rows();
    expect(boot!.slice(0, 7)).toEqual([
      "4",
      `${UNIX_MS}`,
      "0",
      "boot",
      "1234",
      old.at(-1)!.at(-1)!,
      "rotation",
    ]);
    expect(lstatSync(directory.log).mode & 0o7777).toBe(0o600);
    expect(verifyLog(directory.log).findings).toEqual([]);
    expect(driven.log.takeError()).toBeUndefined();
    expect(counted(driven.log.counters, AUDIT.rotationBudgetExceeded)).toBe(0);
  });

  test("keeps five old files, and verify sees where the sixth was", async () => {
    using directory = new AuditDirectory();
    const driven = await openSmall(directory);
    await driven.refuse(...Array.from({ length: 30 }, (_, i) => i + 1));
    await driven.log.close();
    expect(readdirSync(directory.path).toSorted()).toEqual(
      ["", ".1", ".2", ".3", ".4", ".5"].map((suffix) => `audit.log${suffix}`),
    );
    const [first] = directory.rows(".5");
    const { findings, last } = verifyLog(directory.log);
    expect(findings).toEqual([
      `audit.log.5:2: starts at seq ${first![0]}, anchored at ${first![5]}`,
    ]);
    expect(last).toStartWith("intact: ");
  });

  test("drains the ring into the old file first", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await openSmall(directory, disk);
    let arrived = 2;
    disk.beforeSync = () => {
      if (arrived < 6) driven.log.record(refusal(++arrived), UNIX_MS);
    };
    await driven.record(refusal(1), refusal(2));
    await driven.log.close();
    expect(pids(directory, ".2")).toEqual([1, 2, 3, 4]);
    expect(pids(directory, ".1")).toEqual([5, 6]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("goes on from the size of an existing file", async () => {
    using directory = new AuditDirectory();
    const first = await DrivenLog.open(directory.log);
    await first.refuse(1, 2);
    await first.log.close();
    const driven = await openSmall(directory);
    await driven.refuse(3);
    await driven.log.close();
    expect(pids(directory, ".1")).toEqual([1, 2, 3]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("over its budget is counted", async () => {
    using directory = new AuditDirectory();
    let monotonicNs = 0;
    const driven = await DrivenLog.open(directory.log, {
      bytesMax: BYTES_MAX,
      monotonicNs: () => (monotonicNs += 51 * NS_PER_MS),
    });
    await driven.refuse(1, 2);
    expect(counted(driven.log.counters, AUDIT.rotationBudgetExceeded)).toBe(1);
    expect(counted(driven.log.counters, AUDIT.rotationBudgetExceeded)).toBe(0);
    await driven.log.close();
  });

  test("copies where a rename would cross devices", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await openSmall(directory, disk);
    disk.renameError = "EXDEV";
    await driven.refuse(1, 2, 3);
    await driven.log.close();
    expect([pids(directory, ".1"), pids(directory)]).toEqual([[1, 2], [3]]);
    expect(lstatSync(`${directory.log}.1`).mode & 0o7777).toBe(0o600);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("removes a copy that it could not complete, and goes on in the live file", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await openSmall(directory, disk);
    disk.renameError = "EXDEV";
    disk.unlinkError = "EBUSY";
    await driven.refuse(1, 2, 3);
    expect(driven.log.takeError()).toMatchObject({ code: "EBUSY" });
    expect(directory.has(".1")).toBe(false);
    await driven.log.close();
    expect(pids(directory)).toEqual([1, 2, 3]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("that cannot rename costs no old file however often it is tried", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await openSmall(directory, disk);
    await driven.refuse(...Array.from({ length: 12 }, (_, i) => i + 1));
    const before = readdirSync(directory.path).length;
    disk.renameError = "EPERM";
    await driven.refuse(...Array.from({ length: 12 }, (_, i) => i + 13));
    expect(driven.log.takeError()).toMatchObject({ code: "EPERM" });
    expect(driven.log.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(readdirSync(directory.path).length).toBeGreaterThanOrEqual(before - 1);
    disk.renameError = undefined;
    await driven.refuse(25);
    await driven.log.close();
    expect(verifyLog(directory.log).problems).toEqual([]);
  });

  test("that cannot create the new file goes on in .1, and tries only that again", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await openSmall(directory, disk);
    disk.createError = "ENOSPC";
    await driven.refuse(1, 2, 3, 4, 5);
    expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
    expect(driven.log.queuedCount).toBe(0);
    expect(directory.has("")).toBe(false);
    expect(pids(directory, ".1")).toEqual([1, 2, 3, 4, 5]);
    expect(driven.log.nextDeadlineNs()).toBe(NS_PER_S);
    disk.createError = undefined;
    driven.nowNs = NS_PER_S;
    await driven.settle();
    await driven.refuse(6);
    await driven.log.close();
    expect(directory.has(".2")).toBe(false);
    expect(pids(directory)).toEqual([6]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("writes nothing between the swap and the boot record, at whatever byte the disk is full", async () => {
    for (let freeBytes = 0; freeBytes < 240; freeBytes += 11) {
      using directory = new AuditDirectory();
      const disk = new FaultyDisk();
      const driven = await openSmall(directory, disk);
      await driven.refuse(1);
      const rename = disk.calls.rename;
      // The disk fills up while the files move.
      const full = async (from: string, to: string) => {
        await rename(from, to);
        disk.freeBytes = freeBytes;
      };
      Object.assign(disk.calls, { rename: full });
      await driven.refuse(2, 3, 4);
      expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
      Object.assign(disk.calls, { rename });
      disk.freeBytes = Number.POSITIVE_INFINITY;
      driven.nowNs = NS_PER_S;
      await driven.settle();
      await driven.log.close();
      const suffixes = [".2", ".1", ""].filter((suffix) => directory.has(suffix));
      const written = suffixes.flatMap((suffix) => pids(directory, suffix));
      expect(written).toEqual([1, 2, 3, 4]);
      expect(verifyLog(directory.log).findings).toEqual([]);
    }
  });
});

describe("a crash during a rotation", () => {
  async function rotated(directory: AuditDirectory): Promise<void> {
    const driven = await openSmall(directory);
    await driven.refuse(1, 2);
    await driven.log.close();
  }

  test("after the renames is completed by the next start", async () => {
    using directory = new AuditDirectory();
    await rotated(directory);
    unlinkSync(directory.log);
    expect((await restart(directory.log)).bootReason).toBe("rotation");
    expect(verifyLog(directory.log).last).toStartWith("intact: 4 records, seq 1..4,");
  });

  test("at any byte of the new file's first lines is completed by the next start", async () => {
    using directory = new AuditDirectory();
    await rotated(directory);
    const first = directory.read();
    for (let size = 0; size < first.length; size++) {
      directory.write(first.slice(0, size));
      expect((await restart(directory.log)).bootReason).toBe("rotation");
      expect(verifyLog(directory.log).findings).toEqual([]);
      expect(directory.rows().length).toBe(1);
    }
  });

  test("with a torn line in .1 cuts it there", async () => {
    using directory = new AuditDirectory();
    await rotated(directory);
    unlinkSync(directory.log);
    directory.write(directory.read(".1").slice(0, -9), ".1");
    await restart(directory.log);
    expect(verifyLog(directory.log).last).toStartWith("intact: 3 records, seq 1..3,");
  });

  test("inside a copy across devices removes the copy, however much of it there is", async () => {
    using directory = new AuditDirectory();
    const driven = await DrivenLog.open(directory.log);
    await driven.refuse(1, 2);
    await driven.log.close();
    const live = directory.read();
    for (const size of [0, 10, 200, live.length]) {
      directory.write(directory.read().slice(0, size), ".1");
      expect((await restart(directory.log)).bootReason).toBe("resume");
      expect(directory.has(".1")).toBe(false);
      expect(verifyLog(directory.log).problems).toEqual([]);
    }
  });

  test("between two renames leaves a gap that the next rotation closes", async () => {
    using directory = new AuditDirectory();
    const driven = await openSmall(directory);
    await driven.refuse(1, 2, 3, 4, 5);
    await driven.log.close();
    renameSync(`${directory.log}.2`, `${directory.log}.3`);
    const again = await openSmall(directory);
    expect(again.log.bootReason).toBe("resume");
    expect(verifyLog(directory.log).findings).toEqual([]);
    await again.refuse(6, 7);
    await again.log.close();
    expect(["", ".1", ".2", ".3"].every((suffix) => directory.has(suffix))).toBe(true);
    expect(directory.has(".4")).toBe(false);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });
});
