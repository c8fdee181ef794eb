// What "status" and "members" say of an agent, in the form of src/view/status_view.ts.
import { NS_PER_MS, NS_PER_S, wholeMsFromNs } from "../base/time.ts";
import type { Pieces } from "../base/pieces.ts";
import { nearest } from "../config/problems/suggestion.ts";
import type { AgentStatus } from "../view/agent_status.ts";
import type { AgentStatusView, LastStall, ObserverStatus } from "../view/status_view.ts";
import { type ControlSources, refusalPieces } from "./request.ts";

/** For so long a pause is worth a line. */
const PAUSE_SHOWN_NS = 600 * NS_PER_S;

export function agentRow(agent: AgentStatus, sources: ControlSources): AgentStatusView {
  const { lastStall } = agent;
  return {
    agent: agent.agent,
    state: agent.state,
    beating: agent.beating,
    members: agent.members,
    expected: agent.expected === 0 ? null : agent.expected,
    silence_ms: wholeMs(agent.silenceNs),
    threshold_ms: wholeMs(agent.thresholdNs),
    late_ms: wholeMs(agent.lateNs),
    last_stall:
      lastStall === undefined
        ? null
        : {
            verdict: lastStall.verdict as LastStall["verdict"],
            time: timeOf(lastStall.observerNs, sources),
            pid: lastStall.pid,
          },
    stalls: agent.stalls,
    recoveries: agent.recoveries,
  };
}

export function observerStatus(sources: ControlSources): ObserverStatus {
  const { nowNs, lastPause } = sources.view.observer();
  const isShown = lastPause !== undefined && nowNs - lastPause.endNs < PAUSE_SHOWN_NS;
  return {
    state: "ok",
    up_s: Math.floor(nowNs / NS_PER_S),
    paused_last: isShown
      ? {
          time: timeOf(lastPause.endNs - lastPause.ns, sources),
          length_ms: wholeMsFromNs(lastPause.ns),
        }
      : null,
  };
}

export function noSuchAgent(name: string, agents: readonly AgentStatus[]): Pieces {
  const like = nearest(
    name,
    agents.map(({ agent }) => agent),
  );
  return refusalPieces({
    error: "no_such_agent",
    text: `no agent is called ${JSON.stringify(name)}`,
    hint: like === undefined ? undefined : `did you mean ${like}?`,
  });
}

/** "2026-11-28T02:12:46.301Z", of now. */
export function wallTime({ wallMs }: ControlSources): string {
  return new Date(wallMs()).toISOString();
}

/** The time of day of an observer time. */
function timeOf(observerNs: number, { wallMs, view }: ControlSources): string {
  return new Date(wallMs() - (view.observer().nowNs - observerNs) / NS_PER_MS).toISOString();
}

/** Null for what does not apply: JSON has no NaN and no infinity. */
function wholeMs(ns: number): number | null {
  return Number.isFinite(ns) ? wholeMsFromNs(ns) : null;
}
