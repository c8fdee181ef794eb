// What a person reads about recoveries (spec 10 section 8): one line when a recovery begins, one
// when it is over, with its number, what became of its steps and what can be done; the steps
// themselves are for debugging.
import { IS_LINUX } from "../../ffi/constants.ts";
import { msFromNs, wholeMsFromNs } from "../base/time.ts";
import type { CapturedOutput } from "../events/captured_output.ts";
import type {
  BeganOutcome,
  CompleteOutcome,
  DeferredOutcome,
  RecoveryOutcome,
  RefusedOutcome,
  ResultOutcome,
  SpawnOutcome,
  StepOutcome,
  StormOutcome,
  TimeoutOutcome,
  UsedBudget,
} from "../events/outcome.ts";
import type { DecisionReason, RecoveryResult } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { StepPlace } from "../events/step_kind.ts";
import { memberFields } from "./agent_fields.ts";
import type { LineWindow } from "./line_window.ts";
import type { Log, LogFields } from "./log.ts";

/** What to do about a refusal, by its reason; undefined = nothing. */
const REMEDIES: Readonly<Record<DecisionReason, string | undefined>> = {
  unauthenticated_transport: "accept_recovery = true in [[listener]]",
  socket_mode_only: IS_LINUX
    ? "run it in a pid namespace that the daemon can see: the kernel names no sender from elsewhere"
    : "only Linux names the sender of a beat, so agents are recovered only there",
  cross_namespace_agent:
    "grant CAP_SYS_PTRACE, or set observer.allow_cross_namespace: its pid namespace is foreign or unknown",
  unproven_sender:
    "this process may have taken over the pid of the one that beat; a second beat of its own proves it",
  process_unreadable:
    "grant CAP_SYS_PTRACE, or mount /proc with gid= of a group of the daemon: hidepid or ProtectProc= hides the process",
  pid_gone:
    "a step that needs no pid would run (exec without {pid}, restart_unit by name): the process has ended",
  step_left_out: "the process has ended, and this step needs its pid",
  skipped_pid_recycled: "the process has ended, and its pid belongs to another one",
  verdict_not_acted_on:
    "recovery.when, or that of its plan, lists the verdicts that are recovered: a debugger or a freezer holds it",
  beats_refused: "refused_because in its stall line says why its beats are refused",
  debounce_capacity: "raise tracker.capacity",
  outstanding_capacity: "set recovery.timeout, or raise tracker.capacity",
  orphan_reap_capacity: "set recovery.timeout so that old children end",
  stale_child_kill_failed:
    "end the child by hand: its agent is gone, and its pid belongs to another process",
  storm_limit: "recovery.storm_limit; so many stalls at once usually have one cause on the machine",
  gave_up:
    "recovery.budget is used up: no recovery until one of its recoveries is older than budget_window",
  signal_failed: "run the daemon as the user of the agent, or grant CAP_KILL",
  unit_unknown: "name the unit in the step, or run the agent as a system service",
  unit_not_owned:
    "list the unit in recovery.restart_units if not only its main process may have it restarted",
  spawn_failed: "varta-watch check",
  plan_in_doubt:
    "varta-watch check: the file has another plan and problems, so nothing is done by the last good one",
  muted: undefined,
  skipped_agent_resumed: undefined,
  debounced: undefined,
  outstanding_in_flight: undefined,
  unit_in_flight: undefined,
  backing_off: "recovery.retry (with verify_within and budget) decides again after the pause",
};

/** Of these the remedy is for a process that lives; where none has the pid, this is what is so. */
const LIVING_ONLY: readonly DecisionReason[] = [
  "cross_namespace_agent",
  "process_unreadable",
  "unproven_sender",
];
const ENDED =
  "the process has ended, and which one it was cannot be looked up any more: only a step that needs no pid could run";

/** Refusals that other lines report, or that a person wants no line about. */
const SILENT_REASONS: readonly DecisionReason[] = [
  "debounced",
  "outstanding_in_flight",
  "unit_in_flight",
  "muted",
];

/**
 * The end of what a failed command printed, for its log line: the audit log has all that was kept.
 */
const TAIL_CHARACTERS_MAX = 200;

