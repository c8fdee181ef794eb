// What another program does to an audit log unseen by its daemon: seen once a second while it is
// open, and at the next start by the head that is remembered outside of it. And what only looks
// like it: crashes at every step.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { AuditLogOptions } from "../../src/audit/audit_log.ts";
import { type ChainKey, chainKey } from "../../src/audit/chain.ts";
import { HEAD_NAME } from "../../src/audit/head_memory.ts";
import { headRecordText } from "../../src/audit/head_record.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { FILES } from "../../src/files/counters.ts";
import { counted } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { AuditDirectory, DrivenLog, openMemory, verifyLog } from "./audit_fixture.ts";
import { errorWith, FaultyDisk } from "./faulty_disk.ts";

setDefaultTimeout(TEST_MS_MAX);

const KEY = chainKey(Buffer.from("1f".repeat(32), "hex"));
const OTHER_KEY = chainKey(Buffer.from("2e".repeat(32), "hex"));

interface Setting extends Partial<AuditLogOptions> {
  readonly key?: ChainKey | undefined;
}

/** Opens the log with a memory in the same directory, as an unmanaged daemon does. */
async function open(directory: AuditDirectory, setting: Setting = {}): Promise<DrivenLog> {
  const memory = await openMemory(directory.log, { key: setting.key });
  return DrivenLog.open(directory.log, { ...setting, memory });
}

/** One life of a daemon: opens, refuses these pids, stops. */
async function life(directory: AuditDirectory, pids: number[] = [], setting: Setting = {}) {
  const driven = await open(directory, setting);
  await driven.refuse(...pids);
  await driven.log.close();
  return driven.log;
}

function head(directory: AuditDirectory): string {
  return readFileSync(join(directory.path, HEAD_NAME), "utf8");
}

function keepLines(directory: AuditDirectory, count: number): void {
  directory.write(`${directory.read().split("\n").slice(0, count).join("\n")}\n`);
}

/** The columns of the tamper rows, from what happened on. */
function tamperRows(directory: AuditDirectory): string[][] {
  return directory
    .rows()
    .flatMap((row) => (row[3] === "tamper_suspected" ? [row.slice(4, -1)] : []));
}

