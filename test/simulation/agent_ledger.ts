// What was reported of each agent by its name, to be compared with its rows on the metrics page.
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { OUTCOME_LABELS } from "../../src/events/outcome_words.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { Observer } from "../../src/observer/observer.ts";
import type { Page } from "../metrics/page.ts";
import { same } from "./failure.ts";

export class AgentLedger {
  readonly #observer: Observer;
  /** By the labels of a sample, without the family. */
  readonly #counts = new Map<string, number>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  stalled({ agent }: Stall): void {
    this.#count("varta_agent_stalls_total", agent, 'verdict="unknown"');
  }

  outcome(outcome: RecoveryOutcome): void {
    if (!("label" in outcome) || outcome.label === undefined) return;
    this.#count("varta_agent_recoveries_total", outcome.agent, `outcome="${outcome.label}"`);
  }

  /** Names that share the rows of "other" cannot be told apart: then the sums say it all. */
  compare({ samples }: Page): void {
    if (samples.get("varta_watch_agent_rows_refused_total") !== 0) return;
    for (const [name, count] of this.#counts) same(`sample ${name}`, count, samples.get(name));
    for (const [name, value] of samples) {
      const isStall = name.startsWith("varta_agent_stalls_total");
      const isOutcome = OUTCOME_LABELS.some((word) => name.endsWith(`,outcome="${word}"}`));
      if (isStall || isOutcome) same(`sample ${name}`, this.#counts.get(name) ?? 0, value);
    }
    for (const [name, count] of this.#members())
      same(`members of ${name}`, count, samples.get(`varta_agent_members{agent="${name}"}`));
  }

  #members(): Map<string, number> {
    const { slots, len, table } = this.#observer.tracker;
    const members = new Map<string, number>();
    for (let slot = 0; slot < len; slot++) {
      const name = table.agents.nameOf(slots.agent[slot]!);
      members.set(name, (members.get(name) ?? 0) + 1);
    }
    return members;
  }

  #count(family: string, agent: number, label: string): void {
    const name = this.#observer.tracker.table.agents.nameOf(agent);
    const sample = `${family}{agent="${name}",${label}}`;
    this.#counts.set(sample, (this.#counts.get(sample) ?? 0) + 1);
  }
}
