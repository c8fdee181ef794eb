import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync } from "node:fs";
import { RULE_NONE } from "../../src/agents/rules.ts";
import { EXPORT_FLUSH_BYTES, EXPORT_FLUSH_NS_MAX } from "../../src/base/limits.ts";
import {
  AUTH_REASON_PID,
  AUTH_REASON_UID,
  EVENT_AUTH_FAILURE,
  EVENT_BEAT,
  EVENT_CTRL_TRUNCATED,
  EVENT_DECODE,
  EVENT_IO,
  EVENT_NAMESPACE_CONFLICT,
  EVENT_ORIGIN_CONFLICT,
  EventBatch,
} from "../../src/events/event_batch.ts";
import { endNumbers } from "../../src/base/wait_status.ts";
import type { DaemonBoot, DaemonShutdown } from "../../src/events/daemon_life.ts";
import { EVENT_WORDS } from "../../src/events/event_kinds.ts";
import { exitedVerdict, NOTHING_FOUND, unknownVerdict } from "../../src/events/stall_verdict.ts";
import type { RecoveryOutcome, StepOutcome } from "../../src/events/outcome.ts";
import type { MemberLate } from "../../src/events/member_late.ts";
import type { Stall } from "../../src/events/stall.ts";
import { EventExport, type EventExportOptions } from "../../src/export/event_export.ts";
import { escapeTsv } from "../../src/export/tsv.ts";
import { DECODE_BAD_CRC, DECODE_BAD_MAGIC, DECODE_BAD_NONCE } from "../../src/wire/decode_error.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

/** 2026-01-02T03:04:05.678Z minus the observer time of the sample rows, in ns. */
const WALL_OFFSET_NS = 1_767_323_045_678e6 - 5e9;

function openExport(
  directory: TempDirectory,
  changes: Partial<EventExportOptions> = {},
): Promise<EventExport> {
  return EventExport.open({
    path: directory.join("events"),
    format: "tsv",
    events: EVENT_WORDS,
    observerColumns: true,
    bytesMax: undefined,
    syncEvery: 0,
    listeners: ["local", "lab"],
    agentName: (agent) => ({ 7: "worker@3", 8: "-" })[agent] ?? "",
    errnoText: (errno) => `errno\t${errno}`,
    observerNamespaceInode: 4026531836,
    monotonicNs: () => 0,
    ...changes,
  });
}

/** One row of each kind, received at observer time 5 s. */
function sampleBatch(): EventBatch {
  const batch = new EventBatch();
  batch.observerNs.fill(5_000_000_000);
  batch.namespaceInode.fill(Number.NaN);
  batch.generation.fill(Number.NaN);
  batch.kind.set([
    EVENT_BEAT,
    EVENT_BEAT,
    EVENT_DECODE,
    EVENT_DECODE,
    EVENT_DECODE,
    EVENT_IO,
    EVENT_IO,
    EVENT_CTRL_TRUNCATED,
    EVENT_AUTH_FAILURE,
    EVENT_AUTH_FAILURE,
    EVENT_ORIGIN_CONFLICT,
    EVENT_NAMESPACE_CONFLICT,
  ]);
  batch.pid.set([12, 4294967295, 0, 0, 0, 0, 0, 0, 20, 21, 22, 23]);
  batch.status.set([0, 2]);
  batch.nonceHi.set([0, 0xffff_ffff]);
  batch.nonceLo.set([7, 0xffff_ffff]);
  batch.payload.set([42, 4294967295]);
  batch.origin.set([0, 3]);
  batch.listener[1] = 1;
  batch.namespaceInode[0] = 4026531836;
  batch.generation[0] = 123456;
  batch.detail.set([0, 0, DECODE_BAD_MAGIC, DECODE_BAD_CRC, DECODE_BAD_NONCE, 0, 104]);
  batch.errHi.set([0, 0, 0, 0x1a, 0xffff_ffff]);
  batch.errLo.set([0, 0, 0, 0x2b, 0xffff_ffff]);
  batch.detail[8] = AUTH_REASON_PID;
  batch.detail[9] = AUTH_REASON_UID;
  batch.origin[10] = 3;
  batch.detail[10] = 1;
  batch.namespaceInode[11] = 0;
  return batch;
}

