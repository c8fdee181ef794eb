// Makes the events that people see (spec 16 section 11) from what happens, beside the lines of log
// and export. Text that came from elsewhere is bounded here and escaped where it is shown.
import { durationText } from "../base/duration_text.ts";
import { msFromNs, wholeMsFromNs, utcText } from "../base/time.ts";
import { saturatingSub } from "../base/saturating.ts";
import type { EndNumbers } from "../base/wait_status.ts";
import type { Act, MuteEvent } from "../events/act.ts";
import type { AgentComplete, AgentMissing } from "../events/expected_members.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import type { StallVerdict } from "../events/stall_verdict.ts";
import type { EventLog } from "./event_log.ts";
import type { EndView, EventView, EventViewKind, RecoveryEvent } from "./event_view.ts";

interface EventFeedOptions {
  readonly log: EventLog;
  /** "" = it has none. */
  readonly agentName: (agent: number) => string;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
}

/** A clause of a program or an error, in an event. */
const CLAUSE_CHARACTERS_MAX = 200;

/** A stalled member beats again. */
interface Back {
  readonly observerNs: number;
  readonly agent: number;
  readonly pid: number;
}

interface GuardBegan {
  readonly silent: number;
  readonly members: number;
  readonly windowNs: number;
}

interface GuardEnded {
  readonly tookNs: number;
  readonly silent: number;
  /** What spoke for the observer's own fault; undefined = nothing. */
  readonly evidence: string | undefined;
}

export class EventFeed {
  readonly #options: EventFeedOptions;

  constructor(options: EventFeedOptions) {
    this.#options = options;
  }

  stalled(stall: Stall): void {
    this.#add("stall", stall.agent, stall.observerNs, stallFields(stall));
  }

