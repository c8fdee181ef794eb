import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { block, Counters, counter } from "../../src/base/counters.ts";
import { TURN } from "../../src/daemon/turn_counters.ts";
import fc from "fast-check";
import { METRICS_SPARE_ROWS } from "../../src/base/limits.ts";
import {
  REJECT_DECODE,
  REJECT_REASON_COUNT,
  REJECT_REASONS,
} from "../../src/base/reject_reason.ts";
import { EVENT_DECODE, EVENT_IO, EventBatch } from "../../src/events/event_batch.ts";
import { GIVEN_UP, RECOVERY } from "../../src/recovery/counters.ts";
import { FAMILIES } from "../support/metric_families.ts";
import { NoChildren } from "../support/no_children.ts";
import type { Metrics } from "../../src/metrics/metrics.ts";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_ERROR_KINDS,
} from "../../src/wire/decode_error.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { beat, makeMetrics, renderPage, stallOf } from "./fixture.ts";
import { linesWith, type Page, parsePage, sumOf, sampleAt } from "./page.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Agents and pids have rows in it. */
const LAST_BEAT = "varta_agent_last_beat_timestamp_seconds";

function page(metrics: Metrics): Page {
  return parsePage(renderPage(metrics));
}

describe("a fresh page", () => {
  test("names every family once, in catalogue order, with HELP and TYPE", () => {
    const { types, helps } = page(makeMetrics().metrics);
    const names = FAMILIES.map(({ name }) => name);
    // Those of agents come with the first agent.
    const once = FAMILIES.filter(
      ({ name, instanceLabels }, i) =>
        names.indexOf(name) === i && (name === LAST_BEAT || !instanceLabels.includes("agent")),
    );
    expect([...types]).toEqual(once.map((family) => [family.name, family.type]));
    expect([...helps]).toEqual(once.map((family) => [family.name, family.help]));
  });

  test("renders every fixed label value of every counter at 0", () => {
    const { samples } = page(makeMetrics().metrics);
    for (const family of FAMILIES) {
      if (family.type !== "counter" || family.instanceLabels.length > 0) continue;
      if (family.name === "process_cpu_seconds_total") continue;
      const own = [...samples].filter(([name]) => name.split("{")[0] === family.name);
      expect(own.map(([, value]) => value)).toEqual(own.map(() => 0));
      if (family.label !== "") {
        const wanted = family.values.map((value) => `${family.name}{${family.label}="${value}"}`);
        expect(own.map(([name]) => name)).toEqual(wanted);
      } else expect(own.length).toBeGreaterThan(0);
    }
  });

  test("renders 19 reject reasons per listener, and what only sockets of a kind have for those alone", () => {
    const text = renderPage(makeMetrics().metrics);
    const names = linesWith(text, "varta_datagrams_rejected_total");
    expect(names).toHaveLength(2 * 19);
    expect(names[0]).toBe('varta_datagrams_rejected_total{listener="local",reason="wrong_size"} 0');
    expect(names[37]).toBe('varta_datagrams_rejected_total{listener="lab",reason="mainpid"} 0');
    expect(linesWith(text, "uds_rcvbuf")).toEqual([
      'varta_observer_uds_rcvbuf_bytes{listener="local"} 0',
    ]);
    expect(linesWith(text, "varta_udp_")).toEqual([
      'varta_udp_rcvbuf_bytes{listener="lab"} 0',
      'varta_udp_kernel_drops_total{listener="lab"} 0',
    ]);
  });

  test("has no per-pid sample", () => {
    expect(renderPage(makeMetrics().metrics)).not.toContain('pid="');
  });

  test("shows the build and the process", () => {
    const { samples } = page(makeMetrics().metrics);
    const build = 'version="0.1.0",revision="abcdef",runtime="bun 1.4.4",target="linux-x64"';
    expect(samples.get(`varta_build_info{${build}}`)).toBe(1);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(samples.get("process_open_fds")).toBeGreaterThan(2);
    expect(samples.get("process_start_time_seconds")).toBeGreaterThan(1.7e9);
    expect(samples.get("varta_watch_uptime_seconds")).toBe(5);
  });
});

