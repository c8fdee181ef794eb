// What a person reads about agents and recoveries: one log line per stall, per return and per outcome of a recovery
// (spec 10 section 8). A mass stall is told in a bounded number of lines per second and a count of the rest.
import { originText } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { msFromNs, NS_PER_S } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import type { Stall } from "../events/stall.ts";
import type { CompleteOutcome, RecoveryOutcome, RefusedOutcome } from "../recovery/outcome.ts";
import { statusText } from "../wire/frame.ts";
import type { Log, LogFields } from "./log.ts";
import type { Deadline } from "./loop.ts";
import type { TickReports } from "./tick.ts";

export interface ReportsOptions {
  readonly log: Log;
  readonly listenerNames: readonly string[];
  readonly thresholdNs: () => number;
  readonly nowNs: () => number;
  /** A conflict of two known namespaces: strict mode ends the program. */
  readonly namespaceConflict: (pid: number, observedInode: number) => void;
}

/** Lines about single agents per second; a person reads no more, and the journal would drop them. */
const AGENT_LINES_PER_S_MAX = 200;

/** What to do about a refusal, by its reason. */
const REMEDIES: Readonly<Record<string, string>> = {
  unauthenticated_transport:
    "a network sender proved nothing: set accept_recovery = true on its listener if you accept that",
  socket_mode_only:
    "the kernel does not name the sender: run it in a pid namespace that we can see",
  cross_namespace_agent:
    "its pid namespace is foreign or unknown: grant CAP_SYS_PTRACE, or set observer.allow_cross_namespace",
  debounce_capacity: "raise tracker.capacity",
  outstanding_capacity: "raise tracker.capacity, or set recovery.timeout",
  orphan_reap_capacity: "set recovery.timeout so that old children end",
  stale_child_kill_failed: "a child of the former owner of this pid still runs: end it by hand",
};

export class Reports implements TickReports, Deadline {
  readonly #options: ReportsOptions;
  #windowEndNs = 0;
  #linesInWindow = 0;
  #heldBack = 0;
  #lastSlowNs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  stalled(stall: Stall): void {
    if (!this.#mayTell()) return;
    const { log, listenerNames, thresholdNs } = this.#options;
    log.warn("agent stalled", {
      pid: stall.pid,
      listener: listenerNames[stall.listener],
      silence_ms: wholeMs(saturatingSub(stall.observerNs, stall.lastNs)),
      threshold_ms: wholeMs(thresholdNs()),
      status: statusText(stall.status),
      last_nonce: u64Text(stall.lastNonceHi, stall.lastNonceLo),
      origin: originText(stall.origin),
    });
  }

  resumed(pid: number, listener: number, status: number): void {
    if (!this.#mayTell()) return;
    const { log, listenerNames } = this.#options;
    log.info("agent is back", {
      pid,
      listener: listenerNames[listener],
      status: statusText(status),
    });
  }

  namespaceConflict(pid: number, observedInode: number): void {
    this.#options.namespaceConflict(pid, observedInode);
  }

  /** When the window of a second ends that held lines back; +Infinity if none did. */
  nextDeadlineNs(): number {
    return this.#heldBack > 0 ? this.#windowEndNs : Number.POSITIVE_INFINITY;
  }

  /** Tells how many lines the last window held back, though no agent may stall or come back again. */
  maintain(nowNs: number): void {
    if (nowNs >= this.nextDeadlineNs()) this.#newWindow(nowNs);
  }

  slowTurn(stage: string, ns: number): void {
    const nowNs = this.#options.nowNs();
    if (nowNs - this.#lastSlowNs < NS_PER_S) return;
    this.#lastSlowNs = nowNs;
    this.#options.log.warn("a stage of the loop took too long", { stage, took_ms: wholeMs(ns) });
  }

  outcome(outcome: RecoveryOutcome): void {
    const { log } = this.#options;
    switch (outcome.kind) {
      case "spawn":
        log.info("recovery started", {
          pid: outcome.pid,
          child_pid: outcome.childPid,
          program: outcome.program,
        });
        return;
      case "timeout":
        log.warn("recovery runs too long, sending SIGTERM to its process group", {
          pid: outcome.pid,
          child_pid: outcome.childPid,
          duration_ms: wholeMs(outcome.durationNs),
        });
        return;
      case "refused":
        this.#refused(outcome);
        return;
      case "complete":
        this.#complete(outcome);
    }
  }

  #refused(outcome: RefusedOutcome): void {
    const { log } = this.#options;
    const { pid, reason, error } = outcome;
    if (reason === "debounced" || reason === "outstanding_in_flight") return;
    if (reason === "spawn_failed") {
      log.error("recovery could not be started", { pid, error, program: outcome.program });
    } else if (reason.startsWith("skipped_")) {
      log.info("recovery skipped", { pid, reason });
    } else {
      const fields: LogFields = { pid, error: error || undefined, reason, hint: REMEDIES[reason] };
      if (reason === "stale_child_kill_failed") log.error("recovery refused", fields);
      else log.limited("recovery_refused", "warn", "recovery refused", fields);
    }
  }

  #complete(outcome: CompleteOutcome): void {
    const { log } = this.#options;
    const fields: LogFields = {
      pid: outcome.pid,
      child_pid: outcome.childPid,
      error: outcome.error || undefined,
      exit_code: known(outcome.exitCode),
      signal: known(outcome.signal),
      duration_ms: wholeMs(outcome.durationNs),
    };
    if (outcome.completion === "reap_failed")
      log.error("recovery ended, its status is lost", fields);
    else if (outcome.completion === "killed") log.warn("recovery was killed", fields);
    else if (outcome.exitCode === 0) log.info("recovery finished", fields);
    else log.warn("recovery failed", fields);
  }

  // One window of a second for all lines about single agents; its end tells how many were held back.
  #mayTell(): boolean {
    const nowNs = this.#options.nowNs();
    if (nowNs >= this.#windowEndNs) this.#newWindow(nowNs);
    if (this.#linesInWindow >= AGENT_LINES_PER_S_MAX) {
      this.#heldBack++;
      return false;
    }
    this.#linesInWindow++;
    return true;
  }

  #newWindow(nowNs: number): void {
    if (this.#heldBack > 0)
      this.#options.log.warn("more agents stalled or came back than lines were written", {
        held_back: this.#heldBack,
      });
    this.#windowEndNs = nowNs + NS_PER_S;
    this.#linesInWindow = 0;
    this.#heldBack = 0;
  }
}

function wholeMs(ns: number): number {
  return Math.floor(msFromNs(ns));
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
