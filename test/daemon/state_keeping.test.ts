import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StateKeeping } from "../../src/daemon/state_keeping.ts";
import { stateRows } from "../../src/daemon/state_rows.ts";
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { LockedError } from "../../src/files/lock_file.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import { hereAndNow } from "../../src/snapshot/here.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { Random } from "../simulation/random.ts";
import { columnOf } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { Parts } from "./state_parts.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
const BEAT = { generation: 5_000, uid: 1000, namespaceInode: 42 };
const KILLS = 5;

interface Opened {
  readonly keeping: StateKeeping | undefined;
  readonly parts: Parts;
  /** What was logged. */
  readonly lines: Record<string, unknown>[];
  readonly clock: { nowNs: number; beats: number };
}

function open(path: string, { isDefault = false, calls = REAL_FILE_CALLS } = {}): Opened {
  const parts = new Parts();
  const lines: Record<string, unknown>[] = [];
  const clock = { nowNs: 0, beats: 0 };
  const keeping = StateKeeping.open({
    ...{ path, isDefault, ownerUid: UID, calls },
    rows: (isFinal) => stateRows(parts, { ...hereAndNow(0, 0), version: "1.2.3", isFinal }),
    mark: () => parts.table.agents.changes,
    beats: () => clock.beats,
    log: {
      info: (msg, fields) => void lines.push({ msg, ...fields }),
      warn: (msg, fields) => void lines.push({ msg, ...fields }),
    },
  });
  return { keeping, parts, lines, clock };
}