describe("Metrics", () => {
  test("shows what a stage counts, up to 2^53-1, and adds up its instances", () => {
    const { metrics } = makeMetrics();
    const [one, other] = [
      new Counters(RECOVERY, new NoChildren()),
      new Counters(RECOVERY, new NoChildren()),
    ];
    for (const counters of [one, other]) metrics.show(counters);
    one.add(RECOVERY.spawnBudgetExceeded, 3);
    other.add(RECOVERY.spawnBudgetExceeded, 4);
    one.add(RECOVERY.outcomes.killed, Number.MAX_SAFE_INTEGER);
    other.add(RECOVERY.outcomes.killed, 5);
    const { samples } = page(metrics);
    expect(samples.get("varta_recovery_spawn_budget_exceeded_total")).toBe(7);
    expect(samples.get('varta_recovery_outcomes_total{outcome="killed"}')).toBe(2 ** 53 - 1);
  });

  test("asks for what stands in no counter at each page", () => {
    const { metrics, sockets } = makeMetrics();
    const [local, lab] = sockets;
    const recovery = { givenUpCount: 12 };
    metrics.show(new Counters(GIVEN_UP, recovery));
    page(metrics);
    recovery.givenUpCount = 11;
    local.rcvbufBytes = 2_097_152;
    lab.rcvbufBytes = 425_984;
    lab.kernelDrops = 7;
    const { samples } = page(metrics);
    expect(samples.get("varta_recovery_gave_up_agents")).toBe(11);
    expect(samples.get('varta_observer_uds_rcvbuf_bytes{listener="local"}')).toBe(2_097_152);
    expect(samples.get('varta_udp_rcvbuf_bytes{listener="lab"}')).toBe(425_984);
    expect(samples.get('varta_udp_kernel_drops_total{listener="lab"}')).toBe(7);
  });

  test("show() refuses a block that the page does not have", () => {
    const stray = block({ strays: counter("varta_strays_total", "Strays.") });
    expect(() => makeMetrics().metrics.show(new Counters(stray, undefined))).toThrow("page");
  });

  test("observe() counts in the first bucket that is large enough, rendered cumulative", () => {
    const { metrics } = makeMetrics();
    const counters = new Counters(TURN, undefined);
    metrics.show(counters);
    for (const seconds of [0.001, 0.0010001, 0.05, 1, 1.5]) {
      counters.observe(TURN.stage.judge, seconds);
    }
    expect(linesWith(renderPage(metrics), 'stage="judge"')).toEqual([
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.001"} 1',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.005"} 2',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.01"} 2',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.05"} 3',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.1"} 3',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.25"} 3',
      'varta_observer_stage_seconds_bucket{stage="judge",le="0.5"} 3',
      'varta_observer_stage_seconds_bucket{stage="judge",le="1"} 4',
      'varta_observer_stage_seconds_bucket{stage="judge",le="+Inf"} 5',
      'varta_observer_stage_seconds_sum{stage="judge"} 2.552000100',
      'varta_observer_stage_seconds_count{stage="judge"} 5',
    ]);
  });

  test("the recovery histogram has its own bounds", () => {
    const { metrics } = makeMetrics();
    const counters = new Counters(RECOVERY, new NoChildren());
    metrics.show(counters);
    counters.observe(RECOVERY.duration, 299);
    const buckets = linesWith(renderPage(metrics), "varta_recovery_duration_seconds_bucket");
    expect(buckets.at(-3)).toBe('varta_recovery_duration_seconds_bucket{le="60"} 0');
    expect(buckets.at(-2)).toBe('varta_recovery_duration_seconds_bucket{le="300"} 1');
  });

  test("onBatch() counts decode kinds and receive errors", () => {
    const { metrics } = makeMetrics();
    const batch = new EventBatch();
    batch.kind.set([EVENT_DECODE, EVENT_DECODE, EVENT_DECODE, EVENT_IO]);
    batch.detail.set([DECODE_BAD_MAGIC, DECODE_BAD_CRC, DECODE_BAD_CRC, 0]);
    metrics.onBatch(batch, 4);
    const { samples } = page(metrics);
    expect(samples.get('varta_decode_errors_total{kind="bad_magic"}')).toBe(1);
    expect(samples.get('varta_decode_errors_total{kind="bad_crc"}')).toBe(2);
    expect(samples.get("varta_io_errors_total")).toBe(1);
  });
});