const SAMPLE_COUNT = 12;

const STALL: Stall = {
  pid: 12,
  lastNonceHi: 1,
  lastNonceLo: 0,
  lastNs: 1_000_000_000,
  observerNs: 6_000_000_000,
  thresholdNs: 5e9,
  origin: 1,
  namespaceInode: 0,
  generation: Number.NaN,
  innerPid: 0,
  uid: Number.NaN,
  proven: false,
  key: 12,
  agent: 3,
  rule: RULE_NONE,
  source: "",
  refused: [],
  status: 0,
  payload: 42,
  listener: 0,
};

/** The beat that ends the silence of `STALL`. */
function returned(): EventBatch {
  const batch = new EventBatch();
  batch.kind[0] = EVENT_BEAT;
  batch.observerNs[0] = 8e9;
  batch.listener[0] = 1;
  batch.pid[0] = 12;
  batch.nonceHi[0] = 1;
  batch.nonceLo[0] = 1;
  batch.status[0] = 2;
  batch.payload[0] = 5;
  batch.origin[0] = 1;
  batch.namespaceInode[0] = Number.NaN;
  batch.generation[0] = 77;
  batch.resumed[0] = 1;
  return batch;
}

test.each(["tsv", "jsonl"] as const)(
  "a listener that came after the file was opened has its name in %s",
  async (format) => {
    using directory = new TempDirectory();
    const listeners = ["local"];
    const exporter = await openExport(directory, { format, listeners, observerColumns: false });
    listeners.push("young");
    exporter.onBatch(returned(), 1);
    await exporter.close();
    const text = directory.read("events");
    expect(text).toContain(format === "tsv" ? "\tyoung\t" : '"listener":"young"');
  },
);

const OF_MEMBER = {
  observerNs: 9e9,
  pid: 12,
  agent: 7,
  recoveryId: 5,
  plan: "restart",
  verdict: "stopped",
} as const;
const PLACE = { ...OF_MEMBER, stepNumber: 2, stepCount: 3 } as const;

const REFUSED: RecoveryOutcome = {
  ...PLACE,
  recoveryId: 0,
  plan: "",
  kind: "refused",
  step: "restart_unit",
  label: "refused_storm_limit",
  reason: "storm_limit",
  stall: STALL,
  program: "",
  error: "",
  isRepeated: false,
  used: undefined,
  dryRun: false,
};

const SPAWNED: RecoveryOutcome = {
  ...PLACE,
  kind: "spawn",
  step: "exec",
  label: "spawned",
  childPid: 4000,
  stall: STALL,
  program: '/bin/re"start',
  source: "inline",
  templateSizeBytes: 20,
};

const COMPLETE: RecoveryOutcome = {
  ...PLACE,
  kind: "complete",
  step: "exec",
  label: "killed",
  completion: "killed",
  childPid: 4000,
  exitCode: Number.NaN,
  signal: 9,
  durationNs: 1.5e9,
  error: "",
  captured: undefined,
};

const SIGNALLED: StepOutcome = {
  ...PLACE,
  kind: "step",
  step: "signal",
  label: "started",
  detail: "SIGQUIT",
  dryRun: false,
};

const RESULT: RecoveryOutcome = {
  ...OF_MEMBER,
  kind: "result",
  result: "not_helped",
  reason: "",
  steps: "SIGQUIT sent; restart app.service exit 1",
  stepNumber: 3,
  stepCount: 3,
  exitCode: 1,
  signal: Number.NaN,
  captured: undefined,
  fault: undefined,
  byPid: 13,
  unit: "app.service",
  durationNs: 2e9,
  dryRun: false,
};

const EXPECTED = { observerNs: 9e9, agent: 7, members: 7, expected: 8 } as const;

const LATE: MemberLate = {
  observerNs: 6e9,
  agent: 7,
  pid: 12,
  key: 12,
  source: "",
  listener: 1,
  generation: 5,
  lastNs: 3e9,
  lateNs: 3e9,
  thresholdNs: 5e9,
};

