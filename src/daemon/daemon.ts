// The running daemon: starts in the order of spec 07 section 7, runs the loop, and asks for the
// shutdown when a signal, the clock or a foreign namespace says so. A start that fails closes what
// it opened and says why.
import { clearAmbientCapabilities } from "../../ffi/process.ts";
import { releaseProgramCode } from "../../ffi/program_code.ts";
import { SELF_WATCHDOG_NS_MANAGED } from "../base/limits.ts";
import { VERSION } from "../base/build_info.ts";
import type { Config } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { View } from "../view/view.ts";
import * as closings from "./closings.ts";
import { openListeners } from "./doors.ts";
import { makeLastSeen, makeStateDump } from "./control_wiring.ts";
import { HardwareWatchdog } from "./hardware_watchdog.ts";
import { makeGuardEvidence } from "./guard_evidence.ts";
import { HeartbeatFile } from "./heartbeat_wiring.ts";
import { exitStatusSources } from "./end_wiring.ts";
import { Deadlines } from "./deadline.ts";
import type { LastGood } from "./last_good.ts";
import {
  beginWithLastGood,
  keepLastGood,
  lastGoodTrouble,
  type RefusedFile,
} from "./last_good_wiring.ts";
import type { LastSeenFile } from "./last_seen_file.ts";
import type { ReadPlaces } from "./live_config.ts";
import { Loop } from "./loop.ts";
import { Notify } from "./notify.ts";
import { monotonicNs } from "./monotonic.ts";
import { makeParts, type Parts } from "./parts.ts";
import type { FiredJournal } from "../recovery/fired_journal.ts";
import type { NotedRecovery } from "../recovery/fired_notes.ts";
import type { Reloader } from "./reload/reloader.ts";
import { askedReload, makeReloader, type ReadAgain } from "./reload/wiring.ts";
import { findRuntimeEvents } from "./runtime_events.ts";
import { makeSelfBeatSender, type SelfBeatSender } from "./self_beat_sender.ts";
import { SelfWatchdog } from "./self_watchdog.ts";
import { exportBoot, exportEnd, exportedReports } from "./run_events.ts";
import { Shutdown } from "./shutdown.ts";
import type { Servers } from "./servers.ts";
import { makeServers } from "./server_wiring.ts";
import type { SocketWatch } from "./socket_watch.ts";
import { makeSocketWatch } from "./socket_watch_wiring.ts";
import { logStartFindings } from "./start_findings.ts";
import { logStart } from "./start_lines.ts";
import type { StateDump } from "./state_dump.ts";
import type { StateKeeping } from "./state_keeping.ts";
import { goOn, tellUnseenEnds } from "./state_reports.ts";
import { type OpenState, openState } from "./state_wiring.ts";
import { writerDeadline } from "./stream_writer.ts";
import { initWatchdogWarning, requireProc } from "./system_checks.ts";
import type { Tick } from "./tick.ts";
import { makeTick } from "./tick_wiring.ts";
import { Writers } from "./writers.ts";

export interface DaemonOptions {
  readonly config: Config;
  /** Undefined = started by options alone. */
  readonly configFile: string | undefined;
  /** Where its rules and listeners stand in the file. */
  readonly places: ReadPlaces;
  /** How that file is read again; undefined = there is none. */
  readonly readAgain: ReadAgain | undefined;
  /** What is in that file, or in the copy that is in force in its place. */
  readonly configText: string;
  /** Why the last good configuration is in force; undefined = that of the file is. */
  readonly refused: RefusedFile | undefined;
  /** Where the configuration is kept; undefined = nowhere. */
  readonly lastGood: LastGood | undefined;
  /** Sentences of the configuration for the start-up log. */
  readonly warnings: readonly string[];
  /** Directory of the default socket, to be made if it is missing. */
  readonly runtimeDirectory: RuntimeDirectory | undefined;
  /** The metrics address is the default of a bare run: if it is in use, a free port will do. */
  readonly metricsPortMayChange: boolean;
  /** The bound metrics address is printed on stdout before the daemon is ready. */
  readonly announcesMetrics: boolean;
  /** The command that sends a beat to `socketPath`, for a log that goes to a terminal. */
  readonly beatCommand: ((socketPath: string) => string) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The log may be coloured: it goes to a terminal. */
  readonly colour: boolean;
  /** Run time after which the loop stops coming round; only builds with test hooks can set it. */
  readonly wedgeAfterNs?: number | undefined;
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #config: Config;
  readonly #parts: Parts;
  readonly #view: View;
  readonly #dump: StateDump;
  readonly #shutdown: Shutdown;
  readonly #reloader: Reloader;
  readonly #heartbeat: HeartbeatFile;
  #writers: Writers | undefined;
  readonly #servers: Servers;
  #lastSeen: LastSeenFile | undefined;
  #notify: Notify | undefined;
  #watchdog: SelfWatchdog | undefined;
  #loop: Loop | undefined;
  #socketWatch: SocketWatch | undefined;
  #selfBeatSender: SelfBeatSender | undefined;
  #hardwareWatchdog: HardwareWatchdog | undefined;
  #state: StateKeeping | undefined;
  /** Recoveries that the daemon before this one noted. */
  #noted: readonly NotedRecovery[] = [];
  #ready = false;

