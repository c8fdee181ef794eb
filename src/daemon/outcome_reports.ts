// What a person reads about recoveries: one log line per outcome, with what can be done (spec 10
// section 8).
import { IS_LINUX } from "../../ffi/constants.ts";
import { wholeMsFromNs } from "../base/time.ts";
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
import type { StepPlace } from "../events/step_kind.ts";
import { memberFields } from "./agent_fields.ts";
import type { LineWindow } from "./line_window.ts";
import type { Log, LogFields } from "./log.ts";

/** What to do about a refusal, by its reason; undefined = nothing. */
const REMEDIES: Readonly<Record<DecisionReason, string | undefined>> = {
  unauthenticated_transport:
    "set accept_recovery = true on its listener if its beats may start recoveries",
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

/**
 * The end of what a failed command printed, for its log line: the audit log has all that was kept.
 */
const TAIL_CHARACTERS_MAX = 200;

export class OutcomeReports {
  readonly #log: Log;
  readonly #window: LineWindow;
  readonly #agentName: (number: number) => string;

  /** `agentName` is the name of the agent of a number; "" = it has none. */
  constructor(log: Log, window: LineWindow, agentName: (number: number) => string) {
    this.#log = log;
    this.#window = window;
    this.#agentName = agentName;
  }

  outcome(outcome: RecoveryOutcome): void {
    const log = this.#log;
    switch (outcome.kind) {
      case "spawn":
        log.info("recovery started", {
          ...this.#member(outcome),
          child_pid: outcome.childPid,
          program: outcome.program,
          ...placeFields(outcome),
        });
        return;
      case "timeout":
        log.warn("recovery timed out", {
          ...this.#member(outcome),
          child_pid: outcome.childPid,
          duration_ms: wholeMsFromNs(outcome.durationNs),
          sent: "SIGTERM",
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
    const log = this.#log;
    const { step, detail, dryRun } = outcome;
    const fields: LogFields = {
      ...this.#member(outcome),
      ...placeFields(outcome),
      ...dryRunField(dryRun),
    };
    if (step === "wait") log.debug("recovery waits", { ...fields, wait: detail });
    else if (!this.#window.mayWrite()) return;
    else if (step === "signal") {
      log.info(dryRun ? "recovery would signal" : "recovery sent signal", {
        ...fields,
        signal: detail,
      });
    } else log.info("recovery would start", { ...fields, program: detail });
  }

  #end(outcome: EndOutcome): void {
    const log = this.#log;
    const { end, stepNumber, stepCount, durationNs, dryRun } = outcome;
    const fields: LogFields = {
      ...this.#member(outcome),
      reason: end,
      steps: `${stepNumber}/${stepCount}`,
      duration_ms: wholeMsFromNs(durationNs),
      ...dryRunField(dryRun),
    };
    if (end === "exhausted" && !dryRun) log.error("recovery did not help", fields);
    else if (end === "pid_recycled") log.warn("recovery ended", fields);
    else if (this.#window.mayWrite()) log.info("recovery ended", fields);
  }

  #verdict(outcome: VerdictOutcome): void {
    const log = this.#log;
    const { result, unit, durationNs, dryRun } = outcome;
    const fields: LogFields = {
      ...this.#member(outcome),
      unit: unit || undefined,
      duration_ms: wholeMsFromNs(durationNs),
      ...dryRunField(dryRun),
    };
    if (result === "not_recovered") log.error("agent did not recover", fields);
    else if (!this.#window.mayWrite()) return;
    else if (result === "recovered") log.info("agent recovered", fields);
    else
      log.info("recovery unverified", {
        ...fields,
        reason: "the process has ended, and no beat is known to be its successor's",
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

  #refused(outcome: RefusedOutcome): void {
    const log = this.#log;
    const { reason, error } = outcome;
    if (SILENT_REASONS.includes(reason)) return;
    const hint = REMEDIES[reason];
    const dry = dryRunField(outcome.dryRun);
    const member = this.#member(outcome);
    if (reason === "spawn_failed") {
      const { program } = outcome;
      const place = placeFields(outcome);
      log.error("recovery not started", { ...member, error, program, ...place, hint, ...dry });
    } else if (reason === "skipped_agent_resumed") {
      log.info("recovery skipped", { ...member, reason, ...dry });
    } else if (reason === "step_left_out") {
      const place = placeFields(outcome);
      log.warn("recovery step left out", { ...member, error, ...place, hint, ...dry });
    } else if (reason === "unit_not_owned") {
      const place = placeFields(outcome);
      log.warn("unit restart refused", {
        ...member,
        error,
        reason,
        ...place,
        hint,
        ...dry,
      });
    } else if (reason === "signal_failed" || reason === "unit_unknown") {
      // More rights do not help if the process has ended.
      const cure = error.includes("EPERM") || reason === "unit_unknown" ? hint : undefined;
      log.warn("recovery step failed", {
        ...member,
        error,
        reason,
        ...placeFields(outcome),
        hint: cure,
        ...dry,
      });
    } else {
      const fields: LogFields = { ...member, error: error || undefined, reason, hint, ...dry };
      if (reason === "gave_up" && !outcome.isRepeated) log.error("recovery gave up", fields);
      else if (reason === "stale_child_kill_failed") log.error("recovery refused", fields);
      else log.limited("recovery_refused", "warn", "recovery refused", fields);
    }
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

  #complete(outcome: CompleteOutcome): void {
    const log = this.#log;
    const fields: LogFields = {
      ...this.#member(outcome),
      child_pid: outcome.childPid,
      error: outcome.error || undefined,
      exit_code: known(outcome.exitCode),
      signal: known(outcome.signal),
      duration_ms: wholeMsFromNs(outcome.durationNs),
      ...(outcome.exitCode === 0 ? {} : outputFields(outcome.captured)),
    };
    if (outcome.completion === "reap_failed") log.error("recovery ended, status unknown", fields);
    else if (outcome.completion === "killed") log.warn("recovery was killed", fields);
    else if (outcome.exitCode === 0) log.info("recovery finished", fields);
    else log.warn("recovery failed", fields);
  }

  #member({ agent, pid }: { readonly agent: number; readonly pid: number }): LogFields {
    return memberFields(this.#agentName(agent), pid);
  }
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
  EMFILE: "raise LimitNOFILE= or ulimit -n: the daemon has no file descriptor left",
  ENFILE: "raise fs.file-max: the machine has no file descriptor left",
  EAGAIN: "raise TasksMax= of the unit, or kernel.pid_max: no process may be started",
  ENOMEM: "raise MemoryMax= of the unit, or free memory on the machine",
  ETXTBSY: "install the program with a rename: it is being written",
};

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
