// The read model: what the daemon knows, as plain objects that are made when they are asked for.
// What shows a state reads it here, and nothing else reaches into the columns of the stages.
import { UnixListener } from "../listener/unix.ts";
import type { GuardView } from "../observer/guard.ts";
import type { Observer } from "../observer/observer.ts";
import type { SelfBeats } from "../observer/self_beats.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { Mute, Mutes } from "../agents/mutes.ts";
import type { AgentRows } from "../metrics/agent_rows.ts";
import { StatusWalk } from "./agent_status.ts";
import { type AgentView, AgentWalk } from "./agent_view.ts";
import type { BeatRates } from "./beat_rates.ts";
import type { QueueView, RulesView, StateFileView } from "./doctor_view.ts";
import type { EventLog } from "./event_log.ts";
import { lastRecovery } from "./last_recovery.ts";
import { ruleUse } from "./rule_use.ts";
import type { RecoveryStatus, RefusedBeats, SocketRights } from "./status_view.ts";

interface TotalsView {
  readonly tracked: number;
  /** Silent for longer than their threshold. */
  readonly stalled: number;
  /** Stalls that no turn has handled yet. */
  readonly queuedStalls: number;
}

/** Datagrams since the start: received = accepted + rejected. */
interface ListenerView {
  readonly name: string;
  readonly received: number;
  readonly accepted: number;
  readonly rejected: number;
}

interface RecoveryView {
  /** Children that have not ended. */
  readonly children: number;
}

interface ViewSources {
  readonly observer: Observer;
  readonly recovery: Pick<Recovery, "outstandingCount" | "sequenceCount" | "placeOf" | "planOf">;
  readonly expected: ExpectedAgents;
  /** Undefined = the daemon has no configuration file. */
  readonly agentRows: AgentRows | undefined;
  readonly beatRates: BeatRates | undefined;
  readonly muting: { readonly mutes: Mutes };
  readonly live: {
    readonly refusedAt: string | undefined;
    readonly current: { readonly agents: readonly { readonly name?: string | undefined }[] };
  };
  readonly events: Pick<EventLog, "historyOf">;
  readonly refusals: { mostFrequent(): RefusedBeats | null };
  readonly pauseCause: {
    /** `counted`: the last one that moved deadlines; undefined = there was none. */
    last(
      counted: { readonly endNs: number; readonly ns: number } | undefined,
    ): PauseView | undefined;
  };
  readonly selfBeats: Pick<SelfBeats, "areSent" | "areRound" | "roundTookNs">;
  readonly stateSeen: { readonly view: StateFileView | null };
  /** Of the first Unix listener; undefined = there is none. */
  readonly socketRights: () => SocketRights | undefined;
  /** The name of a user, or its digits. */
  readonly userName: (uid: number) => string;
}

export interface PauseView {
  readonly endNs: number;
  readonly ns: number;
  /** As a clause; undefined = that is not known. */
  readonly cause: string | undefined;
  /** It counts as silence all the same. */
  readonly isSilence: boolean;
}

/** The observer itself. Times are observer time. */
interface ObserverView {
  readonly nowNs: number;
  /** When the last pause ended, and its length; undefined = there was none. */
  readonly lastPause: PauseView | undefined;
  /** Undefined = it is not active. */
  readonly guard: GuardView | undefined;
  readonly selfBeat: SelfBeatView;
}

/** How well the daemon hears itself. */
interface SelfBeatView {
  /** False: it has no listener that it could send to. */
  readonly isSent: boolean;
  /** At each listener one came round in time. */
  readonly isRound: boolean;
  /** Of the slowest listener, the last one; NaN = none came round yet. */
  readonly tookNs: number;
}

export class View {
  readonly #sources: ViewSources;

  constructor(sources: ViewSources) {
    this.#sources = sources;
  }

  totals(): TotalsView {
    const { tracker, silence } = this.#sources.observer;
    return {
      tracked: tracker.len,
      stalled: tracker.stallEmittedCount,
      queuedStalls: silence.stalls.unread,
    };
  }

