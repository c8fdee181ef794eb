// What a person reads about agents and turns: one log line per stall and per return, and those of
// the parts that report pauses, shared pids and recoveries.
import type { ExpectedReports } from "../agents/expected_agents.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { originText } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { msFromNs, NS_PER_S, utcText, wholeMsFromNs } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { AgentComplete, AgentMissing } from "../events/expected_members.ts";
import type { MemberExit, MemberGone, Unwatched } from "../events/member_end.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { Stall } from "../events/stall.ts";
import { StalledMembers } from "../events/stalled_members.ts";
import type { EventFeed } from "../view/event_feed.ts";
import type { GoneMembers } from "../view/gone_members.ts";
import type { StallNotes } from "../view/stall_notes.ts";
import type { SharedPid } from "../observer/shared_pids.ts";
import { statusText } from "../wire/frame.ts";
import {
  endFields,
  evidenceFields,
  goodbyeFields,
  memberFields,
  refusedFields,
  unprovenField,
  verdictFields,
} from "./agent_fields.ts";
import type { Mutable } from "../agents/mutes.ts";
import type { Log, LogFields } from "./log.ts";
import type { Deadline } from "./deadline.ts";
import type { EndReports } from "./end_options.ts";
import { LineWindow } from "./line_window.ts";
import { OutcomeReports } from "./outcome_reports.ts";
import type { StageWord } from "./longest_stage.ts";
import type { PauseCause, ToldPause } from "./pause_cause.ts";
import { pauseClause } from "./pause_evidence.ts";
import { PauseReports } from "./pause_reports.ts";
import { SharedPidReports } from "./shared_pid_reports.ts";
import type { Returned, TickReports } from "./tick.ts";

/** Of one that runs and was not heard since the start. */
const CUT_OFF_HINT =
  "it has not beaten since the daemon made its sockets anew: its client may hold a dead " +
  "connection, and should connect again when a send fails";

interface ReportsOptions {
  readonly log: Log;
  readonly listenerNames: readonly string[];
  /** The name of the agent of a number; "" = it has none. */
  readonly agentName: (number: number) => string;
  readonly nowNs: () => number;
  readonly wallMs: () => number;
  /** Keeps what happens, for who asks later; undefined = nobody asks. */
  readonly events?: EventFeed;
  /** Keep what is asked about a stall that lasts, and about who is gone. */
  readonly notes?: StallNotes;
  readonly gone?: GoneMembers;
  /** Its lines are for debugging; undefined = nobody is muted. */
  readonly isMuted?: (member: Mutable) => boolean;
  /** It may be silent because the daemon made its sockets anew; undefined = nobody is. */
  /** No process has the pid any more; undefined = that is not looked at. */
  readonly isGone?: ((pid: number) => boolean) | undefined;
  readonly mayBeCutOff?: (stall: Stall) => boolean;
  /** Says why nobody could be heard; undefined = nobody asks. */
  readonly pauseCause?: PauseCause | undefined;
  /** A conflict of two known namespaces: strict mode ends the program. */
  readonly namespaceConflict: (pid: number, observedInode: number) => void;
}