const RELOAD = {
  observerNs: 8e9,
  pid: 99,
  config: "/etc/varta/varta.toml",
  detail: "limits.global_rate: 7 -> 8",
};

const BOOT: DaemonBoot = {
  observerNs: 0,
  pid: 99,
  version: "1.2.3",
  bootId: "b",
  sessionId: "5e",
  config: '/etc/"\n\u009b/varta.toml',
};

const SHUTDOWN: DaemonShutdown = {
  observerNs: 10e9,
  pid: 99,
  sessionId: "5e",
  reason: "SIGTERM",
  exitCode: 0,
  members: 3,
  beats: 40,
};

/** A beat of pid 12 by plain UDP from 10.0.0.3, while another source has the pid. */
function sharedBeat(): EventBatch {
  const batch = new EventBatch();
  batch.kind[0] = EVENT_BEAT;
  batch.observerNs[0] = 5e9;
  batch.pid[0] = 12;
  batch.nonceLo[0] = 7;
  batch.origin[0] = 3;
  batch.namespaceInode[0] = Number.NaN;
  batch.generation[0] = Number.NaN;
  batch.hasSource[0] = 1;
  batch.key[0] = 0x8000_0001;
  batch.source.set([0, 0, 0xffff, 0x0a00_0003]);
  return batch;
}

const SHARED_STALL: Stall = { ...STALL, key: 0x8000_0001, source: "10.0.0.3" };

describe("an agent whose pid another source has", () => {
  test("is named by source and pid in TSV", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory);
    events.onBatch(sharedBeat(), 1);
    events.onStall(SHARED_STALL);
    events.onStall({ ...STALL, source: "10.0.0.2" });
    events.onRemoved(12, 7e9, "10.0.0.3");
    await events.close();
    expect(directory.read("events").trimEnd().split("\n")).toEqual([
      "5000000000\tbeat\t10.0.0.3/12\t7\tok\t0",
      "6000000000\tstall\t10.0.0.3/12\t4294967296\tstall\t-",
      "6000000000\tstall\t12\t4294967296\tstall\t-",
      "7000000000\teviction\t10.0.0.3/12\t-\t-\t-",
    ]);
  });

  test("has its source beside its pid in JSONL, as has every agent that beats by plain UDP", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { format: "jsonl" });
    events.onBatch(sharedBeat(), 1);
    events.onStall({ ...STALL, source: "10.0.0.2" });
    events.onRemoved(12, 7e9, "10.0.0.3");
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.map(({ pid, source }) => [pid, source])).toEqual([
      [12, "10.0.0.3"],
      [12, "10.0.0.2"],
      [12, "10.0.0.3"],
    ]);
  });
});

