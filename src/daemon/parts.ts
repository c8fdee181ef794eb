// Makes the parts of the daemon from its configuration. Nothing is bound or started here; what the
// service manager handed over is taken in.
import { monotonicNs } from "./monotonic.ts";
import { MemberNames } from "../agents/announcing.ts";
import { ExpectedAgents, type ExpectedReports } from "../agents/expected_agents.ts";
import { REVISION, RUNTIME, TARGET, VERSION } from "../base/build_info.ts";
import { TRACKER_CAPACITY_LIVE_MAX } from "../base/limits.ts";
import { NS_PER_MS, msFromNs } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { PlansInDoubt } from "../config/diff/plans_in_doubt.ts";
import { shortestThresholdNs } from "../config/shortest_threshold.ts";
import type { Act } from "../events/act.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { SpareDescriptors } from "../processes/spare_descriptors.ts";
import { isGone } from "../processes/is_gone.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { RubbishWatch } from "../listener/rubbish_watch.ts";
import type { AgentRows } from "../metrics/agent_rows.ts";
import { Metrics, type MetricsOptions } from "../metrics/metrics.ts";
import type { CutOffMembers } from "../observer/cut_off.ts";
import { ObserverClock } from "../observer/clock.ts";
import { Identification } from "../observer/identification.ts";
import { Guard } from "../observer/guard.ts";
import { Observer } from "../observer/observer.ts";
import { HeardSelfBeats } from "../observer/self_beat.ts";
import { OwnTimesReader } from "../processes/own_times.ts";
import { readPidMax } from "../processes/pid_max.ts";
import type { SelfBeats } from "../observer/self_beats.ts";
import { SystemClock } from "../observer/system_clock.ts";
import { SystemAgentHost } from "../recovery/agent_host.ts";
import { ProcessRunner } from "../recovery/children/child_runner.ts";
import { OrphanReaper } from "../recovery/children/orphan_reaper.ts";
import { Recovery } from "../recovery/recovery.ts";
import type { KeptSockets } from "../sockets/kept_sockets.ts";
import type { FdStore } from "../systemd/fd_store.ts";
import { isBeating } from "../tracker/beating.ts";
import { BeatRates } from "../view/beat_rates.ts";
import { EventFeed } from "../view/event_feed.ts";
import { EventLog } from "../view/event_log.ts";
import { GoneMembers } from "../view/gone_members.ts";
import { StallNotes } from "../view/stall_notes.ts";
import { FilterReports } from "./filter_reports.ts";
import { loadedCounters } from "./loaded_config.ts";
import { LiveConfig, type ReadPlaces } from "./live_config.ts";
import { makeKept } from "./kept_wiring.ts";
import { makeCutOff } from "./cut_off_wiring.ts";
import { Later } from "./later.ts";
import { Log } from "./log.ts";
import { scopeHere } from "./page_scope.ts";
import { type AskerParts, makeAskerParts } from "./asker_parts.ts";
import { makeAgentPage } from "./agent_page_wiring.ts";
import { expectedAgents, inForce, reservedNames, ruleFinder, takenNames } from "./member_rules.ts";
import { BLOCKS_OF_FILES, METRIC_BLOCKS } from "./metric_blocks.ts";
import type { EndReports } from "./end_options.ts";
import type { MemberEnds } from "./member_ends.ts";
import { exitStatusSources, makeMemberEnds } from "./end_wiring.ts";
import { GuardReports, guardSettings } from "./guard_reports.ts";
import { PauseCause } from "./pause_cause.ts";
import { RefusalReports } from "./refusal_reports.ts";
import { NameReports } from "./name_reports.ts";
import { Muting } from "./muting.ts";
import { Reports } from "./reports.ts";
import type { MuteSink } from "./run_events.ts";
import { makeSelfBeats } from "./self_beat_sender.ts";
import { SESSION_ID } from "./session.ts";
import { StateSeen } from "./state_seen.ts";
import { StreamWriter } from "./stream_writer.ts";
import { stderrIsJournal } from "./system_checks.ts";

/**
 * Part of the threshold that the observer may be late without calling it a pause, and the least
 * that it may be late.
 */
