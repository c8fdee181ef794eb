// The end of the daemon (spec 12 section 6): why it comes, and the exit code. Each thing that is
// opened brings the way to close it, and all are closed in the reverse order, by a shutdown as by a
// start that failed. The loop no longer blocks here, so the runtime's timers run, and what is
// awaited is checked every few milliseconds. Every step has a limit; a second signal ends them all
// at once.
import { armAlarm } from "../../ffi/process.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { Log } from "./log.ts";
import { monotonicNs } from "./monotonic.ts";
import { Signals } from "./signals.ts";
import { errorText } from "./start_error.ts";

/** After a failed start the caller says why; an abort waits for nothing. */
type EndKind = "shutdown" | "abort" | "failed_start";

export interface End {
  readonly kind: EndKind;
  /** Why it comes; "" = the start has failed. */
  readonly reason: string;
  readonly exitCode: number;
  /**
   * Looks again every few milliseconds until `done`, for at most `msMax`, or until a second signal.
   */
  until(done: () => boolean, msMax: number): Promise<void>;
}

/**
 * Closes one thing that was opened. An abort may call it again while the shutdown before it still
 * waits for it.
 */
export type Close = (end: End) => Promise<void> | undefined;

interface ShutdownOptions {
  readonly log: Pick<Log, "info" | "warn" | "error">;
  /** Recoveries that run, for the log. */
  readonly childCount: () => number;
  /** SIGCONT came. */
  readonly continued?: () => void;
}

/** Between two checks of what a shutdown waits for. */
const STEP_MS = 5;
/** The reason of an end by an error of the program itself. */
export const INTERNAL_ERROR = "internal_error";
/** After such an error nothing may keep the process for longer: then SIGALRM ends it. */
const FAULT_MS_MAX = 5_000;
const FAULT_TEXT_MAX = 2_000;

export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #opened: Close[] = [];
  readonly #finished = Promise.withResolvers<number>();
  #reason: string | undefined;
  #exitCode = 0;
  #hasBegun = false;
  #hasFailed = false;
  /** The end that is under way. */
  #end: End | undefined;

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

  /** An error that nobody caught ends the daemon, and was said. */
  get hasFault(): boolean {
    return this.#reason === INTERNAL_ERROR;
  }

  /**
   * Ends a start in which there was such an error: what is opened after it would stay open. For
   * after each thing that a start awaits.
   */
  throwFault(): void {
    if (this.hasFault) throw new Error("an error that nobody caught has ended the start");
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /**
   * Something was opened: `close` is called before that of everything that was opened before it.
   */
  add(close: Close): void {
    this.#opened.push(close);
  }

  /**
   * Takes the signals, of which SIGUSR1 calls `dump` and SIGHUP `reload`. They belong to what is
   * opened first, and are given back last.
   */
  takeSignals(dump: () => void, reload: () => void): void {
    const signals = new Signals({
      stop: (signal) => this.request(signal),
      stopAgain: (signal) => this.abort(signal),
      hangup: () => {
        if (!this.isRequested) reload();
      },
      dump,
      continued: () => this.#options.continued?.(),
    });
    this.add(() => void signals.release());
  }

  /**
   * Takes errors that nobody caught. The runtime would print one and leave the process alive, with
   * a loop that turns no more.
   */
  takeFaults(): void {
    const fault = (error: unknown) => this.fault(error);
    process.on("uncaughtException", fault);
    process.on("unhandledRejection", fault);
    this.add(() => {
      process.off("uncaughtException", fault);
      process.off("unhandledRejection", fault);
      return undefined;
    });
  }

  /**
   * An error that nobody caught: no turn comes after it, and what is in memory is not to be
   * trusted. It ends as by a second signal, the state stays as it was last written.
   */
  fault(error: unknown): void {
    if (this.hasFault) return;
    this.#reason = INTERNAL_ERROR;
    this.#exitCode = 1;
    armAlarm(FAULT_MS_MAX);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.error("internal error, ending now", {
      error: text.slice(0, FAULT_TEXT_MAX),
      hint: "this is a bug in varta-watch, not in its configuration: report it",
    });
    void this.#closeAll("abort");
  }

  /** Asks for the end. The first reason counts. */
  request(reason: string, exitCode = 0): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#exitCode = exitCode;
  }

  /** Closes everything in order; called after the last turn. */
  async run(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#hasBegun = true;
    armAlarm(0);
    const { log, childCount } = this.#options;
    log.info("shutting down", { reason: this.#reason, children: childCount() });
    await this.#closeAll("shutdown");
  }

  /**
   * A second signal: children die now, the writers get half a second, the sockets go, the exit code
   * says so.
   */
  abort(signal: string): void {
    if (this.#end?.kind === "abort") return;
    this.#exitCode = 1;
    armAlarm(0);
    this.#options.log.warn("second signal, ending now", { signal });
    void this.#closeAll("abort");
  }

  /**
   * After a failed start: only what is open is closed, and nothing is said; the caller says why. By
   * then the end after a fault may have closed what was opened before it.
   */
  async unwind(): Promise<void> {
    await this.#closeAll(this.hasFault ? "abort" : "failed_start");
  }

  async #closeAll(kind: EndKind): Promise<void> {
    const end: End = {
      kind,
      reason: this.#reason ?? "",
      exitCode: this.#exitCode,
      until: (done, msMax) => this.#until(end, done, msMax),
    };
    this.#end = end;
    for (let close = this.#opened.at(-1); close !== undefined; close = this.#opened.at(-1)) {
      try {
        const closed = close(end);
        if (closed !== undefined) await closed;
      } catch (error) {
        this.#closeFailed(error);
      }
      // An abort has taken over, and closes what is left.
      if (this.#end !== end) return;
      this.#opened.pop();
    }
    this.#finished.resolve(this.#exitCode);
  }

  // Once: what comes after it often fails for the same reason.
  #closeFailed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.log.warn("close failed, ending anyway", { error: errorText(error) });
  }

  async #until(end: End, done: () => boolean, msMax: number): Promise<void> {
    const endNs = monotonicNs() + msMax * NS_PER_MS;
    while (!done() && this.#end === end && monotonicNs() < endNs) await Bun.sleep(STEP_MS);
  }
}