  walkAgents(): AgentWalk {
    return new AgentWalk(this.#sources.observer);
  }

  /** The agents with what their members come to, in steps. */
  walkStatus(): StatusWalk {
    const {
      observer,
      expected,
      recovery,
      muting,
      agentRows: rows,
      beatRates: rates,
    } = this.#sources;
    const { tracker } = observer;
    const { mutes } = muting;
    const nowNs = (): number => observer.clock.lastNs;
    return new StatusWalk({ tracker, expected, mutes, recovery, rows, rates, nowNs });
  }

  observer(): ObserverView {
    const { observer, pauseCause, selfBeats } = this.#sources;
    const lastPause = pauseCause.last(observer.tracker.pauses.last);
    const guard = observer.silence.guarded?.guard.view;
    const [isSent, isRound] = [selfBeats.areSent, selfBeats.areRound()];
    const selfBeat = { isSent, isRound, tookNs: isSent ? selfBeats.roundTookNs() : Number.NaN };
    return { nowNs: observer.clock.lastNs, lastPause, guard, selfBeat };
  }

  /** Where the file has its first problem, if another configuration is in force because of it. */
  refusedAt(): string | undefined {
    return this.#sources.live.refusedAt;
  }

  /** The last word of the plan of an agent, as far as what has happened lately says one. */
  lastRecovery(agent: string): RecoveryStatus | undefined {
    return lastRecovery(this.#sources.events.historyOf(agent));
  }

  /** What is done if the member of `key` stalls: the name of a plan, "" = [recovery], "none". */
  planOf(key: number): string | undefined {
    const { observer, recovery } = this.#sources;
    const slot = observer.tracker.slotOf(key);
    if (slot < 0) return undefined;
    const plan = recovery.planOf(observer.silence.stalls.ofSlot(slot, observer.clock.lastNs));
    return plan.isEmpty ? "none" : plan.name;
  }

  /** The mute of a process alone; undefined = it has none of its own. */
  muteOfMember({ key, generation }: Pick<AgentView, "key" | "generation">): Mute | undefined {
    const { observer, muting } = this.#sources;
    return muting.mutes.muteOfMember(key, generation, observer.clock.lastNs);
  }

  /** Time of pauses that ended within the last minute. */
  pausedInMinuteNs(): number {
    const { pauses, clock } = this.#sources.observer;
    return pauses.lastMinute.totalNs(clock.lastNs);
  }

  /** Of the Unix listeners in force. */
  queues(): QueueView[] {
    const { listeners, listenersInForce } = this.#sources.observer;
    return listenersInForce.flatMap((number) => {
      const one = listeners[number];
      if (!(one instanceof UnixListener)) return [];
      const { name: listener, path, queueLength, queueFull: full } = one;
      // As the setting says it, which people compare it with: the kernel lets in one more.
      const holds = queueLength === undefined ? null : queueLength - 1;
      return [{ listener, path, holds, full }];
    });
  }

  stateFile(): StateFileView | null {
    return this.#sources.stateSeen.view;
  }

  /** The rules in force against the members. */
  ruleUse(): RulesView {
    const { observer, live } = this.#sources;
    return ruleUse(observer.tracker.table, live.current.agents);
  }

  userName(uid: number): string {
    return this.#sources.userName(uid);
  }

  /** The refused datagrams of the most frequent reason; null = there were none. */
  refused(): RefusedBeats | null {
    return this.#sources.refusals.mostFrequent();
  }

  /** Who may write to the first Unix listener. */
  socketRights(): SocketRights | undefined {
    return this.#sources.socketRights();
  }

  /** In the order of their numbers. */
  listeners(): ListenerView[] {
    const { listeners, listenersInForce, accounting } = this.#sources.observer;
    return listenersInForce.map((number) => ({
      name: listeners[number]!.name,
      received: accounting.received[number]!,
      accepted: accounting.accepted[number]!,
      rejected: accounting.rejectedTotal(number),
    }));
  }

  /** Accepted since the start, also by listeners that were removed. */
  beats(): number {
    return this.#sources.observer.accounting.accepted.reduce((sum, accepted) => sum + accepted);
  }

  recovery(): RecoveryView {
    return { children: this.#sources.recovery.outstandingCount };
  }
}
