// What a person reads about agents and recoveries: one log line per stall, per return and per outcome of a recovery
// (spec 10 section 8). A mass stall is told in a bounded number of lines per second and a count of the rest.
import { IS_LINUX } from "../../ffi/constants.ts";
import { ORIGIN_KERNEL_ATTESTED, originText } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { msFromNs, NS_PER_S } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import type { CapturedOutput } from "../events/captured_output.ts";
import type {
  CompleteOutcome,
  DeferredOutcome,
  EndOutcome,
  RecoveryOutcome,
  RefusedOutcome,
  StepOutcome,
  StormOutcome,
  VerdictOutcome,
} from "../events/outcome.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { StepPlace } from "../events/step_kind.ts";
import type { SharedPid } from "../observer/shared_pids.ts";
import { statusText } from "../wire/frame.ts";
import type { Log, LogFields } from "./log.ts";
import type { Deadline } from "./deadline.ts";
import { PauseReports } from "./pause_reports.ts";
import { agentName, SharedPidReports } from "./shared_pid_reports.ts";
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

/** What to do about a refusal, by its reason; undefined = nothing. */
const REMEDIES: Readonly<Record<DecisionReason, string | undefined>> = {
  unauthenticated_transport:
    "a network sender proved nothing: set accept_recovery = true on its listener if you accept that",
  socket_mode_only: IS_LINUX
    ? "the kernel does not name the sender: run it in a pid namespace that we can see"
    : "this system does not name the sender of a beat: only Linux does, and only there is it recovered",
  cross_namespace_agent:
    "its pid namespace is foreign or unknown: grant CAP_SYS_PTRACE, or set observer.allow_cross_namespace",
  unproven_sender:
    "this process may have taken over the pid of the one that beat; a second beat of its own proves it",
  process_unreadable:
    "/proc hides this process from us (hidepid, ProtectProc=): grant CAP_SYS_PTRACE, or mount /proc with gid= of a group of ours",
  pid_gone:
    "it ended before it was looked at: a step that needs no pid would run (exec without {pid}, restart_unit by name)",
  step_left_out: "it ended before it was looked at, so nothing is done that needs its pid",
  skipped_pid_recycled:
    "it ended, and its pid belongs to another process: look whether it was started again",
  beats_refused:
    "it beats, and its beats are refused: its stall line says why; nothing is done to it meanwhile",
  debounce_capacity: "raise tracker.capacity",
  outstanding_capacity: "raise tracker.capacity, or set recovery.timeout",
  orphan_reap_capacity: "set recovery.timeout so that old children end",
  stale_child_kill_failed: "a child of the former owner of this pid still runs: end it by hand",
  storm_limit: "so many at once are rarely the agents' own fault: look at the machine first",
  gave_up: "its recovery.budget is used up: look at it yourself",
  signal_failed: "the daemon needs the same user as the agent, or CAP_KILL",
  unit_unknown: "name the unit in the step, or run the agent as a system service",
  unit_not_owned:
    "only the main process of a service may have it restarted: list the unit in recovery.restart_units if others may",
  spawn_failed: "varta-watch check looks for the program, as this user",
  skipped_agent_resumed: undefined,
  debounced: undefined,
  outstanding_in_flight: undefined,
  unit_in_flight: undefined,
  backing_off: undefined,
};

/** Refusals that other lines report, or that a person wants no line about. */
const SILENT_REASONS: readonly DecisionReason[] = [
  "debounced",
  "outstanding_in_flight",
  "unit_in_flight",
  "backing_off",
];

/** The end of what a failed command printed, for its log line: the audit log has all that was kept. */
const TAIL_CHARACTERS_MAX = 200;