export class Reports implements TickReports, EndReports, ExpectedReports, Deadline {
  readonly #options: ReportsOptions;
  readonly #pauses: PauseReports;
  readonly #sharedPids: SharedPidReports;
  readonly #outcomes: OutcomeReports;
  /** For the lines about single agents. */
  readonly #window: LineWindow;
  /** For those that came: a flood of short lives must not take the lines of stalls. */
  readonly #cameWindow: LineWindow;
  readonly #stalled = new StalledMembers();
  /** Keys of stalled members that were not told of, since they are muted. */
  readonly #untold = new Set<number>();
  #lastSlowNs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.#pauses = new PauseReports(options.log);
    this.#sharedPids = new SharedPidReports(options.log);
    this.#window = new LineWindow(options.log, options.nowNs);
    this.#cameWindow = new LineWindow(options.log, options.nowNs, "members that came");
    this.#outcomes = new OutcomeReports({ ...options, window: this.#window });
  }

  /** A member was identified for the first time. */
  came(agent: number, { pid, user, listener, identity }: MemberFacts): void {
    if (!this.#cameWindow.mayWrite()) return;
    const { unit = "", unitUser = "" } = identity ?? {};
    this.#options.log.info("member came", {
      ...memberFields(this.#options.agentName(agent), pid),
      unit: (unitUser === "" || unit === "" ? unit : `${unitUser}:${unit}`) || undefined,
      user: user || undefined,
      listener,
    });
  }

  stalled(stall: Stall): void {
    const { isMuted = false } = stall;
    this.#stalled.add(stall);
    this.#options.notes?.stalled(stall);
    // One that was muted happens once, and is told of when the mute is over.
    const isAgain = !isMuted && this.#untold.has(stall.key);
    if (!isAgain) this.#options.events?.stalled(stall);
    if (isMuted) this.#untold.add(stall.key);
    else this.#untold.delete(stall.key);
    if (!this.#mayWrite(isMuted)) return;
    const { log, listenerNames, agentName } = this.#options;
    const isHung = stall.verdict?.verdict === "hung";
    log[isMuted ? "debug" : "warn"]("agent stalled", {
      ...memberFields(agentName(stall.agent), stall.pid),
      ...verdictFields(stall.verdict),
      listener: listenerNames[stall.listener],
      silence_ms: wholeMsFromNs(saturatingSub(stall.observerNs, stall.lastNs)),
      threshold_ms: wholeMsFromNs(stall.thresholdNs),
      ...goodbyeFields(stall),
      ...(stall.isTriggered === true ? { since: "trigger" } : {}),
      status: statusText(stall.status),
      last_nonce: BigInt(u64Text(stall.lastNonceHi, stall.lastNonceLo)),
      origin: originText(stall.origin),
      ...evidenceFields(stall.verdict),
      ...unprovenField(stall),
      ...refusedFields(stall.refused),
      ...mutedField(isMuted),
      hint: isHung && this.#options.mayBeCutOff?.(stall) === true ? CUT_OFF_HINT : undefined,
    });
  }

  /** A stall that lasts since the daemon before this one, which has said so. */
  restored(stall: Stall): void {
    this.#stalled.add(stall);
    this.#options.notes?.stalled(stall);
    this.#options.events?.restored(stall);
    if (stall.isMuted === true) this.#untold.add(stall.key);
  }

  late(late: MemberLate): void {
    const { agent, pid, listener, observerNs, lastNs, lateNs, thresholdNs } = late;
    const isMuted = this.#isMuted(late);
    this.#options.events?.late(late);
    if (!this.#mayWrite(isMuted)) return;
    const { log, listenerNames, agentName } = this.#options;
    log[isMuted ? "debug" : "info"]("agent late", {
      ...memberFields(agentName(agent), pid),
      listener: listenerNames[listener],
      silence_ms: wholeMsFromNs(saturatingSub(observerNs, lastNs)),
      late_ms: wholeMsFromNs(lateNs),
      threshold_ms: wholeMsFromNs(thresholdNs),
      ...mutedField(isMuted),
    });
  }

  exited(exit: MemberExit): void {
    const { agent, pid, listener, recoveryId, unwatched, ...end } = exit;
    this.#options.events?.exited(exit);
    this.#options.gone?.ended(exit);
    const isMuted = this.#isMuted({ agent, key: pid, generation: end.generation });
    if (!this.#mayWrite(isMuted)) return;
    const { log, listenerNames, agentName } = this.#options;
    log[isMuted ? "debug" : "warn"]("member ended", {
      ...memberFields(agentName(agent), pid),
      listener: listenerNames[listener],
      ...endFields(end),
      ...this.#unwatchedFields(unwatched),
      recovery_id: Number.isNaN(recoveryId) ? undefined : recoveryId,
      ...mutedField(isMuted),
    });
  }

  gone(gone: MemberGone): void {
    const { agent, pid, reason, byPid, gapNs, unwatched, ...end } = gone;
    this.#options.events?.gone(gone);
    this.#options.gone?.ended(gone);
    const isMuted = this.#isMuted({ agent, key: pid, generation: end.generation });
    if (!this.#mayWrite(isMuted)) return;
    const { log, agentName } = this.#options;
    const level = isMuted ? "debug" : "info";
    const member = memberFields(agentName(agent), pid);
    if (reason === "replaced") {
      const by = { by_pid: byPid, gap_ms: wholeMsFromNs(gapNs) };
      log[level]("member replaced", { ...member, ...by, ...endFields(end) });
      return;
    }
    // A clean end needs no reason.
    const because = reason === "clean" ? undefined : reason;
    const when = this.#unwatchedFields(unwatched);
    log[level]("member gone", { ...member, ...endFields(end), ...when, reason: because });
  }

  /** When it ended, as far as that is known of one that no daemon watched. */
  #unwatchedFields(unwatched: Unwatched | undefined): LogFields {
    if (unwatched === undefined) return {};
    const { wallMs, nowNs } = this.#options;
    const startMs = wallMs() - msFromNs(nowNs());
    return {
      unwatched: "died while nobody watched",
      after: utcText(unwatched.afterNs, startMs),
      before: utcText(unwatched.beforeNs, startMs),
    };
  }

  missing({ agent, members, expected, graceNs }: AgentMissing, isMuted = false): void {
    if (!this.#mayWrite(isMuted)) return;
    const { log, agentName } = this.#options;
    const grace_ms = wholeMsFromNs(graceNs);
    const fields = { agent: agentName(agent), members, expected, grace_ms };
    log[isMuted ? "debug" : "error"]("agent missing", { ...fields, ...mutedField(isMuted) });
  }

  /** `wasTold`: that it was missing. */
  complete({ agent, members, expected, missingNs }: AgentComplete, wasTold = true): void {
    if (!this.#mayWrite(!wasTold)) return;
    const { log, agentName } = this.#options;
    const missing_ms = wholeMsFromNs(missingNs);
    const fields = { agent: agentName(agent), members, expected, missing_ms };
    log[wasTold ? "info" : "debug"]("agent complete", fields);
  }

  resumed({ key, pid, listener, status, agent, observerNs }: Returned): void {
    const stall = this.#stalled.take(key);
    const wasTold = !this.#untold.delete(key);
    this.#options.notes?.left(key);
    this.#options.events?.resumed({ agent, pid, observerNs }, stall?.lastNs ?? Number.NaN);
    if (!this.#mayWrite(!wasTold)) return;
    const silentMs = stall && wholeMsFromNs(saturatingSub(observerNs, stall.lastNs));
    const { log, listenerNames, agentName } = this.#options;
    log[wasTold ? "info" : "debug"]("agent is back", {
      ...memberFields(agentName(agent), pid),
      listener: listenerNames[listener],
      silent_ms: silentMs,
      status: statusText(status),
    });
  }

  left(key: number): void {
    this.#stalled.take(key);
    this.#options.notes?.left(key);
    this.#untold.delete(key);
  }

  sharedPid(shared: SharedPid): void {
    this.#sharedPids.shared(shared, this.#options.nowNs());
  }

  namespaceConflict(pid: number, observedInode: number): void {
    this.#options.namespaceConflict(pid, observedInode);
  }

  /**
   * When the window of a second ends that held lines back, or pauses that were not logged are due;
   * else +Infinity.
   */
  nextDeadlineNs(): number {
    const linesNs = Math.min(this.#window.nextDeadlineNs(), this.#cameWindow.nextDeadlineNs());
    return Math.min(linesNs, this.#pauses.nextDeadlineNs());
  }

  maintain(nowNs: number): void {
    this.#window.maintain(nowNs);
    this.#cameWindow.maintain(nowNs);
    this.#pauses.maintain(nowNs);
    const suspended = this.#options.pauseCause?.maintain(nowNs);
    if (suspended !== undefined) this.#tellPause(suspended, 0);
  }

  paused(ns: number, deadlinesMoved: number, stage: StageWord | undefined): void {
    const endNs = this.#options.nowNs();
    const told = this.#options.pauseCause?.paused({ endNs, ns }, stage);
    const unknown = { endNs, ns, cause: undefined, stage: undefined, isSilence: false };
    this.#tellPause(told ?? unknown, deadlinesMoved);
  }

  #tellPause(pause: ToldPause, deadlinesMoved: number): void {
    const { endNs, ns, cause, stage } = pause;
    this.#options.events?.paused(ns, endNs, cause && pauseClause(cause, stage));
    this.#pauses.paused(pause, deadlinesMoved);
  }

  slowTurn(stage: string, ns: number): void {
    const nowNs = this.#options.nowNs();
    if (nowNs - this.#lastSlowNs < NS_PER_S) return;
    this.#lastSlowNs = nowNs;
    this.#options.log.warn("loop stage slow", {
      stage,
      took_ms: wholeMsFromNs(ns),
    });
  }

  outcome(outcome: RecoveryOutcome): void {
    this.#options.events?.outcome(outcome);
    this.#options.notes?.outcome(outcome);
    this.#outcomes.outcome(outcome);
  }

  #isMuted({ agent, key, generation }: Mutable): boolean {
    return this.#options.isMuted?.({ agent, key, generation }) === true;
  }

  // Lines about muted agents are for debugging, and take no place from the others.
  #mayWrite(isMuted: boolean): boolean {
    if (isMuted && !this.#options.log.writes("debug")) return false;
    return this.#window.mayWrite();
  }
}

function mutedField(isMuted: boolean): LogFields {
  return isMuted ? { muted: true } : {};
}
