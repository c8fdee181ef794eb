// Time per beat without the kernel, beside a C twin that does the same with a CRC table of 256
// entries. Both read the same arenas, run in turn in this process and are timed by its CPU clock:
// what counts is the ratio. Every beat is accepted, and all agents beat once per round.
import { OWNER_RULE } from "../../src/agents/naming.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../../src/base/origin.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { Datagram, VOUCHED_BY_KERNEL } from "../../src/events/datagram.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { Observer } from "../../src/observer/observer.ts";
import { BeatRun } from "../../src/tracker/beat_run.ts";
import { Tracker } from "../../src/tracker/tracker.ts";
import { UPDATE_REFRESHED } from "../../src/tracker/updates.ts";
import { crc32cFrame } from "../../src/wire/crc32c.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import { type Arena, ArenaListener, fullArenas } from "../support/arenas.ts";
import type { Native } from "../support/native.ts";
import { threadCpuNs } from "../support/process_cost.ts";
import { median, ns, type Report, times } from "../support/report.ts";
import { openTwin, type Twin } from "../support/twin.ts";

const AGENTS = 1_024;
const CAPACITY = 4_096;
const SAMPLES = 15;
/** The first ones belong to the compilers of the engine. */
const SAMPLES_UNCOUNTED = 3;
const ROUNDS_PER_SAMPLE = 200;
const CRC_NS_MAX = 60;
const RATIO_MAX = 3;
const NAMES = 40;
const THRESHOLDS = 12;
const NAMED_RATIO_MAX = 1.05;
const INODE = 4_026_531_836;
const START_TIME = 77;
const THRESHOLD_NS = 5e9;
const ROUND_NS = 1e6;
const ZEROS = new Uint32Array(CAPACITY);

type Round = (nowNs: number) => void;

export function measureUserSpace(report: Report, native: Native | string): void {
  const arenas = fullArenas(AGENTS);
  const ours = ourRounds(arenas);
  if (typeof native === "string") {
    report.skip(`the twin: ${native}`);
    const measured = measure(ours);
    for (const [what, value] of measured) report.add({ what, value: ns(value) });
    reportCrc(report, measured.get("crc")!);
    return;
  }
  const measured = measure({ ...ours, ...twinRounds(arenas, openTwin(native.twin)) });
  const of = (name: string) => measured.get(name)!;
  reportCrc(report, of("crc"));
  report.add({ what: "the same in C with a table of 256 entries", value: ns(of("c crc")) });
  const compare = (name: keyof typeof ours, what: string) => {
    const twin = of(`c ${name}`);
    const ratio = of(name) / twin;
    const value = `${ns(of(name))} / ${ns(twin)}`;
    report.add({ what, value });
    const required = `at most ${RATIO_MAX} x the C twin`;
    report.add({ what: "  ratio", value: times(ratio), required, holds: ratio <= RATIO_MAX });
  };
  compare("decode", "decode, ours / C");
  compare("track", "track, as the daemon does it, ours / C");
  compare("path", "everything but the kernel, ours / C");
  const named = of("named path") / of("path");
  report.add({
    what: `the same with ${NAMES} names and ${THRESHOLDS} thresholds`,
    value: ns(of("named path")),
  });
  report.add({
    what: "  ratio to one of each",
    value: times(named),
    required: `at most ${NAMED_RATIO_MAX} x`,
    holds: named <= NAMED_RATIO_MAX,
  });
  report.add({ what: "tracker.record(), one beat per call", value: ns(of("record")) });
  report.add({
    what: "the C twin with the CRC instruction of SSE 4.2",
    value: ns(of("c path sse")),
  });
}

function reportCrc(report: Report, value: number): void {
  report.add({
    what: "CRC-32C of 28 bytes",
    value: ns(value),
    required: `at most ${CRC_NS_MAX} ns`,
    holds: value <= CRC_NS_MAX,
  });
}

