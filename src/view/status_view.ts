// What `status` answers, as it is sent: one JSON object, with the names that scripts read.
// Times are RFC 3339 in UTC with milliseconds; `null` is what does not apply or is not known.
// Fields are only ever added at the end; a `?` is one that
// a daemon may leave out.
import type { SaidView } from "./said_view.ts";
import type { AgentState, MemberState } from "../agents/agent_state.ts";
import type { GuardEvidenceWord } from "../observer/guard.ts";
import type { StallVerdictWord } from "../events/stall_verdict.ts";

export interface StatusView {
  readonly v: 1;
  readonly host: string;
  readonly time: string;
  readonly observer: ObserverStatus;
  /** Agents by state, muted ones too; `muted` counts those that are, whatever their state. */
  readonly counts: Readonly<Record<AgentState, number>> & { readonly muted?: number };
  readonly agents: readonly AgentStatusView[];
  /** The line that SIGUSR1 writes had no room for all of them. */
  readonly cut?: true;
}

export interface ObserverStatus {
  readonly state: "ok" | "paused" | "guard";
  readonly up_s: number;
  /** The last pause, for ten minutes after it. */
  readonly paused_last: ObserverPause | null;
  /** Of the last minute, the time in which it was paused; left out = none. */
  readonly paused_in_minute_ms?: number;
  /** `false` while it is not active. */
  readonly guard?: ObserverGuard | false;
  /** Refused datagrams since the start, of the most frequent reason; null = none. */
  readonly refused?: RefusedBeats | null;
  /** The first problem of the file, in whose place the configuration that worked last runs. */
  readonly last_good?: string;
  /** The first Unix listener, while no agent is known: who may write to it. */
  readonly who_may?: SocketRights;
  readonly self_beat?: SelfBeatStatus;
}

interface SelfBeatStatus {
  /** "missing": at a listener none came round in time; "none": it can send to no listener. */
  readonly state: "ok" | "missing" | "none";
  /** From its send until it was taken in, of the slowest listener; null = none came round yet. */
  readonly took_ms: number | null;
}

export interface SocketRights {
  readonly path: string;
  /** "0660" */
  readonly mode: string;
  readonly owner: string;
  readonly group: string;
}

interface ObserverPause {
  /** When it began. */
  readonly time: string;
  readonly length_ms: number;
  /** Why, as a clause: "the machine was stopped". */
  readonly cause?: string;
  /** It counts as silence all the same: observer time goes on in a suspend. */
  readonly is_silence?: boolean;
}

export interface ObserverGuard {
  readonly since: string;
  readonly silent: number;
  readonly members: number;
  /** Within which they fell silent. */
  readonly window_ms: number;
  /** None is judged before. */
  readonly until: string;
  /** The last that speaks for the observer's own fault; absent = nothing does. */
  readonly evidence?: GuardEvidenceWord;
}

export interface RefusedBeats {
  readonly count: number;
  /** As in `varta_datagrams_rejected_total{reason}`. */
  readonly reason: string;
  readonly listener: string;
  /** The last sender: what it calls itself, and its pid here; null = not known. */
  readonly claimed_pid: number | null;
  readonly pid: number | null;
  /** Why, as a clause, and what to do about it. */
  readonly cause?: string;
  readonly hint?: string;
  /** The sender is in a container, whose pids the listener does not take. */
  readonly in_container?: boolean;
}

export interface AgentStatusView {
  readonly agent: string;
  readonly state: AgentState;
  readonly muted?: MuteView | null;
  readonly beating: number;
  /** Known, stalled ones too. */
  readonly members: number;
  readonly expected: number | null;
  /** Of its worst member; null = it has none. */
  readonly silence_ms: number | null;
  readonly threshold_ms: number | null;
  readonly late_ms: number | null;
  readonly beats_per_s?: number;
  readonly last_stall: LastStall | null;
  /** The one that runs, or the last word of its plan. */
  readonly recovery?: RecoveryStatus | null;
  /** Since the daemon's start. */
  readonly stalls: number;
  readonly recoveries: number;
  readonly missing_since?: string | null;
  /** Of its grace; null = it is over. */
  readonly grace_left_ms?: number | null;
  /** Since when it says of itself that it is not ok. */
  readonly status_since?: string | null;
  /** Of an agent that is not muted: processes that are. */
  readonly muted_members?: number;
}

export interface LastStall {
  readonly verdict: StallVerdictWord;
  readonly time: string;
  readonly pid: number;
}

export interface RecoveryStatus {
  /** 0 = none has begun. */
  readonly id: number;
  /**
   * `done`: its steps were done, and nobody waited for a beat. `interrupted`: the daemon was killed
   * while it was under way.
   */
  readonly state: "running" | "gave_up" | "helped" | "not_helped" | "done" | "interrupted";
  /** From 1; 0 = that is not kept any more. */
  readonly step: number;
  readonly steps: number;
}

export interface MuteView {
  readonly since: string;
  readonly until: string;
  /** User name, or uid where it has none. */
  readonly by: string;
  readonly reason: string;
}

/** What `status AGENT` answers. */
export interface MembersView {
  readonly v: 1;
  readonly host: string;
  readonly time: string;
  readonly agent: AgentStatusView;
  /** The plan's name; "" = that of [recovery] itself, "none" = nothing is done. */
  readonly plan?: string;
  readonly stalls_24h?: number;
  readonly recoveries_24h?: number;
  readonly members: readonly MemberStatusView[];
}

export interface MemberStatusView {
  readonly pid: number;
  /** The address from which it beats by UDP; null = it is on this machine. */
  readonly source: string | null;
  readonly state: MemberState;
  readonly silence_ms: number;
  readonly threshold_ms: number;
  /** The threshold that it has asked for, whatever its rule makes of it; not there = none. */
  readonly asked_ms?: number;
  /** What it said of itself in its last beat. */
  readonly status: "ok" | "degraded" | "critical";
  readonly beats?: number;
  /** Since its process started, or since its first beat where that is not known. */
  readonly age_ms?: number;
  /** The unit or container that it runs in; "" = none. */
  readonly unit?: string;
  /** Its own mute, beside that of its agent. */
  readonly muted?: MuteView | null;
  /** What it has said of itself beside its beats; not there = nothing. */
  readonly said?: SaidView;
}
