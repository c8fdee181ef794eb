// What `explain` answers: the facts, and no sentence of its own. The command makes the
// words. Times are RFC 3339 in UTC with milliseconds; `null` is what is not known or does not
// apply, and a `?` is a field that a daemon may leave out.
import type { NameRefusal } from "../agents/announcing.ts";
import type { SaidView } from "./said_view.ts";
import type { AgentState } from "../agents/agent_state.ts";
import type { GoneReason } from "../events/member_end.ts";
import type { StallVerdictWord } from "../events/stall_verdict.ts";
import type { StepKind } from "../events/step_kind.ts";
import type { EndView, EventView, TracerView, UnwatchedView } from "./event_view.ts";
import type { MuteView } from "./status_view.ts";

export interface ExplainView {
  readonly v: 1;
  readonly time: string;
  readonly agent: string;
  readonly state: AgentState;
  /** The worst member, explained in full; null = the agent has none. */
  readonly member: ExplainedMember | null;
  /** Since the stall or the missing, as long as it lasts. */
  readonly since: string | null;
  readonly muted: MuteView | null;
  /** How the members of this agent stand: for "the 7 other members beat". */
  readonly beating: number;
  readonly members: number;
  readonly expected: number | null;
  /** Many fell silent at once; null = they did not. */
  readonly mass?: MassSilence | null;
  readonly done: readonly DoneRow[];
  readonly next: readonly NextRow[];
  readonly rule: ExplainedRuleView;
  /** Newest first, at most ten. */
  readonly history: readonly EventView[];
  /** Other members that are not ok. */
  readonly others: readonly { readonly pid: number; readonly state: AgentState }[];
  /** Path and anchor; "" = none is installed. */
  readonly runbook: string;
}

export interface MassSilence {
  readonly agents: number;
  readonly within_ms: number;
  /** Of the last minute. */
  readonly load: number;
  /** Share, 0 to 1. */
  readonly memory_used: number | null;
  /** Of pressure stall, and over how long; null = this kernel does not say. */
  readonly stall_ms: number | null;
  readonly stall_over_ms: number;
}

export interface ExplainedMember {
  readonly pid: number;
  /** The address from which it beats by UDP; "" = it is on this machine. */
  readonly source: string;
  readonly verdict: ExplainedVerdict | null;
  readonly silence_ms: number;
  readonly last_beat: LastBeat | null;
  /** Beats of it that were refused since then, by reason. */
  readonly refused: readonly { readonly reason: string; readonly count: number }[];
  /** What it has said of itself beside its beats; not there = nothing. */
  readonly said?: SaidView;
  readonly who: WhoView;
  readonly proof: ProofView;
  /**
   * It was not heard since the daemon made its sockets anew, and may hold a dead connection;
   * "held": its process runs, so it is not judged yet.
   */
  readonly cut_off?: "held" | "silent";
  /** When it said goodbye, and has not ended since. */
  readonly goodbye?: string;
  /** It has said hello and not beaten yet. */
  readonly unbeaten?: true;
  /** What it says that it is called, and why it is not; "" = it is. */
  readonly announced?: { readonly name: string; readonly refused: NameRefusal | "" };
}

export interface ExplainedVerdict {
  readonly verdict: StallVerdictWord;
  /** The letter of /proc/PID/stat; "" = it was not looked at. */
  readonly proc_state: string;
  /** The kernel's function in which it waits; "" = none, or that is kept from us. */
  readonly wchan: string;
  /** Of processor time since the stall, and over how long. */
  readonly cpu_ms: number | null;
  readonly cpu_over_ms: number | null;
  readonly tracer: TracerView | null;
  /** What its end was taken for; null = it has not ended, as far as is known. */
  readonly ended: GoneReason | "unclean" | "unknown" | null;
  /** How it ended, and who said so. */
  readonly end: EndView | null;
  readonly end_source: "pidfd" | "systemd" | null;
  /** It ended between these, while no daemon ran. */
  readonly unwatched: UnwatchedView | null;
  readonly freezer: 0 | 1 | 2;
  /** Another member that took its place in time. */
  readonly replaced: {
    readonly pid: number;
    readonly time: string;
    readonly left_ms: number;
  } | null;
  /** Its pid belongs to another process by now, which started then. */
  readonly pid_reused: string | null;
  /** Why it is not known, for "unknown". */
  readonly reason: string;
}

export interface LastBeat {
  readonly time: string;
  /** Nonce, in decimal digits. */
  readonly number: string;
  readonly status: "ok" | "degraded" | "critical";
  /** "ADDRESS:PORT"; "" = of this machine. */
  readonly from: string;
}

/** Each is "" where it is not known. */
export interface WhoView {
  readonly unit: string;
  readonly container: string;
  readonly user: string;
  readonly uid: number | null;
  readonly comm: string;
  readonly script: string;
  /** When the process started. */
  readonly since: string | null;
}

export interface ProofView {
  /** Of ORIGIN_TEXTS. */
  readonly origin: string;
  readonly listener: string;
  /** The process that is watched is known to have sent a beat itself. */
  readonly proven: boolean;
  /** Its namespace where that is not the observer's. */
  readonly namespace: {
    readonly inode: number;
    readonly own_inode: number;
    /** The pid that its frames say. */
    readonly inner_pid: number;
  } | null;
  /** How many other agents of its address beat, for a remote one. */
  readonly others_beating: number | null;
}