const PAUSE_GAP_PART = 1 / 4;
const PAUSE_GAP_NS_MIN = 5 * NS_PER_MS;
/** Slots taken at one judge point in the daemon, so that a mass stall cannot hold up beats. */
const JUDGE_SLOTS_MAX = 1_024;

const STDOUT = 1;
const STDERR = 2;

export interface Parts extends AskerParts {
  readonly clock: ObserverClock;
  readonly stdout: StreamWriter;
  readonly stderr: StreamWriter;
  readonly log: Log;
  readonly observer: Observer;
  readonly metrics: Metrics;
  readonly reports: Reports;
  readonly rubbish: RubbishWatch;
  readonly refusals: RefusalReports;
  readonly recovery: Recovery;
  readonly identification: Identification;
  readonly names: MemberNames;
  readonly nameReports: NameReports;
  readonly orphans: OrphanReaper;
  /** Starts children, and knows those that the runtime waits for. */
  readonly runner: ProcessRunner;
  readonly expected: ExpectedAgents;
  readonly muting: Muting;
  readonly pauseCause: PauseCause;
  /** Undefined = there is no guard. */
  readonly guardReports: GuardReports | undefined;
  readonly later: Later;
  readonly processes: ProcReader;
  /** What has happened lately. */
  readonly events: EventLog;
  readonly feed: EventFeed;
  /** Of the stalls that last. */
  readonly notes: StallNotes;
  /** Undefined = started without a configuration file. */
  readonly agentRows: AgentRows | undefined;
  readonly beatRates: BeatRates | undefined;
  /** By number; a reload adds to them. */
  readonly listenerNames: string[];
  /** The configuration in force. */
  readonly live: LiveConfig;
  readonly selfBeats: SelfBeats;
  readonly loaded: ReturnType<typeof loadedCounters>;
  /** Undefined = ends are not followed. */
  readonly ends: MemberEnds | undefined;
  readonly stateSeen: StateSeen;
  /** Undefined = started without a configuration file. */
  readonly cutOff: CutOffMembers | undefined;
  /** Sockets that outlive the process. */
  readonly kept: KeptSockets;
  /** Undefined = there is no service manager. */
  readonly fdStore: FdStore | undefined;
}

interface PartsOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly colour: boolean;
  /** Where its rules and listeners stand in the file. */
  readonly places: ReadPlaces;
  /** Plans by which nothing is done yet; undefined = there is none. */
  readonly inDoubt: PlansInDoubt | undefined;
  /** Strict mode met a sender from another pid namespace. */
  readonly strictViolation: (pid: number, observedInode: number) => void;
  /** Writes what happens to members and agents to the export file. */
  readonly exported: EndReports & ExpectedReports & MuteSink;
  /** Keeps an outcome of a recovery in the audit log. */
  readonly recordOutcome: (outcome: RecoveryOutcome) => void;
  /** Keeps what somebody asked for in it. */
  readonly recordAct: (act: Act) => void;
}