describe("the remembered head", () => {
  test("is the last row after a stop, in a private file of five lines and a check", async () => {
    using directory = new AuditDirectory();
    const log = await life(directory, [1, 2]);
    const last = directory.rows().at(-1)!;
    expect(log.head).toEqual({ seq: 3, chain: last.at(-1)! });
    const [file, chain] = [directory.log, last.at(-1)!];
    expect(head(directory)).toBe(headRecordText({ file, seq: 3, chain }, undefined));
    expect(lstatSync(join(directory.path, HEAD_NAME)).mode & 0o7777).toBe(0o600);
    expect((await life(directory)).difference).toBeUndefined();
    expect(verifyLog(directory.log).problems).toEqual([]);
  });

  test("is never ahead of rows that are synced, and is written ten times a second at most", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await open(directory, { calls: disk.calls });
    const seqs = () => Number(/^seq (\d+)$/m.exec(head(directory))![1]);
    expect(seqs()).toBe(1);
    disk.syncError = "EIO";
    driven.nowNs = NS_PER_S;
    await driven.refuse(1);
    expect([driven.log.head.seq, seqs()]).toEqual([1, 1]);
    disk.syncError = undefined;
    driven.nowNs = 2 * NS_PER_S;
    await driven.refuse(2);
    expect([driven.log.head.seq, seqs()]).toEqual([3, 3]);
    driven.nowNs += 99 * NS_PER_MS;
    await driven.refuse(3);
    expect(seqs()).toBe(3);
    driven.nowNs += NS_PER_MS;
    await driven.settle();
    expect(seqs()).toBe(4);
    await driven.log.close();
  });

  test("an older memory, as a kill leaves it, is no reason for suspicion", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    const older = head(directory);
    await life(directory, [2, 3, 4]);
    writeFileSync(join(directory.path, HEAD_NAME), older);
    const torn = "9\t1700000000000\t1\trefu";
    appendFileSync(directory.log, torn);
    const log = await life(directory);
    expect([log.difference, log.bootReason, log.tornBytes]).toEqual([
      undefined,
      "corrupt_tail",
      torn.length,
    ]);
    expect(tamperRows(directory)).toEqual([]);
  });

  test("in rotated files, or dropped with them, is no reason for suspicion", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    const older = head(directory);
    const setting = { bytesMax: 340, monotonicNs: () => 0 };
    await life(directory, [2, 3, 4, 5], setting);
    writeFileSync(join(directory.path, HEAD_NAME), older);
    expect((await life(directory, [], setting)).difference).toBeUndefined();
    await life(
      directory,
      Array.from({ length: 30 }, (_, i) => i),
      setting,
    );
    expect(directory.has(".5")).toBe(true);
    writeFileSync(join(directory.path, HEAD_NAME), older);
    expect((await life(directory, [], setting)).difference).toBeUndefined();
    expect(verifyLog(directory.log).problems).toEqual([]);
  });

  test("that stays where a rotation was killed is found in the old file", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1, 2]);
    renameSync(directory.log, `${directory.log}.1`);
    const log = await life(directory);
    expect([log.difference, log.bootReason]).toEqual([undefined, "rotation"]);
  });

  test("finds rows that were cut from the end, and goes on after their numbers", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1, 2, 3, 4]);
    const all = directory.rows();
    keepLines(directory, 4);
    const log = await life(directory, [9]);
    const [third, fifth] = [all[2]!.at(-1)!, all[4]!.at(-1)!];
    expect(log.difference).toEqual({ what: "behind", foundSeq: 3, foundChain: third });
    expect(tamperRows(directory)).toEqual([["behind", "3", third, "5", fifth]]);
    expect(directory.rows().map(([seq]) => seq)).toEqual(["1", "2", "3", "6", "7", "8"]);
    const { findings, problems } = verifyLog(directory.log);
    expect(problems).toEqual([
      "audit.log:6: tamper suspected: rows at the end were missing at the start, row 5 was the last one",
    ]);
    expect(findings).toContain("audit.log:5: records 4..5 are missing");
    expect((await life(directory)).difference).toBeUndefined();
  });

  test("finds a log that was rolled back to an old copy", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    copyFileSync(directory.log, `${directory.log}-old`);
    await life(directory, [2, 3]);
    renameSync(`${directory.log}-old`, directory.log);
    expect((await life(directory)).difference?.what).toBe("behind");
  });

  test("finds a history that was rewritten, and a log that is gone", async () => {
    using directory = new AuditDirectory();
    using forged = new AuditDirectory();
    await life(directory, [1, 2]);
    await life(forged, [7, 8, 9]);
    copyFileSync(forged.log, directory.log);
    expect((await life(directory)).difference?.what).toBe("rewritten");
    unlinkSync(directory.log);
    const log = await life(directory);
    expect([log.difference?.what, log.bootReason]).toEqual(["gone", "fresh"]);
    directory.write("");
    expect((await life(directory)).difference?.what).toBe("gone");
    directory.write("an article on something else\n");
    expect((await life(directory)).difference?.what).toBe("gone");
    expect(directory.read()).toStartWith("an article on something else\n# varta-watch");
  });

  test.each([
    ["garbage", "garbage"],
    ["an empty file", ""],
    ["a changed number", (text: string) => text.replace("seq 2", "seq 1")],
    ["another version", (text: string) => text.replace("head v1", "head v2")],
    [
      "a number that would end the numbering",
      (text: string) => text.replace("seq 2", "seq 9007199254740991"),
    ],
  ])("of %s is set aside and told by a row, and the log goes on", async (_name, change) => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    const path = join(directory.path, HEAD_NAME);
    const bad = typeof change === "string" ? change : change(head(directory));
    writeFileSync(path, bad);
    const log = await life(directory);
    expect(log.memory!.found.fault).toStartWith("found ");
    expect(log.difference?.what).toBe("head_unreadable");
    expect(readFileSync(`${path}.bad`, "utf8")).toBe(bad);
    expect(tamperRows(directory).map(([what]) => what)).toEqual(["head_unreadable"]);
    expect(verifyLog(directory.log).problems).toEqual([]);
    expect((await life(directory)).difference).toBeUndefined();
  });

  test("that is a link, a FIFO or too long is not read", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    const path = join(directory.path, HEAD_NAME);
    const plants = [
      () => symlinkSync(directory.log, path),
      () => expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0),
      () => writeFileSync(path, "x".repeat(40_000)),
    ];
    for (const plant of plants) {
      unlinkSync(path);
      plant();
      expect((await life(directory)).difference?.what).toBe("head_unreadable");
      expect(lstatSync(path).isFile()).toBe(true);
    }
  });

  test("of another log is left alone: each log in a directory has its own", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    const other = `${directory.log}-other`;
    const openOther = async () => {
      const memory = await openMemory(other);
      const { log } = await DrivenLog.open(other, { memory });
      await log.close();
      return log;
    };
    const before = head(directory);
    expect((await openOther()).memory!.found.otherLog).toBe(directory.log);
    expect(head(directory)).toBe(before);
    truncateSync(other, 0);
    expect((await openOther()).difference?.what).toBe("gone");
    expect((await life(directory)).difference).toBeUndefined();
  });

  test("survives a kill inside its writing: the old or the new one, and no leftover in the way", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    writeFileSync(join(directory.path, `${HEAD_NAME}.tmp`), "half a head");
    expect((await life(directory, [2])).difference).toBeUndefined();
    expect(existsSync(join(directory.path, `${HEAD_NAME}.tmp`))).toBe(false);
    expect(head(directory)).toContain("\nseq 4\n");
  });

  test("that cannot be written costs no row, is reported once, and is tried again", async () => {
    using directory = new AuditDirectory();
    let error: string | undefined;
    const calls = {
      ...REAL_FILE_CALLS,
      rename: async (from: string, to: string) => {
        if (error !== undefined) throw errorWith(error);
        await REAL_FILE_CALLS.rename(from, to);
      },
    };
    const memory = await openMemory(directory.log, { calls: calls as typeof REAL_FILE_CALLS });
    const driven = await DrivenLog.open(directory.log, { memory });
    error = "EROFS";
    let told = 0;
    for (let second = 1; second <= 5; second++) {
      driven.nowNs = second * 2 * NS_PER_S;
      await driven.refuse(second);
      if (memory.takeError() !== undefined) told += 1;
    }
    expect([told, directory.rows().length]).toEqual([1, 6]);
    error = undefined;
    driven.nowNs += 2 * NS_PER_S;
    await driven.settle();
    expect(head(directory)).toContain("\nseq 6\n");
    await driven.log.close();
  });
});