describe("per-pid rows", () => {
  test("are made by a beat and sorted by pid", () => {
    const { metrics } = makeMetrics();
    metrics.setWallOffsetNs(1.7e18);
    beat(metrics, [4_000_000, 12, 300, 12], 1, 2e9);
    const text = renderPage(metrics);
    expect(linesWith(text, "varta_beats_total")).toEqual([
      'varta_beats_total{pid="12"} 2',
      'varta_beats_total{pid="300"} 1',
      'varta_beats_total{pid="4000000"} 1',
    ]);
    const { samples } = parsePage(text);
    expect(samples.get('varta_status{pid="12"}')).toBe(1);
    expect(samples.get('varta_agent_last_beat_timestamp_seconds{pid="12"}')).toBe(1_700_000_002);
  });

  test("show a stall until the next beat", () => {
    const { metrics } = makeMetrics();
    beat(metrics, [12], 1);
    metrics.onStall(stallOf(12));
    expect(page(metrics).samples.get('varta_status{pid="12"}')).toBe(3);
    beat(metrics, [12]);
    const { samples } = page(metrics);
    expect(samples.get('varta_status{pid="12"}')).toBe(0);
    expect(samples.get('varta_stalls_total{pid="12"}')).toBe(1);
  });

  test("are not made by a stall, which is counted as refused", () => {
    const { metrics } = makeMetrics();
    metrics.onStall(stallOf(12));
    const text = renderPage(metrics);
    expect(linesWith(text, "varta_stalls_total")).toEqual([]);
    expect(linesWith(text, "pid_row_refused")).toEqual(["varta_prom_pid_row_refused_total 1"]);
  });

  test("vanish when the pid is removed, and begin at 0 again", () => {
    const { metrics } = makeMetrics();
    beat(metrics, [12, 12, 13]);
    metrics.onStall(stallOf(12));
    metrics.onRemoved(12);
    expect(renderPage(metrics)).not.toContain('pid="12"');
    beat(metrics, [12]);
    const { samples } = page(metrics);
    expect(samples.get('varta_beats_total{pid="12"}')).toBe(1);
    expect(samples.get('varta_stalls_total{pid="12"}')).toBe(0);
    expect(samples.get('varta_beats_total{pid="13"}')).toBe(1);
  });

  test("are refused beyond capacity + 64, and taken again after a removal", () => {
    const { metrics } = makeMetrics();
    const pids = Array.from({ length: 16 + METRICS_SPARE_ROWS }, (_, i) => 100 + i);
    beat(metrics, pids);
    beat(metrics, [7]);
    expect(sampleAt(page(metrics), "varta_prom_pid_row_refused_total")).toBe(1);
    metrics.onRemoved(100);
    beat(metrics, [7]);
    expect(sampleAt(page(metrics), 'varta_beats_total{pid="7"}')).toBe(1);
  });

  test("are off with perPid = false, families and all", () => {
    const { metrics } = makeMetrics({ perPid: false });
    beat(metrics, [12]);
    metrics.onStall(stallOf(12));
    const text = renderPage(metrics);
    expect(text).not.toContain("varta_beats_total");
    expect(text).not.toContain("varta_status");
    expect(linesWith(text, "pid_row_refused")).toEqual(["varta_prom_pid_row_refused_total 0"]);
  });
});

describe("the accounting identity", () => {
  test("holds on every page, whatever was received", () => {
    const outcome = fc.record({
      listener: fc.integer({ min: 0, max: 1 }),
      // -1 = accepted.
      reason: fc.integer({ min: -1, max: REJECT_REASON_COUNT - 1 }),
      kind: fc.integer({ min: 1, max: DECODE_ERROR_KINDS.length }),
    });
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 200 }), (outcomes) => {
        const { metrics, accounting } = makeMetrics();
        for (const { listener, reason, kind } of outcomes) {
          accounting.received[listener]! += 1;
          if (reason < 0) accounting.accepted[listener]! += 1;
          else accounting.rejected[listener * REJECT_REASON_COUNT + reason]! += 1;
          if (reason === REJECT_DECODE) decodeRow(metrics, kind);
        }
        expectIdentity(page(metrics));
      }),
      { numRuns: 25 },
    );
  });
});

