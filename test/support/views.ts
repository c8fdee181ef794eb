// The read model over an observer without a daemon: nothing recovers, no agent is expected.
import { ExpectedAgents, type ExpectedAgent } from "../../src/agents/expected_agents.ts";
import { Mutes } from "../../src/agents/mutes.ts";
import type { Observer } from "../../src/observer/observer.ts";
import type { SelfBeats } from "../../src/observer/self_beats.ts";
import type { RecoveryPlace } from "../../src/recovery/recovery.ts";
import { Plan } from "../../src/recovery/plan.ts";
import { EventLog } from "../../src/view/event_log.ts";
import type { RefusedBeats, SocketRights } from "../../src/view/status_view.ts";
import { recoveryConfig } from "../recovery/harness.ts";
import { View } from "../../src/view/view.ts";

export interface ViewParts {
  readonly expected?: ExpectedAgents;
  readonly recovery?: { readonly outstandingCount: number };
  readonly mutes?: Mutes;
  readonly events?: EventLog;
  /** By the tracker's key. */
  readonly recovering?: ReadonlyMap<number, RecoveryPlace>;
  readonly refused?: RefusedBeats;
  readonly socketRights?: SocketRights;
  readonly refusedAt?: string;
  readonly selfBeats?: Pick<SelfBeats, "areSent" | "areRound" | "roundTookNs">;
}

export function viewOf(observer: Observer, parts: ViewParts = {}): View {
  const { expected = expectedOf(observer, []), recovery = { outstandingCount: 0 } } = parts;
  const { recovering = new Map(), events = new EventLog() } = parts;
  return new View({
    observer,
    recovery: {
      get outstandingCount() {
        return recovery.outstandingCount;
      },
      sequenceCount: recovering.size,
      placeOf: (key) => recovering.get(key),
      planOf: () => new Plan(recoveryConfig({ command: undefined })),
    },
    live: { refusedAt: parts.refusedAt, current: { agents: [] } },
    muting: { mutes: parts.mutes ?? mutesOf(observer) },
    events,
    refusals: { mostFrequent: () => parts.refused ?? null },
    pauseCause: { last: () => undefined },
    selfBeats: parts.selfBeats ?? { areSent: false, areRound: () => true, roundTookNs: () => 0 },
    stateSeen: { view: null },
    socketRights: () => parts.socketRights,
    userName: (uid) => (uid === 0 ? "root" : String(uid)),
    expected,
    agentRows: undefined,
    beatRates: undefined,
  });
}

export function mutesOf({ tracker }: Observer): Mutes {
  const { agents } = tracker.table;
  return new Mutes({ agentName: (number) => agents.nameOf(number), ended: () => {} });
}

export function expectedOf(
  { tracker, pauses }: Observer,
  expected: readonly ExpectedAgent[],
): ExpectedAgents {
  const { agents } = tracker.table;
  agents.reserve(expected.map(({ name }) => ({ name, bindsOwner: true })));
  return new ExpectedAgents({
    agents,
    expected,
    reports: { missing: () => {}, complete: () => {} },
    pausedNs: () => pauses.totalNs,
    graceNsMin: 0,
  });
}