describe("a key", () => {
  const reasons = (directory: AuditDirectory) =>
    directory.rows().flatMap((row) => (row[3] === "boot" ? [row[6]] : []));

  test("from the first row on, over rotations and restarts", async () => {
    using directory = new AuditDirectory();
    const setting = { key: KEY, bytesMax: 700, monotonicNs: () => 0 };
    await life(directory, [1, 2, 3, 4, 5, 6], setting);
    await life(directory, [7], setting);
    const { problems, verdict } = verifyLog(directory.log, undefined, { keys: [KEY] });
    expect(problems).toEqual([]);
    expect(verdict.keyId).toBe(KEY.id);
    expect(directory.has(".1")).toBe(true);
    expect(verifyLog(directory.log).verdict.worst).toBe("key");
    expect(verifyLog(directory.log, undefined, { keys: [OTHER_KEY] }).verdict.worst).toBe("key");
  });

  test("that is added, changed and removed begins a section bound to the old head each time", async () => {
    using directory = new AuditDirectory();
    await life(directory, [1]);
    await life(directory, [2], { key: KEY });
    await life(directory, [3], { key: KEY });
    await life(directory, [4], { key: OTHER_KEY });
    expect(reasons(directory)).toEqual(["fresh", "keyed", "resume", "keyed"]);
    const rows = directory.rows();
    expect(rows[2]![5]).toBe(rows[1]!.at(-1)!);
    const keys = [KEY, OTHER_KEY];
    expect(verifyLog(directory.log, undefined, { keys }).problems).toEqual([]);
    const log = await life(directory, [5]);
    expect([log.bootReason, log.difference]).toEqual(["unkeyed", undefined]);
    expect(verifyLog(directory.log, undefined, { keys }).verdict.worst).toBe("section");
    expect(tamperRows(directory)).toEqual([]);
  });

  test.each([
    ["no key", undefined],
    ["a key of their own", chainKey(Buffer.from("3d".repeat(32), "hex"))],
  ])("makes a memory that somebody wrote under %s worthless", async (_name, key) => {
    using directory = new AuditDirectory();
    await life(directory, [1, 2, 3], { key: KEY });
    const rows = directory.rows();
    // Two rows are cut off, and the memory is rewritten to fit.
    keepLines(directory, 3);
    const head = { file: directory.log, seq: 2, chain: rows[1]!.at(-1)! };
    writeFileSync(join(directory.path, HEAD_NAME), headRecordText(head, key));
    const remembered = { ...head, keyId: key?.id };
    const { verdict } = verifyLog(directory.log, undefined, { keys: [KEY], remembered });
    expect(verdict.worst).toBe("behind");
    const log = await life(directory, [], { key: KEY });
    expect(log.difference?.what).toBe("head_unreadable");
  });
});