export class Reports implements TickReports, Deadline {
  readonly #options: ReportsOptions;
  readonly #pauses: PauseReports;
  readonly #sharedPids: SharedPidReports;
  #windowEndNs = 0;
  #linesInWindow = 0;
  #heldBack = 0;
  #lastSlowNs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.#pauses = new PauseReports(options.log);
    this.#sharedPids = new SharedPidReports(options.log);
  }

  stalled(stall: Stall): void {
    if (!this.#mayTell()) return;
    const { log, listenerNames, thresholdNs } = this.#options;
    log.warn("agent stalled", {
      pid: stall.pid,
      agent: agentName(stall.source, stall.pid),
      listener: listenerNames[stall.listener],
      silence_ms: wholeMs(saturatingSub(stall.observerNs, stall.lastNs)),
      threshold_ms: wholeMs(thresholdNs()),
      status: statusText(stall.status),
      last_nonce: BigInt(u64Text(stall.lastNonceHi, stall.lastNonceLo)),
      origin: originText(stall.origin),
      ...unprovenField(stall),
      ...refusedFields(stall),
    });
  }

  resumed(pid: number, listener: number, status: number, source = ""): void {
    if (!this.#mayTell()) return;
    const { log, listenerNames } = this.#options;
    log.info("agent is back", {
      pid,
      agent: agentName(source, pid),
      listener: listenerNames[listener],
      status: statusText(status),
    });
  }

  sharedPid(shared: SharedPid): void {
    this.#sharedPids.shared(shared, this.#options.nowNs());
  }

  namespaceConflict(pid: number, observedInode: number): void {
    this.#options.namespaceConflict(pid, observedInode);
  }

  /** When the window of a second ends that held lines back, or untold pauses are due; else +Infinity. */
  nextDeadlineNs(): number {
    return Math.min(this.#windowDueNs(), this.#pauses.nextDeadlineNs());
  }

  /** Tells how many lines the last window held back, though no agent may stall or come back again. */
  maintain(nowNs: number): void {
    if (nowNs >= this.#windowDueNs()) this.#newWindow(nowNs);
    this.#pauses.maintain(nowNs);
  }

  paused(ns: number, deadlinesMoved: number): void {
    this.#pauses.paused(ns, deadlinesMoved, this.#options.nowNs());
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
          ...placeFields(outcome),
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
      case "deferred":
        this.#deferred(outcome);
        return;
      case "complete":
        this.#complete(outcome);
        return;
      case "step":
        this.#step(outcome);
        return;
      case "end":
        this.#end(outcome);
        return;
      case "verdict":
        this.#verdict(outcome);
        return;
      case "storm":
        this.#storm(outcome);
        return;
      default:
        outcome satisfies never;
    }
  }

  #step(outcome: StepOutcome): void {
    const { log } = this.#options;
    const { pid, step, detail, dryRun } = outcome;
    const fields: LogFields = { pid, ...placeFields(outcome), ...dryRunField(dryRun) };
    if (step === "wait") log.debug("recovery waits for a beat", { ...fields, wait: detail });
    else if (!this.#mayTell()) return;
    else if (step === "signal") {
      const message = dryRun ? "recovery would signal the agent" : "recovery signalled the agent";
      log.info(message, { ...fields, signal: detail });
    } else log.info("recovery would start", { ...fields, program: detail });
  }

  #end(outcome: EndOutcome): void {
    const { log } = this.#options;
    const { pid, end, stepNumber, stepCount, durationNs, dryRun } = outcome;
    const fields: LogFields = {
      pid,
      reason: end,
      steps: `${stepNumber}/${stepCount}`,
      duration_ms: wholeMs(durationNs),
      ...dryRunField(dryRun),
    };
    if (end === "exhausted" && !dryRun) log.warn("recovery has no step left", fields);
    else if (end === "pid_recycled") log.warn("recovery ended", fields);
    else if (this.#mayTell()) log.info("recovery ended", fields);
  }

  #verdict(outcome: VerdictOutcome): void {
    const { log } = this.#options;
    const { pid, result, unit, durationNs, dryRun } = outcome;
    const fields: LogFields = {
      pid,
      unit: unit || undefined,
      duration_ms: wholeMs(durationNs),
      ...dryRunField(dryRun),
    };
    if (result === "not_recovered") log.error("agent did not recover", fields);
    else if (!this.#mayTell()) return;
    else if (result === "recovered") log.info("agent recovered", fields);
    else log.info("agent is gone, its successor is not known", fields);
  }

  #storm({ begins, refusedCount }: StormOutcome): void {
    const { log } = this.#options;
    if (begins)
      log.error("too many recoveries at once, refusing more", { hint: REMEDIES.storm_limit });
    else log.warn("recoveries are no longer refused", { refused: refusedCount });
  }

  #refused(outcome: RefusedOutcome): void {
    const { log } = this.#options;
    const { pid, reason, error } = outcome;
    if (SILENT_REASONS.includes(reason)) return;
    const hint = REMEDIES[reason];
    const dry = dryRunField(outcome.dryRun);
    if (reason === "spawn_failed") {
      const { program } = outcome;
      const place = placeFields(outcome);
      log.error("recovery could not be started", { pid, error, program, ...place, hint, ...dry });
    } else if (reason === "skipped_agent_resumed") {
      log.info("recovery skipped", { pid, reason, ...dry });
    } else if (reason === "step_left_out") {
      const place = placeFields(outcome);
      log.warn("a step of the recovery was left out", { pid, error, ...place, hint, ...dry });
    } else if (reason === "unit_not_owned") {
      const place = placeFields(outcome);
      log.warn("recovery refused to restart a unit", {
        pid,
        error,
        reason,
        ...place,
        hint,
        ...dry,
      });
    } else if (reason === "signal_failed" || reason === "unit_unknown") {
      // Rights are no cure for a process that has ended.
      const cure = error.includes("EPERM") || reason === "unit_unknown" ? hint : undefined;
      log.warn("a step of the recovery failed", {
        pid,
        error,
        reason,
        ...placeFields(outcome),
        hint: cure,
        ...dry,
      });
    } else {
      const fields: LogFields = { pid, error: error || undefined, reason, hint, ...dry };
      if (reason === "gave_up" && !outcome.isRepeated) log.error("gave up on an agent", fields);
      else if (reason === "stale_child_kill_failed") log.error("recovery refused", fields);
      else log.limited("recovery_refused", "warn", "recovery refused", fields);
    }
  }

  #deferred(outcome: DeferredOutcome): void {
    const { pid, error, program, pauseNs } = outcome;
    this.#options.log.limited(
      "recovery_deferred",
      "warn",
      "recovery could not be started, trying again",
      {
        pid,
        error,
        program: program || undefined,
        ...placeFields(outcome),
        again_ms: wholeMs(pauseNs),
        hint: shortageHint(error),
      },
    );
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
      ...(outcome.exitCode === 0 ? {} : outputFields(outcome.captured)),
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

  #windowDueNs(): number {
    return this.#heldBack > 0 ? this.#windowEndNs : Number.POSITIVE_INFINITY;
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

