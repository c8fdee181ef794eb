// The running daemon: starts in the order of spec 07 section 7, runs the loop, and asks for the shutdown when a signal, the
// clock or a foreign namespace says so. A start that fails closes what it opened and says why.
import { ignoresHangup } from "../../ffi/inherited.ts";
import { armAlarm, clearAmbientCapabilities, effectiveUid } from "../../ffi/process.ts";
import { releaseProgramCode } from "../../ffi/program_code.ts";
import { TEST_HOOKS, VERSION } from "../base/build_info.ts";
import { msFromNs, NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { UnixListener } from "../listener/unix.ts";
import { openListeners, openMetrics } from "./doors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { hiddenProcessesWarning } from "../processes/hidden_processes.ts";
import { countHttp } from "./http_wiring.ts";
import { type Deadline, Deadlines } from "./deadline.ts";
import { Loop } from "./loop.ts";
import { Notify } from "./notify.ts";
import { makeParts, monotonicNs, type Parts } from "./parts.ts";
import { findRuntimeEvents } from "./runtime_events.ts";
import { type Opened, Shutdown } from "./shutdown.ts";
import { errorText } from "./start_error.ts";
import { SocketWatch, type WatchedSocket } from "./socket_watch.ts";
import { StopSignals } from "./stop_signals.ts";
import type { StreamWriter } from "./stream_writer.ts";
import { initWatchdogWarning, makeRuntimeDirectory, requireProc } from "./system_checks.ts";
import { Tick } from "./tick.ts";
import { requireHeartbeatPlace, Writers } from "./writers.ts";
import * as series from "../metrics/series.ts";

export interface DaemonOptions {
  readonly config: Config;
  /** Sentences of the configuration for the start-up log. */
  readonly warnings: readonly string[];
  /** Directory of the default socket, to be made if it is missing. */
  readonly runtimeDirectory: RuntimeDirectory | undefined;
  /** The metrics address is the default of a bare run: if it is in use, a free port will do. */
  readonly metricsPortMayChange: boolean;
  /** The bound metrics address is printed on stdout before the daemon is ready. */
  readonly announcesMetrics: boolean;
  /** The command that sends a beat to `socketPath`, for the start-up log. */
  readonly beatCommand: (socketPath: string) => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The log may be coloured: it goes to a terminal. */
  readonly colour: boolean;
  /** Run time after which the loop stops coming round; only builds with test hooks can set it. */
  readonly wedgeAfterNs?: number | undefined;
}

/** Without a self-watchdog, a loop that has not come round for this long is called stale. */
const FRESH_NS_MAX = 4 * NS_PER_S;
/** Self-watchdog of a daemon whose service manager has a watchdog: well below any sensible WatchdogSec. */
const SELF_WATCHDOG_NS_MANAGED = 4 * NS_PER_S;
/** Turns within the deadline of the self-watchdog: one that is late is no wedge yet. */
const WATCHDOG_TURNS = 4;

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #config: Config;
  readonly #parts: Parts;
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#signalled(signal);
  readonly #onDump = (): void => this.#dump();
  readonly #opened: Opened = {
    writers: undefined,
    http: undefined,
    notify: undefined,
    tick: undefined,
  };
  readonly #shutdown: Shutdown;
  #loop: Loop | undefined;
  #socketWatch: SocketWatch | undefined;
  #ready = false;
  readonly #stopSignals = new StopSignals();
  #turnBeganNs = 0;

  /** Opens everything and starts the loop; throws `StartError`, `PlatformError` or `SystemError`. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    requireProc();
    const daemon = new Daemon(options);
    try {
      await daemon.#open();
    } catch (error) {
      await daemon.#shutdown.unwind();
      throw error;
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
      strictViolation: (pid, inode) => this.#strictViolation(pid, inode),
      recordOutcome: (outcome) => this.#opened.writers?.record(outcome),
    });
    this.#shutdown = new Shutdown({
      parts: this.#parts,
      opened: this.#opened,
      releaseSignals: () => this.#removeSignals(),
    });
  }

  /** Resolves with the exit code when everything is closed. */
  get finished(): Promise<number> {
    return this.#shutdown.finished;
  }

  async #open(): Promise<void> {
    const { config } = this.#options;
    const { log } = this.#parts;
    const opened = this.#opened;
    this.#installSignals();
    clearAmbientCapabilities();
    openListeners(this.#parts, config, this.#options.runtimeDirectory);
    opened.writers = await this.#openWriters();
    await requireHeartbeatPlace(config.liveness.heartbeatFile);
    const { journal } = opened.writers;
    if (journal !== undefined) this.#parts.recovery.useJournal(journal, this.#parts.clock.nowNs());
    opened.http = openMetrics(config, this.#metricsDoor(), this.#options.metricsPortMayChange);
    this.#socketWatch = this.#watchSockets();
    opened.notify = this.#openNotify();
    for (const warning of this.#options.warnings) log.warn(warning);
    const spared = initWatchdogWarning(process.pid, this.#selfWatchdogNs());
    if (spared !== undefined) log.warn(spared);
    const hidden = hiddenProcessesWarning();
    if (hidden !== undefined) log.warn(hidden);
    const runtimeFd = findRuntimeEvents();
    if (runtimeFd < 0)
      log.warn("the runtime's event descriptor was not found: waiting in steps of 5 ms instead");
    opened.tick = this.#makeTick();
    this.#loop = this.#makeLoop(opened.tick, runtimeFd);
    // Before anybody is told: a daemon that hangs ahead of its first turn must end, too.
    this.#armSelfWatchdog();
    this.#sayWhere();
    if (opened.http !== undefined && this.#options.announcesMetrics)
      this.#parts.stdout.write(`${opened.http.address}\n`);
    this.#ready = true;
    opened.notify?.ready(this.#parts.observer.nowNs());
    releaseProgramCode();
    this.#loop.start();
  }

  #watchSockets(): SocketWatch {
    const { log, metrics, observer } = this.#parts;
    const { runtimeDirectory } = this.#options;
    return new SocketWatch({
      sockets: [
        ...observer.listeners.filter((listener) => listener instanceof UnixListener),
        ...this.#metricsSockets(),
      ],
      log,
      metrics,
      thresholdNs: observer.thresholdNs,
      makeDirectory: () => {
        if (runtimeDirectory !== undefined) makeRuntimeDirectory(runtimeDirectory);
      },
    });
  }

  #metricsSockets(): WatchedSocket[] {
    const { http } = this.#opened;
    const { listen } = this.#config.metrics;
    if (http === undefined || listen?.kind !== "unix") return [];
    return [
      {
        name: "metrics",
        path: listen.path,
        isInPlace: () => http.isInPlace,
        rebind: () => http.rebind(),
      },
    ];
  }

  #openWriters(): Promise<Writers> {
    const { log, metrics, observer } = this.#parts;
    return Writers.open({
      config: this.#config,
      log,
      metrics,
      observerInode: observer.observerInode,
      monotonicNs,
      env: this.#options.env,
    });
  }

  #openNotify(): Notify | undefined {
    const { observer, log } = this.#parts;
    const { tracker, accounting } = observer;
    return Notify.open({
      env: this.#options.env,
      pid: process.pid,
      state: {
        judgePoints: () => observer.judgePoints,
        agents: () => tracker.len,
        stalled: () => tracker.stallEmittedCount,
        beats: () => accounting.accepted.reduce((sum, accepted) => sum + accepted, 0),
      },
      unusable: (reason) =>
        log.warn("the service manager cannot be told how we are, ignoring", { reason }),
    });
  }

  #metricsDoor() {
    const { metrics, clock, log } = this.#parts;
    return {
      source: metrics.exposition,
      count: countHttp(metrics, log, () => clock.lastNs),
      nowNs: () => clock.nowNs(),
      wallMs: Date.now,
      isFresh: () => this.#isFresh() && this.#canBeReached(),
      isReady: () => this.#ready && !this.#shutdown.hasBegun && this.#canBeReached(),
      version: VERSION,
      onError: (error: Error) =>
        log.limited("prom_serve", "error", "cannot answer a request", { error: error.message }),
    };
  }

  #makeTick(): Tick {
    const { observer, metrics, recovery, reports, rubbish, refusals } = this.#parts;
    return new Tick({
      observer,
      metrics,
      recovery,
      exporter: this.#opened.writers?.exporter,
      reports,
      rubbish,
      refusals,
      wallOffsetNs: () => Date.now() * NS_PER_MS - observer.nowNs(),
      monotonicNs,
    });
  }

  #makeLoop(tick: Tick, runtimeFd: number): Loop {
    const { observer, metrics, recovery, reports, rubbish, refusals } = this.#parts;
    const { stdout, stderr } = this.#parts;
    metrics.collectFrom(() => this.#countLog());
    metrics.collectFrom(() =>
      metrics.set(series.VARTA_PROM_CONNECTIONS, this.#opened.http?.connections ?? 0),
    );
    const deadlines = new Deadlines();
    deadlines.add(
      reports,
      rubbish,
      refusals,
      { nextDeadlineNs: () => recovery.nextDeadlineNs(), maintain: () => {} },
      this.#parts.orphans,
      { nextDeadlineNs: () => this.#shutdownAtNs(), maintain: () => {} },
      writerDeadline(stdout),
      writerDeadline(stderr),
    );
    if (this.#socketWatch !== undefined) deadlines.add(this.#socketWatch);
    if (this.#opened.writers !== undefined) deadlines.add(this.#opened.writers);
    const heartbeat = this.#makeHeartbeat();
    if (heartbeat !== undefined) deadlines.add(heartbeat);
    if (this.#opened.notify !== undefined) deadlines.add(this.#opened.notify);
    return new Loop({
      observer,
      tick,
      metrics,
      http: this.#opened.http,
      runtimeFd,
      deadlines,
      monotonicNs,
      iterationBudgetNs: this.#config.liveness.iterationBudgetNs,
      turnBegins: () => this.#turnBegins(),
      quietNsMax: (this.#selfWatchdogNs() ?? Number.POSITIVE_INFINITY) / WATCHDOG_TURNS,
      shouldStop: (nowNs) => this.#shouldStop(nowNs),
      stopped: () => void this.#shutdown.run(),
    });
  }

  #makeHeartbeat(): Heartbeat | undefined {
    const path = this.#config.liveness.heartbeatFile;
    if (path === undefined) return undefined;
    return new Heartbeat({
      path,
      ownerUid: effectiveUid(),
      turns: () => this.#loop?.turns ?? 0,
      reopened: () => {
        this.#parts.metrics.add(series.VARTA_FILE_REOPENED.heartbeat, 1);
        this.#parts.log.limited(
          "heartbeat_io",
          "warn",
          "the heartbeat file was moved or removed, it was made anew",
          { file: path },
        );
      },
      failed: (error) =>
        this.#parts.log.limited("heartbeat_io", "error", "cannot write the heartbeat file", {
          error: errorText(error),
        }),
    });
  }

  // Three lines that tell a newcomer everything: where it listens, where the metrics are, how to send a beat.
  #sayWhere(): void {
    const { log, observer } = this.#parts;
    const unix = this.#config.listeners.find((listener) => listener.kind === "unix");
    for (const listener of this.#config.listeners) {
      if (listener.kind === "unix")
        log.info("listening", { listener: listener.name, path: listener.path });
      else
        log.info("listening", {
          listener: listener.name,
          kind: listener.kind,
          address: listener.address,
          port: listener.port,
        });
    }
    if (this.#opened.http !== undefined)
      log.info("metrics", { url: metricsUrl(this.#opened.http.address) });
    else log.info("metrics are off, set metrics.listen to serve them");
    const fields = { threshold_ms: msFromNs(observer.thresholdNs) };
    if (unix === undefined) log.info("ready", fields);
    else
      log.info("ready, send a beat", { ...fields, command: this.#options.beatCommand(unix.path) });
  }

  #turnBegins(): void {
    this.#turnBeganNs = monotonicNs();
    this.#armSelfWatchdog();
    if (TEST_HOOKS) this.#wedgeIfDue();
  }

  #armSelfWatchdog(): void {
    const deadlineNs = this.#selfWatchdogNs();
    if (deadlineNs !== undefined) armAlarm(msFromNs(deadlineNs));
  }

  #selfWatchdogNs(): number | undefined {
    const managed =
      this.#opened.notify?.petEveryNs === undefined ? undefined : SELF_WATCHDOG_NS_MANAGED;
    return this.#config.liveness.selfWatchdogNs ?? managed;
  }

  // An endless loop as a fault would make one: only the kernel can end it.
  #wedgeIfDue(): void {
    const { wedgeAfterNs } = this.#options;
    if (wedgeAfterNs === undefined || this.#parts.observer.nowNs() < wedgeAfterNs) return;
    for (;;);
  }

  #isFresh(): boolean {
    return monotonicNs() - this.#turnBeganNs < (this.#selfWatchdogNs() ?? FRESH_NS_MAX);
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

  // Totals of the log only grow, so its series are set, not added to.
  #countLog(): void {
    const { log, metrics, stderr } = this.#parts;
    metrics.set(series.VARTA_LOG_DROPPED, stderr.dropped);
    SUPPRESSED_SERIES.forEach((id, kind) => {
      metrics.set(id, log.suppressed[kind]!);
    });
  }

  #installSignals(): void {
    process.on("SIGTERM", this.#onSignal);
    process.on("SIGINT", this.#onSignal);
    if (!ignoresHangup()) process.on("SIGHUP", this.#onSignal);
    process.on("SIGUSR1", this.#onDump);
    process.on("SIGPIPE", ignoreSignal);
  }

  #removeSignals(): void {
    process.off("SIGTERM", this.#onSignal);
    process.off("SIGINT", this.#onSignal);
    process.off("SIGHUP", this.#onSignal);
    process.off("SIGUSR1", this.#onDump);
    process.off("SIGPIPE", ignoreSignal);
  }

  #signalled(signal: NodeJS.Signals): void {
    if (signal === "SIGHUP") {
      if (!this.#shutdown.hasBegun)
        this.#parts.log.warn(
          "SIGHUP: this version cannot reload its configuration, restart it",
          {},
        );
      return;
    }
    const request = this.#stopSignals.take(signal, monotonicNs());
    if (request === "again") this.#shutdown.abort(signal);
    this.#shutdown.request(signal);
  }

  #strictViolation(pid: number, observedInode: number): void {
    if (this.#shutdown.isRequested) return;
    this.#parts.log.error("FATAL: a beat came from a foreign pid namespace (strict_namespace)", {
      pid,
      observed_namespace: observedInode,
      observer_namespace: this.#parts.observer.observerInode,
    });
    this.#shutdown.request("strict_namespace", 1);
  }

  #dump(): void {
    const { observer, recovery, log, stderr } = this.#parts;
    const state = {
      turns: this.#loop?.turns ?? 0,
      agents: observer.tracker.len,
      stalled: observer.tracker.stallEmittedCount,
      children: recovery.outstandingCount,
      queued_stalls: observer.pendingStallCount,
      log_dropped: stderr.dropped,
      listeners: this.#config.listeners.map(({ name }, number) => ({
        name,
        received: observer.accounting.received[number],
        accepted: observer.accounting.accepted[number],
        rejected: observer.accounting.rejectedTotal(number),
      })),
    };
    log.info("state", { state });
  }
}

const SUPPRESSED_SERIES: readonly number[] = Object.values(series.VARTA_LOG_SUPPRESSED);

function ignoreSignal(): void {}

function writerDeadline(writer: StreamWriter): Deadline {
  return {
    nextDeadlineNs: () => writer.nextDeadlineNs,
    maintain: (nowNs) => writer.maintain(nowNs),
  };
}

function metricsUrl(address: string): string {
  return address.startsWith("unix:") ? address : `http://${address}/metrics`;
}