  /**
   * Opens everything and starts the loop; throws `StartError`, `PlatformError` or `SystemError`.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    requireProc();
    const daemon = new Daemon(options);
    try {
      await daemon.#open();
    } catch (error) {
      daemon.#parts.kept.beginEnd();
      await daemon.#shutdown.unwind();
      if (!daemon.#shutdown.hasFault) throw error;
    }
    return daemon;
  }

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#parts = makeParts({
      config: options.config,
      env: options.env,
      colour: options.colour,
      places: options.places,
      inDoubt: options.refused?.inDoubt,
      strictViolation: (pid, inode) => this.#strictViolation(pid, inode),
      exported: exportedReports(() => this.#writers?.exporter),
      recordOutcome: (outcome) => this.#writers?.record(outcome),
      recordAct: (act) => this.#writers?.recordAct(act),
    });
    this.#view = new View(this.#parts);
    const { log, metrics, pauseCause, selfBeats } = this.#parts;
    const turns = (): number => this.#loop?.turns ?? 0;
    this.#dump = makeStateDump(options.config, this.#view, this.#parts, turns);
    this.#heartbeat = new HeartbeatFile({ log, metrics, turns });
    this.#shutdown = new Shutdown({
      log,
      childCount: () => this.#view.recovery().children,
      continued: () => pauseCause.continued(),
    });
    const health = {
      isFresh: () =>
        this.#watchdog?.isFresh === true && this.#canBeReached() && selfBeats.areRound(),
      isReady: () => this.#ready && !this.#shutdown.hasBegun && this.#canBeReached(),
    };
    this.#servers = makeServers(this.#parts, this.#view, health, (isDry, by) =>
      askedReload(this.#reloader, this.#parts.acts, isDry, by),
    );
    this.#reloader = makeReloader({
      parts: this.#parts,
      again: options.readAgain,
      lastGood: options.lastGood,
      exporter: () => this.#writers?.exporter,
      notify: () => this.#notify,
      servers: this.#servers,
      socketWatch: () => this.#socketWatch,
      writers: () => this.#writers,
      heartbeat: this.#heartbeat,
    });
  }

  /** Resolves with the exit code when everything is closed. */
  get finished(): Promise<number> {
    return this.#shutdown.finished;
  }

