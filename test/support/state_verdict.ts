// What a churn of kills comes to (state_churn.ts): who was lost, told again, called silent without
// cause or recovered twice; and whether that is within what a kill may take away.
import { type Agent, type Churned, isFrozen, isTrue, SAID, type Told } from "./state_churn.ts";

/** What the daemon promises to have on the disk: the period of the state, and one writing. */
const WINDOW_MS = 2_000;
/** Of a writing, and of a beat on its way, on a machine that does other things. */
const SLACK_MS = 500;

export interface StateVerdict {
  readonly counts: Readonly<Record<string, number>>;
  /** One sentence for each that must not be. */
  readonly faults: readonly string[];
}

export function verdictOf(churned: Churned): StateVerdict {
  const { agents, lives, told, recovered } = churned;
  const byPid = new Map<number, Agent[]>();
  for (const agent of agents) byPid.set(agent.pid, [...(byPid.get(agent.pid) ?? []), agent]);
  // A pid that the kernel gave away twice is two processes, which no line tells apart.
  const single = agents.filter(({ pid }) => byPid.get(pid)!.length === 1);
  const faults: string[] = [];
  const counts = { deaths: 0, lost: 0, toldAgain: 0, stalls: 0, recoveries: 0, oldestLossMs: 0 };
  for (const agent of single) {
    const of = told.filter(({ pid }) => pid === agent.pid);
    if (agent.diedMs !== Infinity) counts.deaths += 1;
    const mustBeTold = agent.diedMs !== Infinity || isFrozen(agent);
    if (mustBeTold && of.length === 0) {
      counts.lost += 1;
      const lossMs = lossOf(agent, churned);
      counts.oldestLossMs = Math.max(counts.oldestLossMs, lossMs);
      if (lossMs > WINDOW_MS + SLACK_MS)
        faults.push(`${nameOf(agent)} was lost after ${lossMs} ms, ${storyOf(agent, churned)}`);
    }
    for (const one of of) {
      if (one.what === "agent stalled") counts.stalls += 1;
      if (!isTrue(agent, one)) faults.push(`"${one.what}" was said of ${nameOf(agent)}`);
    }
    for (const what of SAID)
      for (const [first, second] of pairs(
        of.filter((one) => one.what === what),
        agent,
      )) {
        counts.toldAgain += 1;
        if (!isForgotten(first, second, churned))
          faults.push(`"${what}" was said of ${nameOf(agent)} again`);
      }
    const runs = recovered.filter(({ pid }) => pid === agent.pid);
    counts.recoveries += runs.length;
    if (runs.length > 1) faults.push(`${nameOf(agent)} was recovered ${runs.length} times`);
    for (const { atMs } of runs)
      if (!isTrue(agent, { atMs, what: "agent stalled" }))
        faults.push(`${nameOf(agent)} was recovered without cause`);
  }
  for (const [life, { stateAgeMs }] of lives.entries())
    if (life > 0 && lives[life - 1]!.left !== undefined && Number.isNaN(stateAgeMs))
      faults.push(`life ${life} did not say how old its state was`);
  return { counts: { kills: lives.length - 1, agents: single.length, ...counts }, faults };
}

/** How long a daemon knew an agent that none of the states has: at most until it was killed. */
function lossOf({ pid, bornMs }: Agent, { lives }: Churned): number {
  const first = lives.find(({ killedMs }) => killedMs > bornMs);
  // One that was over before anybody could look at it is no member (spec 14 section 4).
  const isKept = lives.some(({ left }) =>
    left?.member.some((member) => member.pid === pid && !Number.isNaN(member.generation)),
  );
  if (first === undefined) return 0;
  return isKept ? Number.POSITIVE_INFINITY : first.killedMs - bornMs;
}

/** Where to look for it. */
function storyOf({ pid, bornMs, diedMs }: Agent, { lives }: Churned): string {
  const kept = lives.flatMap(({ left }, life) =>
    left?.member.some((member) => member.pid === pid) === true ? [life] : [],
  );
  const before = (ms: number): number => lives.findLastIndex(({ startedMs }) => startedMs <= ms);
  const at = before(diedMs);
  const isWatched = at >= 0 && diedMs <= lives[at]!.killedMs;
  const afterMs = diedMs - (lives[at]?.startedMs ?? 0);
  return (
    `born in life ${before(bornMs)}, in the states of lives ${kept.join(", ")}, ` +
    `died ${isWatched ? "in" : "after"} life ${at}, ${afterMs} ms from its start`
  );
}

/** What followed upon the same silence, in order. */
function pairs(told: readonly Told[], agent: Agent): [Told, Told][] {
  const silences = told.toSorted((a, b) => a.atMs - b.atMs);
  return silences.slice(1).flatMap((second, at) => {
    const first = silences[at]!;
    const cameBack = agent.frozen.some(([, toMs]) => toMs > first.atMs && toMs < second.atMs);
    return cameBack ? [] : [[first, second] as [Told, Told]];
  });
}

/** A kill took away that it was told. */
function isForgotten(first: Told, second: Told, { lives }: Churned): boolean {
  return lives.slice(first.life, second.life).some(({ left, killedMs }) => {
    const keptMs = left?.moment.unixMs ?? Number.NEGATIVE_INFINITY;
    return keptMs <= first.atMs && killedMs - first.atMs <= WINDOW_MS + SLACK_MS;
  });
}

function nameOf({ pid }: Agent): string {
  return `agent ${pid}`;
}