/** Nanoseconds per beat of each round: medians of samples that were taken in turn. */
function measure(rounds: Readonly<Record<string, Round>>): Map<string, number> {
  const samples = new Map<string, number[]>(Object.keys(rounds).map((name) => [name, []]));
  let nowNs = ROUND_NS;
  for (let sample = 0; sample < SAMPLES + SAMPLES_UNCOUNTED; sample++) {
    for (const [name, round] of Object.entries(rounds)) {
      const startNs = threadCpuNs();
      for (let i = 0; i < ROUNDS_PER_SAMPLE; i++) {
        nowNs += ROUND_NS;
        round(nowNs);
      }
      const perBeat = (threadCpuNs() - startNs) / ROUNDS_PER_SAMPLE / AGENTS;
      if (sample >= SAMPLES_UNCOUNTED) samples.get(name)!.push(perBeat);
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}

function ourRounds(arenas: readonly Arena[]) {
  return {
    crc: crcRound(arenas),
    decode: decodeRound(arenas),
    track: trackRound(arenas),
    record: recordRound(arenas),
    path: pathRound(arenas),
    "named path": pathRound(arenas, identify),
  };
}

function twinRounds(arenas: readonly Arena[], twin: Twin): Record<string, Round> {
  const each = (work: (arena: Arena, nowNs: number) => void): Round => {
    return (nowNs) => {
      twin.forgetNonces();
      for (const arena of arenas) work(arena, nowNs);
    };
  };
  return {
    "c crc": each((arena) => twin.crc(arena)),
    "c decode": each((arena) => twin.decode(arena)),
    "c track": each((arena, nowNs) => twin.track(arena, nowNs)),
    "c path": each((arena, nowNs) => twin.take(arena, nowNs, false)),
    "c path sse": each((arena, nowNs) => twin.take(arena, nowNs, true)),
  };
}

function crcRound(arenas: readonly Arena[]): Round {
  let sum = 0;
  return () => {
    for (const { batch } of arenas) sum ^= crcBatch(batch.words, batch.frameWord);
    if (sum === 1) throw new Error("Checksums of the same frames cancel each other out");
  };
}

function crcBatch(words: Uint32Array, frameWord: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < BATCH_SIZE; i++) sum ^= crc32cFrame(words, frameWord[i]!);
  return sum & ~1;
}

function decodeRound(arenas: readonly Arena[]): Round {
  return () => {
    for (const { batch } of arenas) {
      if (decodeBatch(batch.words, batch.frameWord) !== 0) throw new Error("A frame is invalid");
    }
  };
}

function decodeBatch(words: Uint32Array, frameWord: Uint32Array): number {
  let codes = 0;
  for (let i = 0; i < BATCH_SIZE; i++) codes |= decodeFrame(words, frameWord[i]!);
  return codes;
}

const PROCESSES = {
  startTime: () => START_TIME,
  hasEnded: () => false,
  realUid: () => 0,
  innermostPid: () => Number.NaN,
  namespaceInode: () => INODE,
};

/** A tracker that knows the agents, from more than one beat. */
function trackerOf(arenas: readonly Arena[]): Tracker {
  const tracker = new Tracker({
    thresholdNs: THRESHOLD_NS,
    capacity: CAPACITY,
    processes: PROCESSES,
  });
  for (let beat = 0; beat < 2; beat++) {
    for (const { batch } of arenas) recordBatch(tracker, batch.words, batch.frameWord, ROUND_NS);
    forgetNonces(tracker);
  }
  for (let slot = 0; slot < tracker.len; slot++) tracker.table.slots.prove(slot);
  return tracker;
}

/** The same beats come again: what was seen of them is forgotten. */
function forgetNonces(tracker: Tracker): void {
  tracker.table.slots.lastNonceLo.set(ZEROS);
}

function recordRound(arenas: readonly Arena[]): Round {
  const tracker = trackerOf(arenas);
  return (nowNs) => {
    forgetNonces(tracker);
    for (const { batch } of arenas) recordBatch(tracker, batch.words, batch.frameWord, nowNs);
  };
}

function recordBatch(
  tracker: Tracker,
  words: Uint32Array,
  frameWord: Uint32Array,
  nowNs: number,
): void {
  for (let i = 0; i < BATCH_SIZE; i++) {
    const update = tracker.record(beatAt(words, frameWord[i]!, nowNs));
    if (update > UPDATE_REFRESHED) throw new Error("A beat was refused");
  }
}

const datagram = new Datagram();

/** The beat of an agent of this machine, as the observer hands it to the tracker. */
function beatAt(words: Uint32Array, w: number, nowNs: number): Datagram {
  datagram.words = words;
  datagram.frameWord = w;
  datagram.nowNs = nowNs;
  datagram.origin = ORIGIN_KERNEL_ATTESTED;
  datagram.vouched = VOUCHED_BY_KERNEL;
  datagram.namespaceInode = INODE;
  datagram.generation = START_TIME;
  datagram.readFrame();
  datagram.key = datagram.pid;
  return datagram;
}

function trackRound(arenas: readonly Arena[]): Round {
  const tracker = trackerOf(arenas);
  const runs = arenas.map(({ batch, pids }) => {
    const run = new BeatRun();
    run.words = batch.words;
    run.frameWord = batch.frameWord;
    run.pid.set(pids);
    run.namespaceInode = INODE;
    return run;
  });
  return (nowNs) => {
    forgetNonces(tracker);
    for (const run of runs) {
      run.nowNs = nowNs;
      tracker.slotsOf(run.pid, BATCH_SIZE, run.slot);
      if (tracker.refreshRun(run, 0, BATCH_SIZE) !== BATCH_SIZE) throw new Error("A run ended");
    }
  };
}

/**
 * Columns, decode, check order, tracker, event rows and metrics rows: the turn of the daemon
 * without its system calls.
 */
function pathRound(arenas: readonly Arena[], prepare?: (tracker: Tracker) => void): Round {
  let timeNs = 0;
  const listener = new ArenaListener(arenas);
  const observer = new Observer({
    thresholdNs: THRESHOLD_NS,
    clock: new ObserverClock({ readNs: () => timeNs }),
    processes: PROCESSES,
    observerInode: INODE,
    trackerCapacity: CAPACITY,
  });
  observer.addListener(listener);
  const metrics = new Metrics({
    blocks: METRIC_BLOCKS,
    capacity: CAPACITY,
    listeners: [listener],
    accounting: observer.accounting,
    perPid: true,
    build: { version: "", revision: "", runtime: "", target: "" },
  });
  const before = { accepted: 0 };
  let isPrepared = false;
  return (nowNs) => {
    timeNs = nowNs;
    forgetNonces(observer.tracker);
    listener.rewind();
    observer.pump((rows, count) => metrics.onBatch(rows, count), AGENTS * 2);
    const accepted = observer.accounting.accepted[0]!;
    if (accepted - before.accepted !== AGENTS) throw new Error("A beat was refused");
    before.accepted = accepted;
    if (!isPrepared) prepare?.(observer.tracker);
    isPrepared = true;
  };
}

/** Its members have names and thresholds in turn, as rules give them. */
function identify({ len, table }: Tracker): void {
  for (let slot = 0; slot < len; slot++) {
    const rule = slot % NAMES;
    const name = { text: `name-${rule}`, owner: OWNER_RULE, user: "", isFree: false };
    const thresholdNs = THRESHOLD_NS + (rule % THRESHOLDS) * ROUND_NS;
    const terms = { thresholdNs, lateNs: thresholdNs / 2, graceNs: 0 };
    const agent = table.agents.numberFor(name);
    table.identified(slot, { agent, rule, program: 1, ...terms }, ROUND_NS);
  }
}
