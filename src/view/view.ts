// The read model: what the daemon knows, as plain objects that are made when they are asked for.
// What shows a state reads it here, and nothing else reaches into the columns of the stages.
import type { Observer } from "../observer/observer.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { AgentRows } from "../metrics/agent_rows.ts";
import { StatusWalk } from "./agent_status.ts";
import { AgentWalk } from "./agent_view.ts";

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
  readonly recovery: Pick<Recovery, "outstandingCount">;
  readonly expected: ExpectedAgents;
  /** Undefined = the daemon has no configuration file. */
  readonly agentRows: AgentRows | undefined;
}

/** The observer itself. Times are observer time. */
interface ObserverView {
  readonly nowNs: number;
  /** When the last pause ended, and its length; undefined = there was none. */
  readonly lastPause: { readonly endNs: number; readonly ns: number } | undefined;
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
    const { observer, expected, agentRows: rows } = this.#sources;
    const { tracker } = observer;
    return new StatusWalk({ tracker, expected, rows, nowNs: () => observer.clock.lastNs });
  }

  observer(): ObserverView {
    const { clock, tracker } = this.#sources.observer;
    return { nowNs: clock.lastNs, lastPause: tracker.pauses.last };
  }

  /** In the order of their numbers. */
  listeners(): ListenerView[] {
    const { listeners, accounting } = this.#sources.observer;
    return listeners.map(({ name }, number) => ({
      name,
      received: accounting.received[number]!,
      accepted: accounting.accepted[number]!,
      rejected: accounting.rejectedTotal(number),
    }));
  }

  /** Accepted since the start, by all listeners. */
  beats(): number {
    return this.listeners().reduce((sum, { accepted }) => sum + accepted, 0);
  }

  recovery(): RecoveryView {
    return { children: this.#sources.recovery.outstandingCount };
  }
}