describe("TSV", () => {
  test("has six columns per line, as the Rust observer writes them", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory);
    events.onBatch(sampleBatch(), SAMPLE_COUNT);
    events.onStall(STALL);
    events.onRemoved(12, 7e9);
    await events.close();
    expect(directory.read("events").split("\n")).toEqual([
      "5000000000\tbeat\t12\t7\tok\t42",
      "5000000000\tbeat\t4294967295\t18446744073709551615\tcritical\t4294967295",
      "5000000000\tdecode\t-\t-\t-\tBadMagic",
      "5000000000\tdecode\t-\t-\t-\tBadCrc(expected=0x0000001a,actual=0x0000002b)",
      "5000000000\tdecode\t-\t-\t-\tBadNonce(0xffffffffffffffff,Ok)",
      "5000000000\tio\t-\t-\t-\tkernel did not attach peer credentials",
      "5000000000\tio\t-\t-\t-\terrno\\t104",
      "5000000000\tctrunc\t-\t-\t-\tancillary data truncated",
      "5000000000\tmismatch\t20\t-\t-\tauth_failure",
      "5000000000\tmismatch\t21\t-\t-\tauth_failure",
      "5000000000\tmismatch\t22\t-\t-\torigin_conflict",
      "5000000000\tmismatch\t23\t-\t-\tnamespace_conflict",
      "6000000000\tstall\t12\t4294967296\tstall\t-",
      "7000000000\teviction\t12\t-\t-\t-",
      "",
    ]);
  });

  test("of a daemon with a configuration file has own columns behind them, as many in each line", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { observerColumns: false });
    events.onBatch(sampleBatch(), SAMPLE_COUNT);
    const verdict = exitedVerdict(3 * 256);
    events.onStall({ ...STALL, agent: 7, verdict });
    events.onBatch(returned(), 1);
    events.onRemoved(12, 7e9);
    events.onOutcome(REFUSED);
    events.onOutcome(COMPLETE);
    events.add("missing", { ...EXPECTED, graceNs: 30e9 });
    events.add("complete", { ...EXPECTED, agent: 8, members: 8, missingNs: 5e9 });
    events.add("boot", BOOT);
    events.onShutdown(SHUTDOWN);
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    const columns = lines.map((line) => line.split("\t"));
    expect(new Set(columns.map(({ length }) => length))).toEqual(new Set([20]));
    const own = columns.map((line) => line.slice(6).join(" "));
    const nothing = (count: number) => new Array(count).fill("-").join(" ");
    expect(own.slice(0, 2)).toEqual([`local ${nothing(13)}`, `lab ${nothing(13)}`]);
    expect(own.slice(SAMPLE_COUNT)).toEqual([
      `local worker@3 5000 5000 ok exited 3 ${nothing(7)}`,
      `lab ${nothing(13)}`,
      `lab worker@3 7000 - - exited ${nothing(8)}`,
      nothing(14),
      `- worker@3 - - - stopped ${nothing(4)} restart_unit 2 3 -`,
      `- worker@3 - - - stopped - 9 5 restart exec 2 3 1500`,
      `- worker@3 ${nothing(12)}`,
      // An agent may be called "-".
      `- %2D ${nothing(12)}`,
      nothing(14),
      nothing(14),
    ]);
    const first = columns.map((line) => line.slice(0, 6).join(" "));
    expect(first.slice(SAMPLE_COUNT)).toEqual([
      "6000000000 stall 12 4294967296 stall -",
      "8000000000 beat 12 4294967297 critical 5",
      "8000000000 resume 12 4294967297 critical -",
      "7000000000 eviction 12 - - -",
      "9000000000 recovery 12 - - refused storm_limit",
      "9000000000 recovery 12 - - killed signal 9",
      "9000000000 missing - - - 7 of 8",
      "9000000000 complete - - - 8 of 8",
      "0 boot 99 - - 1.2.3",
      "10000000000 shutdown 99 - - SIGTERM",
    ]);
  });

  test("escapeTsv() keeps columns and lines, and leaves other text alone", () => {
    expect(escapeTsv("a\\b\tc\nd\re\x00\x1f\x7fä€")).toBe("a\\\\b\\tc\\nd\\re\\x00\\x1f\\x7fä€");
    expect(escapeTsv("\u009b31m\u202e")).toBe("\\u009b31m\\u202e");
  });
});