describe("a log that is open", () => {
  test("and is removed goes on in a new file that is bound to the old head and says so", async () => {
    using directory = new AuditDirectory();
    const driven = await open(directory);
    const [lost] = directory.rows();
    unlinkSync(directory.log);
    await driven.refuse(1);
    expect(driven.log.takeTampering()).toEqual({
      what: "removed",
      foundSeq: 0,
      foundChain: undefined,
    });
    expect([counted(driven.log.files, FILES.reopened.audit), driven.log.takeTampering()]).toEqual([
      1,
      undefined,
    ]);
    await driven.log.close();
    expect(tamperRows(directory)).toEqual([["removed", "0", "-", "1", lost!.at(-1)!]]);
    expect(directory.rows().map((columns) => columns[3])).toEqual([
      "boot",
      "tamper_suspected",
      "refused",
    ]);
    expect(verifyLog(directory.log).problems).toEqual([
      "audit.log:3: tamper suspected: the file was removed while it was open, row 1 was the last one",
    ]);
    expect((await life(directory)).difference).toBeUndefined();
  });

  test("and is moved away for an empty file goes on in that one", async () => {
    using directory = new AuditDirectory();
    const driven = await open(directory);
    renameSync(directory.log, `${directory.log}-moved`);
    directory.write("");
    await driven.refuse(1);
    expect(driven.log.takeTampering()?.what).toBe("replaced");
    await driven.log.close();
    expect(directory.read()).toStartWith("# varta-watch recovery audit v2\n2\t");
    expect(directory.rows("-moved").length).toBe(1);
    expect(directory.rows().length).toBe(3);
  });

  test("and is rolled back to a copy goes on after the copy, and the links show it", async () => {
    using directory = new AuditDirectory();
    const driven = await open(directory, { monotonicNs: () => driven?.nowNs ?? 0 });
    await driven.refuse(1);
    copyFileSync(directory.log, `${directory.log}-copy`);
    await driven.refuse(2, 3);
    renameSync(`${directory.log}-copy`, directory.log);
    driven.nowNs = 2 * NS_PER_S;
    await driven.refuse(4);
    expect(driven.log.takeTampering()).toMatchObject({ what: "replaced", foundSeq: 2 });
    await driven.log.close();
    expect(directory.rows().map(([seq]) => seq)).toEqual(["1", "2", "5", "6", "7"]);
    expect(verifyLog(directory.log).problems).toEqual([
      "audit.log:4: link to the previous section broken",
      "audit.log:5: tamper suspected: another file was put in its place while it was open, row 4 was the last one",
    ]);
  });

  test("and gives way to a file of another user leaves that alone, reported once a minute", async () => {
    using directory = new AuditDirectory();
    const driven = await open(directory, { monotonicNs: () => driven?.nowNs ?? 0 });
    await driven.refuse(1);
    renameSync(directory.log, `${directory.log}-moved`);
    directory.write("not ours\n");
    let told = 0;
    for (let second = 2; second <= 62; second++) {
      driven.nowNs = second * NS_PER_S;
      await driven.refuse(second);
      if (driven.log.takeError()?.message.includes("other content")) told += 1;
    }
    expect(told).toBe(2);
    await driven.log.close();
    expect(directory.read()).toBe("not ours\n");
    expect(directory.rows("-moved").length).toBe(63);
    expect(verifyLog(`${directory.log}-moved`).problems).toEqual([]);
  });

  test.each([
    ["to nothing", 0],
    ["inside a line", 150],
  ])("and is cut %s goes on after that and says so", async (_name, bytes) => {
    using directory = new AuditDirectory();
    const driven = await open(directory, { monotonicNs: () => driven?.nowNs ?? 0 });
    await driven.refuse(1, 2);
    truncateSync(directory.log, bytes);
    driven.nowNs = 2 * NS_PER_S;
    await driven.refuse(3, 4);
    expect(driven.log.takeTampering()?.what).toBe("cut");
    expect(counted(driven.log.files, FILES.reopened.audit)).toBe(0);
    await driven.log.close();
    expect(directory.read()).toStartWith("# varta-watch recovery audit v2\n");
    expect(tamperRows(directory).map(([what]) => what)).toEqual(["cut"]);
    const { problems } = verifyLog(directory.log);
    expect(problems.at(-1)).toContain("tamper suspected: rows at the end were cut off");
    expect((await life(directory)).difference).toBeUndefined();
  });

  test("finds a file in the place that a rotation has freed, and goes on in it", async () => {
    using directory = new AuditDirectory();
    const disk = new FaultyDisk();
    const driven = await open(directory, {
      bytesMax: 340,
      calls: {
        ...disk.calls,
        rename: (async (from: string, to: string) => {
          await disk.calls.rename(from, to);
          if (to.endsWith("audit.log.1") && !directory.has(".2")) directory.write("");
        }) as typeof REAL_FILE_CALLS.rename,
      },
      monotonicNs: () => driven?.nowNs ?? 0,
    });
    await driven.refuse(1, 2);
    expect(driven.log.takeError()).toMatchObject({ code: "EEXIST" });
    driven.nowNs = 2 * NS_PER_S;
    await driven.refuse(3);
    expect(driven.log.takeTampering()?.what).toBe("replaced");
    await driven.log.close();
    expect(directory.rows(".1").map((row) => row[3])).toEqual([
      "boot",
      "tamper_suspected",
      "refused",
    ]);
  });
});
