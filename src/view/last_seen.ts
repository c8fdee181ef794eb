// What a command can say of a daemon that is down (spec 16 section 13): how its agents were when it
// was last there. The daemon writes it beside its control socket, and `status` reads it.
import { AGENT_STATES, BAD_STATES } from "../agents/agent_state.ts";
import type { State } from "../snapshot/records.ts";
import type { AgentStatus } from "./agent_status.ts";

export const LAST_SEEN_FILE = "last-seen";
/** Longer ones are not read. */
export const LAST_SEEN_BYTES_MAX = 16 * 1_024;
/** Names of each state: the worst ones, and a line that a terminal shows. */
const NAMES_MAX = 8;

export interface LastSeen {
  readonly v: 1;
  /** RFC 3339, in UTC. */
  readonly time: string;
  /** A clean end wrote it: a daemon that was killed was there for longer. */
  readonly final: boolean;
  readonly agents: {
    readonly ok: number;
    readonly bad: readonly { readonly state: string; readonly agents: readonly string[] }[];
    readonly beating: number;
    readonly members: number;
  };
}

export function lastSeenOf(
  agents: readonly AgentStatus[],
  { time, final }: Pick<LastSeen, "time" | "final">,
): LastSeen {
  const bad = AGENT_STATES.filter((state) => BAD_STATES.includes(state)).flatMap((state) => {
    const names = agents.filter((one) => one.state === state).map(({ agent }) => agent);
    return names.length === 0 ? [] : [{ state, agents: names.slice(0, NAMES_MAX) }];
  });
  return {
    v: 1,
    time,
    final,
    agents: {
      ok: agents.filter(({ state }) => state === "ok").length,
      bad,
      beating: agents.reduce((sum, { beating }) => sum + beating, 0),
      members: agents.reduce((sum, { expected, members }) => sum + (expected || members), 0),
    },
  };
}

/** The same, from a state: of it is not known how many members an agent should have had. */
export function lastSeenInState({ moment, member, missing }: State): LastSeen {
  const byAgent = Map.groupBy(member, ({ agent }) => agent);
  const stalled = [...byAgent].flatMap(([agent, members]) =>
    members.some(({ isStalled }) => isStalled) ? [agent] : [],
  );
  const lacking = missing.map(({ agent }) => agent);
  const states = { stalled, missing: lacking.filter((agent) => !stalled.includes(agent)) };
  return {
    v: 1,
    time: new Date(moment.unixMs).toISOString(),
    final: moment.isFinal,
    agents: {
      ok: [...byAgent.keys()].filter((one) => ![...stalled, ...lacking].includes(one)).length,
      bad: Object.entries(states).flatMap(([state, agents]) =>
        agents.length === 0 ? [] : [{ state, agents: agents.slice(0, NAMES_MAX) }],
      ),
      beating: member.filter(isBeating).length,
      members: member.length,
    },
  };
}

/** As `Slots.isBeating`. */
function isBeating(member: State["member"][number]): boolean {
  const { isStalled, hasEnded, isUnbeaten, goodbyeNs } = member;
  return !isStalled && !hasEnded && !isUnbeaten && Number.isNaN(goodbyeNs);
}

/** Undefined = it is no such file, or of a later version. */
export function parseLastSeen(text: string): LastSeen | undefined {
  try {
    const { v, time, final, agents } = JSON.parse(text) as LastSeen;
    if (v !== 1 || Number.isNaN(Date.parse(time))) return undefined;
    const numbers = [agents.ok, agents.beating, agents.members];
    const isWhole = numbers.every((number) => Number.isSafeInteger(number));
    const names = agents.bad.flatMap((one) => [one.state, ...one.agents]);
    return isWhole && names.every((name) => typeof name === "string")
      ? { v, time, final: final === true, agents }
      : undefined;
  } catch {
    return undefined;
  }
}
