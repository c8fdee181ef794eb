// A metric that no code counts looks like a good sign for ever. So every family moves here, in
// lives of the simulation or by a real part of the daemon, or it stands on the list with the reason
// and the test that sees it move.
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { loadedCounters } from "../../src/daemon/loaded_config.ts";
import { Log } from "../../src/daemon/log.ts";
import { Metrics, type MetricsOptions } from "../../src/metrics/metrics.ts";
import { OrphanReaper } from "../../src/recovery/children/orphan_reaper.ts";
import { AuditDirectory, DrivenLog, refusal } from "../audit/audit_fixture.ts";
import { ServerFixture } from "../http/fixture.ts";
import { simulate } from "../simulation/simulation.ts";
import { atLength } from "../support/at_length.ts";
import { FAMILIES } from "../support/metric_families.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { makeMetrics, renderPage, stallOf } from "./fixture.ts";
import { parsePage } from "./page.ts";

setDefaultTimeout(TEST_MS_MAX);

/** The words of a test file in which the family is seen to move; `why` it does not move here. */
interface Elsewhere {
  readonly why: string;
  readonly file: string;
  readonly words: string;
}

const BUG = "only a bug moves it";
const FILES = "the simulation has no state file";
const KEYS = "the simulation has no encrypted listener";
const SOCKETS = "the simulation has no socket of the kernel";
/** May move here as well, in some life or other. */
const RARE = "too rare in short lives";
const LOOP = "the simulation calls the turn without the loop around it";
const DISK = "it takes a disk that is slow or breaks";
/** May move here as well, on a busy machine. */
const SLOW_DISK = "it takes a disk that is slow";

const NO_TIME = "looks take no time in the simulation";

const PROCESSES = "only real processes end";

const NO_NAMES = "the agents of the simulation announce no names";

const EXPECTING = "the rule of the simulation expects no members";