  async #open(): Promise<void> {
    const parts = this.#parts;
    const { config, runtimeDirectory, metricsPortMayChange } = this.#options;
    const shutdown = this.#shutdown;
    shutdown.takeFaults();
    shutdown.takeSignals(
      () => this.#dump.begin(),
      () => {
        this.#writers?.reopen();
        this.#reloader.request();
      },
    );
    shutdown.add(closings.closingLog(parts));
    clearAmbientCapabilities();
    shutdown.add(closings.closingListeners(parts));
    openListeners(parts, config, runtimeDirectory);
    // What there was is known before anything is heard; and it is written last of all but the log.
    const state = this.#openState();
    const writers = await this.#openWriters(state?.journal);
    this.#writers = writers;
    shutdown.add(
      closings.closingWriters(writers, (end) =>
        exportEnd(writers.exporter, parts.clock.nowNs(), this.#view, end),
      ),
    );
    shutdown.add(closings.closingChildren(parts, writers));
    shutdown.throwFault();
    await this.#heartbeat.open(config);
    shutdown.add(closings.closingHeartbeat(this.#heartbeat));
    shutdown.throwFault();
    const servers = this.#servers;
    shutdown.add(closings.closingServer(() => servers.http));
    servers.openHttp(config, metricsPortMayChange);
    this.#lastSeen = makeLastSeen(config, () => servers.control?.path, this.#view, parts.log);
    if (this.#lastSeen !== undefined) shutdown.add(closings.closingLastSeen(this.#lastSeen));
    shutdown.add(closings.closingServer(() => servers.control));
    servers.openControl(config);
    parts.kept.closeRest();
    this.#socketWatch = makeSocketWatch({ parts, servers, config, runtimeDirectory });
    this.#noted = goOn(parts, state, writers);
    const tick = makeTick(parts, writers);
    shutdown.add(closings.closingTurns(tick, parts));
    this.#selfBeatSender = makeSelfBeatSender(parts);
    shutdown.add(() => void this.#selfBeatSender?.close());
    const notify = this.#openNotify();
    this.#notify = notify;
    if (notify !== undefined) shutdown.add(closings.closingNotify(notify));
    this.#openHardwareWatchdog();
    this.#warn();
    await logStartFindings({ log: parts.log, config, file: this.#options.configFile });
    shutdown.throwFault();
    const runtimeFd = findRuntimeEvents();
    if (runtimeFd < 0)
      parts.log.warn("polling for events", { every_ms: 5, reason: "event descriptor not found" });
    this.#watchdog = new SelfWatchdog({
      deadlineNs: this.#selfWatchdogNs(),
      nowNs: () => parts.observer.nowNs(),
      wedgeAfterNs: this.#options.wedgeAfterNs,
    });
    this.#loop = this.#makeLoop(tick, this.#watchdog, runtimeFd);
    shutdown.add(() => void parts.kept.beginEnd());
    this.#start(this.#watchdog, this.#loop, state);
  }

  #start(watchdog: SelfWatchdog, loop: Loop, state: OpenState | undefined): void {
    const { log, observer, stdout, kept } = this.#parts;
    const { config, beatCommand, announcesMetrics } = this.#options;
    const metricsAddress = this.#servers.http?.address;
    // Before READY=1: a daemon that hangs before its first turn must end, too.
    watchdog.arm();
    const exitStatuses = exitStatusSources(config);
    const controlPath = this.#servers.control?.path;
    logStart({ log, config, metricsAddress, controlPath, exitStatuses, beatCommand, kept });
    if (metricsAddress !== undefined && announcesMetrics) stdout.write(`${metricsAddress}\n`);
    exportBoot(this.#writers?.exporter, observer.nowNs(), this.#options.configFile);
    this.#parts.feed.booted(VERSION, process.pid, observer.nowNs());
    tellUnseenEnds(this.#parts, state, this.#noted);
    if (state !== undefined) state.restored = undefined;
    this.#ready = true;
    this.#notify?.ready(observer.nowNs());
    if (this.#options.refused === undefined)
      keepLastGood(this.#options.lastGood, log, this.#options.configText);
    releaseProgramCode();
    loop.start();
    this.#shutdown.add(() => void this.#reloader.close());
    this.#reloader.open();
  }

  #warn(): void {
    const { log } = this.#parts;
    const { refused } = this.#options;
    if (refused !== undefined) beginWithLastGood(this.#parts, refused);
    for (const warning of this.#options.warnings) log.warn("configuration warning", { warning });
    const spared = initWatchdogWarning(process.pid, this.#selfWatchdogNs());
    if (spared !== undefined) log.warn("self-watchdog has no effect", spared);
  }

  #openWriters(journal: FiredJournal | undefined): Promise<Writers> {
    const { log, metrics, observer, listenerNames } = this.#parts;
    return Writers.open({
      journal,
      listenerNames,
      config: this.#config,
      log,
      metrics,
      observerInode: observer.observerInode,
      agentName: (agent) => observer.tracker.table.agents.nameOf(agent),
      monotonicNs,
      env: this.#options.env,
    });
  }

  #openState(): OpenState | undefined {
    const { config, env } = this.#options;
    const auditHead = () => this.#writers?.auditHead;
    const state = openState(this.#parts, { config, env, auditHead });
    this.#state = state?.keeping;
    if (state !== undefined) this.#shutdown.add(closings.closingState(state.keeping));
    return state;
  }

  #openNotify(): Notify | undefined {
    const { observer, log } = this.#parts;
    const view = this.#view;
    return Notify.open({
      env: this.#options.env,
      pid: process.pid,
      trouble: lastGoodTrouble(this.#options.refused),
      state: {
        judgePoints: () => observer.judgePoints,
        agents: () => view.totals().tracked,
        stalled: () => view.totals().stalled,
        beats: () => view.beats(),
      },
      unusable: (reason) => log.warn("sd_notify failed, ignoring", { reason }),
    });
  }

  // Last of all, so that nothing else keeps the daemon from starting while it runs, and it is the
  // first that a shutdown stops.
  #openHardwareWatchdog(): void {
    const { observer, log } = this.#parts;
    const path = this.#config.liveness.hwWatchdog;
    if (path === undefined) return;
    const watchdog = HardwareWatchdog.open({ path, judgePoints: () => observer.judgePoints, log });
    this.#hardwareWatchdog = watchdog;
    this.#shutdown.add(() => void watchdog.close());
  }

  #makeLoop(tick: Tick, watchdog: SelfWatchdog, runtimeFd: number): Loop {
    const { observer, metrics, recovery, reports, rubbish, refusals } = this.#parts;
    const { stdout, stderr } = this.#parts;
    const deadlines = new Deadlines();
    deadlines.add(
      this.#reloader,
      this.#servers,
      this.#dump,
      this.#heartbeat,
      reports,
      rubbish,
      refusals,
      { nextDeadlineNs: () => recovery.nextDeadlineNs(), maintain: () => {} },
      this.#parts.orphans,
      this.#parts.expected,
      this.#parts.muting,
      this.#parts.acts,
      this.#parts.later,
      { nextDeadlineNs: () => this.#shutdownAtNs(), maintain: () => {} },
      writerDeadline(stdout),
      writerDeadline(stderr),
    );
    const { ends, beatRates, guardReports, fdStore, cutOff } = this.#parts;
    deadlines.add(ends, this.#socketWatch, this.#writers, beatRates, guardReports, fdStore, cutOff);
    deadlines.add(makeGuardEvidence(this.#parts));
    deadlines.add(this.#notify, this.#hardwareWatchdog, this.#selfBeatSender, this.#lastSeen);
    deadlines.add(this.#state, this.#parts.nameReports);
    return new Loop({
      observer,
      tick,
      metrics,
      servers: () => this.#servers.inService,
      runtimeFd,
      ends,
      deadlines,
      monotonicNs,
      iterationBudgetNs: () => this.#parts.live.current.liveness.iterationBudgetNs,
      turnBegins: () => watchdog.turnBegins(),
      quietNsMax: watchdog.quietNsMax,
      shouldStop: (nowNs) => this.#shouldStop(nowNs),
      stopped: () => void this.#shutdown.run(),
    });
  }

  #selfWatchdogNs(): number | undefined {
    const managed = this.#notify?.petEveryNs === undefined ? undefined : SELF_WATCHDOG_NS_MANAGED;
    return this.#config.liveness.selfWatchdogNs ?? managed;
  }

  #canBeReached(): boolean {
    return this.#socketWatch?.allInPlace !== false;
  }

  #shutdownAtNs(): number {
    return this.#config.liveness.shutdownAfterNs ?? Number.POSITIVE_INFINITY;
  }

  #shouldStop(nowNs: number): boolean {
    if (nowNs >= this.#shutdownAtNs()) this.#shutdown.request("shutdown_after");
    return this.#shutdown.isRequested;
  }

  #strictViolation(pid: number, observedInode: number): void {
    if (this.#shutdown.isRequested) return;
    this.#parts.log.error("beat from foreign namespace", {
      pid,
      reason: "observer.strict_namespace ends the daemon",
      observed_namespace: observedInode,
      observer_namespace: this.#parts.observer.observerInode,
    });
    this.#shutdown.request("strict_namespace", 1);
  }
}