export function makeParts(options: PartsOptions): Parts {
  const { config } = options;
  const live = new LiveConfig(config, options.places);
  const clock = new ObserverClock(new SystemClock(config.observer.clockSource));
  const unixMsAtStart = (): number => Date.now() - msFromNs(clock.nowNs());
  const stdout = new StreamWriter({ nowNs: () => clock.lastNs, fd: STDOUT });
  const stderr = new StreamWriter({ nowNs: () => clock.lastNs, fd: STDERR });
  const log = makeLog(options, stderr);
  const spares = new SpareDescriptors();
  const processes = new ProcReader("/proc", spares);
  const selfBeats = makeSelfBeats();
  const heard = new HeardSelfBeats(selfBeats, clock);
  const guard = config.optionsAlone ? undefined : new Guard(guardSettings(config), heard);
  const observer = new Observer({
    selfBeats,
    guard,
    thresholdNs: config.observer.thresholdNs,
    clock,
    processes,
    places: processes,
    observerInode: processes.ownNamespaceInode(),
    readPidMax: () => readPidMax(),
    trackerCapacity: config.tracker.capacity,
    room: roomOf(config),
    evictionPolicy: config.tracker.evictionPolicy,
    evictionScanWindow: config.tracker.evictionScanWindow,
    admission: config.limits,
    allowCrossNamespace: config.observer.allowCrossNamespace,
    judgeLimit: JUDGE_SLOTS_MAX,
    pauseGapNs: pauseGapNs(shortestThresholdNs(config)),
    verdictOf: config.optionsAlone
      ? undefined
      : (pid, generation, origin) => ends!.verdictOf(pid, generation, origin),
  });
  const listenerNames = config.listeners.map(({ name }) => name);
  const { agents } = observer.tracker.table;
  agents.reserve(reservedNames(config.agents));
  const events = new EventLog();
  const feed = new EventFeed({
    log: events,
    agentName: (number) => agents.nameOf(number),
    unixMsAtStart,
  });
  const notes = new StallNotes();
  const gone = new GoneMembers(observer);
  const pauseCause = new PauseCause({
    nowNs: () => clock.nowNs(),
    times: new OwnTimesReader(),
    goesOnAsleep: clock.source === "boottime",
  });
  const reports = new Reports({
    // Started by options alone the line of a pause stays as it was, and a suspend has none.
    pauseCause: config.optionsAlone ? undefined : pauseCause,
    log,
    events: feed,
    notes,
    gone,
    agentName: (number) => agents.nameOf(number),
    listenerNames,
    nowNs: () => clock.lastNs,
    wallMs: Date.now,
    isMuted: (member) => muting.isMuted(member),
    // Started by options alone the lines stay as they were.
    isGone: config.optionsAlone ? undefined : isGone,
    mayBeCutOff: (stall) => cutOff?.mayBe(stall) === true,
    namespaceConflict: config.observer.strictNamespace ? options.strictViolation : () => {},
  });
  const muting: Muting = new Muting({
    agents,
    log,
    nowNs: () => clock.lastNs,
    unmuted: () => recovery.held.unmuted(),
    events: feed,
    exported: options.exported,
    reports,
  });
  const expected = new ExpectedAgents({
    agents,
    expected: expectedAgents(config.agents),
    reports: muting,
    pausedNs: () => observer.pauses.totalNs,
  });
  const agentPage = makeAgentPage(config, observer.tracker, expected, muting, () => clock.lastNs);
  const metrics = makeMetrics(config, observer, agentPage);
  const loaded = loadedCounters(Date.now());
  metrics.show(loaded);
  metrics.show(selfBeats.counters);
  if (!config.optionsAlone)
    for (const { counters } of [
      expected,
      observer.texts,
      observer.silence,
      observer.silence.guarded!,
      pauseCause,
    ])
      metrics.show(counters);
  const names = new MemberNames(agents, takenNames(config.agents));
  const nameReports = new NameReports(log, () => clock.lastNs);
  names.onRefused = (facts, refusal) => nameReports.refused(facts, refusal);
  if (!config.optionsAlone)
    for (const { counters } of [names, observer.greetings]) metrics.show(counters);
  const identification = new Identification({
    names,
    tracker: observer.tracker,
    reader: processes,
    listenerNames,
    keepsFacts: !config.optionsAlone,
    findRule: ruleFinder(config.agents),
    named: (agent, facts) => agentPage?.rows.named(agent, facts),
    came: config.optionsAlone ? undefined : (agent, facts) => reports.came(agent, facts),
    monotonicNs,
  });
  const runner = new ProcessRunner();
  const orphans = new OrphanReaper((pid) => runner.isLiving(pid));
  for (const { counters } of [log, stderr, orphans]) metrics.show(counters);
  const recovery: Recovery = new Recovery({
    config: config.recovery,
    plans: config.plans,
    inDoubt: options.inDoubt,
    ...inForce(live, observer.tracker, listenerNames),
    allowCrossNamespace: config.observer.allowCrossNamespace,
    pipesOutput: !config.optionsAlone,
    listenerNames,
    runner,
    host: new SystemAgentHost(
      processes,
      (pid, generation) => isBeating(observer.tracker, pid, generation),
      spares,
    ),
    freshness: (key, generation) => observer.stallFreshness(key, generation),
    isMuted: (stall, nowNs) => muting.isMuted(stall, nowNs),
    guard: observer.silence.guarded,
    outcomes: (outcome) => {
      options.recordOutcome(outcome);
      ends?.onOutcome(outcome);
      metrics.onOutcome(outcome);
      reports.outcome(outcome);
    },
    capacity: config.tracker.capacity,
    observerNamespaceInode: observer.observerInode,
    unixMsAtStart,
    daemonEnv: options.env,
    monotonicNs,
  });
  const ends = makeMemberEnds(options, {
    observer,
    processes,
    spares,
    log,
    showCounters: (counters) => metrics.show(counters),
    reports,
    metrics,
    recovery,
    forgetAfterNs: () => live.current.tracker.forgetAfterNs,
    ruleOf: (slot) => live.current.agents[observer.tracker.slots.rule[slot]!],
  });
  if (ends !== undefined) metrics.show(ends.counters);
  const cutOff = ends && makeCutOff(observer.tracker, ends, spares);
  if (cutOff !== undefined) metrics.show(cutOff.counters);
  const rubbish = new RubbishWatch({
    listeners: observer.listeners,
    thresholdNs: shortestThresholdNs(config),
    accounting: observer.accounting,
    reports: new FilterReports(log, listenerNames),
  });
  const refusals = new RefusalReports({
    log,
    refusals: observer.refusals,
    listeners: observer.listeners,
    trackerCapacity: () => observer.tracker.capacity,
    takesControl: !config.optionsAlone,
    innermostPid: (pid) => processes.innermostPid(pid),
    isGone: config.optionsAlone ? undefined : isGone,
  });
  const { recordAct } = options;
  const askers = makeAskerParts({
    ...{ observer, recovery, muting, expected, refusals, processes, live, log, clock, names },
    ...{ events, feed, notes, gone, recordAct, unixMsAtStart, cutOff },
  });
  const told = { log, reports, rubbish, refusals };
  const agentRows = agentPage?.rows;
  const beatRates =
    agentRows === undefined ? undefined : new BeatRates(observer.tracker, agentRows);
  const followed = {
    identification,
    names,
    nameReports,
    orphans,
    runner,
    ends,
    cutOff,
    expected,
    muting,
    pauseCause,
    guardReports: guard && new GuardReports({ guard, log, events: feed }),
    agentRows,
    beatRates,
    events,
    feed,
    notes,
    later: new Later(() => clock.nowNs()),
    processes,
    listenerNames,
    live,
    loaded,
    selfBeats,
    stateSeen: new StateSeen(),
    ...makeKept(options.env, process.pid, log),
  };
  return { clock, stdout, stderr, ...told, observer, metrics, recovery, ...followed, ...askers };
}

