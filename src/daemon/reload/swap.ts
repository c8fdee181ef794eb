// The swap (spec 17 section 2, phase 5): between two turns everything goes by the new
// configuration. What could fail was looked for before, so nothing here does.
import { NS_PER_MS } from "../../base/time.ts";
import type { Config } from "../../config/config.ts";
import { shortestThresholdNs } from "../../config/shortest_threshold.ts";
import { SecureUdpListener } from "../../listener/secure_udp.ts";
import type { PreparedDoors } from "../door_change.ts";
import type { FilePlaces } from "../live_config.ts";
import { expectedAgents, reservedNames, ruleFinder, takenNames } from "../member_rules.ts";
import { monotonicNs } from "../monotonic.ts";
import { guardSettings } from "../guard_reports.ts";
import { type Parts, pauseGapNs } from "../parts.ts";
import type { NextConfig } from "./next_config.ts";
import { Rematch } from "./rematch.ts";

/** Of a turn, for members that are matched by rules that are not in force yet. */
const PREPARE_NS_PER_TURN_MAX = NS_PER_MS;

/** What a reload changes, and nobody else has. */
interface SwapOptions {
  readonly parts: Parts;
  /** Opened by the new configuration. */
  readonly doors: PreparedDoors;
  /** Hears of another shortest threshold. */
  readonly thresholdChanged: (thresholdNs: number) => void;
}

export class Swap {
  readonly #options: SwapOptions;
  readonly #config: Config;
  readonly #places: FilePlaces;
  readonly #rematch: Rematch;

  constructor(options: SwapOptions, { loaded, places }: NextConfig) {
    const next = loaded.config;
    this.#options = options;
    this.#config = next;
    this.#places = places;
    this.#rematch = new Rematch({
      tracker: options.parts.observer.tracker,
      findRule: ruleFinder(next.agents),
      taken: takenNames(next.agents),
      thresholdNs: next.observer.thresholdNs,
      monotonicNs,
    });
  }

  /** False: the names of the new rules have no places. */
  get isPossible(): boolean {
    const { agents } = this.#options.parts.observer.tracker.table;
    return agents.canReserve(reservedNames(this.#config.agents));
  }

  /** One turn's share of what comes before; true if there is no more. */
  prepare(): boolean {
    return this.#rematch.advance(PREPARE_NS_PER_TURN_MAX);
  }

  /** It does not come to the swap. */
  drop(): void {
    this.#options.doors.drop();
  }

  run(nowNs: number): void {
    const next = this.#config;
    const { parts, doors, thresholdChanged } = this.#options;
    const { observer, recovery, identification, expected, agentRows, rubbish, live } = parts;
    const names = reservedNames(next.agents);
    live.replace(next, () => Promise.resolve(this.#places), nowNs);
    observer.tracker.table.agents.reserveAnew(names);
    identification.changeRules(ruleFinder(next.agents), takenNames(next.agents));
    observer.tracker.table.takenRules.clear();
    this.#rematch.swap(nowNs, (agent, facts) => identification.renamed(agent, facts));
    expected.change(expectedAgents(next.agents), nowNs);
    agentRows?.change(names.map(({ name }) => name));
    recovery.change({ config: next.recovery, plans: next.plans });
    observer.admission.change(next.limits);
    const thresholdNs = shortestThresholdNs(next);
    observer.pauses.gapNsMax = pauseGapNs(thresholdNs);
    observer.silence.guarded?.guard.change(guardSettings(next), nowNs);
    rubbish.change(thresholdNs);
    thresholdChanged(thresholdNs);
    doors.commit(nowNs);
    for (const listener of observer.listeners)
      if (listener instanceof SecureUdpListener) listener.restartGapNs = next.observer.thresholdNs;
  }
}