/** How a recovery went, as a line about it says. */
const RESULTS: Readonly<Record<RecoveryResult, string>> = {
  helped: "recovery helped",
  not_helped: "recovery did not help",
  done: "recovery done",
  unverified: "recovery unverified",
  ended: "recovery ended",
  interrupted: "recovery interrupted",
};

/** Worth knowing at once. */
const WARNED: readonly RecoveryResult[] = ["unverified", "interrupted"];

interface OutcomeReportsOptions {
  readonly log: Log;
  readonly window: LineWindow;
  readonly listenerNames: readonly string[];
  /** The name of the agent of a number; "" = it has none. */
  readonly agentName: (number: number) => string;
  readonly wallMs: () => number;
  /** No process has the pid any more; undefined = that is not looked at. */
  readonly isGone?: ((pid: number) => boolean) | undefined;
}

export class OutcomeReports {
  readonly #log: Log;
  readonly #options: OutcomeReportsOptions;

  constructor(options: OutcomeReportsOptions) {
    this.#log = options.log;
    this.#options = options;
  }

  outcome(outcome: RecoveryOutcome): void {
    switch (outcome.kind) {
      case "began":
        this.#began(outcome);
        return;
      case "spawn":
      case "step":
        this.#step(outcome);
        return;
      case "complete":
        this.#complete(outcome);
        return;
      case "timeout":
        this.#timedOut(outcome);
        return;
      case "deferred":
        this.#deferred(outcome);
        return;
      case "refused":
        if (outcome.recoveryId === 0) this.#refused(outcome);
        else this.#stepFailed(outcome);
        return;
      case "result":
        this.#result(outcome);
        return;
      case "storm":
        this.#storm(outcome);
        return;
      // The result says what they mean.
      case "end":
      case "verdict":
        return;
      default:
        outcome satisfies never;
    }
  }

