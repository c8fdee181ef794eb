// Real disks that are full or read-only: small file systems mounted for the test, which needs root.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AUDIT } from "../../src/audit/counters.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { counted } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { DrivenLog, refusal, restart, UNIX_MS, verifyLog } from "./audit_fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

/** A directory with a file system of its own. */
class Mounted implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "varta-mount-"));
  readonly log = join(this.path, "audit.log");
  #mounts = 0;

  /** Undefined, or why this machine cannot mount. */
  static readonly refusal = Mounted.#tryMount();

  constructor(sizeBytes: number) {
    this.mount("-t", "tmpfs", "-o", `size=${sizeBytes}`, "none", this.path);
  }

  mount(...args: string[]): void {
    const error = run("mount", ...args);
    if (error !== undefined) throw new Error(error);
    this.#mounts += 1;
  }

  /** From now on, the directory as seen by its path cannot be written. */
  makeReadOnly(): void {
    this.mount("--bind", this.path, this.path);
    const error = run("mount", "-o", "remount,bind,ro", this.path);
    if (error !== undefined) throw new Error(error);
  }

  makeWritable(): void {
    run("umount", "-l", this.path);
    this.#mounts -= 1;
  }

  [Symbol.dispose](): void {
    for (; this.#mounts > 0; this.#mounts--) run("umount", "-l", this.path);
    rmSync(this.path, { recursive: true });
  }

  static #tryMount(): string | undefined {
    if (process.platform !== "linux") return "mounts are Linux only";
    if (process.geteuid?.() !== 0) return "mounting needs root";
    const path = mkdtempSync(join(tmpdir(), "varta-mount-"));
    const error = run("mount", "-t", "tmpfs", "none", path);
    if (error === undefined) run("umount", path);
    rmSync(path, { recursive: true });
    return error;
  }
}

/** What the command said if it failed. */
function run(...command: string[]): string | undefined {
  try {
    const { exitCode, stderr } = Bun.spawnSync(command);
    return exitCode === 0 ? undefined : `${command.join(" ")}: ${stderr.toString().trim()}`;
  } catch (error) {
    return String(error);
  }
}

const SKIPPED = Mounted.refusal;
const TITLE = SKIPPED === undefined ? "a real disk" : `a real disk (skipped: ${SKIPPED})`;
const PAGE = 4_096;

function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(PAGE), { flag: "a" });
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
}

describe.skipIf(SKIPPED !== undefined)(TITLE, () => {
  test("that is full keeps records waiting, and takes them when there is room again", async () => {
    using disk = new Mounted(16 * PAGE);
    const driven = await DrivenLog.open(disk.log);
    const filler = join(disk.path, "filler");
    fill(filler);
    let pid = 0;
    while (driven.log.takeError() === undefined) await driven.refuse(++pid);
    for (let i = 0; i < 50; i++) await driven.refuse(++pid);
    expect(driven.log.queuedCount).toBeGreaterThanOrEqual(50);
    expect(driven.log.takeError()).toMatchObject({ code: "ENOSPC" });
    unlinkSync(filler);
    driven.nowNs = NS_PER_S;
    await driven.settle();
    expect(driven.log.queuedCount).toBe(0);
    await driven.log.close();
    expect(counted(driven.log.counters, AUDIT.dropped)).toBe(0);
    expect(verifyLog(disk.log).findings).toEqual([]);
    expect(verifyLog(disk.log).verdict.recordCount).toBe(pid + 1);
  });

  test("that is full at the end leaves a log that the next start goes on with", async () => {
    using disk = new Mounted(16 * PAGE);
    const driven = await DrivenLog.open(disk.log);
    const filler = join(disk.path, "filler");
    fill(filler);
    for (let pid = 1; pid <= 100; pid++) driven.log.record(refusal(pid), UNIX_MS);
    await driven.log.close();
    expect(counted(driven.log.counters, AUDIT.dropped)).toBeGreaterThan(0);
    await expect(DrivenLog.open(disk.log)).rejects.toMatchObject({ code: "ENOSPC" });
    unlinkSync(filler);
    await restart(disk.log);
    expect(verifyLog(disk.log).problems).toEqual([]);
  });

  test("that is full during rotations loses no old file", async () => {
    using disk = new Mounted(16 * PAGE);
    const driven = await DrivenLog.open(disk.log, { bytesMax: PAGE });
    const filler = join(disk.path, "filler");
    fill(filler);
    for (let pid = 1; pid <= 60; pid++) await driven.refuse(pid);
    unlinkSync(filler);
    driven.nowNs = NS_PER_S;
    await driven.settle();
    await driven.log.close();
    expect(counted(driven.log.counters, AUDIT.dropped)).toBe(0);
    expect(verifyLog(disk.log).findings).toEqual([]);
    expect(verifyLog(disk.log).verdict.recordCount).toBeGreaterThan(60);
  });

  test("that becomes read-only keeps taking records through the open file, without rotation", async () => {
    using disk = new Mounted(64 * PAGE);
    const driven = await DrivenLog.open(disk.log, { bytesMax: PAGE });
    disk.makeReadOnly();
    for (let pid = 1; pid <= 60; pid++) await driven.refuse(pid);
    expect(driven.log.takeError()).toMatchObject({ code: "EROFS" });
    expect(driven.log.queuedCount).toBe(0);
    expect(readdirSync(disk.path)).toEqual(["audit.log"]);
    disk.makeWritable();
    await driven.refuse(61);
    await driven.log.close();
    expect(readdirSync(disk.path).toSorted()).toEqual(["audit.log", "audit.log.1"]);
    expect(verifyLog(disk.log).findings).toEqual([]);
    expect(verifyLog(disk.log).verdict.seqLast).toBe(63);
  });

  test("that is read-only at the start is reported by the error of the system", async () => {
    using disk = new Mounted(16 * PAGE);
    mkdirSync(join(disk.path, "inside"));
    disk.makeReadOnly();
    await expect(DrivenLog.open(disk.log)).rejects.toMatchObject({ code: "EROFS" });
  });
});