  /** It lasts since the daemon before this one, which may have left what it told of it. */
  restored(stall: Stall): void {
    const { agent, observerNs } = stall;
    const [time, name] = [this.#time(observerNs), this.#options.agentName(agent)];
    const event = { time, kind: "stall", agent: name, ...stallFields(stall) } as const;
    this.#options.log.add(event, Date.parse(time), true);
  }

  late({ agent, pid, observerNs, lastNs, thresholdNs }: MemberLate): void {
    const silence_ms = silenceMs(observerNs, lastNs);
    this.#add("late", agent, observerNs, {
      pid,
      silence_ms,
      threshold_ms: wholeMsFromNs(thresholdNs),
    });
  }

  /** `lastNs`: its last beat before the silence; NaN = not known. */
  resumed({ agent, pid, observerNs }: Back, lastNs: number): void {
    const silence = Number.isNaN(lastNs) ? {} : { silence_ms: silenceMs(observerNs, lastNs) };
    this.#add("resume", agent, observerNs, { pid, ...silence });
  }

  exited(exit: MemberExit): void {
    const { agent, pid, observerNs } = exit;
    this.#add("exit", agent, observerNs, {
      pid,
      end: this.#endOf(exit, observerNs),
      ...this.#unwatchedFields(exit),
    });
  }

  gone(gone: MemberGone): void {
    const { agent, pid, observerNs, byPid, reason } = gone;
    this.#add("gone", agent, observerNs, {
      pid,
      end: this.#endOf(gone, observerNs),
      ...this.#unwatchedFields(gone),
      detail: reason,
      ...(Number.isNaN(byPid) ? {} : { by_pid: byPid }),
    });
  }

  missing({ agent, observerNs, members, expected }: AgentMissing): void {
    this.#add("missing", agent, observerNs, { members, expected });
  }

  complete({ agent, observerNs, members, expected }: AgentComplete): void {
    this.#add("complete", agent, observerNs, { members, expected });
  }

  /** `cause`: why, as a clause; undefined = that is not known. */
  paused(ns: number, observerNs: number, cause?: string): void {
    const length = `for ${wholeMsFromNs(ns)}ms`;
    const detail = cause === undefined ? length : `${length}: ${cause}`;
    this.#put({ time: this.#time(observerNs), kind: "observer_paused", agent: "", detail });
  }

  guardActive({ silent, members, windowNs }: GuardBegan, observerNs: number): void {
    const window = durationText(wholeMsFromNs(windowNs));
    const detail = `active: ${silent} of ${members} fell silent within ${window}`;
    this.#put({ time: this.#time(observerNs), kind: "guard", agent: "", detail });
  }

  guardOver({ tookNs, silent, evidence }: GuardEnded, observerNs: number): void {
    const length = durationText(wholeMsFromNs(tookNs));
    const why = evidence === undefined ? "" : ` (${evidence})`;
    const detail = `over after ${length}${why}: ${silent} still silent`;
    this.#put({ time: this.#time(observerNs), kind: "guard", agent: "", detail });
  }

  muted({ observerNs, target, phase, reason, how }: MuteEvent): void {
    const what = phase === "begin" ? "muted" : how === "expired" ? "mute ended" : "unmuted";
    const detail = reason === "" ? what : `${what}: ${reason}`;
    this.#put({ time: this.#time(observerNs), kind: "mute", agent: target, detail });
  }

  /** `user`: the name of who asked. That of a mute says it, and is there already. */
  acted(act: Act, user: string): void {
    const isMute = act.act === "mute" || act.act === "unmute";
    if (isMute && !act.isRefused) return;
    const { observerNs, target, pid } = act;
    const detail = clause(`${act.act} by ${user}${outcomeText(act)}`);
    const member = Number.isNaN(pid) ? {} : { pid };
    this.#put({ time: this.#time(observerNs), kind: "act", agent: target, ...member, detail });
  }

  booted(version: string, pid: number, observerNs: number): void {
    const detail = `varta-watch ${version}, pid ${pid}`;
    this.#put({ time: this.#time(observerNs), kind: "boot", agent: "", detail });
  }

  /** No turn comes any more. */
  stopping(reason: string, observerNs: number): void {
    this.#put({ time: this.#time(observerNs), kind: "shutdown", agent: "", detail: reason });
  }

  /** What became of it, in one clause. */
  reloaded(detail: string, observerNs: number): void {
    this.#put({ time: this.#time(observerNs), kind: "reload", agent: "", detail: clause(detail) });
  }

  outcome(outcome: RecoveryOutcome): void {
    if (outcome.kind === "storm") return;
    const recovery = recoveryEventOf(outcome);
    if (recovery === undefined) return;
    const byPid = outcome.kind === "result" ? outcome.byPid : Number.NaN;
    const { agent, pid, observerNs } = outcome;
    this.#add("recovery", agent, observerNs, {
      pid,
      recovery,
      ...(Number.isNaN(byPid) ? {} : { by_pid: byPid }),
    });
  }

  #add(
    kind: EventViewKind,
    agent: number,
    observerNs: number,
    fields: Omit<EventView, "time" | "kind" | "agent">,
  ): void {
    const name = this.#options.agentName(agent);
    this.#put({ time: this.#time(observerNs), kind, agent: name, ...fields });
  }

  #put(event: EventView): void {
    this.#options.log.add(event, Date.parse(event.time));
  }

  #time(observerNs: number): string {
    return utcText(observerNs, this.#options.unixMsAtStart());
  }

  #unwatchedFields({ unwatched }: MemberExit | MemberGone): Pick<EventView, "unwatched"> {
    if (unwatched === undefined) return {};
    const { afterNs, beforeNs } = unwatched;
    return { unwatched: { after: this.#time(afterNs), before: this.#time(beforeNs) } };
  }

  #endOf({ exitStatus, signal }: EndNumbers, observerNs: number): EndView {
    return {
      time: this.#time(observerNs),
      exit_status: Number.isNaN(exitStatus) ? null : exitStatus,
      signal: Number.isNaN(signal) ? null : signal,
    };
  }
}