  #began(outcome: BeganOutcome): void {
    if (!this.#options.window.mayWrite()) return;
    this.#log.info("recovery began", {
      ...this.#member(outcome),
      plan: outcome.plan || undefined,
      steps: outcome.stepCount,
      child_pid: known(outcome.childPid),
      ...dryRunField(outcome.dryRun),
    });
  }

  #step(outcome: SpawnOutcome | StepOutcome): void {
    const fields: LogFields = { ...this.#member(outcome), ...placeFields(outcome) };
    if (outcome.kind === "spawn") {
      const { childPid, program } = outcome;
      this.#log.debug("recovery step", { ...fields, program, child_pid: childPid });
    } else {
      const { detail, dryRun } = outcome;
      this.#log.debug("recovery step", { ...fields, what: detail, ...dryRunField(dryRun) });
    }
  }

  #stepFailed(outcome: RefusedOutcome): void {
    const { error, reason } = outcome;
    const fields = { ...this.#member(outcome), ...placeFields(outcome) };
    this.#log.debug("recovery step failed", { ...fields, error: error || undefined, reason });
  }

  #complete(outcome: CompleteOutcome): void {
    const fields: LogFields = {
      ...this.#member(outcome),
      ...placeFields(outcome),
      child_pid: outcome.childPid,
      error: outcome.error || undefined,
      exit_code: known(outcome.exitCode),
      signal: known(outcome.signal),
      duration_ms: wholeMsFromNs(outcome.durationNs),
      ...outputFields(outcome.captured),
    };
    const isLost = outcome.completion === "reap_failed";
    if (isLost) this.#log.error("recovery ended, status unknown", fields);
    else this.#log.debug("recovery step ended", fields);
  }

  #timedOut(outcome: TimeoutOutcome): void {
    this.#log.warn("recovery timed out", {
      ...this.#member(outcome),
      ...placeFields(outcome),
      child_pid: outcome.childPid,
      timeout_ms: wholeMsFromNs(outcome.timeoutNs),
      sent: "SIGTERM",
    });
  }

  #result(outcome: ResultOutcome): void {
    const { result, reason, steps, stepNumber, stepCount, fault } = outcome;
    const isBad = result === "not_helped";
    if (!isBad && !this.#options.window.mayWrite()) return;
    // More rights do not help if the process has ended.
    const isCured = fault !== undefined && (fault !== "signal_failed" || steps.includes("EPERM"));
    this.#log[isBad ? "error" : WARNED.includes(result) ? "warn" : "info"](RESULTS[result], {
      ...this.#member(outcome),
      step: `${stepNumber}/${stepCount}`,
      took_ms: wholeMsFromNs(outcome.durationNs),
      by_pid: known(outcome.byPid),
      unit: outcome.unit || undefined,
      reason: reason || undefined,
      steps: steps || undefined,
      exit_code: known(outcome.exitCode),
      signal: known(outcome.signal),
      ...(isBad ? outputFields(outcome.captured) : {}),
      hint: isCured ? REMEDIES[fault] : undefined,
      ...dryRunField(outcome.dryRun),
    });
  }

  #storm({ begins, limit, windowNs, refusedCount, durationNs }: StormOutcome): void {
    const log = this.#log;
    if (begins)
      log.error("storm limit reached", {
        limit,
        window_ms: wholeMsFromNs(windowNs),
        hint: REMEDIES.storm_limit,
      });
    else log.warn("storm over", { refused: refusedCount, took_ms: wholeMsFromNs(durationNs) });
  }

  /** No recovery has begun, and why. */
  #refused(outcome: RefusedOutcome): void {
    const log = this.#log;
    const { reason, error, stall, used } = outcome;
    // A pause after which it is decided again is no news.
    if (SILENT_REASONS.includes(reason) || (reason === "backing_off" && error === "")) return;
    const isDenied = reason === "unauthenticated_transport";
    const isGivenUp = used !== undefined && !outcome.isRepeated;
    const listener = this.#options.listenerNames[stall.listener] ?? "";
    const cause = isDenied ? `listener ${listener} has no accept_recovery` : error || undefined;
    const fields: LogFields = {
      ...this.#member(outcome),
      ...(isGivenUp ? this.#usedFields(used, outcome.observerNs) : { reason, cause }),
      hint: isDenied ? `${REMEDIES[reason]} ${listener}` : this.#remedyOf(reason, stall),
      ...dryRunField(outcome.dryRun),
    };
    if (reason === "skipped_agent_resumed") log.info("recovery skipped", fields);
    else if (isGivenUp) log.error("gave up", fields);
    else if (reason === "stale_child_kill_failed") log.error("recovery refused", fields);
    else log.limited("recovery_refused", "warn", "recovery refused", fields);
  }

  #remedyOf(reason: DecisionReason, { pid }: Stall): string | undefined {
    const isOfLiving = LIVING_ONLY.includes(reason);
    return isOfLiving && this.#options.isGone?.(pid) === true ? ENDED : REMEDIES[reason];
  }

  /** How many recoveries there were in which time, and from when on there may be another one. */
  #usedFields({ recoveries, windowNs, nextNs }: UsedBudget, nowNs: number): LogFields {
    const nextMs = this.#options.wallMs() + msFromNs(nextNs - nowNs);
    const next = new Date(nextMs).toISOString();
    return { recoveries, window_ms: wholeMsFromNs(windowNs), next };
  }

  #deferred(outcome: DeferredOutcome): void {
    const { error, program, pauseNs } = outcome;
    this.#log.limited("recovery_deferred", "warn", "recovery deferred", {
      ...this.#member(outcome),
      error,
      program: program || undefined,
      ...placeFields(outcome),
      again_ms: wholeMsFromNs(pauseNs),
      hint: shortageHint(error),
    });
  }

  #member(outcome: OfRecovery): LogFields {
    const { agent, pid, recoveryId } = outcome;
    const member = memberFields(this.#options.agentName(agent), pid);
    return recoveryId === 0 ? member : { ...member, recovery_id: recoveryId };
  }
}

interface OfRecovery {
  readonly agent: number;
  readonly pid: number;
  readonly recoveryId: number;
}

/** Which step of how many. */
function placeFields({ step, stepNumber, stepCount }: StepPlace): LogFields {
  return { step: `${stepNumber}/${stepCount}`, kind: step };
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
  EMFILE: "raise LimitNOFILE= or ulimit -n: the daemon has no file descriptor left",
  ENFILE: "raise fs.file-max: the machine has no file descriptor left",
  EAGAIN: "raise TasksMax= of the unit, or kernel.pid_max: no process may be started",
  ENOMEM: "raise MemoryMax= of the unit, or free memory on the machine",
  ETXTBSY: "install the program with a rename: it is being written",
};

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
