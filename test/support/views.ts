// The read model over an observer without a daemon: nothing recovers, no agent is expected.
import { ExpectedAgents, type ExpectedAgent } from "../../src/agents/expected_agents.ts";
import type { Observer } from "../../src/observer/observer.ts";
import { View } from "../../src/view/view.ts";

interface ViewParts {
  readonly expected?: readonly ExpectedAgent[];
  readonly recovery?: { readonly outstandingCount: number };
}

export function viewOf(observer: Observer, parts: ViewParts = {}): View {
  const { expected = [], recovery = { outstandingCount: 0 } } = parts;
  const { agents } = observer.tracker.table;
  agents.reserve(expected.map(({ name }) => ({ name, bindsOwner: true })));
  return new View({
    observer,
    recovery,
    expected: new ExpectedAgents({
      agents,
      expected,
      reports: { missing: () => {}, complete: () => {} },
      pausedNs: () => observer.pauses.totalNs,
      graceNsMin: 0,
    }),
    agentRows: undefined,
  });
}
