// Reads of the status between turns, and mutes of members that end by themselves: what a reader is
// shown is what the model knows, and to look changes nothing, or the next turn would differ.
import type { Mutes, MuteTarget } from "../../src/agents/mutes.ts";
import { AGENT_NEW } from "../../src/agents/agent_table.ts";
import type { View } from "../../src/view/view.ts";
import { viewOf } from "../support/views.ts";
import type { Coverage } from "./coverage.ts";
import type { Daemon } from "./daemon.ts";
import { same } from "./failure.ts";
import type { Model } from "./model.ts";
import { Random } from "./random.ts";
import type { Seams } from "./seams.ts";
import type { World } from "./world.ts";

const BY = { uid: 0, pid: 1, comm: "varta-watch" };

interface ModelMute {
  /** NaN = the process cannot be told from another with its key. */
  readonly generation: number;
  readonly untilNs: number;
}

export class StatusReads {
  // Its own luck: whoever looks does not change what happens.
  readonly #random = new Random(16);
  readonly #daemon: Daemon;
  readonly #model: Model;
  readonly #thresholdNs: number;
  readonly #coverage: Coverage;
  readonly #mutes: Mutes;
  readonly #view: View;
  /** By the key of the member: a later one takes the place of an earlier one. */
  readonly #modelMutes = new Map<number, ModelMute>();

  constructor(daemon: Daemon, model: Model, { scenario, coverage }: World, seams: Seams) {
    this.#daemon = daemon;
    this.#model = model;
    this.#thresholdNs = scenario.thresholdNs;
    this.#coverage = coverage;
    const { agents } = daemon.observer.tracker.table;
    const agentName = (number: number): string => agents.nameOf(number);
    this.#mutes = seams.mutes({ agentName, ended: () => {} });
    this.#view = viewOf(daemon.observer, { mutes: this.#mutes });
  }

  afterTurn(): void {
    const nowNs = this.#daemon.clock.lastNs;
    // A mute that is over holds nobody, whether or not its end was noticed.
    if (this.#random.chance(0.5)) this.#mutes.maintain(nowNs);
    if (this.#random.chance(0.1)) this.#mute(nowNs);
    if (this.#random.chance(0.05)) this.#read(nowNs);
  }

  #mute(nowNs: number): void {
    const { tracker } = this.#daemon.observer;
    if (tracker.len === 0) return;
    const slot = this.#random.below(tracker.len);
    const key = tracker.slots.key[slot]!;
    const generation = tracker.slots.generation[slot]!;
    const untilNs = nowNs + this.#random.between(1, 20 * this.#thresholdNs);
    const pid = tracker.slots.pid[slot]!;
    const target: MuteTarget = { kind: "member", name: "", pid, key, generation };
    if (!this.#mutes.hasRoomFor(target)) return;
    this.#mutes.begin({ target, reason: "", by: BY, beganNs: nowNs, untilNs });
    this.#modelMutes.set(key, { generation, untilNs });
    this.#coverage.count("membersMuted");
  }

  #read(nowNs: number): void {
    const walk = this.#view.walkStatus();
    while (!walk.step());
    const agents = walk.agents();
    const { slots } = this.#daemon.observer.tracker;
    // Daemon and model have the same members at the same places; of a new one the agent is not
    // known yet.
    const known = this.#model.observer.tracker.slots
      .map(({ latched, unbeaten, saidGoodbye }, slot) => ({
        latched,
        beats: !latched && !unbeaten && !saidGoodbye,
        agent: slots.agent[slot]!,
        isMuted: this.#isMuted(slots.key[slot]!, slots.generation[slot]!, nowNs),
      }))
      .filter(({ agent }) => agent !== AGENT_NEW);
    const stalled = new Set(known.filter(({ latched }) => latched).map(({ agent }) => agent));
    const sum = (of: (agent: (typeof agents)[number]) => number): number =>
      agents.reduce((total, agent) => total + of(agent), 0);
    same("names shown", agents.length, new Set(agents.map(({ agent }) => agent)).size);
    same(
      "members shown",
      known.length,
      sum(({ members }) => members),
    );
    const beating = known.filter(({ beats }) => beats).length;
    same(
      "members shown that beat",
      beating,
      sum((agent) => agent.beating),
    );
    same(
      "agents shown as stalled",
      stalled.size,
      sum(({ state }) => Number(state === "stalled")),
    );
    const muted = known.filter(({ isMuted }) => isMuted);
    same(
      "members shown as muted",
      muted.length,
      sum(({ mutedMembers }) => mutedMembers),
    );
    const isAllMuted = (agent: number): boolean =>
      known.every((one) => one.agent !== agent || one.isMuted);
    const mutedAgents = new Set(muted.map(({ agent }) => agent).filter(isAllMuted));
    same(
      "agents shown as muted",
      mutedAgents.size,
      sum(({ mute }) => Number(mute !== undefined)),
    );
    this.#coverage.count("statusReads");
    this.#coverage.count("mutedStalls", known.filter((one) => one.isMuted && one.latched).length);
  }

  #isMuted(key: number, generation: number, nowNs: number): boolean {
    const mute = this.#modelMutes.get(key);
    if (mute === undefined || mute.untilNs <= nowNs) return false;
    return Number.isNaN(mute.generation) || mute.generation === generation;
  }
}