function decodeRow(metrics: Metrics, kind: number): void {
  const batch = new EventBatch();
  batch.kind[0] = EVENT_DECODE;
  batch.detail[0] = kind;
  metrics.onBatch(batch, 1);
}

/** Spec 08 section 4, per listener and metric by metric. */
function expectIdentity(one: Page): void {
  for (const listener of ["local", "lab"]) {
    const at = (family: string) => sampleAt(one, `${family}{listener="${listener}"}`);
    const rejected = REJECT_REASONS.map((reason) =>
      sampleAt(one, `varta_datagrams_rejected_total{listener="${listener}",reason="${reason}"}`),
    );
    const sum = rejected.reduce((total, value) => total + value, 0);
    expect(at("varta_datagrams_received_total")).toBe(at("varta_datagrams_accepted_total") + sum);
  }
  const causes: Record<string, string> = {
    wrong_size: "varta_truncated_datagrams_total",
    ctrl_truncated: "varta_ctrl_truncated_total",
    decrypt: "varta_frame_decrypt_failures_total",
    sender_table_full: "varta_sender_state_full_total",
    replay: "varta_secure_replay_refused_total",
    decode: "varta_decode_errors_total",
    uid: 'varta_frame_auth_failures_total{reason="uid"}',
    pid: 'varta_frame_auth_failures_total{reason="pid"}',
    pid_above_max: "varta_frame_rejected_pid_above_max_total",
    rate_per_pid: 'varta_rate_limited_total{reason="per_pid"}',
    rate_global: 'varta_rate_limited_total{reason="global"}',
    cross_namespace: "varta_frame_namespace_mismatch_total",
    origin_conflict: "varta_origin_conflict_total",
    namespace_conflict: "varta_tracker_namespace_conflict_total",
    capacity: "varta_tracker_capacity_exceeded_total",
  };
  for (const [reason, cause] of Object.entries(causes)) {
    const rejected = ["local", "lab"].map((listener) =>
      sampleAt(one, `varta_datagrams_rejected_total{listener="${listener}",reason="${reason}"}`),
    );
    expect([reason, sumOf(one, cause)]).toEqual([reason, rejected[0]! + rejected[1]!]);
  }
}

describe("two sources of one pid", () => {
  const SHARED = 0x8000_0001;

  function sourcedBeat(metrics: Metrics, key: number, host: number): void {
    const batch = new EventBatch();
    batch.pid[0] = 7;
    batch.hasSource[0] = 1;
    batch.key[0] = key;
    batch.source.set([0, 0, 0xffff, 0x0a00_0000 + host]);
    metrics.onBatch(batch, 1);
  }

  test("have rows of their own: the second one is named by its source", () => {
    const { metrics } = makeMetrics();
    sourcedBeat(metrics, 7, 2);
    sourcedBeat(metrics, SHARED, 3);
    sourcedBeat(metrics, SHARED, 3);
    metrics.onStall({ ...stallOf(7), key: SHARED, source: "10.0.0.3" });
    expect(linesWith(renderPage(metrics), "varta_beats_total{")).toEqual([
      'varta_beats_total{pid="7"} 1',
      'varta_beats_total{pid="10.0.0.3/7"} 2',
    ]);
    expect(linesWith(renderPage(metrics), "varta_stalls_total{")).toEqual([
      'varta_stalls_total{pid="7"} 0',
      'varta_stalls_total{pid="10.0.0.3/7"} 1',
    ]);
  });

  test("lose their rows one by one, and the name with it", () => {
    const { metrics } = makeMetrics();
    sourcedBeat(metrics, 7, 2);
    sourcedBeat(metrics, SHARED, 3);
    metrics.onRemoved(SHARED);
    beat(metrics, [8]);
    expect(linesWith(renderPage(metrics), "varta_beats_total{")).toEqual([
      'varta_beats_total{pid="7"} 1',
      'varta_beats_total{pid="8"} 1',
    ]);
  });
});
