// Wires the rows of agents on the metrics page: to the tracker, which has the beats of members, and
// to the configuration, whose names keep their places.
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { Config } from "../config/config.ts";
import { AgentRows } from "../metrics/agent_rows.ts";
import type { MetricsOptions } from "../metrics/metrics.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { AgentTotals } from "../view/agent_totals.ts";
import type { Muting } from "./muting.ts";
import { reservedNames } from "./member_rules.ts";
import { recovers } from "./page_scope.ts";

/** Undefined if the daemon has no configuration file: its page knows pids alone. */
export function makeAgentPage(
  config: Config,
  tracker: Tracker,
  expected: ExpectedAgents,
  muting: Pick<Muting, "isNameMuted">,
  nowNs: () => number,
): MetricsOptions["agents"] {
  if (config.optionsAlone) return undefined;
  const rows = new AgentRows({
    agents: tracker.table.agents,
    rowsMax: config.metrics.agentsMax,
    kept: reservedNames(config.agents).map(({ name }) => name),
    expected,
    nowNs,
  });
  tracker.table.agentBeats = rows;
  const isMuted = (name: string): boolean => muting.isNameMuted(name);
  return { rows, totals: new AgentTotals(tracker, rows), recovers: recovers(config), isMuted };
}
