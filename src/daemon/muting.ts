// Mutes in the daemon (spec 16 section 8): begins and ends them, says so in log and export, and
// gives back what they held. A stall is held by recovery; that an agent is missing is held here.
import type { AgentTable } from "../agents/agent_table.ts";
import type { ExpectedReports } from "../agents/expected_agents.ts";
import { type Mutable, type Mute, type MuteEnd, Mutes, mutedText } from "../agents/mutes.ts";
import { saturatingSub } from "../base/saturating.ts";
import { wholeMsFromNs } from "../base/time.ts";
import type { MuteEvent } from "../events/act.ts";
import type { AgentComplete, AgentMissing } from "../events/expected_members.ts";
import type { EventFeed } from "../view/event_feed.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";

interface MutingOptions {
  readonly agents: Pick<AgentTable, "nameOf">;
  readonly log: Pick<Log, "info">;
  readonly nowNs: () => number;
  /** A mute is over: the stalls that it held are asked for. */
  readonly unmuted: () => void;
  /** Keeps what happens, for who asks later. */
  readonly events: Pick<EventFeed, "missing" | "complete" | "muted">;
  readonly exported: ExpectedReports & { muted(event: MuteEvent): void };
  readonly reports: {
    missing(missing: AgentMissing, isMuted: boolean): void;
    complete(complete: AgentComplete, wasTold: boolean): void;
  };
}

export class Muting implements Deadline, ExpectedReports {
  readonly mutes: Mutes;
  readonly #options: MutingOptions;
  /** By number: agents that are missing and were not told of, since they are muted. */
  readonly #missing = new Map<number, AgentMissing>();

  constructor(options: MutingOptions) {
    this.#options = options;
    this.mutes = new Mutes({
      agentName: (number) => options.agents.nameOf(number),
      ended: (mute, how, nowNs) => this.#ended(mute, how, nowNs),
    });
  }

  isMuted(member: Mutable, nowNs = this.#options.nowNs()): boolean {
    return this.mutes.size > 0 && this.mutes.muteOf(member, nowNs) !== undefined;
  }

  isNameMuted(name: string): boolean {
    return this.mutes.size > 0 && this.mutes.muteOfName(name, this.#options.nowNs()) !== undefined;
  }

  begin(mute: Mute): void {
    this.mutes.begin(mute);
    const { log } = this.#options;
    log.info("muted", {
      agent: mutedText(mute.target),
      for_ms: wholeMsFromNs(mute.untilNs - mute.beganNs),
      reason: mute.reason || undefined,
      by_uid: mute.by.uid,
      by_pid: mute.by.pid,
      by: mute.by.comm,
    });
    this.#say(eventOf(mute, "begin", "", mute.beganNs));
  }

  missing(missing: AgentMissing): void {
    const { exported, reports, agents, events } = this.#options;
    exported.missing(missing);
    events.missing(missing);
    const isMuted = this.isNameMuted(agents.nameOf(missing.agent));
    if (isMuted) this.#missing.set(missing.agent, missing);
    reports.missing(missing, isMuted);
  }

  complete(complete: AgentComplete): void {
    const { exported, reports, events } = this.#options;
    exported.complete(complete);
    events.complete(complete);
    reports.complete(complete, !this.#missing.delete(complete.agent));
  }

  /** That the agent is missing was reported; false = its mute holds that. */
  wasMissingTold(agent: number): boolean {
    return !this.#missing.has(agent);
  }

  /** The daemon before this one held it: it is reported when no mute holds it any more. */
  holdMissing(missing: AgentMissing): void {
    this.#missing.set(missing.agent, missing);
    if (!this.isNameMuted(this.#options.agents.nameOf(missing.agent))) this.#tellMissing();
  }

  nextDeadlineNs(): number {
    return this.mutes.nextDeadlineNs();
  }

  maintain(nowNs: number): void {
    this.mutes.maintain(nowNs);
  }

  #say(event: MuteEvent): void {
    this.#options.exported.muted(event);
    this.#options.events.muted(event);
  }

  #ended(mute: Mute, how: MuteEnd, nowNs: number): void {
    const { log, unmuted } = this.#options;
    const early = how === "unmuted" ? wholeMsFromNs(saturatingSub(mute.untilNs, nowNs)) : undefined;
    log.info("mute ended", {
      agent: mutedText(mute.target),
      reason: mute.reason || undefined,
      how,
      left_ms: early,
    });
    this.#say(eventOf(mute, "end", how, nowNs));
    unmuted();
    this.#tellMissing();
  }

  /** Of agents that are muted no more. */
  #tellMissing(): void {
    const { agents, reports, nowNs } = this.#options;
    for (const [agent, missing] of this.#missing) {
      if (this.isNameMuted(agents.nameOf(agent))) continue;
      this.#missing.delete(agent);
      reports.missing({ ...missing, observerNs: nowNs() }, false);
    }
  }
}

function eventOf(
  { target, reason, beganNs, untilNs, by }: Mute,
  phase: "begin" | "end",
  how: MuteEvent["how"],
  observerNs: number,
): MuteEvent {
  return {
    observerNs,
    target: mutedText(target),
    phase,
    reason,
    forNs: untilNs - beganNs,
    how,
    byUid: by.uid,
    byPid: by.pid,
    by: by.comm,
  };
}
