// One daemon's parts through a state file into the next one's.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { restoreState } from "../../src/daemon/restored_state.ts";
import { stateRows } from "../../src/daemon/state_rows.ts";
import { REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import type { Here } from "../../src/snapshot/continuation.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import { hereAndNow } from "../../src/snapshot/here.ts";
import { StateWriter } from "../../src/snapshot/state_writer.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { THRESHOLD } from "../tracker/harness.ts";
import { Parts } from "./state_parts.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
/** Observer time at which the daemon of before writes its state. */
const WRITTEN = 1_000;
const BEAT = { generation: 5_000, uid: 1000, namespaceInode: 42 };
const HERE = hereAndNow(WRITTEN, 1_700_000_000_000);
/** Half a microsecond later, in a daemon whose clock begins with 0. */
function next(here: Partial<Here> = {}): Here {
  const { monotonicNs, boottimeNs } = HERE;
  const later = { monotonicNs: monotonicNs + 500, boottimeNs: boottimeNs + 500 };
  return { ...HERE, observerNs: 0, ...later, ...here };
}

/** What is in the file that a shutdown of a daemon of `parts` writes. */
async function written(parts: Parts) {
  using directory = new TempDirectory();
  const path = directory.join("state");
  const moment = { ...HERE, version: "1.2.3", isFinal: true };
  const rows = () => stateRows(parts, moment);
  await new StateWriter({ path, calls: REAL_FILE_CALLS, rows }).close();
  const found = findState(path, UID);
  if (found.kind !== "state") throw new Error(Bun.inspect(found));
  return found.state;
}

/** Two members of which one is stalled, a mute, a recovery, a storm and a secure sender. */
function busy(): Parts {
  const parts = new Parts();
  const { harness } = parts;
  harness.beat(8, 1, 100, BEAT);
  expect(harness.stalled(900)).toEqual([8]);
  harness.beat(7, 1, 960, BEAT);
  harness.beat(9, 1, 970, BEAT);
  const by = { uid: 0, pid: 1, comm: "bash" };
  const target = { kind: "agent", name: "worker" } as const;
  parts.mutes.begin({ target, reason: "deploy", by, beganNs: 900, untilNs: 3_000 });
  parts.history.makeRoom(8, 900);
  parts.history.began(8, "worker", 5_000, 900);
  parts.storm.started(900);
  parts.edge.lastCounter[parts.edge.insert(11)] = 77;
  return parts;
}

describe("restoreState()", () => {
  test("lets everything go on in the same boot", async () => {
    const after = new Parts();
    after.ended.add(9);
    const restored = restoreState(await written(busy()), after, {
      here: next(),
      isBoottime: false,
      instantNs: 5,
    });
    expect(restored).toMatchObject({ otherBoot: "", elapsedNs: 500, leftOut: 0 });
    const members = [...restored.members];
    expect(members.map(({ record }) => record.pid)).toEqual([8, 7, 9]);
    const died = members.filter(({ diedUnseen }) => diedUnseen);
    expect(died.map(({ record, lastNs }) => [record.pid, lastNs])).toEqual([[9, -530]]);
    after.harness.tracker.checkInvariants();
    expect(after.harness.latched(8)).toBe(true);
    expect(after.harness.due(THRESHOLD - 1).stalled).toEqual([]);
    expect(after.harness.due(THRESHOLD).stalled).toEqual([7, 9]);
    expect(after.mutes.list().map(({ untilNs }) => untilNs)).toEqual([1_500]);
    expect(after.history.usedOf("worker", 0, 5_000)).toBe(1);
    expect(after.storm.isOpen(0)).toBe(false);
    expect(after.edge.lastCounter[after.edge.slotOf(11)]).toBe(77);
    expect(restored.missing).toEqual([{ agent: "db", sinceNs: -1_100, isTold: true }]);
    expect(restored.auditHead?.seq).toBe(4);
    expect(restored.graces).toEqual([{ agent: "cron", sinceNs: -1_200, expected: 1 }]);
    expect(restored.guard).toMatchObject({ isActive: true, sinceNs: -550, windowNs: 100 });
  });

  test("gives no member after another boot, and says why", async () => {
    const after = new Parts();
    const restored = restoreState(await written(busy()), after, {
      here: next({ bootId: "99999999-2222-3333-4444-555555555555" }),
      isBoottime: false,
      instantNs: 0,
    });
    expect(restored.otherBoot).toBe("boot");
    expect([...restored.members]).toEqual([]);
    expect(after.harness.livePids()).toEqual([]);
    expect(after.mutes.size).toBe(1);
    expect(after.history.usedOf("worker", 0, 5_000)).toBe(1);
    expect(after.history.windowCount).toBe(0);
    // It was missing before the machine went down, and its alert goes on.
    expect(restored.missing).toMatchObject([{ agent: "db", isTold: true }]);
  });

  test("counts members whose listener is gone", async () => {
    const after = Object.assign(new Parts(), { listenerNumber: () => undefined });
    const state = await written(busy());
    const moment = { here: next(), isBoottime: false, instantNs: 0 };
    const { members, leftOut } = restoreState(state, after, moment);
    expect([[...members], leftOut]).toEqual([[], 3]);
  });
});
