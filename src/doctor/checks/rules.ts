// Members without a rule, and rules without a member, as the daemon knows them: who asks may not
// see the program of somebody else.
import { check, type Finding, leftOut, NEEDS_CONFIG, NEEDS_DAEMON, NOT_ASKED } from "../check.ts";
import { doesSomething } from "../plans.ts";
import { counted, someOf } from "../words.ts";

/** What beats seldom, or is started now and then, has come by then. */
const WATCHED_S_MIN = 600;

export const UNNAMED_AGENTS = check({
  name: "unnamed_agents",
  about: "the members that beat now against the rules: who has none",
  gather: ({ config, daemon }) => {
    if (config === undefined) return NEEDS_CONFIG;
    const rules = daemon?.own?.rules;
    if (rules === undefined) return NEEDS_DAEMON;
    // Without a single rule all are meant to have none.
    if (rules.count === 0) return NOT_ASKED;
    return {
      agents: rules.without.map(({ agent }) => agent),
      count: rules.without_count,
      pid: rules.without.find(({ pid }) => pid !== null)?.pid ?? undefined,
      thresholdMs: config.observer.thresholdNs / 1e6,
      recovers: doesSomething(config.recovery),
    };
  },
  decide: unnamedFinding,
});

interface UnnamedFacts {
  /** Some of them. */
  readonly agents: readonly string[];
  readonly count: number;
  /** One of their members on this machine. */
  readonly pid: number | undefined;
  readonly thresholdMs: number;
  /** [recovery] itself does something: it is theirs, too. */
  readonly recovers: boolean;
}

export function unnamedFinding(facts: UnnamedFacts): Finding | undefined {
  const { agents, count, pid, thresholdMs, recovers } = facts;
  if (count === 0) return undefined;
  const [have, get] = count === 1 ? ["has", "It gets"] : ["have", "They get"];
  return {
    severity: "advice",
    found: `${counted(count, "agent")} ${have} no rule: ${someOf(agents, count)}.`,
    effect: `${get} the default threshold of ${shortText(thresholdMs)} and ${recovers ? "[recovery] itself" : "no plan"}.`,
    fix:
      pid === undefined
        ? { run: ["varta-watch status"] }
        : { words: `varta-watch check --explain ${pid}   (shows the rule to write)` },
  };
}

export const IDLE_RULES = check({
  name: "idle_rules",
  about: "the rules against all members since the start, or since a reload",
  gather: ({ daemon }) => {
    const rules = daemon?.own?.rules;
    if (daemon === undefined || rules === undefined) return NEEDS_DAEMON;
    if (rules.count === 0) return NOT_ASKED;
    if (daemon.observer.up_s < WATCHED_S_MIN)
      return leftOut("a daemon that has watched for ten minutes");
    return rules;
  },
  decide: ({ idle, idle_count, count }) =>
    idle_count === 0
      ? undefined
      : {
          severity: "advice",
          found: `${counted(idle_count, "rule")} of ${count} ${idle_count === 1 ? "has" : "have"} taken no member: ${someOf(idle, idle_count)}.`,
          effect: "What it is for does not beat, or another rule before it takes it.",
          fix: { words: "hold its match against explain of the agent it is for, or remove it" },
        },
});

function shortText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