const ELSEWHERE: Readonly<Record<string, Elsewhere>> = {
  varta_state_written_total: {
    why: FILES,
    file: "test/daemon/state_keeping.test.ts",
    words: 'shown("varta_state_written_total")).toBe(1)',
  },
  varta_state_errors_total: {
    why: FILES,
    file: "test/daemon/state_keeping.test.ts",
    words: 'shown("varta_state_errors_total")).toBe(2)',
  },
  varta_state_bytes: {
    why: FILES,
    file: "test/daemon/state_keeping.test.ts",
    words: 'shown("varta_state_bytes")).toBeGreaterThan(100)',
  },
  varta_state_behind_seconds: {
    why: FILES,
    file: "test/daemon/state_keeping.test.ts",
    words: 'shown("varta_state_behind_seconds")).toBeGreaterThan(1)',
  },
  varta_state_restored_members: {
    why: FILES,
    file: "test/end_to_end/side_by_side/restored.test.ts",
    words: 'varta_state_restored_members{as="left_out"}',
  },
  varta_announced_names_refused_total: {
    why: NO_NAMES,
    file: "test/observer/identification.test.ts",
    words: "NAMES.refused.other_owner",
  },
  varta_notify_messages_total: {
    why: "the simulation has no notify listener",
    file: "test/observer/notify_texts.test.ts",
    words: "NOTIFY.taken.words",
  },
  varta_watch_agent_names_refused_total: {
    why: "it takes thousands of names",
    file: "test/agents/agent_table.test.ts",
    words: "AGENTS.sharedOther",
  },
  varta_self_beat_seconds: {
    why: SOCKETS,
    file: "test/observer/self_beats.test.ts",
    words: "toEqual([1, 3 * NS_PER_MS])",
  },
  varta_self_beats_total: {
    why: SOCKETS,
    file: "test/observer/self_beats.test.ts",
    words: "toEqual({ round: 1, refused: 0, lost: 1 })",
  },
  varta_observer_pauses_told_total: {
    why: "the simulation asks no kernel for causes",
    file: "test/daemon/pause_cause.test.ts",
    words: "TOLD_PAUSES",
  },
  varta_guard_active: {
    why: "it takes many members that a rule names",
    file: "test/observer/guard_watch.test.ts",
    words: "GUARD.active",
  },
  varta_guard_total: {
    why: "it takes many members that a rule names",
    file: "test/observer/guard_watch.test.ts",
    words: "GUARD.times",
  },
  varta_watch_member_cut_off_total: {
    why: FILES,
    file: "test/observer/cut_off.test.ts",
    words: "CUT_OFF.held)).toBe(1)",
  },
  varta_control_requests_total: {
    why: SOCKETS,
    file: "test/control/control_server.test.ts",
    words: "CONTROL.requests)).toBe(24)",
  },
  varta_control_refused_total: {
    why: SOCKETS,
    file: "test/control/control_server.test.ts",
    words: 'refused(harness, "bad_line")).toBe(1)',
  },
  varta_control_connections: {
    why: SOCKETS,
    file: "test/control/control_server.test.ts",
    words: "harness.server.connections === 8",
  },
  varta_watch_agents_missing: {
    why: EXPECTING,
    file: "test/agents/expected_agents.test.ts",
    words: "missingCount).toBe(1)",
  },
  varta_watch_agent_missing_total: {
    why: EXPECTING,
    file: "test/agents/expected_agents.test.ts",
    words: "EXPECTED.missing)).toBe(2)",
  },
  varta_watch_agent_complete_total: {
    why: EXPECTING,
    file: "test/agents/expected_agents.test.ts",
    words: "EXPECTED.complete)).toBe(1)",
  },
  varta_agent_exits_total: {
    why: PROCESSES,
    file: "test/end_to_end/side_by_side/agent_rows.test.ts",
    words: '"_exits_total", \',how="unclean"\'',
  },
  varta_agent_expected_members: {
    why: EXPECTING,
    file: "test/metrics/agent_page.test.ts",
    words: 'varta_agent_expected_members{agent="cron"} 8',
  },
  varta_agent_muted: {
    why: "nobody can mute an agent yet",
    file: "test/metrics/agent_page.test.ts",
    words: "varta_agent_muted",
  },
  varta_config_last_good_in_use: {
    why: "needs a file with problems and the configuration of another start",
    file: "test/end_to_end/side_by_side/last_good.test.ts",
    words: 'sampleAt(page, "varta_config_last_good_in_use")).toBe(1)',
  },
  varta_watch_identity_waiting: {
    why: NO_TIME,
    file: "test/observer/identification.test.ts",
    words: "waitingCount).toBe(30)",
  },
  varta_watch_judgements_put_off_total: {
    why: NO_TIME,
    file: "test/observer/identification.test.ts",
    words: "IDENTITY.putOff)).toBe(1)",
  },
  varta_watch_judged_unidentified_total: {
    why: NO_TIME,
    file: "test/observer/identification.test.ts",
    words: "IDENTITY.judgedUnknown)).toBe(1)",
  },
  varta_member_ends_total: {
    why: PROCESSES,
    file: "test/end_to_end/side_by_side/ends.test.ts",
    words: "varta_member_ends_total",
  },
  varta_member_ends_unwatched_total: {
    why: "no daemon of the simulation has another one before it",
    file: "test/daemon/member_ends.test.ts",
    words: "ENDS.unwatched",
  },
  varta_member_pidfds: {
    why: PROCESSES,
    file: "test/end_to_end/side_by_side/ends.test.ts",
    words: "varta_member_pidfds",
  },
  varta_member_pidfds_refused_total: {
    why: PROCESSES,
    file: "test/end_to_end/side_by_side/ends.test.ts",
    words: "varta_member_pidfds_refused_total",
  },
  varta_unit_questions_total: {
    why: PROCESSES,
    file: "test/systemd/unit_questions.test.ts",
    words: "UNIT_QUESTIONS.asked",
  },
  varta_member_unidentified_total: {
    why: PROCESSES,
    file: "test/end_to_end/slow/short_lives.slow.ts",
    words: "varta_member_unidentified_total",
  },
  varta_frame_decrypt_failures_total: {
    why: KEYS,
    file: "test/interop/hostile_udp.test.ts",
    words: "varta_frame_decrypt_failures_total",
  },
  varta_secure_replay_refused_total: {
    why: KEYS,
    file: "test/interop/hostile_udp.test.ts",
    words: "varta_secure_replay_refused_total",
  },
  varta_sender_state_full_total: {
    why: KEYS,
    file: "test/interop/hostile_udp.test.ts",
    words: "varta_sender_state_full_total",
  },
  varta_secure_aead_attempts_total: {
    why: KEYS,
    file: "test/daemon/listener_counters.test.ts",
    words: "varta_secure_aead_attempts_total",
  },
  varta_secure_untried_total: {
    why: KEYS,
    file: "test/listener/secure_udp.test.ts",
    words: "SECURE.untried",
  },
  varta_tracker_invariant_violations_total: {
    why: BUG,
    file: "test/tracker/deadline_lanes.test.ts",
    words: "invariantViolations",
  },
  varta_tracker_removed_pid_drops_total: {
    why: RARE,
    file: "test/tracker/removed_pids.test.ts",
    words: "removedPidDrops",
  },
  varta_tracker_pid_index_probe_exhausted_total: {
    why: RARE,
    file: "test/tracker/eviction.test.ts",
    words: "probeExhausted: 1",
  },
  varta_udp_kernel_drops_total: {
    why: SOCKETS,
    file: "test/daemon/listener_counters.test.ts",
    words: "varta_udp_kernel_drops_total",
  },
  varta_socket_queue_full_total: {
    why: SOCKETS,
    file: "test/listener/queue_fill.test.ts",
    words: "fill.full",
  },
  varta_stream_closed_total: {
    why: SOCKETS,
    file: "test/listener/unix_stream.test.ts",
    words: "STREAM.closed[reason]",
  },
  varta_stream_connections: {
    why: SOCKETS,
    file: "test/listener/unix_stream.test.ts",
    words: "STREAM.connections",
  },
  varta_socket_bind_dir_fsync_failed_total: {
    why: SOCKETS,
    file: "test/observer/library.test.ts",
    words: "drainBindDirFsyncFailures",
  },
  varta_socket_file_lost_total: {
    why: SOCKETS,
    file: "test/daemon/socket_watch.test.ts",
    words: "varta_socket_file_lost_total",
  },
  varta_socket_files_missing: {
    why: SOCKETS,
    file: "test/daemon/socket_watch.test.ts",
    words: "varta_socket_files_missing",
  },
  varta_recovery_outstanding_recycle_resets_total: {
    why: RARE,
    file: "test/recovery/decider.test.ts",
    words: "outstandingRecycleResets",
  },
  varta_recovery_reap_truncated_total: {
    why: RARE,
    file: "test/recovery/children/outstanding.test.ts",
    words: 'counted("reapTruncated")).toBe(1)',
  },
  varta_recovery_invariant_violations_total: {
    why: BUG,
    file: "test/recovery/children/outstanding.test.ts",
    words: "invariantViolations",
  },
  varta_recovery_outstanding_probe_exhausted_total: {
    why: RARE,
    file: "test/tables/slab.test.ts",
    words: "robeExhausted",
  },
  varta_recovery_verified_total: {
    why: RARE,
    file: "test/end_to_end/side_by_side/recovery_steps.test.ts",
    words: "varta_recovery_verified_total",
  },
  varta_recovery_gave_up_agents: {
    why: RARE,
    file: "test/recovery/history.test.ts",
    words: "givenUpCount",
  },
  varta_recovery_audit_flush_budget_exceeded_total: {
    why: SLOW_DISK,
    file: "test/audit/audit_log.test.ts",
    words: "AUDIT.flushBudgetExceeded",
  },
  varta_audit_rotation_budget_exceeded_total: {
    why: SLOW_DISK,
    file: "test/audit/rotation.test.ts",
    words: "AUDIT.rotationBudgetExceeded",
  },
  varta_audit_tamper_suspected_total: {
    why: DISK,
    file: "test/daemon/audit_wiring.test.ts",
    words: "varta_audit_tamper_suspected_total",
  },
  varta_export_dropped_total: {
    why: DISK,
    file: "test/export/event_export.test.ts",
    words: "droppedLines",
  },
  varta_file_reopened_total: {
    why: DISK,
    file: "test/end_to_end/side_by_side/files.test.ts",
    words: "varta_file_reopened_total",
  },
  varta_log_dropped_total: {
    why: "it takes a standard error that nobody reads",
    file: "test/daemon/stream_writer.test.ts",
    words: "writer.dropped",
  },
  varta_scrape_budget_exhausted_total: {
    why: "it takes a page of many slices",
    file: "test/http/http_server.test.ts",
    words: "HTTP.sliceExhausted",
  },
  varta_observer_scrape_budget_exceeded_total: {
    why: "it takes a page of many slices",
    file: "test/http/http_server.test.ts",
    words: "HTTP.scrapeBudgetExceeded",
  },
  varta_prom_auth_failures_total: {
    why: "it takes a server with a token",
    file: "test/http/http_server.test.ts",
    words: "HTTP.authFailures",
  },
  varta_prom_ip_state_probe_exhausted_total: {
    why: "it takes addresses that collide",
    file: "test/http/ip_limiter.test.ts",
    words: "limiter.probeExhausted",
  },
  varta_observer_iteration_seconds: {
    why: LOOP,
    file: "test/daemon/loop.test.ts",
    words: "iteration_seconds",
  },
  varta_observer_iteration_budget_exceeded_total: {
    why: LOOP,
    file: "test/daemon/loop.test.ts",
    words: "iteration_budget_exceeded",
  },
  varta_observer_serve_pending_seconds: {
    why: LOOP,
    file: "test/daemon/loop.test.ts",
    words: "serve_pending",
  },
};