describe("JSONL", () => {
  test("has the keys of each kind, in order, and none without a value", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { format: "jsonl" });
    events.setWallOffsetNs(WALL_OFFSET_NS);
    events.onBatch(sampleBatch(), SAMPLE_COUNT);
    events.onStall(STALL);
    events.onRemoved(12, 7.0004e9);
    await events.close();
    const at5 = '{"t":"2026-01-02T03:04:05.678Z","observer_ns":5000000000';
    const at6 = '{"t":"2026-01-02T03:04:06.678Z","observer_ns":6000000000';
    const at7 = '{"t":"2026-01-02T03:04:07.678Z","observer_ns":7000400000';
    const local = '"listener":"local"';
    expect(directory.read("events").split("\n")).toEqual([
      `${at5},"kind":"beat",${local},"pid":12,"nonce":"7","status":"ok","payload":42,"origin":"kernel_attested","namespace":4026531836,"generation":123456}`,
      `${at5},"kind":"beat","listener":"lab","pid":4294967295,"nonce":"18446744073709551615","status":"critical","payload":4294967295,"origin":"network_unverified"}`,
      `${at5},"kind":"decode",${local},"error":"BadMagic"}`,
      `${at5},"kind":"decode",${local},"error":"BadCrc(expected=0x0000001a,actual=0x0000002b)"}`,
      `${at5},"kind":"decode",${local},"error":"BadNonce(0xffffffffffffffff,Ok)"}`,
      `${at5},"kind":"io",${local},"error":"kernel did not attach peer credentials"}`,
      `${at5},"kind":"io",${local},"error":"errno\\t104"}`,
      `${at5},"kind":"ctrunc",${local},"error":"ancillary data truncated"}`,
      `${at5},"kind":"mismatch",${local},"pid":20,"reason":"pid"}`,
      `${at5},"kind":"mismatch",${local},"pid":21,"reason":"uid"}`,
      `${at5},"kind":"mismatch",${local},"pid":22,"origin":"network_unverified","slot_origin":"operator_attested","reason":"origin_conflict"}`,
      `${at5},"kind":"mismatch",${local},"pid":23,"namespace":0,"observer_namespace":4026531836,"reason":"namespace_conflict"}`,
      `${at6},"kind":"stall",${local},"pid":12,"nonce":"4294967296","status":"stall","last_status":"ok","origin":"operator_attested","namespace":0,"last_ns":1000000000,"silence_ms":5000,"threshold_ms":5000}`,
      `${at7},"kind":"eviction","pid":12}`,
      "",
    ]);
  });

  test("has the agent of a stall and what its process was doing, with the evidence", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { format: "jsonl" });
    const found = { ...NOTHING_FOUND, procState: "S", wchan: "futex_wait", cpuTicks: 0 };
    for (const verdict of [
      { ...found, verdict: "hung" },
      { ...NOTHING_FOUND, verdict: "traced", tracerPid: 99 },
      exitedVerdict(3 * 256),
      exitedVerdict(6 + 128),
      unknownVerdict("hidden"),
    ] as const)
      events.onStall({ ...STALL, agent: 7, verdict });
    const member = { observerNs: 6e9, endedNs: 6e9, agent: 7, pid: 12, generation: 5 };
    const end = { ...member, ...endNumbers(3 * 256) };
    const exit = { ...end, listener: 1, how: "unclean", isBySystemd: false } as const;
    events.add("exit", { ...exit, recoveryId: Number.NaN });
    events.add("exit", { ...exit, recoveryId: 51 });
    const unwatched = { afterNs: -4.5e9, beforeNs: 1e6 };
    events.add("exit", { ...exit, recoveryId: Number.NaN, unwatched });
    events.add("gone", { ...end, reason: "replaced", byPid: 13, gapNs: 250e6 });
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    const shortened = lines.map((line) =>
      line.replace(/^.*?"kind":/, "").replace(/"pid".*_ms":5000,/, ""),
    );
    expect(shortened).toEqual([
      '"stall","listener":"local","agent":"worker@3","verdict":"hung","proc_state":"S","wchan":"futex_wait","cpu_ticks":0}',
      '"stall","listener":"local","agent":"worker@3","verdict":"traced","tracer_pid":99}',
      '"stall","listener":"local","agent":"worker@3","verdict":"exited","exit_status":3}',
      '"stall","listener":"local","agent":"worker@3","verdict":"exited","signal":6,"core":true}',
      '"stall","listener":"local","agent":"worker@3","verdict":"unknown","verdict_reason":"hidden"}',
      '"exit","listener":"lab","agent":"worker@3","pid":12,"generation":5,"how":"unclean","exit_status":3}',
      '"exit","listener":"lab","agent":"worker@3","pid":12,"generation":5,"recovery_id":51,"how":"unclean","exit_status":3}',
      '"exit","listener":"lab","agent":"worker@3","pid":12,"generation":5,"how":"unclean","exit_status":3,"unwatched_ms":4501}',
      '"gone","agent":"worker@3","pid":12,"generation":5,"reason":"replaced","by_pid":13,"exit_status":3,"gap_ms":250}',
    ]);
  });

  test("has a return, recoveries, and the begin and the end of the daemon", async () => {
    using directory = new TempDirectory();
    const chosen = EVENT_WORDS.filter((word) => word !== "beat" && word !== "stall");
    const events = await openExport(directory, { format: "jsonl", events: chosen });
    events.add("boot", BOOT);
    const verdict = { ...NOTHING_FOUND, verdict: "stopped", procState: "T" } as const;
    events.onStall({ ...STALL, agent: 7, verdict });
    events.onBatch(returned(), 1);
    for (const outcome of [SPAWNED, COMPLETE, SIGNALLED, REFUSED]) events.onOutcome(outcome);
    events.onOutcome({ ...SIGNALLED, dryRun: true });
    // What has no row in the audit log has none here.
    events.onOutcome({ ...SIGNALLED, step: "wait", detail: "2s" });
    const began = { ...OF_MEMBER, kind: "began", stall: STALL, childPid: 4000 } as const;
    events.onOutcome({ ...began, stepCount: 3, dryRun: false });
    events.onOutcome(RESULT);
    events.onLate(LATE);
    events.add("missing", { ...EXPECTED, graceNs: 30e9 });
    events.add("complete", { ...EXPECTED, members: 8, missingNs: 5e9 });
    events.add("reload", RELOAD);
    events.onShutdown(SHUTDOWN);
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    for (const line of lines) JSON.parse(line);
    const refused = '"recovery","agent":"worker@3","pid":12,"verdict":"stopped"';
    const recovery = `${refused},"recovery_id":5,"plan":"restart"`;
    expect(lines.map((line) => line.replace(/^.*?"kind":/, ""))).toEqual([
      '"boot","pid":99,"version":"1.2.3","boot_id":"b","session_id":"5e","config":"/etc/\\"\\n\\u009b/varta.toml"}',
      '"resume","listener":"lab","agent":"worker@3","pid":12,"nonce":"4294967297","status":"critical","origin":"operator_attested","generation":77,"last_ns":1000000000,"silence_ms":7000,"verdict":"stopped"}',
      `${recovery},"step":"exec","step_number":2,"step_count":3,"outcome":"spawned","detail":"/bin/re\\"start","child_pid":4000}`,
      `${recovery},"step":"exec","step_number":2,"step_count":3,"outcome":"killed","child_pid":4000,"signal":9,"duration_ms":1500}`,
      `${recovery},"step":"signal","step_number":2,"step_count":3,"outcome":"signalled","detail":"SIGQUIT"}`,
      `${refused},"step":"restart_unit","step_number":2,"step_count":3,"outcome":"refused","reason":"storm_limit"}`,
      `${recovery},"step":"signal","step_number":2,"step_count":3,"outcome":"dry_run","detail":"SIGQUIT","dry_run":true}`,
      `${recovery},"step_number":3,"step_count":3,"outcome":"not_helped","detail":"SIGQUIT sent; restart app.service exit 1","by_pid":13,"exit_code":1,"duration_ms":2000}`,
      '"late","listener":"lab","agent":"worker@3","pid":12,"generation":5,"last_ns":3000000000,"silence_ms":3000,"late_ms":3000,"threshold_ms":5000}',
      '"missing","agent":"worker@3","members":7,"expected":8,"grace_ms":30000}',
      '"complete","agent":"worker@3","members":8,"expected":8,"missing_ms":5000}',
      '"reload","pid":99,"config":"/etc/varta/varta.toml","detail":"limits.global_rate: 7 -> 8"}',
      '"shutdown","pid":99,"session_id":"5e","reason":"SIGTERM","exit_code":0,"uptime_ms":10000,"members":3,"beats":40,"stalls":1,"recoveries":1}',
    ]);
  });

  test("is valid JSON, also under an absurd wall clock", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { format: "jsonl" });
    events.setWallOffsetNs(1e30);
    events.onBatch(sampleBatch(), SAMPLE_COUNT);
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).observer_ns)).toEqual(
      new Array(SAMPLE_COUNT).fill(5e9),
    );
  });
});

