// What no sender may do to the daemon: forge a pid, send datagrams of wrong sizes or with
// descriptors, or anything else that is not a beat. What arrives is counted under its one reason,
// what the kernel filters in a flood is estimated, nothing else changes, and honest agents lose
// nothing (spec 05 section 3, spec 06 I5 and I16, spec 08 section 4).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type Page, sampleAt, sumOf } from "../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { KERNEL_VOUCHES } from "../support/kernel_word.ts";
import { unlessMachinePauses } from "../support/pauses.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const DATAGRAM_BYTES_MAX = 65_507;
const FORGED = 1_000;
/**
 * In all 100,000; each line is one reason. Descriptors are refused at the sender where the kernel
 * can do that.
 */
const FLOODS = [
  { count: 20_000, size: 0, content: "zeros", reason: "wrong_size" },
  { count: 20_000, size: 31, content: "random", reason: "wrong_size" },
  // Its first 32 bytes are a valid beat.
  { count: 20_000, size: 33, content: "beat", reason: "wrong_size" },
  { count: 18_000, size: 64, content: "random", reason: "wrong_size" },
  { count: 100, size: DATAGRAM_BYTES_MAX, content: "zeros", reason: "wrong_size" },
  { count: 16_900, size: 32, content: "random", reason: "decode" },
  { count: 4_000, descriptors: 1, content: "beat", reason: "ctrl_truncated" },
  { count: 500, descriptors: 1, size: 40, content: "random", reason: "ctrl_truncated" },
  { count: 500, descriptors: 253, content: "beat", reason: "ctrl_truncated" },
] as const;

describe.skipIf(crewProgram === undefined)(`hostile datagrams${NEEDS_CREW}`, () => {
  test("are counted under one reason each, or filtered, and change nothing", () =>
    unlessMachinePauses(500, async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "1000"],
      });
      await using crew = new Crew(daemon.socket);
      await using hostile = new Crew(daemon.socket);
      const honest = await crew.agents({ count: 5, intervalMs: 20 });
      await daemon.untilReceived(honest.length);
      const descriptors = descriptorCount(daemon);

      await hostile.send({ count: FORGED, content: "beat", pid: honest[0]! });
      for (const flood of FLOODS) await hostile.send(flood);

      const flooded = FLOODS.reduce((sum, { count }) => sum + count, 0);
      expect(flooded).toBe(100_000);
      // What comes last of the hostile crew, and passes a filter: a frame that is well-formed.
      await hostile.send({ count: 1, content: "beat", pid: honest[0]! });
      const sent = [...(await crew.quiet()).values()].reduce((sum, beats) => sum + beats);
      await until(
        "the honest beats",
        async () => (await daemon.state()).listeners[0]!.accepted === sent,
      );
      // One of before may have been on its way out, such as that of a page.
      expect(descriptorCount(daemon)).toBeLessThanOrEqual(descriptors);
      expect(daemon.saying("agent stalled")).toEqual([]);

      let page = await daemon.page();
      await until("the last forgery", async () => {
        page = await daemon.page();
        return rejected(page)["pid"] === FORGED + 1;
      });
      const most: Record<string, number> = { pid: FORGED + 1 };
      for (const { count, reason } of FLOODS) most[reason] = (most[reason] ?? 0) + count;
      const counted = rejected(page);
      for (const [reason, count] of Object.entries(counted))
        expect(count, reason).toBeLessThanOrEqual(most[reason] ?? 0);
      // Frames with descriptors are well-formed: no filter drops them. A kernel that can refuses
      // them at the sender.
      if (KERNEL_VOUCHES) expect(counted["ctrl_truncated"]).toBeUndefined();
      else expect(counted["ctrl_truncated"]).toBeGreaterThanOrEqual(4_500);
      const rejections = sumOf(page, "varta_datagrams_rejected_total");
      const filtered = sumOf(page, "varta_datagrams_filtered_estimate_total");
      expect(rejections).toBeLessThan(flooded);
      expect((rejections + filtered) / flooded).toBeWithin(0.5, 2);
      expect(sampleAt(page, 'varta_frame_auth_failures_total{reason="pid"}')).toBe(FORGED + 1);
      expect(sumOf(page, "varta_beats_total")).toBe(sent);
      expect(sampleAt(page, "varta_watch_pids_tracked")).toBe(honest.length);
      expectAccountingIdentity(page);
    }));

  test("that the global limit sheds are counted as that alone", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--global-beat-rate", "10", "--global-beat-burst", "20"],
    });
    await using crew = new Crew(daemon.socket);
    // Well-formed frames under the pid of another, and so little of the rest that no filter is put
    // up against it.
    await crew.send({ count: 2_000, content: "beat", pid: daemon.pid });
    await crew.send({ count: 40, content: "zeros", size: 31 });
    await daemon.untilReceived(2_040);
    const page = await daemon.page();
    const { pid, rate_global, wrong_size, ...others } = rejected(page);
    expect(pid! + rate_global!).toBe(2_000);
    // A quarter of the burst is kept for known agents.
    expect(pid).toBeWithin(15, 200);
    expect(wrong_size).toBe(40);
    expect(others).toEqual({});
    expectAccountingIdentity(page);
  });
});

/** The accounting identity, from the numbers of one live page (spec 08 section 4). */
function expectAccountingIdentity(page: Page): void {
  const reasons = rejected(page);
  const causes: Record<string, number> = {
    wrong_size: sampleAt(page, "varta_truncated_datagrams_total"),
    ctrl_truncated: sampleAt(page, "varta_ctrl_truncated_total"),
    decode: sumOf(page, "varta_decode_errors_total"),
    uid: sampleAt(page, 'varta_frame_auth_failures_total{reason="uid"}'),
    pid: sampleAt(page, 'varta_frame_auth_failures_total{reason="pid"}'),
    pid_above_max: sampleAt(page, "varta_frame_rejected_pid_above_max_total"),
    rate_per_pid: sampleAt(page, 'varta_rate_limited_total{reason="per_pid"}'),
    rate_global: sampleAt(page, 'varta_rate_limited_total{reason="global"}'),
    cross_namespace: sampleAt(page, "varta_frame_namespace_mismatch_total"),
    origin_conflict: sampleAt(page, "varta_origin_conflict_total"),
    namespace_conflict: sampleAt(page, "varta_tracker_namespace_conflict_total"),
    capacity: sampleAt(page, "varta_tracker_capacity_exceeded_total"),
  };
  for (const [reason, count] of Object.entries(causes)) expect(reasons[reason] ?? 0).toBe(count);
  const received = sumOf(page, "varta_datagrams_received_total");
  const accepted = sumOf(page, "varta_datagrams_accepted_total");
  expect(received).toBe(accepted + sumOf(page, "varta_datagrams_rejected_total"));
}

/** Datagrams rejected so far, by reason; reasons without any are left out. */
function rejected(page: Page): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, count] of page.samples) {
    const reason = /^varta_datagrams_rejected_total\{.*reason="([a-z_]+)"\}$/.exec(name)?.[1];
    if (reason !== undefined && count > 0) counts[reason] = count;
  }
  return counts;
}

function descriptorCount(daemon: DaemonProcess): number {
  return readdirSync(`/proc/${daemon.pid}/fd`).length;
}