function stallFields(stall: Stall): Partial<EventView> {
  const { pid, observerNs, lastNs, thresholdNs, verdict, isMuted } = stall;
  const { goodbyeNs = Number.NaN, isTriggered } = stall;
  return {
    pid,
    silence_ms: silenceMs(observerNs, lastNs),
    threshold_ms: wholeMsFromNs(thresholdNs),
    ...(Number.isNaN(goodbyeNs) ? {} : { goodbye_ms: silenceMs(observerNs, goodbyeNs) }),
    ...verdictFields(verdict),
    ...(isTriggered === true ? { detail: "at its own word: WATCHDOG=trigger" } : {}),
    ...(isMuted === true ? { muted: true } : {}),
  };
}

function silenceMs(observerNs: number, lastNs: number): number {
  return wholeMsFromNs(saturatingSub(observerNs, lastNs));
}

function verdictFields(verdict: StallVerdict | undefined): Partial<EventView> {
  if (verdict === undefined) return {};
  const word = { verdict: verdict.verdict };
  if (!(verdict.tracerPid > 0)) return word;
  return { ...word, tracer: { pid: verdict.tracerPid, comm: "", user: "" } };
}

/** Undefined for what says nothing that another event does not say. */
export function recoveryEventOf(
  outcome: Exclude<RecoveryOutcome, { kind: "storm" }>,
): RecoveryEvent | undefined {
  const { recoveryId: id } = outcome;
  switch (outcome.kind) {
    case "began":
      return { id, what: "began", plan: outcome.plan, steps: outcome.stepCount };
    case "spawn": {
      const { stepNumber, stepCount, step, program } = outcome;
      const place = { step: stepNumber, steps: stepCount, kind: step, target: clause(program) };
      return { id, what: "step", ...place, result: "runs" };
    }
    case "step": {
      const { stepNumber, stepCount, step, detail, dryRun } = outcome;
      const result = dryRun ? "dry run" : step === "wait" ? "waits" : "sent";
      const target = step === "wait" ? durationText(Number.parseInt(detail, 10)) : clause(detail);
      const place = { step: stepNumber, steps: stepCount, kind: step, target };
      return { id, what: "step", ...place, result };
    }
    case "complete": {
      const { stepNumber, stepCount, step, exitCode, signal, durationNs } = outcome;
      const bySignal = Number.isNaN(signal) ? "its end is not known" : `signal ${signal}`;
      const result = Number.isNaN(exitCode) ? bySignal : `exit ${exitCode}`;
      const place = { step: stepNumber, steps: stepCount, kind: step };
      return { id, what: "done", ...place, result, took_ms: wholeMsFromNs(durationNs) };
    }
    case "refused": {
      const { reason, error, label, isRepeated, used, stepNumber } = outcome;
      if (isRepeated) return undefined;
      const why = error === "" ? {} : { why: clause(error) };
      const figures = used && {
        used: used.recoveries,
        limit: used.recoveries,
        window_ms: msFromNs(used.windowNs),
      };
      const place = id > 0 ? { step: stepNumber } : {};
      const what = label === "held" ? "held" : "refused";
      return { id, what, reason, ...place, ...figures, ...why };
    }
    case "result": {
      const { result, reason, durationNs } = outcome;
      const isOwn = result === "helped" || result === "done" || result === "interrupted";
      const what = isOwn ? result : "not_helped";
      const why = reason === "" ? {} : { why: clause(reason) };
      return { id, what, took_ms: wholeMsFromNs(durationNs), ...why };
    }
    case "timeout":
    case "deferred":
    case "end":
    case "verdict":
      return undefined;
    default:
      return outcome satisfies never;
  }
}

/** What a gate refuses says so itself: "refused (no_plan): it has no plan". */
function outcomeText({ isRefused, detail }: Act): string {
  if (!isRefused) return `: ${detail}`;
  return detail.startsWith("refused (") ? ` ${detail}` : ` refused: ${detail}`;
}

function clause(text: string): string {
  return [...text].slice(0, CLAUSE_CHARACTERS_MAX).join("");
}
