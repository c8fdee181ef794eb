// A log that goes on in another file while the daemon runs: the old one is whole before the new one
// begins, no row is lost, and each file is right by itself.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { AuditLog, type AuditLogOptions, type LeftLog } from "../../src/audit/audit_log.ts";
import { AUDIT } from "../../src/audit/counters.ts";
import { Counters } from "../../src/base/counters.ts";
import { AUDIT_RING_LINES } from "../../src/base/limits.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { counted } from "../support/since.ts";
import {
  auditOptions,
  AuditDirectory,
  DAEMON_PID,
  DrivenLog,
  openMemory,
  refusal,
  UNIX_MS,
  verifyLog,
} from "./audit_fixture.ts";
import { FaultyDisk } from "./faulty_disk.ts";

const OTHER = ".other";

function find(path: string, changes: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return AuditLog.find(auditOptions(path, changes));
}

/** Two logs of one daemon: it leaves `old` for `next`. */
class Move {
  readonly old: DrivenLog;
  readonly next: AuditLog;
  left: Promise<LeftLog> | undefined;
  nowNs = 0;

  constructor(old: DrivenLog, next: AuditLog) {
    this.old = old;
    this.next = next;
  }

  swap(): void {
    this.left = this.old.log.leave(this.next, UNIX_MS);
    this.next.beginAfter(this.left);
  }

  async settle(): Promise<void> {
    await this.left;
    do {
      this.next.maintain(this.nowNs);
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.next.busy || this.next.nextDeadlineNs() <= this.nowNs);
  }
}

describe("a log that is moved", () => {
  test("is synced and closed before the other one begins, and rows wait meanwhile", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const old = await DrivenLog.open(directory.log, { calls: disk.calls });
    await old.refuse(1);
    const next = await find(directory.log + OTHER);
    const move = new Move(old, next);
    const sync = Promise.withResolvers<void>();
    disk.beforeSync = () => sync.promise;
    old.log.record(refusal(2), UNIX_MS);
    move.swap();
    next.record(refusal(3), UNIX_MS);
    next.maintain(0);
    await Bun.sleep(5);
    expect(next.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(directory.read(OTHER)).toBe("");
    sync.resolve();
    await move.settle();
    const kinds = directory.rows().map((row) => row[3]);
    expect(kinds).toEqual(["boot", "refused", "refused", "moved"]);
    const last = directory.rows().at(-1)!;
    expect(last.slice(4, 8)).toEqual(["to", directory.log + OTHER, "0", "-"]);
    const [boot, from, row] = directory.rows(OTHER);
    expect(boot!.slice(0, 7)).toEqual([
      "5",
      `${UNIX_MS}`,
      "0",
      "boot",
      `${DAEMON_PID}`,
      "-",
      "fresh",
    ]);
    expect(from!.slice(0, 8)).toEqual([
      ...["6", `${UNIX_MS}`, "0", "moved", "from", directory.log],
      ...["4", last.at(-1)!],
    ]);
    expect(row!.slice(3, 5)).toEqual(["refused", "3"]);
    await next.close();
    expect(verifyLog(directory.log).problems).toEqual([]);
    expect(verifyLog(directory.log + OTHER)).toMatchObject({
      problems: [],
      findings: [
        "audit.log.other:2: records 1..4 are missing",
        `audit.log.other:3: moved from ${directory.log}, whose last row was 4 with chain ${last.at(-1)}`,
      ],
    });
  });

  test("takes along what a full disk does not take, before what came meanwhile", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const counters = new Counters(AUDIT, { head: { seq: 0 } });
    const old = await DrivenLog.open(directory.log, { calls: disk.calls, counters });
    disk.freeBytes = 0;
    old.log.record(refusal(1), UNIX_MS);
    const next = await find(directory.log + OTHER, { counters });
    const move = new Move(old, next);
    move.swap();
    next.record(refusal(2), UNIX_MS);
    await move.settle();
    const rows = directory.rows(OTHER);
    expect(rows.map((row) => row[3])).toEqual(["boot", "moved", "refused", "refused"]);
    expect(rows.slice(2).map((row) => row[4])).toEqual(["1", "2"]);
    expect(rows[1]!.slice(6, 8)).toEqual(["1", directory.rows()[0]!.at(-1)!]);
    expect(counted(counters, AUDIT.dropped)).toBe(0);
    await next.close();
    expect(verifyLog(directory.log + OTHER).problems).toEqual([]);
  });

  test("begins the other one as soon as its disk takes it, once and whole", async () => {
    using directory = new AuditDirectory();
    const old = await DrivenLog.open(directory.log);
    const disk = new FaultyDisk();
    const next = await find(directory.log + OTHER, { calls: disk.calls });
    const move = new Move(old, next);
    disk.freeBytes = 50;
    move.swap();
    next.record(refusal(1), UNIX_MS);
    await move.settle();
    expect(next.hasBegun).toBe(false);
    expect(next.takeError()?.message).toContain("ENOSPC");
    expect(directory.read(OTHER).length).toBe(50);
    disk.freeBytes = Number.POSITIVE_INFINITY;
    move.nowNs = NS_PER_S - 1;
    await move.settle();
    expect(next.hasBegun).toBe(false);
    move.nowNs = NS_PER_S;
    await move.settle();
    expect(directory.rows(OTHER).map((row) => row[3])).toEqual(["boot", "moved", "refused"]);
    await next.close();
    expect(verifyLog(directory.log + OTHER).problems).toEqual([]);
  });

  test("whose other one never began loses and counts what waits, and writes no row", async () => {
    using directory = new AuditDirectory();
    const old = await DrivenLog.open(directory.log);
    const disk = new FaultyDisk();
    const next = await find(directory.log + OTHER, { calls: disk.calls });
    disk.freeBytes = 0;
    const move = new Move(old, next);
    move.swap();
    for (let pid = 1; pid <= AUDIT_RING_LINES + 1; pid++) next.record(refusal(pid), UNIX_MS);
    await move.settle();
    await next.close();
    expect(counted(next.counters, AUDIT.dropped)).toBe(AUDIT_RING_LINES + 1);
    expect(directory.read(OTHER)).toBe("");
  });

  test("leaves nothing in the other file if it is not wanted after all, torn tail included", async () => {
    using directory = new AuditDirectory();
    await (await DrivenLog.open(directory.log)).log.close();
    const torn = `${directory.read()}2\thalf`;
    directory.write(torn);
    await (await find(directory.log)).drop();
    expect(directory.read()).toBe(torn);
  });

  test("back and forth keeps one memory of the head for each, without a word", async () => {
    using directory = new AuditDirectory();
    const at = (name: string) => join(directory.path, name);
    let log = (await DrivenLog.open(at("a.log"), { memory: await openMemory(at("a.log")) })).log;
    for (const name of ["b.log", "a.log", "b.log"]) {
      const memory = await openMemory(at(name));
      expect(memory.found.fault).toBeUndefined();
      const next = await find(at(name), { memory });
      expect(next.difference).toBeUndefined();
      const left = log.leave(next, UNIX_MS);
      next.beginAfter(left);
      await left;
      await next.close();
      log = (await DrivenLog.open(at(name), { memory: await openMemory(at(name)) })).log;
      expect([log.difference, log.memory!.found.otherLog]).toEqual([undefined, undefined]);
    }
    await log.close();
  });
});