describe("the kinds that are chosen", () => {
  test("are the only ones in the file, and what is not written waits for no deadline", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { events: ["stall", "mismatch"] });
    const beats = sampleBatch();
    expect(events.onBatch(beats, 2)).toBe(false);
    expect(events.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(events.onBatch(beats, SAMPLE_COUNT)).toBe(true);
    events.onStall(STALL);
    events.onRemoved(12, 7e9);
    events.onShutdown(SHUTDOWN);
    await events.close();
    const kinds = directory
      .read("events")
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t")[1]);
    expect(kinds).toEqual(["mismatch", "mismatch", "mismatch", "mismatch", "stall"]);
  });

  test("a return has the silence of its stall, of which nothing is kept when the member left", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { events: ["resume"], format: "jsonl" });
    events.onStall(STALL);
    events.onBatch(returned(), 1);
    events.onStall({ ...STALL, lastNs: 8e9 });
    events.onLeft(12);
    events.onBatch(returned(), 1);
    await events.close();
    const lines = directory.read("events").trimEnd().split("\n");
    const silences = lines.map((line) => (JSON.parse(line) as { silence_ms?: number }).silence_ms);
    // What a table has forgotten makes no line up: it only lacks the silence.
    expect(silences).toEqual([7000, undefined]);
  });
});