const moved = new Set<string>();

/** Notes the families of a page of which a sample is not 0. */
function look(text: string): void {
  for (const [sample, value] of parsePage(text).samples)
    if (value !== 0) moved.add(sample.split("{")[0]!.replace(/_(bucket|sum|count)$/, ""));
}

const LIFE = { steps: 1_500, agents: 16, livesSkipped: 2 };
/** In the lives of the first four nearly all moves that can. */
const SEEDS: readonly number[] = [19, 31, 17, 12, ...Array.from({ length: 30 }, (_, at) => at)];
/** So many have to be looked at before what is on the list may be said not to move. */
const SEEDS_MIN = atLength(2, 12);

function lookAtLife(seed: number): void {
  const made: Metrics[] = [];
  const metrics = (given: MetricsOptions) => {
    const one = new Metrics(given);
    made.push(one);
    return one;
  };
  const { failure } = simulate({
    ...LIFE,
    seed,
    pageEvery: Number.POSITIVE_INFINITY,
    seams: { metrics },
  });
  expect(failure).toBeUndefined();
  expect(made.length).toBeGreaterThan(0);
  for (const one of made) look(renderPage(one, "text", 1e15));
}

async function lookAtServer(): Promise<void> {
  await using fixture = await ServerFixture.open();
  await fixture.get("/nothing");
  await fixture.get("/metrics");
  await fixture.get("/metrics");
  fixture.clock.ns += 1e9;
  look(await (await fixture.get("/metrics")).text());
}

