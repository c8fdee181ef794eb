// Orphans that become children of the daemon: they are reaped within bounds, and no other status is
// taken.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ORPHAN_LOOK_NS, ORPHANS_PER_TURN_MAX } from "../../../src/base/limits.ts";
import {
  ORPHANS,
  OrphanReaper,
  type OrphanSystem,
} from "../../../src/recovery/children/orphan_reaper.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Ended children in the order in which the kernel reports them. */
class ScriptedSystem implements OrphanSystem {
  ended: number[] = [];
  looks = 0;
  readonly #adopts: boolean;

  constructor(adopts = true) {
    this.#adopts = adopts;
  }

  adoptsOrphans(): boolean {
    return this.#adopts;
  }

  endedChild(): number {
    this.looks += 1;
    return this.ended[0] ?? 0;
  }

  reapChild(pid: number): number {
    this.ended = this.ended.filter((one) => one !== pid);
    return pid;
  }
}

const OURS = 7;

function reaping(adopts?: boolean) {
  const system = new ScriptedSystem(adopts);
  return { system, reaper: new OrphanReaper((pid) => pid === OURS, system) };
}

describe("OrphanReaper", () => {
  test("reaps orphans and leaves the children of others alone", () => {
    const { system, reaper } = reaping();
    system.ended = [3, 4, OURS, 5];
    reaper.maintain(0);
    expect(system.ended).toEqual([OURS, 5]);
    // The runtime has waited for its own.
    system.ended = [5];
    reaper.maintain(ORPHAN_LOOK_NS);
    expect([system.ended, reaper.counters.get(ORPHANS.reaped)]).toEqual([[], 3]);
  });

  test("looks once a second, and not in between", () => {
    const { system, reaper } = reaping();
    expect(reaper.nextDeadlineNs()).toBe(0);
    for (const nowNs of [0, 1, ORPHAN_LOOK_NS - 1]) reaper.maintain(nowNs);
    expect(system.looks).toBe(1);
    expect(reaper.nextDeadlineNs()).toBe(ORPHAN_LOOK_NS);
  });

  test("takes a crowd in several turns", () => {
    const { system, reaper } = reaping();
    system.ended = Array.from({ length: 100 }, (_, at) => 100 + at);
    reaper.maintain(5);
    expect(reaper.counters.get(ORPHANS.reaped)).toBe(ORPHANS_PER_TURN_MAX);
    expect(reaper.nextDeadlineNs()).toBe(5);
    reaper.maintain(5);
    expect(reaper.counters.get(ORPHANS.reaped)).toBe(100);
  });

  test("does not look where orphans are the children of another", () => {
    const { system, reaper } = reaping(false);
    expect(reaper.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    reaper.maintain(1e18);
    expect(system.looks).toBe(0);
  });

  const namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const hasNamespaces =
    Bun.which("unshare") !== null && Bun.spawnSync([...namespace, "true"]).success;

  test.skipIf(!hasNamespaces)(
    "as the first process of a namespace takes no status of a command (needs root and unshare)",
    () => {
      const program = join(import.meta.dir, "orphan_process.ts");
      const { stdout, stderr } = Bun.spawnSync([...namespace, process.execPath, program]);
      expect(stderr.toString()).toBe("");
      expect(JSON.parse(stdout.toString())).toEqual({ exits: [3], zombies: 0 });
    },
  );
});
