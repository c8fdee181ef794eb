// The end of the daemon (spec 12 section 6): why it comes, the order in which everything is closed, and the exit code. The
// loop no longer blocks here, so the runtime's timers run, and what is awaited is looked at every few milliseconds. Every
// step has a limit; a second signal ends them all at once.
import { armAlarm } from "../../ffi/process.ts";
import { HTTP_DRAIN_NS_MAX } from "../base/limits.ts";
import { msFromNs, NS_PER_MS } from "../base/time.ts";
import type { HttpServer } from "../http/http_server.ts";
import type { Notify } from "./notify.ts";
import { monotonicNs, type Parts } from "./parts.ts";
import type { Tick } from "./tick.ts";
import type { Writers } from "./writers.ts";

/** What the daemon has opened so far; undefined = not yet, or it is not configured. */
export interface Opened {
  writers: Writers | undefined;
  http: HttpServer | undefined;
  notify: Notify | undefined;
  tick: Tick | undefined;
}

export interface ShutdownOptions {
  readonly parts: Pick<
    Parts,
    "clock" | "stdout" | "stderr" | "log" | "observer" | "recovery" | "refusals"
  >;
  /** Read when it is closed: a start may fail, and a signal may come, at any moment of it. */
  readonly opened: Readonly<Opened>;
  /** Gives the signals back to the system. */
  readonly releaseSignals: () => void;
}

const WRITERS_MS_MAX = 5_000;
const LOG_MS_MAX = 500;
/** Between two looks at what a shutdown waits for. */
const STEP_MS = 5;

export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #finished = Promise.withResolvers<number>();
  #reason: string | undefined;
  #hasBegun = false;
  #isAborting = false;
  #exitCode = 0;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /** Resolves with the exit code when everything is closed. */
  get finished(): Promise<number> {
    return this.#finished.promise;
  }

  /** The loop must end: `run()` comes next. */
  get isRequested(): boolean {
    return this.#reason !== undefined;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Asks for the end. The first reason counts. */
  request(reason: string, exitCode = 0): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#exitCode = exitCode;
  }

  /** Closes everything in order; called behind the last turn. */
  async run(): Promise<void> {
    if (this.#isAborting) return;
    this.#hasBegun = true;
    const { log, recovery, refusals, clock } = this.#options.parts;
    const { notify, tick, writers } = this.#options.opened;
    notify?.stopping();
    armAlarm(0);
    log.info("shutting down", { reason: this.#reason, children: recovery.outstandingCount });
    tick?.exportQueuedStalls();
    refusals.flush(clock.nowNs());
    recovery.beginShutdown(clock.nowNs());
    await this.#closeHttp();
    await this.#until(() => {
      const nowNs = clock.nowNs();
      recovery.reap(nowNs);
      writers?.maintain(nowNs);
      return recovery.shutdownDone(nowNs);
    }, Number.POSITIVE_INFINITY);
    if (!this.#isAborting) await this.#closeAll(WRITERS_MS_MAX);
  }

  /** A second signal: children die now, the writers get half a second, the sockets go, the exit code says so. */
  abort(signal: string): void {
    if (this.#isAborting) return;
    this.#isAborting = true;
    this.#exitCode = 1;
    this.#options.opened.notify?.stopping();
    armAlarm(0);
    const { log, recovery, clock } = this.#options.parts;
    log.warn("second signal, ending at once", { signal });
    recovery.killAllNow(clock.nowNs());
    void this.#closeAll(LOG_MS_MAX);
  }

  /** After a failed start: only what is open is closed, and nothing is said; the caller tells the cause. */
  async unwind(): Promise<void> {
    await this.#closeHttp();
    await this.#closeWriters(WRITERS_MS_MAX);
    this.#options.parts.observer.close();
    this.#options.releaseSignals();
    await this.#drainLog();
  }

  async #closeAll(writersMsMax: number): Promise<void> {
    const { observer, log } = this.#options.parts;
    await this.#closeWriters(writersMsMax);
    observer.close();
    log.info("stopped", { exit_code: this.#exitCode });
    await this.#drainLog();
    this.#options.releaseSignals();
    this.#finished.resolve(this.#exitCode);
  }

  async #closeHttp(): Promise<void> {
    const { http } = this.#options.opened;
    if (http === undefined) return;
    http.beginClose();
    await this.#until(() => {
      http.serveSlice(NS_PER_MS);
      return http.closed;
    }, msFromNs(HTTP_DRAIN_NS_MAX));
  }

  async #closeWriters(msMax: number): Promise<void> {
    const { writers } = this.#options.opened;
    if (writers !== undefined) await withinMs(writers.close(), msMax);
  }

  // The loop no longer drives the writers' retries.
  async #drainLog(): Promise<void> {
    const { stdout, stderr, clock } = this.#options.parts;
    const endNs = monotonicNs() + LOG_MS_MAX * NS_PER_MS;
    while (!(stdout.idle && stderr.idle) && monotonicNs() < endNs) {
      stdout.maintain(clock.nowNs());
      stderr.maintain(clock.nowNs());
      await Bun.sleep(STEP_MS);
    }
  }

  /** Looks again every few milliseconds until `done`; the loop no longer blocks, so the runtime's timers run. */
  async #until(done: () => boolean, msMax: number): Promise<void> {
    const endNs = monotonicNs() + msMax * NS_PER_MS;
    while (!done() && !this.#isAborting && monotonicNs() < endNs) await Bun.sleep(STEP_MS);
  }
}

async function withinMs(work: Promise<unknown>, msMax: number): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, msMax);
  await Promise.race([work.catch(() => {}), limit.promise]);
  clearTimeout(timer);
}