/** An audit log whose disk is slow. */
async function lookAtAudit(): Promise<void> {
  using directory = new AuditDirectory();
  const { metrics } = makeMetrics();
  const { log } = await DrivenLog.open(directory.log, { fsyncBudgetNs: 0 });
  metrics.show(log.counters);
  for (let pid = 1; pid < 300; pid++) log.record(refusal(pid), 0);
  await log.close();
  look(renderPage(metrics));
}

/** Sockets, a stall without a row, a configuration, a log and orphans. */
function lookAtRest(): void {
  const { metrics, sockets } = makeMetrics();
  for (const socket of sockets) socket.rcvbufBytes = 4_096;
  metrics.onStall(stallOf(9));
  metrics.show(loadedCounters(1e12));
  const log = new Log({
    level: "info",
    format: "logfmt",
    write: () => {},
    wallMs: () => 0,
    monotonicNs: () => 0,
    journal: false,
    sessionId: "0",
  });
  for (let lines = 0; lines < 2; lines++) log.limited("audit_io", "warn", "audit write failed");
  metrics.show(log.counters);
  const ended = [7];
  const orphans = new OrphanReaper(() => false, {
    adoptsOrphans: () => true,
    endedChild: () => ended[0] ?? 0,
    reapChild: () => ended.shift()!,
  });
  orphans.maintain(0);
  metrics.show(orphans.counters);
  look(renderPage(metrics));
}

const whyNot = (name: string): string => ELSEWHERE[name]?.why ?? "";

test("every family has moved, or is on the list; and what is on the list has not", async () => {
  await lookAtServer();
  await lookAtAudit();
  lookAtRest();
  const isCertain = (name: string): boolean => ![SLOW_DISK, RARE].includes(whyNot(name));
  const names = FAMILIES.map(({ name }) => name).filter(isCertain);
  const still = (): string[] => names.filter((name) => !moved.has(name)).sort();
  for (const [lives, seed] of SEEDS.entries()) {
    if (lives >= SEEDS_MIN && still().every((name) => name in ELSEWHERE)) break;
    lookAtLife(seed);
  }
  expect(still()).toEqual(Object.keys(ELSEWHERE).filter(isCertain).sort());
});

test.each(Object.entries(ELSEWHERE))(
  "%s is in the test that the list names",
  (_, { file, words }) => {
    expect([words, readFileSync(join(ROOT, file), "utf8").includes(words)]).toEqual([words, true]);
  },
);