describe("StateKeeping", () => {
  test("finds what the one before it left at its end", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    const before = open(path);
    expect(before.keeping!.found).toBeUndefined();
    before.parts.harness.beat(7, 1, 10, BEAT);
    await before.keeping!.close();
    const after = open(path);
    expect(Array.from(after.keeping!.found!.member, ({ pid }) => pid)).toEqual([7]);
    expect(after.keeping!.found!.moment).toMatchObject({ isFinal: true, version: "1.2.3" });
    // With the first turn it is no more: of many members it would be most of the memory.
    after.keeping!.maintain(0);
    expect(after.keeping!.found).toBeUndefined();
    await after.keeping!.close();
    expect([before.lines, after.lines]).toEqual([[], []]);
    expect(readdirSync(directory.path).toSorted()).toEqual(["state", "state.lock"]);
  });

  test("is refused to a second daemon, and one that nobody named goes on without", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    const { keeping } = open(path);
    expect(() => open(path)).toThrow(LockedError);
    const second = open(path, { isDefault: true });
    expect(second.keeping).toBeUndefined();
    expect(second.lines).toEqual([
      {
        msg: "state not kept",
        file: path,
        error: `cannot lock ${path}.lock: found it held by pid ${process.pid}`,
        effect: "a restart forgets members, mutes and budgets",
      },
    ]);
    await keeping!.close();
  });

  test("locks the file anew whose lock was removed, and writes on", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    const { keeping, parts, lines } = open(path);
    unlinkSync(`${path}.lock`);
    parts.harness.beat(7, 1, 10, BEAT);
    await keeping!.close();
    expect(findState(path, UID)).toMatchObject({ kind: "state" });
    expect(lines).toEqual([]);
    expect(readdirSync(directory.path).toSorted()).toEqual(["state", "state.lock"]);
  });

  test("writes no more once another daemon has locked the file, and says so once", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    const first = open(path);
    unlinkSync(`${path}.lock`);
    const second = open(path);
    first.parts.harness.beat(7, 1, 10, BEAT);
    for (let nowNs = 0; nowNs < 20e9; nowNs += 1e9) first.keeping!.maintain(nowNs);
    await first.keeping!.close();
    expect(first.keeping!.written).toBe(0);
    expect(first.lines.map(({ msg, error }) => [msg, error])).toEqual([
      ["state not kept", `cannot lock ${path}.lock: found it held by pid ${process.pid}`],
    ]);
    await second.keeping!.close();
    expect(findState(path, UID)).toMatchObject({ kind: "state", state: { member: { length: 0 } } });
  });

  test("sets an unreadable file aside with one line, and keeps a new one", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    writeFileSync(path, new Uint8Array(500), { mode: 0o600 });
    const { keeping, lines } = open(path);
    expect(keeping!.found).toBeUndefined();
    expect(lines).toEqual([
      {
        msg: "state unreadable",
        file: path,
        reason: "found a file that is no state",
        set_aside: `${path}.bad`,
        effect: "members, mutes and budgets begin anew",
      },
    ]);
    await keeping!.close();
    expect(findState(path, UID).kind).toBe("state");
  });

  test("is not kept where others could put another file in its place", () => {
    using directory = new TempDirectory();
    const openToAll = directory.join("open");
    mkdirSync(openToAll);
    chmodSync(openToAll, 0o777);
    const { keeping, lines } = open(join(openToAll, "state"));
    expect(keeping).toBeUndefined();
    expect(lines).toMatchObject([
      { msg: "state not kept", error: expect.stringContaining("mode 0777") },
    ]);
    expect(readdirSync(openToAll)).toEqual([]);
  });

  test("goes on without where something else has the name, and gives the lock up", () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    mkdirSync(path);
    for (let start = 0; start < 2; start++) {
      const { keeping, lines } = open(path);
      expect(keeping).toBeUndefined();
      expect(lines.map(({ msg }) => msg)).toEqual(["state not kept"]);
    }
  });

  test("says once that it cannot write, counts it, and says for how long a change waits", async () => {
    using directory = new TempDirectory();
    let isFull = true;
    const rename: FileCalls["rename"] = (from, to) =>
      isFull ? Promise.reject(new Error("ENOSPC")) : REAL_FILE_CALLS.rename(from, to);
    const calls = { ...REAL_FILE_CALLS, rename };
    const opened = open(directory.join("state"), { calls });
    const { keeping, lines } = opened;
    const shown = (name: string): number => {
      keeping!.counters.refresh(opened.clock.nowNs);
      return columnOf(keeping!.counters, name)[0]!;
    };
    const runUntil = async (isThere: () => boolean): Promise<void> => {
      for (; !isThere(); await new Promise(setImmediate)) {
        opened.clock.nowNs += 1e9;
        keeping!.maintain(opened.clock.nowNs);
      }
    };
    await runUntil(() => keeping!.failures === 2);
    expect(lines.map(({ msg, error }) => [msg, error])).toEqual([["state not written", "ENOSPC"]]);
    expect(shown("varta_state_errors_total")).toBe(2);
    expect(shown("varta_state_behind_seconds")).toBeGreaterThan(1);
    expect(keeping!.problem).toBe("ENOSPC");
    isFull = false;
    await runUntil(() => keeping!.written === 1);
    expect(keeping!.problem).toBeUndefined();
    expect(lines.slice(1)).toEqual([
      {
        msg: "state written again",
        file: directory.join("state"),
        failed: keeping!.failures,
        after_ms: expect.any(Number),
      },
    ]);
    expect(lines[1]!["after_ms"]).toBeGreaterThan(1_000);
    expect(shown("varta_state_written_total")).toBe(1);
    expect(shown("varta_state_behind_seconds")).toBe(0);
    expect(shown("varta_state_bytes")).toBeGreaterThan(100);
    await keeping!.close();
  });

  test("says once that a directory cannot be synced, and has written", async () => {
    using directory = new TempDirectory();
    const openFile = async (path: string, flags: number, mode: number) => {
      const handle = await REAL_FILE_CALLS.open(path, flags, mode);
      if (path === directory.path)
        handle.sync = () => Promise.reject(new Error("EINVAL: invalid argument, fsync"));
      return handle;
    };
    const calls = { ...REAL_FILE_CALLS, open: openFile as unknown as FileCalls["open"] };
    const { keeping, lines, clock, parts } = open(directory.join("state"), { calls });
    for (; keeping!.written < 3; await new Promise(setImmediate)) {
      if (keeping!.written === parts.table.len)
        parts.harness.beat(1 + parts.table.len, 1, clock.nowNs, BEAT);
      clock.nowNs += 1e9;
      keeping!.maintain(clock.nowNs);
    }
    await keeping!.close();
    expect(keeping!.failures).toBe(0);
    expect(keeping!.problem).toBeUndefined();
    expect(lines).toEqual([
      {
        msg: "directory sync failed, ignoring",
        file: directory.join("state"),
        error: "EINVAL: invalid argument, fsync",
        effect: "after a crash of the machine the state may be an earlier one",
      },
    ]);
  });

  test("writes beats alone every 10 s, and nothing where none came", async () => {
    using directory = new TempDirectory();
    const { keeping, clock } = open(directory.join("state"));
    const isWriting = (): boolean => {
      const dueNs = keeping!.nextDeadlineNs();
      const waits = dueNs === Infinity && keeping!.behindNs(clock.nowNs + 1e9) > 0;
      return waits || dueNs <= clock.nowNs + 2e8;
    };
    const writtenIn = async (seconds: number, beatsOfEach: number): Promise<number> => {
      const before = keeping!.written;
      for (const endNs = clock.nowNs + seconds * 1e9; clock.nowNs < endNs; clock.nowNs += 1e9) {
        clock.beats += beatsOfEach;
        keeping!.maintain(clock.nowNs);
        // What has begun comes to its end within the second.
        while (isWriting()) {
          keeping!.maintain(clock.nowNs + 3e8);
          await new Promise(setImmediate);
        }
      }
      return keeping!.written - before;
    };
    expect(await writtenIn(5, 1)).toBe(1);
    expect([1, 2]).toContain(await writtenIn(20, 1));
    expect(await writtenIn(60, 0)).toBeLessThanOrEqual(1);
    expect(await writtenIn(60, 0)).toBe(0);
    await keeping!.close();
  });

  test("of a daemon that is killed at any moment has what was written last, or something newer", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state");
    const random = new Random(1);
    for (let kill = 0; kill < KILLS; kill++) {
      const script = join(import.meta.dir, "state_child.ts");
      const child = Bun.spawn([process.execPath, script, path], { stdout: "pipe" });
      // It is killed after so many lines, of which the first says that nothing is written yet.
      const wanted = 2 + random.below(15);
      let text = "";
      for await (const part of child.stdout) {
        text += Buffer.from(part).toString();
        if (text.split("\n").length > wanted) break;
      }
      child.kill("SIGKILL");
      await child.exited;
      const written = Number(text.split("\n").at(-2));
      const found = findState(path, UID);
      if (found.kind !== "state") throw new Error(Bun.inspect(found));
      const nonces = Array.from(found.state.member, ({ lastNonceLo }) => lastNonceLo);
      expect(Math.max(0, ...nonces)).toBeGreaterThanOrEqual(written);
    }
  });
});