describe("EventExport", () => {
  test("has a deadline only while lines wait, 100 ms after the first", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory);
    expect(events.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    events.onRemoved(12, 1e9);
    events.onRemoved(13, 1.05e9);
    const deadlineNs = 1e9 + EXPORT_FLUSH_NS_MAX;
    expect(events.nextDeadlineNs()).toBe(deadlineNs);
    events.maintain(deadlineNs - 1);
    expect(events.nextDeadlineNs()).toBe(deadlineNs);
    events.maintain(deadlineNs);
    expect(events.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    while (directory.read("events") === "") await new Promise((done) => setImmediate(done));
    await events.close();
    expect(directory.read("events").trimEnd().split("\n")).toHaveLength(2);
  });

  test("hands lines over at 32 KiB without waiting for the deadline", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory);
    const batch = sampleBatch();
    for (let i = 0; i < EXPORT_FLUSH_BYTES / 500; i++) events.onBatch(batch, SAMPLE_COUNT);
    events.maintain(5e9);
    while (directory.read("events").length < EXPORT_FLUSH_BYTES) {
      await new Promise((done) => setImmediate(done));
    }
    await events.close();
  });

  test("drops and counts what the queue does not take", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { queueBytesMax: 64 });
    events.onRemoved(12, 1e9);
    events.maintain(2e9);
    for (let pid = 100; pid < 110; pid++) events.onRemoved(pid, 3e9);
    await events.close();
    expect(events.droppedLines).toBe(10);
    expect(directory.read("events")).toBe("1000000000\teviction\t12\t-\t-\t-\n");
  });

  test("rotates, and its files hold every line in order", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory, { bytesMax: 128 });
    for (let pid = 100; pid < 112; pid++) events.onRemoved(pid, 1e9);
    await events.close();
    const names = ["events.2", "events.1", "events"];
    const pids = names
      .map((name) => directory.read(name))
      .join("")
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.split("\t")[2]));
    expect(pids).toEqual(Array.from({ length: 12 }, (_, i) => 100 + i));
  });

  test("follows a file that logrotate has moved away", async () => {
    using directory = new TempDirectory();
    const events = await openExport(directory);
    events.onRemoved(12, 1e9);
    events.maintain(2e9);
    while (directory.read("events") === "") await new Promise((done) => setImmediate(done));
    renameSync(directory.join("events"), directory.join("old"));
    events.reopen();
    events.onRemoved(13, 3e9);
    await events.close();
    expect(directory.read("old")).toContain("\t12\t");
    expect(directory.read("events")).toBe("3000000000\teviction\t13\t-\t-\t-\n");
  });
});