/** Said only where the kernel names the sender: the others are never known to be one process. */
/**
 * How many beats of the pid came and were refused since the last accepted one, and why:
 * "out_of_order 12, replay 1".
 */
function refusedFields({ refused }: Stall): LogFields {
  if (refused.length === 0) return {};
  return {
    refused_beats: refused.reduce((sum, { count }) => sum + count, 0),
    refused_because: refused.map(({ reason, count }) => `${reason} ${count}`).join(", "),
  };
}

function unprovenField({ origin, proven }: Stall): LogFields {
  return origin === ORIGIN_KERNEL_ATTESTED && !proven ? { sender: "unproven" } : {};
}

function wholeMs(ns: number): number {
  return Math.floor(msFromNs(ns));
}

/** Which step of several; nothing for one command. */
function placeFields({ step, stepNumber, stepCount }: StepPlace): LogFields {
  return stepCount === 1 ? {} : { step, steps: `${stepNumber}/${stepCount}` };
}

function dryRunField(dryRun: boolean): LogFields {
  return dryRun ? { dry_run: true } : {};
}

/** The last characters of each stream; the log escapes what is not plain text. */
function outputFields(captured: CapturedOutput | undefined): LogFields {
  if (captured === undefined) return {};
  return { stdout: tailText(captured.stdoutTail), stderr: tailText(captured.stderrTail) };
}

function tailText(tail: Uint8Array): string | undefined {
  const text = Buffer.from(tail.subarray(-4 * TAIL_CHARACTERS_MAX))
    .toString("utf8")
    .trim();
  return text === "" ? undefined : [...text].slice(-TAIL_CHARACTERS_MAX).join("");
}

/** What to do about a shortage, by the name of its error. */
function shortageHint(error: string): string | undefined {
  const name = Object.keys(SHORTAGES).find((errno) => error.includes(errno));
  return name === undefined ? undefined : SHORTAGES[name];
}

const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: "the daemon has no file descriptor left: raise LimitNOFILE= or ulimit -n",
  ENFILE: "the machine has no file descriptor left: raise fs.file-max",
  EAGAIN: "no process may be started: raise TasksMax= of the unit, or look at kernel.pid_max",
  ENOMEM: "the machine, or the memory limit of the unit, is exhausted",
  ETXTBSY: "the program is being written: install it with a rename",
};

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