/** Only a daemon that has a file can be told of another capacity. */
function roomOf({ optionsAlone, tracker }: Config): number {
  return optionsAlone ? tracker.capacity : Math.max(tracker.capacity, TRACKER_CAPACITY_LIVE_MAX);
}

/** How late the loop may be without calling it a pause. */
export function pauseGapNs(thresholdNs: number): number {
  return Math.max(PAUSE_GAP_NS_MIN, thresholdNs * PAUSE_GAP_PART);
}

function makeLog({ config, env, colour }: PartsOptions, stderr: StreamWriter): Log {
  return new Log({
    ...config.log,
    write: (line) => stderr.write(line),
    wallMs: Date.now,
    monotonicNs,
    journal: stderrIsJournal(env["JOURNAL_STREAM"]),
    sessionId: SESSION_ID,
    colour,
  });
}

function makeMetrics(
  config: Config,
  observer: Observer,
  agents: MetricsOptions["agents"],
): Metrics {
  return new Metrics({
    blocks: METRIC_BLOCKS.filter((one) => !config.optionsAlone || !BLOCKS_OF_FILES.includes(one)),
    capacity: config.tracker.capacity,
    room: roomOf(config),
    listeners: config.listeners,
    accounting: observer.accounting,
    perPid: config.metrics.perPid,
    isPossible: scopeHere(config, exitStatusSources(config)),
    agents,
    build: { version: VERSION, revision: REVISION, runtime: RUNTIME, target: TARGET },
  });
}
