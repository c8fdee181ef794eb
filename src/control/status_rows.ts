// What "status" and "members" say of an agent, in the form of src/view/status_view.ts.
import { NS_PER_MS, NS_PER_S, wholeMsFromNs } from "../base/time.ts";
import type { GuardView } from "../observer/guard.ts";
import type { Pieces } from "../base/pieces.ts";
import { didYouMean } from "../config/problems/suggestion.ts";
import type { Mute } from "../agents/mutes.ts";
import type { AgentStatus } from "../view/agent_status.ts";
import type {
  AgentStatusView,
  LastStall,
  MuteView,
  ObserverGuard,
  ObserverStatus,
  RecoveryStatus,
} from "../view/status_view.ts";
import { type ControlSources, refusalPieces } from "./request.ts";

/** What they are made from. */
export type StatusSources = Pick<ControlSources, "view" | "host" | "wallMs">;

/** For so long a pause is worth a line. */
const PAUSE_SHOWN_NS = 600 * NS_PER_S;

export function agentRow(agent: AgentStatus, sources: StatusSources): AgentStatusView {
  const { lastStall } = agent;
  return {
    agent: agent.agent,
    state: agent.state,
    muted: muteView(agent.mute, sources),
    beating: agent.beating,
    members: agent.members,
    expected: agent.expected === 0 ? null : agent.expected,
    silence_ms: wholeMs(agent.silenceNs),
    threshold_ms: wholeMs(agent.thresholdNs),
    late_ms: wholeMs(agent.lateNs),
    ...(Number.isNaN(agent.beatsPerS) ? {} : { beats_per_s: threePlaces(agent.beatsPerS) }),
    last_stall:
      lastStall === undefined
        ? null
        : {
            verdict: lastStall.verdict as LastStall["verdict"],
            time: timeOf(lastStall.observerNs, sources),
            pid: lastStall.pid,
          },
    recovery: recoveryOf(agent, sources),
    stalls: agent.stalls,
    recoveries: agent.recoveries,
    missing_since: Number.isNaN(agent.missingSinceNs)
      ? null
      : timeOf(agent.missingSinceNs, sources),
    grace_left_ms: wholeMs(agent.graceLeftNs),
    ...(agent.mute === undefined && agent.mutedMembers > 0
      ? { muted_members: agent.mutedMembers }
      : {}),
  };
}

function recoveryOf(
  { agent, recovering }: AgentStatus,
  { view }: StatusSources,
): RecoveryStatus | null {
  if (recovering === undefined) return view.lastRecovery(agent) ?? null;
  const { recoveryId: id, stepNumber: step, stepCount: steps } = recovering;
  return { id, state: "running", step, steps };
}

export function muteView(mute: Mute | undefined, sources: StatusSources): MuteView | null {
  if (mute === undefined) return null;
  const { beganNs, untilNs, by, reason } = mute;
  return {
    since: timeOf(beganNs, sources),
    until: timeOf(untilNs, sources),
    by: sources.view.userName(by.uid),
    reason,
  };
}

/** `isEmpty`: no agent is known, and somebody asks why. */
export function observerStatus(sources: StatusSources, isEmpty: boolean): ObserverStatus {
  const whoMay = isEmpty ? sources.view.socketRights() : undefined;
  const { nowNs, lastPause, guard, selfBeat } = sources.view.observer();
  const refusedAt = sources.view.refusedAt();
  const pausedMs = wholeMsFromNs(sources.view.pausedInMinuteNs());
  const isShown = lastPause !== undefined && nowNs - lastPause.endNs < PAUSE_SHOWN_NS;
  return {
    state: guard === undefined ? "ok" : "guard",
    up_s: Math.floor(nowNs / NS_PER_S),
    paused_last: isShown
      ? {
          time: timeOf(lastPause.endNs - lastPause.ns, sources),
          length_ms: wholeMsFromNs(lastPause.ns),
          ...(lastPause.cause === undefined ? {} : { cause: lastPause.cause }),
          ...(lastPause.isSilence ? { is_silence: true } : {}),
        }
      : null,
    guard: guard === undefined ? false : guardView(guard, sources),
    ...(pausedMs > 0 ? { paused_in_minute_ms: pausedMs } : {}),
    refused: sources.view.refused(),
    ...(refusedAt === undefined ? {} : { last_good: refusedAt }),
    ...(whoMay === undefined ? {} : { who_may: whoMay }),
    self_beat: {
      state: selfBeat.isRound ? (selfBeat.isSent ? "ok" : "none") : "missing",
      took_ms: Number.isNaN(selfBeat.tookNs) ? null : roundedMsFromNs(selfBeat.tookNs),
    },
  };
}

/** To the microsecond: most take less than one millisecond. */
function roundedMsFromNs(ns: number): number {
  return Math.round(ns / 1_000) / 1_000;
}

function guardView(guard: GuardView, sources: StatusSources): ObserverGuard {
  const { sinceNs, silent, members, windowNs, untilNs, evidence } = guard;
  return {
    since: timeOf(sinceNs, sources),
    silent,
    members,
    window_ms: wholeMsFromNs(windowNs),
    until: timeOf(untilNs, sources),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

export function noSuchAgent(name: string, agents: readonly AgentStatus[]): Pieces {
  const names = agents.map(({ agent }) => agent);
  return refusalPieces({
    error: "no_such_agent",
    text: `no agent is called ${JSON.stringify(name)}`,
    hint: didYouMean(name, names),
  });
}

/** "2026-11-28T02:12:46.301Z", of now. */
export function wallTime({ wallMs }: StatusSources): string {
  return new Date(wallMs()).toISOString();
}

/** The time of day of an observer time. */
function timeOf(observerNs: number, { wallMs, view }: StatusSources): string {
  return new Date(wallMs() - (view.observer().nowNs - observerNs) / NS_PER_MS).toISOString();
}

function threePlaces(figure: number): number {
  return Math.round(figure * 1_000) / 1_000;
}

/** Null for what does not apply: JSON has no NaN and no infinity. */
function wholeMs(ns: number): number | null {
  return Number.isFinite(ns) ? wholeMsFromNs(ns) : null;
}