/** What was done about it, oldest first. */
export type DoneRow =
  | {
      readonly what: "began";
      readonly time: string;
      readonly id: number;
      readonly plan: string;
      readonly steps: number;
    }
  | {
      readonly what: "step";
      readonly time: string;
      readonly step: number;
      /** "SIGQUIT to pid 4711"; with `kind` what it is done to: "SIGQUIT", "5s", a unit. */
      readonly action: string;
      readonly kind?: StepKind;
      readonly result: string;
      /** Of a child that is over. */
      readonly took_ms?: number;
    }
  | {
      readonly what: "helped";
      readonly time: string;
      readonly id: number;
      readonly took_ms: number;
    }
  /** What a recovery came to that is not known to have helped. */
  | {
      readonly what: "not_helped" | "over" | "interrupted";
      readonly time: string;
      readonly id: number;
      readonly took_ms: number;
      /** As a clause; "" = its steps say it. */
      readonly why: string;
    }
  | {
      readonly what: "refused" | "held";
      readonly time: string;
      /** The word of the gate. */
      readonly reason: string;
      /** The step of a recovery that was not done for it. */
      readonly step?: number;
      /** Figures of the gate, where it has them. */
      readonly used?: number;
      readonly limit?: number;
      readonly window_ms?: number;
      /** What else was found, as a clause. */
      readonly why?: string;
    }
  | {
      readonly what: "reported";
      readonly time: string;
      readonly as: "stall" | "exit" | "gone" | "replaced" | "missing";
    };

/** What comes next, in this order. */
export type NextRow =
  /** The child of a step is ended if it still runs then; without `verify_ms` no beat is awaited. */
  | {
      readonly what: "step_ends";
      readonly time: string;
      readonly step?: number;
      readonly kind?: StepKind;
      readonly verify_ms?: number;
      /** Recoveries that its budget has left, if it has one. */
      readonly left?: number;
      readonly limit?: number;
      readonly window_ms?: number;
    }
  /** Of a step that waits: the next one is done then, if no beat comes. */
  | {
      readonly what: "step_begins";
      readonly time: string;
      readonly step: number;
      readonly kind: StepKind;
      readonly target: string;
    }
  /** A beat must have come by then. */
  | { readonly what: "verified"; readonly time: string; readonly unit: string }
  | { readonly what: "mute_ends" | "budget" | "storm_room" | "retry"; readonly time: string }
  /** The guard holds its verdict, or its recovery, until then at least. */
  | {
      readonly what: "guard_ends";
      readonly time: string;
      readonly holds: "verdict" | "recovery";
      readonly silent: number;
      readonly members: number;
      readonly window_ms: number;
    }
  /** Silent from then on. */
  | { readonly what: "deadline"; readonly time: string }
  | {
      readonly what: "crash_loop";
      readonly exits: number;
      readonly limit: number;
      readonly window_ms: number;
    }
  | { readonly what: "forgotten"; readonly after_ms: number }
  /** The daemon decides it no more: its plan has no retry. */
  | { readonly what: "by_hand" }
  /** Nothing that the daemon does by itself. */
  | { readonly what: "nothing" };

export interface ExplainedRuleView {
  /** From 1; null = no [[agent]] matches. Of an agent without members the one that names it. */
  readonly number: number | null;
  /** FILE:LINE of the rule, or of the nearest one; "" = there is none. */
  readonly place: string;
  /** As in the file: `unit = "worker@*.service"`. */
  readonly match: string;
  readonly count: number;
  /** Why earlier rules, or the nearest, do not match. */
  readonly failed: readonly FailedRule[];
  readonly threshold_ms: number;
  /** Of the rule, where the member has another one: it has asked for it, or the file is newer. */
  readonly rule_threshold_ms?: number;
  readonly late_ms: number | null;
  readonly grace_ms: number;
  readonly expect: number | null;
  readonly on_exit: string;
  /** "" = that of [recovery] itself, "none" = nothing is done. */
  readonly plan: string;
  /** The rule itself says which one. */
  readonly plan_by_rule?: boolean;
  /** Place of the listener's table, for a hint: FILE:LINE. */
  readonly listener_place: string;
  /** What named it where no rule did: "script", "unit". */
  readonly named_by?: string;
  /** A match for a rule of its own: `script = "convert.py"`; "" = nothing would be its own. */
  readonly suggestion?: string;
}

export interface FailedRule {
  readonly number: number;
  readonly place: string;
  readonly field: string;
  /** "" = it has none. */
  readonly found: string;
  readonly wanted: readonly string[];
  /** A condition of the nearest rule that holds: `script "convert.py"`; "" = none does. */
  readonly right?: string;
}

/** What `explain PID` answers of a process that has never beaten. */
export interface StrangerView {
  readonly v: 1;
  readonly time: string;
  readonly pid: number;
  readonly runs: boolean;
  readonly who: WhoView;
  /** The agent that it would be. */
  readonly agent: string;
  readonly rule: ExplainedRuleView;
  /** Whether it may send: by the socket's file mode. */
  readonly may: {
    readonly yes: boolean;
    readonly socket: string;
    /** "0660" */
    readonly mode: string;
    readonly group: string;
    /** What decides it. */
    readonly by: "root" | "owner" | "group" | "others" | "allow_list" | "namespace";
  } | null;
  /** The last datagrams that were refused for a reason, where that was its own. */
  readonly refused: readonly RefusedDatagram[];
  /** Datagrams that were refused since the start, of any sender. */
  readonly refused_total: number;
}

export interface RefusedDatagram {
  readonly reason: string;
  readonly listener: string;
  /** What was wrong with it, and what to do. */
  readonly cause: string;
  readonly hint: string;
}
